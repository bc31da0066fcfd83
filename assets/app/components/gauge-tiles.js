/** A quota as four tiles, and sums over quantities. */
import { html } from '../lib/html.js';
import { amount, bytes, cores, percent, show } from '../lib/format.js';
import { resourceWord } from '../lib/words.js';
import { Badge } from './basics.js';
import { figures, levelOf, Track } from './gauge.js';

/** The same as four tiles: figure first, then bar, then what is left. @param {{usage: import('../lib/types.js').Usage, note?: string}} props */
export function Tiles({ usage, note }) {
  return html`<section class="card tiles" aria-label="Quota">${['cpu', 'memory', 'storage', 'pods'].map((resource) => {
    const level = /** @type {any} */ (usage)[resource];
    const now = amount(resource, level.used) || 0;
    const limit = amount(resource, level.total) || 0;
    const share = limit ? (now / limit) * 100 : 0;
    const text = figures(resource, now, 0, limit);
    const left = limit - now;
    return html`<div key=${resource}><div class="h">${resourceWord(resource)}${levelOf(share) ? html`<${Badge} kind=${levelOf(share)}>${percent(share)}<//>` : html`<span class="t12">${percent(share)}</span>`}</div>
      <div class="f">${text.used} <small>of ${text.total} ${text.unit}</small></div><${Track} now=${now} limit=${limit} thick words=${`${resourceWord(resource)}: ${text.used} of ${text.total} ${text.unit}`} />
      <div class="t12 fg3">${resource === 'pods' && note ? note : left < 0 ? `${show(resource, -left)} over` : `${show(resource, left)} left`}</div></div>`;
  })}</section>`;
}

/** Which resource is nearest to its limit. @param {import('../lib/types.js').Usage} usage */
export function tightest(usage) {
  return /** @type {const} */ (['cpu', 'memory', 'storage', 'pods']).map((resource) => ({ resource, share: usage[resource]?.percentage || 0 })).sort((a, b) => b.share - a.share)[0];
}

/** Adds quantities of one kind. @param {string} resource @param {any[]} list */
export const sum = (resource, list) => list.reduce((all, text) => all + ((resource === 'cpu' ? cores(text) : bytes(text)) || 0), 0);
