/** The workspaces of a group, as far as the caller may see them. */
import { html } from '../lib/html.js';
import { may, refusal } from '../lib/can.js';
import { Button } from './basics.js';
import { Empty } from './places.js';
import { WorkspaceTable } from './workspace-table.js';

/** @param {{group: import('../lib/types.js').Group}} props */
export function GroupWorkspaces({ group }) {
  const all = may(group, 'list_group_workspaces');
  const no = refusal(group, 'create_workspace');
  return html`${!all && html`<p class="t13 fg2" style="margin-bottom:12px">These are yours. Group admins see all ${group.usage.pods.used} of them.</p>`}
    <${WorkspaceTable} path="/api/workspaces" params=${{ groupId: group.id }} owner=${all} empty=${html`<${Empty} icon="square-terminal" title=${all ? 'No workspaces in this group yet' : 'None of yours in this group yet'} text="Choose a template and have one running in a few seconds." action=${html`<${Button} kind="primary" icon="plus" refused=${no} href=${`/workspaces/new?group=${group.id}`}>New workspace<//>`} />`} />`;
}
