/** The platform over time: what all groups or one node used, and who uses most at the moment. */
import { html, loadStyle, useState } from '../lib/html.js';
import { showBytes, showCores } from '../lib/format.js';
import { usePoll } from '../lib/poll.js';
import { useQuery } from '../lib/query.js';
import { Select } from './fields.js';
import { Card, Loaded } from './places.js';
import { Segments } from './segments.js';
import { Trend } from './trend.js';

await loadStyle('/style/table.css');

/** @param {{nodes: string[]}} props */
export function PlatformTrend({ nodes }) {
  const [node, setNode] = useState('');
  const pick = nodes.length > 0 && html`<${Select} aria-label="Whose use is shown" value=${node} options=${[['', 'All groups, as quotas count'], ...nodes.map((name) => /** @type {[string, string]} */ ([name, `${name}, measured`]))]} onPick=${setNode} />`;
  return html`<${Trend} key=${node} title="Use over time" path=${`/api/admin/usage/history${node ? `?node=${encodeURIComponent(node)}` : ''}`} parts=${['cpu', 'memory', 'storage', 'workspaces', 'pods']} limitName=${node ? 'Node' : 'Cluster'} beside=${pick} />`;
}

const BY = /** @type {[string, string][]} */ ([['workspace', 'Workspaces'], ['group', 'Groups'], ['user', 'People']]);
const PAGES = /** @type {Record<string, string>} */ ({ workspace: '/workspaces/', group: '/groups/', user: '/admin/users/' });
const ORDERS = /** @type {[string, string][]} */ ([['cpu', 'CPU'], ['memory', 'Memory'], ['storage', 'Disk']]);

export function TopConsumers() {
  const [by, setBy] = useState('workspace');
  const [resource, setResource] = useState('cpu');
  const query = useQuery(`/api/admin/usage/top?by=${by}&resource=${resource}`, [], { keep: true });
  usePoll(query.reload, 60_000);
  return html`<${Card} class="table-card" title="Top consumers" right=${html`<span class="t12 fg2">measured, mean of this hour</span>`}><div class="trend-picks" style="padding-bottom:8px"><${Segments} label="Summed by" value=${by} options=${BY} onPick=${setBy} /><${Segments} label="Ordered by" value=${resource} options=${ORDERS} onPick=${setResource} /></div>
    <${Loaded} query=${query} what="Who uses most could not be read">${(/** @type {any} */ told) => (told.items.length ? html`<div class="table-scroll" tabindex="0" role="region" aria-label="Top consumers"><table class="table compact"><thead><tr><th scope="col">${BY.find(([key]) => key === told.by)?.[1]}</th><th scope="col" class="num">CPU</th><th scope="col" class="num">Memory</th><th scope="col" class="num">Disk</th></tr></thead>
      <tbody>${told.items.map((/** @type {any} */ one) => html`<tr key=${one.id}><th scope="row"><span class="row"><a class="cut" href=${`${PAGES[told.by]}${one.id}`}>${one.name}</a>${one.beside && one.beside !== one.name && html`<span class="fg3 cut">${one.beside}</span>`}</span></th><td class="num">${showCores(one.cpu)}</td><td class="num">${showBytes(one.memory)}</td><td class="num">${one.storage === null ? '–' : showBytes(one.storage)}</td></tr>`)}</tbody></table></div>` : html`<p class="card-body t13 fg2">Nothing was measured in this hour.</p>`)}<//><//>`;
}
