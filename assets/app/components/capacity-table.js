/** What the cluster has, node by node, and what the quotas of all groups promise against it. */
import { html, loadStyle } from '../lib/html.js';
import { amount, number, percent, plural, show, showBytes, showCores } from '../lib/format.js';
import { resourceWord } from '../lib/words.js';
import { Badge } from './basics.js';
import { Track } from './gauge.js';
import { Callout, Card } from './places.js';

await loadStyle('/style/table.css');
await loadStyle('/style/charts.css');

/** @param {{name: string, used: number, total: number, text: string}} props */
const Amount = ({ name, used, total, text }) => html`<span class="amount"><${Track} now=${used} limit=${total} words=${`${name}: ${text}`} /><span>${text}</span></span>`;

/** @param {{capacity: any}} props */
export function CapacityByNode({ capacity }) {
  const slot = `${showCores(capacity.workspaceSlot.cpu)} and ${showBytes(capacity.workspaceSlot.memory)}`;
  const disk = capacity.nodes.some((/** @type {any} */ node) => node.totalDisk);
  const gib = (/** @type {string} */ text) => number(Math.round(amount('memory', text) / 2 ** 30 * 10) / 10);
  return html`<${Card} class="table-card" title="Capacity by node" right=${`room for ${plural(capacity.availableWorkspaceCapacity, 'more workspace', 'more workspaces')} of ${slot}`}>
    <div class="table-scroll" tabindex="0" role="region" aria-label="Capacity by node"><table class="table compact"><thead><tr><th scope="col">Node</th><th scope="col">CPU given, cores</th><th scope="col">Memory given</th>${disk && html`<th scope="col">Disk in use</th>`}<th scope="col" class="num">Room for</th></tr></thead>
      <tbody>${capacity.nodes.map((/** @type {any} */ node) => html`<tr key=${node.name}><th scope="row"><span class="row"><span class="cut">${node.name}</span>${node.unschedulable && html`<${Badge} kind="warn">${node.unschedulable}<//>`}</span></th>
        <td><${Amount} name=${`${node.name}, CPU`} used=${amount('cpu', node.usedCpu)} total=${amount('cpu', node.allocatableCpu)} text=${`${number(amount('cpu', node.usedCpu))} of ${number(amount('cpu', node.allocatableCpu))}`} />${node.busyCpu && html`<div class="t12 fg3">${showCores(node.busyCpu)} really in use</div>`}</td>
        <td><${Amount} name=${`${node.name}, memory`} used=${amount('memory', node.usedMemory)} total=${amount('memory', node.allocatableMemory)} text=${`${gib(node.usedMemory)} of ${gib(node.allocatableMemory)} GiB`} />${node.busyMemory && html`<div class="t12 fg3">${gib(node.busyMemory)} GiB really in use</div>`}</td>
        ${disk && html`<td>${node.totalDisk ? html`<${Amount} name=${`${node.name}, disk`} used=${amount('storage', node.usedDisk)} total=${amount('storage', node.totalDisk)} text=${`${gib(node.usedDisk)} of ${gib(node.totalDisk)} GiB`} />` : '–'}</td>`}<td class="num">${number(node.workspaceCapacity)}</td></tr>`)}</tbody>
      <tfoot><tr><td>${plural(capacity.nodeCount, 'node')}${capacity.primaryInstanceType ? `, mostly ${capacity.primaryInstanceType}` : ''}</td><td>${number(amount('cpu', capacity.usedCpu))} of ${number(amount('cpu', capacity.allocatableCpu))}</td><td>${gib(capacity.usedMemory)} of ${gib(capacity.allocatableMemory)} GiB</td>${disk && html`<td />`}<td class="num">${number(capacity.availableWorkspaceCapacity)}</td></tr></tfoot></table></div><//>`;
}

/** What all quotas promise. @param {{commitments: any[]}} props */
export function Commitments({ commitments }) {
  const over = commitments.filter(({ overcommitted }) => overcommitted);
  return html`<${Card} title="Promised by quotas" right=${over.length > 0 && html`<${Badge} kind="warn">overcommitted<//>`}><div class="card-body stack s8">${commitments.map(({ resource, promised, capacity, percentage, overcommitted }) => html`<div class="gauge" key=${resource}><div class="g"><span>${resourceWord(resource)}</span><span class="v"><b>${resource === 'pods' ? number(promised) : show(resource, promised)}</b>${capacity ? html` of ${show(resource, capacity)} · <span class=${overcommitted ? 'warn strong' : ''}>${percent(percentage)}</span>` : ', no limit of the cluster'}</span></div>
    ${capacity && html`<${Track} now=${amount(resource, promised)} limit=${amount(resource, capacity)} kind=${overcommitted ? 'warn' : ''} words=${`${resourceWord(resource)} promised: ${show(resource, promised)} of ${show(resource, capacity)}`} />`}</div>`)}
    ${over.length > 0 && html`<p class="t12 fg2">Groups may together use more than there is. That works while not everybody works at once; when it is full, starts wait.</p>`}</div><//>`;
}

/** What a quota in a form would make of it: the promise with the form's values in the place of what was. @param {{capacity: any, before?: Record<string, any>, after: Record<string, any>}} props */
export function Overcommit({ capacity, before = {}, after }) {
  const lines = (capacity?.commitments || []).flatMap((/** @type {any} */ one) => {
    const [now, next, was] = [amount(one.resource, one.promised), amount(one.resource, after[one.resource]), amount(one.resource, before[one.resource] ?? 0)];
    if (!one.capacity || Number.isNaN(next)) return [];
    const [total, has] = [now - (was || 0) + next, amount(one.resource, one.capacity)];
    if (total <= has) return [];
    const many = one.resource === 'cpu' ? plural(total, 'core') : one.resource === 'pods' ? plural(total, 'workspace') : showBytes(total);
    return [`${resourceWord(one.resource)}: ${many} promised to all groups, the cluster has ${show(one.resource, one.capacity)} (${percent((total / has) * 100)}).`];
  });
  return lines.length > 0 ? html`<${Callout} kind="warn" lead="More than the cluster has.">${lines.join(' ')} It is saved all the same: groups share what there is, and when it is full, starts wait.<//>` : null;
}
