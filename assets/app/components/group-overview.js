/** A group at a glance: quota tiles, what stands out, who uses most, and its facts. */
import { html, loadStyle } from '../lib/html.js';
import { may } from '../lib/can.js';
import { called, percent, plural, show, showBytes, showCores, showDate } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { resourceWord } from '../lib/words.js';
import { Avatar, Button, Person, Status } from './basics.js';
import { sum, tightest, Tiles } from './gauge-tiles.js';
import { Late } from './late.js';
import { Callout, Card, Empty, Facts, Loaded, Skeleton } from './places.js';

await loadStyle('/style/table.css');
const cost = () => import('./workspace-cost.js');
const trend = () => import('./trend.js');
const advice = () => import('./advice.js');
const words = () => import('./group-words.js');

/** @typedef {import('../lib/types.js').Group} Group */

/** @param {{group: Group}} props */
export function GroupOverview({ group }) {
  const workspaces = useQuery(`/api/workspaces?groupId=${group.id}&limit=1000`, ['workspace']);
  const members = useQuery(`/api/groups/${group.id}/members?limit=1000`, ['membership', 'user']);
  const list = /** @type {any[] | undefined} */ (workspaces.data);
  const all = may(group, 'list_group_workspaces');
  const note = all && list ? count(list) : undefined;
  return html`<${Advice} group=${group} />${may(group, 'view_group_usage') && html`<${Late} load=${advice} part="GroupAdvice" group=${group} />`}<${Tiles} usage=${group.usage} note=${note} />
    <div class="cols"><div class="stack">${may(group, 'view_group_usage') && html`<${Late} load=${trend} part="Trend" meanwhile=${html`<${Card} title="Use over time"><${Skeleton} lines=${4} height=${67} /><//>`} title="Use over time" path=${`/api/groups/${group.id}/usage/history`} parts=${['cpu', 'memory', 'storage', 'workspaces']} limitName="Quota" />`}<${Card} title=${all ? 'Top consumers' : 'My workspaces here'} right=${html`<a href=${`/groups/${group.id}/workspaces`}>All workspaces</a>`}>
      <${Loaded} query=${workspaces} what="The workspaces could not be read">${() => (list?.length ? (all ? html`<${Consumers} list=${list} members=${members.data} />` : html`<${Short} list=${list} />`) : html`<${Empty} icon="square-terminal" title="No workspaces in this group yet" text="Choose a template and have one running in a few seconds." action=${may(group, 'create_workspace') && html`<${Button} icon="plus" href=${`/workspaces/new?group=${group.id}`}>New workspace<//>`} />`)}<//><//>${all && html`<${Late} load=${advice} part="GroupUnused" group=${group} />`}</div>
    <aside>${may(group, 'read_group_page') && html`<${Late} load=${words} part="GroupWords" meanwhile=${html`<${Card} title="About"><${Skeleton} lines=${1} height=${72} /><//>`} group=${group} />`}<${Card} title="Details"><div class="card-body"><${Facts} rows=${facts(group, members.data)} /></div><//>${may(group, 'view_group_usage') && html`<${Late} load=${cost} part="MonthCost" meanwhile=${html`<${Card} title="Cost"><${Skeleton} lines=${2} height=${42} /><//>`} path=${`/api/groups/${group.id}`} />`}
      <${Card} title="Members" right=${html`<a href=${`/groups/${group.id}/members`}>All ${group.memberCount}</a>`}><${Loaded} query=${members} what="The members could not be read">${(/** @type {any[]} */ people) => html`<ul class="lines">${[...people].sort((a, b) => Number(b.role === 'admin') - Number(a.role === 'admin')).slice(0, 5).map((person) => html`<li key=${person.id}><${Person} who=${person} size="" />${person.role === 'admin' && html`<span class="at">admin</span>`}</li>`)}</ul>`}<//><//></aside></div>`;
}

/** @param {any[]} list */
function count(list) {
  const of = (/** @type {string[]} */ ...words) => list.filter(({ status }) => words.includes(status)).length;
  const [running, failed, waiting] = [of('running', 'starting'), of('error'), of('pending')];
  const rest = list.length - running - failed - waiting;
  return [`${running}\u00a0running`, failed && `${failed}\u00a0failed`, waiting && `${waiting}\u00a0waiting`, `${rest}\u00a0stopped`].filter(Boolean).join(', ');
}

/** One sentence about the quota that is nearest to its end. @param {{group: Group}} props */
function Advice({ group }) {
  const { resource, share } = tightest(group.usage);
  if (share < 80) return null;
  const level = /** @type {any} */ (group.usage)[resource];
  const settle = may(group, 'set_group_quota');
  return html`<${Callout} kind=${share > 100 ? 'bad' : 'warn'} icon="triangle-alert" lead=${`${resourceWord(resource)} is at ${percent(share)}.`} actions=${html`<${Button} size="s" href=${`/groups/${group.id}/workspaces`}>Review workspaces<//>${settle && html`<${Button} size="s" kind="ghost" href=${`/groups/${group.id}/settings`}>Change the quota<//>`}`}>
    ${show(resource, level.used)} of ${show(resource, level.total)} are counted. ${resource === 'cpu' || resource === 'memory' ? 'Stopping a workspace gives it back.' : 'Deleting a workspace gives it back.'}<//>`;
}

/** @param {{list: any[], members: any[] | undefined}} props */
function Consumers({ list, members }) {
  const people = new Map((members || []).map((member) => [member.id, member]));
  /** @type {Map<string, any[]>} */
  const by = new Map();
  for (const workspace of list) by.set(workspace.userId, [...(by.get(workspace.userId) || []), workspace]);
  const rows = [...by].map(([id, own]) => {
    const live = own.filter(({ status }) => status !== 'stopped');
    return { id, who: people.get(id) || { id, name: own[0].userDisplayName || 'Somebody who left' }, count: own.length, cpu: sum('cpu', live.map((one) => one.resources.cpu)), memory: sum('memory', live.map((one) => one.resources.memory)), storage: sum('storage', own.map((one) => one.resources.storage)) };
  }).sort((a, b) => b.cpu - a.cpu || b.memory - a.memory || b.count - a.count).slice(0, 6);
  const cell = (/** @type {number} */ value, /** @type {string} */ text) => html`<td class=${`num ${value ? '' : 'zero'}`}>${value ? text : 0}</td>`;
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Top consumers"><table class="table"><thead><tr><th scope="col">Member</th><th scope="col" class="num">Workspaces</th><th scope="col" class="num">CPU</th><th scope="col" class="num">Memory</th><th scope="col" class="num">Storage</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.id}><th scope="row"><${Person} who=${row.who} /></th><td class="num">${row.count}</td>${cell(row.cpu, showCores(row.cpu))}${cell(row.memory, showBytes(row.memory))}${cell(row.storage, showBytes(row.storage))}</tr>`)}</tbody></table></div>`;
}

/** @param {{list: any[]}} props */
const Short = ({ list }) => html`<ul class="lines">${list.slice(0, 8).map((workspace) => html`<li key=${workspace.id}><a class="strong cut" href=${`/workspaces/${workspace.id}`}>${workspace.name}</a><span class="right"><${Status} workspace=${workspace} /></span></li>`)}</ul>`;

/** @param {Group} group @param {any[] | undefined} members @returns {[string, any][]} */
function facts(group, members) {
  const owner = members?.find(({ id }) => id === group.ownerId);
  const admins = members?.filter(({ role }) => role === 'admin').length;
  return [
    ...(owner ? [/** @type {[string, any]} */ (['Owner', html`<span class="row"><${Avatar} of=${owner} size="s20" />${called(owner)}</span>`])] : []),
    ['Members', admins === undefined ? group.memberCount : `${group.memberCount}, of them ${plural(admins, 'admin')}`],
    ['Name', html`<span class="mono">${group.name}</span>`], ['Created', showDate(group.createdAt)],
  ];
}
