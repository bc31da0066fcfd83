/** The size of a workspace: changed here, checked by a dry run while one types, in force at once or from the next start. */
import { html } from '../lib/html.js';
import { patch } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { cpuWrong, sizeWrong } from '../lib/checks.js';
import { sentence, useFits } from '../lib/fits.js';
import { useForm } from '../lib/form.js';
import { bytes, showBytes, showSize } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { act, isMine, reasons } from '../lib/workspace-actions.js';
import { Button } from './basics.js';
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
    first: { 'resources.cpu': resources.cpu, 'resources.memory': resources.memory, 'resources.storage': resources.storage, reason: '' }, check,
    send: async (values) => {
      await patch(`/api/workspaces/${workspace.id}`, { resources: sizeOf(values), ...(values.reason.trim() ? { reason: values.reason.trim() } : {}) });
      refresh('workspace', 'group');
      toast({ title: `${workspace.name} is to have ${showSize(sizeOf(values))}.`, text: status === 'running' ? 'What runs gets it at once where it can; else this page says so.' : undefined });
    },
  });
  const wrong = Object.values(check(form.values)).some(Boolean);
  const { answer } = useFits(`/api/workspaces/${workspace.id}?dryRun=true`, form.changed && !wrong && !no ? { resources: sizeOf(form.values) } : null, 'PATCH');
  const failing = form.changed && !wrong ? answer?.checks.find((one) => !one.ok) : undefined;
  const fits = form.changed && !wrong && answer?.allowed;
  return html`<form class="stack" onSubmit=${form.submit} novalidate><${Card} title="Size"><div class="card-body stack">${status === 'running' && workspace.resizeWaits && html`<${Callout} lead="The new size waits." actions=${html`<${Button} size="s" icon="rotate-cw" refused=${reasons(workspace).restart} onClick=${() => act(workspace, 'restart')}>Restart now<//>`}>${workspace.resizeWaits}<//>`}<div class="fields3">
      <${TextField} form=${form} name="resources.cpu" label="CPU" unit="cores" readonly=${Boolean(no)} /><${TextField} form=${form} name="resources.memory" label="Memory" hint="For example 4Gi." readonly=${Boolean(no)} /><${TextField} form=${form} name="resources.storage" label="Disk" hint="Can grow, never shrink." readonly=${Boolean(no)} /></div>
    ${failing && html`<${Callout} kind="bad" lead=${`Does not fit${failing.level === 'group' ? ` in ${workspace.groupDisplayName}` : ''}.`}>${sentence(failing)}<//>`}${fits && html`<${Callout} kind="ok" lead=${`Fits in ${workspace.groupDisplayName}.`}>${showSize(sizeOf(form.values))}, ${showBytes(form.values['resources.storage'].trim())} disk.<//>`}
    ${form.changed && !isMine(workspace) && html`<${TextField} form=${form} name="reason" label="Reason" maxlength="500" hint=${`${workspace.userDisplayName || 'Its owner'} is told, and sees it.`} />`}</div><//>
    <${FormProblem} form=${form} what="Not resized" /><${SaveBar} form=${form} word="Resize" /></form>`;
}
