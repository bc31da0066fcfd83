/** What a group's quota was, who set it and why; and moving a part of it to another group. */
import { html, loadStyle, useState } from '../lib/html.js';
import { ApiError, post } from '../lib/api.js';
import { showBytes, showCores } from '../lib/format.js';
import { useForm } from '../lib/form.js';
import { openDialog, toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { Button, Time } from './basics.js';
import { Dialog } from './dialog.js';
import { Select, TextField } from './fields.js';
import { Callout, Card, FormProblem, Loaded } from './places.js';

await loadStyle('/style/table.css');

/** @param {{group: import('../lib/types.js').Group, move?: boolean}} props move: the caller may set quotas */
export function QuotaHistory({ group, move }) {
  const history = useQuery(`/api/groups/${group.id}/quota/history`, ['group']);
  const button = move && html`<${Button} size="s" kind="ghost" onClick=${() => openDialog(MoveQuota, { group })}>Move a part to another group<//>`;
  return html`<${Card} class="table-card" title="Quota history" right=${button}><${Loaded} query=${history} what="The history could not be read">${(/** @type {any[]} */ list) => (list.length
    ? html`<div class="table-scroll" tabindex="0" role="region" aria-label="Quota history"><table class="table compact"><thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col" class="num">CPU</th><th scope="col" class="num">Memory</th><th scope="col" class="num">Storage</th><th scope="col" class="num">Workspaces</th><th scope="col">Reason</th></tr></thead>
      <tbody>${list.map((one) => html`<tr key=${one.id}><th scope="row"><${Time} at=${one.at} /></th><td>${one.userDisplayName || 'the server’s shell'}</td><td class="num">${showCores(one.resourceQuota.cpu)}</td><td class="num">${showBytes(one.resourceQuota.memory)}</td><td class="num">${showBytes(one.resourceQuota.storage)}</td><td class="num">${one.resourceQuota.pods}</td><td>${one.reason || html`<span class="fg3">–</span>`}</td></tr>`)}</tbody></table></div>`
    : html`<p class="card-body t13 fg2">It was never changed.</p>`)}<//><//>`;
}

const PARTS = /** @type {[string, string, string][]} */ ([['cpu', 'CPU', 'Cores, for example 4.'], ['memory', 'Memory', 'For example 8Gi.'], ['storage', 'Storage', 'For example 100Gi.'], ['pods', 'Workspaces', 'How many.']]);

/** @param {{group: import('../lib/types.js').Group, done: (answer: any) => void}} props */
function MoveQuota({ group, done }) {
  const groups = useQuery('/api/groups?limit=1000', ['group']);
  const others = (groups.data || []).filter((/** @type {any} */ one) => one.id !== group.id && one.status !== 'deleting');
  const [to, setTo] = useState('');
  const target = others.find((/** @type {any} */ one) => one.id === to) || others[0];
  const [tight, setTight] = useState(/** @type {any[]} */ ([]));
  const body = (/** @type {Record<string, any>} */ values) => ({ to: target?.id, ...Object.fromEntries(PARTS.filter(([name]) => values[name].trim()).map(([name]) => [name, name === 'pods' ? Number(values[name]) : values[name].trim()])), ...(values.reason.trim() ? { reason: values.reason.trim() } : {}) });
  const form = useForm({
    first: { cpu: '', memory: '', storage: '', pods: '', reason: '' },
    check: (values) => ({ cpu: PARTS.every(([name]) => !values[name].trim()) && 'Give at least one amount.' }),
    send: async (values) => {
      await post(`/api/groups/${group.id}/quota/move`, body(values));
      refresh('group');
      toast({ title: `Moved from ${group.displayName} to ${target.displayName}.` });
      done(true);
    },
  });
  const weigh = async () => {
    if (!target || PARTS.every(([name]) => !form.values[name].trim())) { setTight([]); return; }
    try { setTight((await post(`/api/groups/${group.id}/quota/move?dryRun=true`, body(form.values))).checks.filter((/** @type {any} */ one) => !one.ok)); } catch (error) { if (!(error instanceof ApiError)) throw error; setTight([]); }
  };
  return html`<${Dialog} wide title=${`Move a part of ${group.displayName}’s quota`} onClose=${() => done(undefined)}><form onSubmit=${form.submit} novalidate><div class="body stack">
    <div class="field"><label for="move-to">To</label><${Select} id="move-to" value=${target?.id || ''} options=${others.map((/** @type {any} */ one) => [one.id, one.displayName])} onPick=${setTo} /></div>
    <div class="fields2" onFocusOut=${weigh}>${PARTS.map(([name, label, hint]) => html`<${TextField} key=${name} form=${form} name=${name} label=${label} optional hint=${hint} />`)}</div>
    <${TextField} form=${form} name="reason" label="Reason" optional maxlength="500" hint="Kept in the history of both, and in the audit." />
    ${tight.length > 0 && html`<${Callout} kind="warn" lead="Below what is in use.">${tight.map((one) => `${one.name} uses ${one.used} of ${one.resource === 'pods' ? 'workspaces' : one.resource} and would have ${one.total}.`).join(' ')} Nothing that runs is stopped.<//>`}
    <${FormProblem} form=${form} what="Not moved" /></div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Keep it<//><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Moving" disabled=${!target}>Move${target ? ` to ${target.displayName}` : ''}<//></div></form><//>`;
}
