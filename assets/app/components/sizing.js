/** The sizing calculator: how large a quota should be, from the numbers of a team; from the group's own history where there is some. */
import { html, useEffect, useId, useState } from '../lib/html.js';
import { withParams } from '../lib/api.js';
import { plural, show, showBytes, showCores } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { Badge, Button } from './basics.js';
import { Failed } from './places.js';

const FIELDS = /** @type {{name: string, label: string, unit?: string}[]} */ ([
  { name: 'members', label: 'Members' }, { name: 'concurrency', label: 'Working at the same time', unit: '%' }, { name: 'workspaces', label: 'Workspaces of a member' },
  { name: 'cpu', label: 'CPU of a workspace', unit: 'cores' }, { name: 'memory', label: 'Memory of a workspace' }, { name: 'storage', label: 'Storage of a member' },
]);

/** A quota as the form holds it. @param {any} quota */
const values = (quota) => ({ 'resourceQuota.cpu': String(quota.cpu), 'resourceQuota.memory': quota.memory, 'resourceQuota.storage': quota.storage, 'resourceQuota.pods': String(quota.pods) });
/** @param {any} quota */
const words = (quota) => `${showCores(quota.cpu)}, ${showBytes(quota.memory)} of memory, ${showBytes(quota.storage)} of storage, ${plural(quota.pods, 'workspace')}`;

/** @param {{form: import('../lib/form.js').Form, path: string}} props path: of the calculator */
export function Sizing({ form, path }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return html`<div class="stack s8"><div><${Button} size="s" icon="activity" aria-expanded=${open ? 'true' : 'false'} aria-controls=${id} onClick=${() => setOpen(!open)}>Work out a size<//></div><div id=${id} hidden=${!open}>${open && html`<${Calculator} form=${form} path=${path} />`}</div></div>`;
}

/** @param {{form: import('../lib/form.js').Form, path: string}} props */
function Calculator({ form, path }) {
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const [asked, setAsked] = useState(typed);
  const id = useId();
  useEffect(() => { const timer = setTimeout(() => setAsked(typed), 250); return () => clearTimeout(timer); }, [typed]);
  const query = useQuery(withParams(path, Object.fromEntries(Object.entries(asked).filter(([, text]) => text.trim()).map(([name, text]) => [name, text.trim()]))), ['membership'], { keep: true });
  const told = query.data;
  const wrong = /** @type {any[]} */ (query.error?.fields || []);
  const input = (/** @type {string} */ name) => told?.inputs.find((/** @type {any} */ one) => one.name === name);
  return html`<div class="stack" style="border:1px solid var(--line);border-radius:8px;padding:12px 16px"><p class="t13 fg2">CPU and memory: members × each × how many work at the same time. Storage and workspaces: members × each, because a stopped workspace keeps its disk.${told?.historyDays > 0 && ` What you leave open comes from the last ${plural(told.historyDays, 'day')} of this group.`}</p>
    <div class="fields2">${FIELDS.map(({ name, label, unit }) => {
      const problem = wrong.find(({ field }) => field === name);
      const from = input(name);
      return html`<div class="field" key=${name}><label for=${`${id}-${name}`}>${label}${unit && html` <span class="optional">${unit}</span>`}</label><input id=${`${id}-${name}`} class="input" autocomplete="off" value=${typed[name] || ''} placeholder=${from?.value || ''} aria-invalid=${problem ? 'true' : undefined} aria-describedby=${`${id}-${name}-hint`} onInput=${(/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value })} /><span class=${problem ? 'error' : 'hint'} id=${`${id}-${name}-hint`}>${problem ? problem.message : from ? `${from.value}: ${({ given: 'as you say', history: 'from its history', usual: 'usual' })[/** @type {'given'} */ (from.source)]}` : '\u00a0'}</span></div>`;
    })}</div>
    ${told && html`<dl class="facts-list"><div><dt>By the formula</dt><dd>${words(told.proposed)}</dd></div><div><dt>With room to breathe <${Badge} kind="accent">advised<//></dt><dd>${words(told.withBuffer)}</dd></div></dl>
      ${told.commitments?.filter((/** @type {any} */ one) => one.overcommitted).map((/** @type {any} */ one) => html`<p class="t12 fg2" key=${one.resource}>All groups together would then be promised ${show(one.resource, one.promised)}; the cluster has ${show(one.resource, one.capacity)}.</p>`)}
      <div class="row wrap"><${Button} size="s" onClick=${() => form.setAll(values(told.withBuffer))}>Take the advised size<//><${Button} size="s" kind="ghost" onClick=${() => form.setAll(values(told.proposed))}>Take the formula’s<//></div>`}
    ${query.error && wrong.length === 0 && html`<${Failed} what="The size could not be worked out" error=${query.error} again=${query.reload} />`}</div>`;
}
