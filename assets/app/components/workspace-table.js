/** A table of workspaces with actions for one and for several; of a group, or of the whole installation. */
import { html } from '../lib/html.js';
import { del, post } from '../lib/api.js';
import { each } from '../lib/bulk.js';
import { may } from '../lib/can.js';
import { showBytes, showSize } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { menuItems } from '../lib/workspace-actions.js';
import { Button, Person, Status, Time } from './basics.js';
import { confirm } from './dialog.js';
import { sum } from './gauge-tiles.js';
import { Menu } from './menu.js';
import { DataTable } from './table.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */

/** @param {{path: string, params?: Record<string, any>, empty: any, aside?: any, group?: boolean, owner?: boolean}} props group: shows the group's column */
export function WorkspaceTable({ path, params, empty, aside, group, owner = true }) {
  /** @type {import('./table.js').Column[]} */
  const columns = [
    { key: 'name', title: 'Name', head: true, cell: (workspace) => html`<a class="go" href=${`/workspaces/${workspace.id}`}>${workspace.name}</a>`, csv: (workspace) => workspace.name },
    { key: 'status', title: 'Status', cell: (workspace) => html`<${Status} workspace=${workspace} />`, csv: (workspace) => workspace.status },
    ...(owner ? [{ key: 'owner', title: 'Owner', cell: (/** @type {any} */ workspace) => (workspace.userDisplayName || workspace.userEmail ? html`<${Person} who=${{ id: workspace.userId, name: workspace.userDisplayName || workspace.userEmail }} />` : html`<span class="mono fg3">${workspace.userId.slice(0, 12)}</span>`), csv: (/** @type {any} */ workspace) => workspace.userEmail || workspace.userDisplayName || workspace.userId }] : []),
    ...(group ? [{ key: 'group', title: 'Group', cell: (/** @type {any} */ workspace) => html`<a class="plain fg2" href=${`/groups/${workspace.groupId}`}>${workspace.groupDisplayName}</a>`, csv: (/** @type {any} */ workspace) => workspace.groupDisplayName }] : []),
    { key: 'size', title: 'Size', minor: true, num: true, cell: (workspace) => showSize(workspace.resources), csv: (workspace) => `${workspace.resources.cpu} / ${workspace.resources.memory}` },
    { key: 'disk', title: 'Disk', minor: true, num: true, cell: (workspace) => showBytes(workspace.resources.storage), csv: (workspace) => workspace.resources.storage },
    { key: 'used', title: 'Last used', minor: true, cell: (workspace) => html`<span class="fg2"><${Time} at=${workspace.lastAccessedAt} /></span>`, csv: (workspace) => workspace.lastAccessedAt },
  ];
  const filters = [{ key: 'status', label: 'Status', options: /** @type {[string, string][]} */ ([['running', 'Running'], ['starting', 'Starting'], ['stopped', 'Stopped'], ['error', 'Failed'], ['pending', 'Waiting']]) }];
  return html`<${DataTable} path=${path} params=${params} kinds=${['workspace']} columns=${columns} filters=${filters} label="Workspaces" noun="workspace" search="Name" aside=${aside} empty=${empty}
    open=${(/** @type {Workspace} */ workspace) => `/workspaces/${workspace.id}`} acts=${(/** @type {Workspace} */ workspace) => html`<${Menu} label=${`Actions for ${workspace.name}`} size="s" items=${menuItems(workspace)} />`}
    bulk=${(/** @type {Workspace[]} */ picked, /** @type {() => void} */ clear) => html`<${Bulk} picked=${picked} clear=${clear} />`} />`;
}

/** @param {string} what @param {Workspace[]} list @param {(workspace: Workspace) => Promise<any>} run @param {() => void} clear */
async function many(what, list, run, clear) {
  const refused = await each(list, run);
  refresh('workspace', 'group');
  toast({ title: `${list.length - refused.length} ${what}${refused.length ? `, ${refused.length} refused` : ''}.`, lines: refused, failed: refused.length > 0 });
  clear();
}

/** @param {{picked: Workspace[], clear: () => void}} props */
function Bulk({ picked, clear }) {
  const running = picked.filter(({ status }) => status !== 'stopped');
  const stopped = picked.filter(({ status }) => status === 'stopped' || status === 'error' || status === 'pending');
  const removable = picked.filter((workspace) => may(workspace, 'delete_workspace'));
  const act = (/** @type {string} */ type) => (/** @type {Workspace} */ workspace) => post(`/api/workspaces/${workspace.id}/actions`, { type });
  const drop = () => confirm({
    title: `Delete ${picked.length} ${picked.length === 1 ? 'workspace' : 'workspaces'}?`, danger: true, type: picked.length === 1 ? picked[0].name : `delete ${picked.length}`, word: `Delete with ${showBytes(sum('storage', picked.map((workspace) => workspace.resources.storage)))}`,
    lead: 'This deletes their disks with every file on them. Nobody can bring them back. Their owners are told.', run: () => many('being deleted', picked, (workspace) => del(`/api/workspaces/${workspace.id}`), clear),
  });
  return html`<${Button} size="s" icon="play" refused=${stopped.length ? undefined : 'None of them is stopped.'} onClick=${() => many('starting', stopped, act('start'), clear)}>Start<//>
    <${Button} size="s" icon="circle-stop" refused=${running.length ? undefined : 'All of them are stopped.'} onClick=${() => many('stopping', running, act('stop'), clear)}>Stop<//>
    <${Button} size="s" kind="danger" icon="trash-2" refused=${removable.length === picked.length ? undefined : `${picked.length - removable.length} of them are not yours to delete.`} onClick=${drop}>Delete<//>
    <span class="fg2">${running.length === 0 ? 'All of them are stopped.' : stopped.length === 0 ? 'None of them is stopped.' : `${running.length} running, ${stopped.length} stopped.`}</span>`;
}
