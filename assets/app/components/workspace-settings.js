/** The settings of a workspace: its name and words, its size, giving it away, and deleting it. */
import { html } from '../lib/html.js';
import { patch } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { workspaceNameWrong } from '../lib/checks.js';
import { useForm } from '../lib/form.js';
import { showBytes } from '../lib/format.js';
import { openDialog, toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { isMine, remove } from '../lib/workspace-actions.js';
import { Button } from './basics.js';
import { TextField } from './fields.js';
import { Card, FormProblem } from './places.js';
import { Danger, SaveBar } from './settings-parts.js';
import { WorkspaceSize } from './workspace-size.js';

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export default function Settings({ workspace }) {
  const no = refusal(workspace, 'update_workspace');
  const keep = refusal(workspace, 'transfer_workspace');
  const never = refusal(workspace, 'delete_workspace');
  const form = useForm({
    first: { name: workspace.name, description: workspace.description || '', reason: '' }, check: ({ name }) => ({ name: workspaceNameWrong(name) }),
    send: async ({ name, description, reason }) => {
      await patch(`/api/workspaces/${workspace.id}`, { ...(name !== workspace.name ? { name: name.trim() } : {}), ...(description !== (workspace.description || '') ? { description: description.trim() } : {}), ...(reason.trim() ? { reason: reason.trim() } : {}) });
      refresh('workspace');
      toast({ title: `${name.trim()} saved.` });
    },
  });
  return html`<div class="column stack s24"><form class="stack s24" onSubmit=${form.submit} novalidate><${Card} title="Details"><div class="card-body stack"><${TextField} form=${form} name="name" label="Name" maxlength="63" readonly=${Boolean(no)} hint="Its address stays the same." /><${TextField} form=${form} name="description" label="Description" optional maxlength="500" lines=${2} readonly=${Boolean(no)} />${form.changed && !isMine(workspace) && html`<${TextField} form=${form} name="reason" label="Reason" maxlength="500" hint=${`${workspace.userDisplayName || 'Its owner'} is told, and sees it.`} />`}${no && html`<p class="hint">${no}</p>`}</div><//><${FormProblem} form=${form} what="Not saved" /><${SaveBar} form=${form} /></form>
    <${WorkspaceSize} key=${JSON.stringify(workspace.resources)} workspace=${workspace} />
    <${Danger} title="Give it to somebody else" text="Another person of the group becomes its owner, with all of its files. It is stopped for that." refused=${keep} action=${html`<${Button} icon="user-round" refused=${keep} onClick=${async () => { openDialog((await import('./workspace-transfer.js')).Transfer, { workspace }); }}>Give it away<//>`} />
    <${Danger} title="Delete this workspace" text=${`Its disk of ${showBytes(workspace.resources.storage)} goes with it. To free cores and memory only, stop it.`} refused=${never} action=${html`<${Button} kind="danger" icon="trash-2" refused=${never} onClick=${async () => { if (await remove(workspace)) navigate('/'); }}>Delete workspace<//>`} /></div>`;
}
