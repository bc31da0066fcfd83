/** The settings of a workspace: its name and words, and deleting it. */
import { html } from '../lib/html.js';
import { patch } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { workspaceNameWrong } from '../lib/checks.js';
import { useForm } from '../lib/form.js';
import { showBytes } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { remove } from '../lib/workspace-actions.js';
import { Button } from './basics.js';
import { TextField } from './fields.js';
import { Card, FormProblem } from './places.js';
import { Danger, SaveBar } from './settings-parts.js';
import { WorkspaceSize } from './workspace-size.js';

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export default function Settings({ workspace }) {
  const no = refusal(workspace, 'update_workspace');
  const never = refusal(workspace, 'delete_workspace');
  const form = useForm({
    first: { name: workspace.name, description: workspace.description || '' }, check: ({ name }) => ({ name: workspaceNameWrong(name) }),
    send: async ({ name, description }) => {
      await patch(`/api/workspaces/${workspace.id}`, { ...(name !== workspace.name ? { name: name.trim() } : {}), ...(description !== (workspace.description || '') ? { description: description.trim() } : {}) });
      refresh('workspace');
      toast({ title: `${name.trim()} saved.` });
    },
  });
  return html`<div class="column stack s24"><form class="stack s24" onSubmit=${form.submit} novalidate><${Card} title="Details"><div class="card-body stack"><${TextField} form=${form} name="name" label="Name" maxlength="63" readonly=${Boolean(no)} hint="Its address stays the same." /><${TextField} form=${form} name="description" label="Description" optional maxlength="500" lines=${2} readonly=${Boolean(no)} />${no && html`<p class="hint">${no}</p>`}</div><//><${FormProblem} form=${form} what="Not saved" /><${SaveBar} form=${form} /></form>
    <${WorkspaceSize} key=${JSON.stringify(workspace.resources)} workspace=${workspace} />
    <${Danger} title="Delete this workspace" text=${`Its disk of ${showBytes(workspace.resources.storage)} goes with it. To free cores and memory only, stop it.`} refused=${never} action=${html`<${Button} kind="danger" icon="trash-2" refused=${never} onClick=${async () => { if (await remove(workspace)) navigate('/'); }}>Delete workspace<//>`} /></div>`;
}
