/** Quota gauges: what is counted, what a request would add, and the end of the track as the limit. */
import { html } from '../lib/html.js';
import { amount, number, percent, show, showBytes, unitFor } from '../lib/format.js';
import { resourceWord } from '../lib/words.js';
import { Badge } from './basics.js';

/** @typedef {import('../lib/types.js').Level} Level */

/** @param {number} share percent */
export const levelOf = (share) => (share >= 90 ? 'bad' : share >= 80 ? 'warn' : '');

/** The numbers in the unit of the limit. @param {string} resource @param {number} used @param {number} add @param {number} total */
export function figures(resource, used, add, total) {
  if (resource === 'memory' || resource === 'storage') {
    const { unit, name } = unitFor(total || used);
    return { used: used > 0 && used / unit < .1 ? showBytes(used) : number(used / unit), add: number(add / unit), total: number(total / unit), unit: name };
  }
  return { used: number(used), add: number(add), total: number(total), unit: resource === 'cpu' ? (total === 1 ? 'core' : 'cores') : '' };
}

/** @param {{resource: string, used: any, total: any, add?: any, label?: string}} props quantities as the server prints them */
export function Gauge({ resource, used, total, add = 0, label }) {
  const now = amount(resource, used) || 0;
  const more = amount(resource, add) || 0;
  const limit = amount(resource, total);
  const name = label || resourceWord(resource);
  if (!limit) return html`<div class="gauge"><div class="g"><span>${name}</span><span class="v"><b>${show(resource, used)}</b>, no limit</span></div></div>`;
  const share = ((now + more) / limit) * 100;
  const level = levelOf(share);
  const text = figures(resource, now, more, limit);
  const words = `${name}: ${text.used}${more ? ` and ${text.add} more` : ''} of ${text.total} ${text.unit}, ${Math.round(share)} percent`;
  return html`<div class="gauge"><div class="g"><span>${name}</span>${share > 100 && html`<${Badge} kind="bad">over<//>`}<span class="v"><b>${text.used}</b>${more ? html` <b class=${level}>+ ${text.add}</b>` : null} of ${text.total} ${text.unit} · <span class=${level ? `${level} strong` : ''}>${percent(share)}</span></span></div>
    <${Track} now=${now} more=${more} limit=${limit} words=${words} /></div>`;
}

/** @param {{now: number, more?: number, limit: number, words: string, thick?: boolean, kind?: string}} props */
export function Track({ now, more = 0, limit, words, thick, kind }) {
  const share = limit ? ((now + more) / limit) * 100 : 0;
  const scale = Math.max(share, 100) / 100;
  const width = (/** @type {number} */ value) => ({ width: `${limit ? Math.max(0, (value / limit) * 100) / scale : 0}%` });
  return html`<div class=${`track ${kind ?? levelOf(share)} ${thick ? 't8' : ''}`} role="meter" aria-label=${words.split(':')[0]} aria-valuemin="0" aria-valuemax=${limit} aria-valuenow=${Math.min(now + more, limit)} aria-valuetext=${words}><i style=${width(now)} />${more > 0 && html`<i class="add" style=${width(more)} />`}</div>`;
}

/** The gauges of a group, in the order of the check. @param {{usage: import('../lib/types.js').Usage, only?: string[]}} props */
export function Gauges({ usage, only = ['cpu', 'memory', 'storage'] }) {
  return html`<div class="gauges">${only.map((resource) => { const level = /** @type {any} */ (usage)[resource]; return level && html`<${Gauge} key=${resource} resource=${resource} used=${level.used} total=${level.total} />`; })}</div>`;
}
