/** What stands out of use: near a limit, hardly used, idle, abandoned; and what ending the idle ones would free. */
import { html, loadStyle } from '../lib/html.js';
import { post } from '../lib/api.js';
import { each } from '../lib/bulk.js';
import { may } from '../lib/can.js';
import { amount, percent, plural, show, showBytes, showCores } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { resourceWord } from '../lib/words.js';
import { Badge, Button, Time } from './basics.js';
import { Callout, Card, Loaded } from './places.js';

await loadStyle('/style/table.css');

/** @typedef {{cpu: string, memory: string, storage: string, pods: number}} Frees */
/** @typedef {{items: any[], frees: Frees}} Unused */

const SHOWN = 8;

/** What is given back, in words. @param {Frees} frees */
export function freesWords(frees) {
  const parts = [amount('cpu', frees.cpu) > 0 && showCores(frees.cpu), amount('memory', frees.memory) > 0 && `${showBytes(frees.memory)} of memory`, amount('storage', frees.storage) > 0 && `${showBytes(frees.storage)} of disk`].filter(Boolean);
  return parts.join(' and ') || 'nothing';
}

/** @param {{title: string, unused: Unused | null | undefined, verb: string, none?: string, groups?: boolean, act?: any}} props act: does it to all; verb: what frees it; groups: also say whose group it is; none: said where there are none */
function UnusedCard({ title, unused, verb, none, groups, act }) {
  if (!unused || (!unused.items.length && !none)) return null;
  const { items, frees } = unused;
  if (!items.length) return html`<${Card} title=${title}><p class="card-body t13 fg2">${none}</p><//>`;
  return html`<${Card} class="table-card" title=${title} right=${html`<span class="t12 fg2">${verb} ${items.length === 1 ? 'it' : `all ${items.length}`} frees ${freesWords(frees)}</span>`}><div class="table-scroll" tabindex="0" role="region" aria-label=${title}><table class="table compact"><thead><tr><th scope="col">Workspace</th><th scope="col">Owner</th>${groups && html`<th scope="col">Group</th>`}<th scope="col">Last used</th><th scope="col">Frees</th></tr></thead>
    <tbody>${items.slice(0, SHOWN).map((one) => html`<tr key=${one.id}><th scope="row"><a class="cut" href=${`/workspaces/${one.id}`}>${one.name}</a></th><td>${one.userDisplayName}</td>${groups && html`<td><a class="plain cut" href=${`/groups/${one.groupId}`}>${one.groupName}</a></td>`}<td><${Time} at=${one.lastUsedAt} /></td><td>${freesWords(one.frees)}</td></tr>`)}</tbody>
    ${items.length > SHOWN && html`<tfoot><tr><td colspan=${groups ? 5 : 4}>and ${plural(items.length - SHOWN, 'more')}</td></tr></tfoot>`}</table></div>${act && html`<div class="card-foot">${act}</div>`}<//>`;
}

/** Stops what runs unused; who may not stop one of them is told so by its name. @param {any[]} items */
async function stopAll(items) {
  const { confirm } = await import('./dialog.js');
  let refused = /** @type {string[]} */ ([]);
  const done = await confirm({
    title: `Stop ${plural(items.length, 'idle workspace')}?`, lead: 'Running programs end; files are kept. Each owner is told and sees the reason.', word: `Stop ${items.length}`, keep: 'Leave them', reason: 'their owners see it', failed: 'Not stopped',
    run: async (/** @type {string} */ why) => { refused = await each(items, (one) => post(`/api/workspaces/${one.id}/actions`, { type: 'stop', ...(why ? { reason: why } : {}) })); refresh('workspace', 'group'); },
  });
  if (done) toast({ title: `${items.length - refused.length} stopped${refused.length ? `, ${refused.length} left` : ''}.`, lines: refused, failed: refused.length > 0 });
}

/** For whom may stop any of them. @param {any[]} items */
function stopButton(items) {
  const mine = items.filter((one) => may(one, 'stop_workspace'));
  return mine.length > 0 && html`<${Button} size="s" icon="circle-stop" onClick=${() => stopAll(mine)}>${mine.length === items.length ? 'Stop all idle' : `Stop the ${mine.length} you may`}<//>`;
}

/** @param {{advice: {idle: Unused | null, abandoned: Unused | null}, always?: boolean, groups?: boolean}} props always: also say that there are none */
export const UnusedCards = ({ advice, always, groups }) => html`<${UnusedCard} title="Idle workspaces" unused=${advice.idle} verb="stopping" groups=${groups} act=${stopButton(advice.idle?.items || [])} none=${always ? 'Every workspace that runs is used.' : undefined} /><${UnusedCard} title="Abandoned workspaces" unused=${advice.abandoned} verb="deleting" groups=${groups} none=${always ? 'No stopped workspace was left for long.' : undefined} />`;

/** @param {any} one of what is hardly used */
const lowWords = (one) => `${resourceWord(one.resource)}: at most ${percent(one.percentage)} in two weeks, ${show(one.resource, one.enough)} would do.`;

/** Of one group: advice above the tiles. @param {{group: import('../lib/types.js').Group}} props */
export function GroupAdvice({ group }) {
  const { data } = useQuery(`/api/groups/${group.id}/advice`, ['group', 'workspace']);
  if (!data?.underused.length) return null;
  return html`<${Callout} icon="info" lead="More than it uses." actions=${may(group, 'set_group_quota') && html`<${Button} size="s" href=${`/groups/${group.id}/settings`}>Change the quota<//>`}>${data.underused.map(lowWords).join(' ')}<//>`;
}

/** Of one group: its workspaces that nobody uses. @param {{group: import('../lib/types.js').Group}} props */
export function GroupUnused({ group }) {
  const { data } = useQuery(`/api/groups/${group.id}/advice`, ['group', 'workspace']);
  return data ? html`<${UnusedCards} advice=${data} />` : null;
}

/** Of the platform: who is near a limit, and since when. @param {{advice: any}} props */
export function Alerts({ advice }) {
  return html`<${Card} title="Alerts"><${Loaded} query=${advice} what="The alerts could not be read">${(/** @type {any} */ told) => (told.alerts.length
    ? html`<ul class="lines">${told.alerts.slice(0, SHOWN).map((/** @type {any} */ one) => html`<li key=${`${one.groupId} ${one.name} ${one.resource}`}><${Badge} kind=${one.level >= 90 ? 'bad' : 'warn'}>${one.level} %<//>${one.groupId ? html`<a class="cut" href=${`/groups/${one.groupId}`}>${one.name}</a>` : html`<span class="cut">${one.name}</span>`}<span class="at">${one.resource === 'cpu' ? 'CPU' : resourceWord(one.resource).toLowerCase()} · <${Time} at=${one.since} /></span></li>`)}</ul>`
    : html`<p class="card-body t13 fg2">Nothing uses 80 % of what it may.</p>`)}<//><//>`;
}

/** Of the platform: quotas that are hardly used. @param {{advice: any}} props */
export function Underused({ advice }) {
  const list = advice.data?.underused || [];
  if (!list.length) return null;
  return html`<${Card} title="Hardly used quotas"><ul class="lines">${list.slice(0, SHOWN).map((/** @type {any} */ one) => html`<li key=${`${one.groupId} ${one.resource}`} style="align-items:flex-start"><span class="stack" style="gap:2px"><a href=${`/groups/${one.groupId}`}>${one.name}</a><span class="t12 fg2">${lowWords(one)}</span></span></li>`)}</ul><//>`;
}
