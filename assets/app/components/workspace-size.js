/** The size of a workspace: changed here, checked by a dry run while one types, in force from the next start. */
import { html } from '../lib/html.js';
import { patch } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { cpuWrong, sizeWrong } from '../lib/checks.js';
import { sentence, useFits } from '../lib/fits.js';
import { useForm } from '../lib/form.js';
import { bytes, showBytes, showSize } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { TextField } from './fields.js';
import { Callout, Card, FormProblem } from './places.js';
import { SaveBar } from './settings-parts.js';

/** @param {Record<string, any>} values */
const sizeOf = (values) => ({ cpu: values['resources.cpu'].trim(), memory: values['resources.memory'].trim(), storage: values['resources.storage'].trim() });

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export function WorkspaceSize({ workspace }) {
  const { resources, status } = workspace;
  const no = refusal(workspace, 'update_workspace');
  const check = (/** @type {Record<string, any>} */ values) => ({
    'resources.cpu': cpuWrong(values['resources.cpu']), 'resources.memory': sizeWrong(values['resources.memory']),
    'resources.storage': sizeWrong(values['resources.storage']) || (bytes(values['resources.storage'].trim()) < bytes(resources.storage) && `A disk can only grow; this one has ${showBytes(resources.storage)}.`),
  });
  const form = useForm({
    first: { 'resources.cpu': resources.cpu, 'resources.memory': resources.memory, 'resources.storage': resources.storage }, check,
    send: async (values) => {
      await patch(`/api/workspaces/${workspace.id}`, { resources: sizeOf(values) });
      refresh('workspace', 'group');
      toast({ title: `${workspace.name} has ${showSize(sizeOf(values))}.`, text: status === 'running' ? 'It holds from the next start.' : undefined });
    },
  });
  const wrong = Object.values(check(form.values)).some(Boolean);
  const { answer } = useFits(`/api/workspaces/${workspace.id}?dryRun=true`, form.changed && !wrong && !no ? { resources: sizeOf(form.values) } : null, 'PATCH');
  const failing = form.changed && !wrong ? answer?.checks.find((one) => !one.ok) : undefined;
  const fits = form.changed && !wrong && answer?.allowed;
  return html`<form class="stack" onSubmit=${form.submit} novalidate><${Card} title="Size" right="holds from the next start"><div class="card-body stack"><div class="fields3">
      <${TextField} form=${form} name="resources.cpu" label="CPU" unit="cores" readonly=${Boolean(no)} /><${TextField} form=${form} name="resources.memory" label="Memory" hint="For example 4Gi." readonly=${Boolean(no)} /><${TextField} form=${form} name="resources.storage" label="Disk" hint="Can grow, never shrink." readonly=${Boolean(no)} /></div>
    ${failing && html`<${Callout} kind="bad" lead=${`Does not fit${failing.level === 'group' ? ` in ${workspace.groupDisplayName}` : ''}.`}>${sentence(failing)}<//>`}${fits && html`<${Callout} kind="ok" lead=${`Fits in ${workspace.groupDisplayName}.`}>${showSize(sizeOf(form.values))}, ${showBytes(form.values['resources.storage'].trim())} disk.<//>`}</div><//>
    <${FormProblem} form=${form} what="Not resized" /><${SaveBar} form=${form} word="Resize" /></form>`;
}
