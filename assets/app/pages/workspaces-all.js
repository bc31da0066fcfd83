/** Administration: every workspace. */
import { html } from '../lib/html.js';
import { Button } from '../components/basics.js';
import { Empty, PageHead, usePage } from '../components/places.js';
import { WorkspaceTable } from '../components/workspace-table.js';

export default function AllWorkspaces() {
  usePage([{ text: 'Administration' }, { text: 'All workspaces' }]);
  return html`<div class="page"><${PageHead} title="All workspaces" facts="State, size and owner of every one. Opening them is for their owners." />
    <${WorkspaceTable} path="/api/workspaces" group empty=${html`<${Empty} icon="square-terminal" title="No workspaces yet" text="Members of a group make them from a template." action=${html`<${Button} href="/workspaces/new" icon="plus">New workspace<//>`} />`} /></div>`;
}
