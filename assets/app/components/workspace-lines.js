/** Workspaces as a plain table without paging, for lists that are short by nature. */
import { html, loadStyle } from '../lib/html.js';
import { showSize } from '../lib/format.js';
import { navigate } from '../lib/router.js';
import { menuItems } from '../lib/workspace-actions.js';
import { Status, Time } from './basics.js';
import { Menu } from './menu.js';

await loadStyle('/style/table.css');

/** @param {{list: import('../lib/types.js').Workspace[]}} props */
export function WorkspaceLines({ list }) {
  const press = (/** @type {MouseEvent} */ event, /** @type {string} */ id) => { if (event.target instanceof Element && !event.target.closest('a, button, .menu')) navigate(`/workspaces/${id}`); };
  return html`<div class="card table-card"><div class="table-scroll" tabindex="0" role="region" aria-label="My workspaces"><table class="table list"><thead><tr><th scope="col">Name</th><th scope="col">Status</th><th scope="col">Group</th><th scope="col">Size</th><th scope="col">Changed</th><th scope="col" class="acts"><span class="sr">Actions</span></th></tr></thead>
    <tbody>${list.map((workspace) => html`<tr key=${workspace.id} onClick=${(/** @type {MouseEvent} */ event) => press(event, workspace.id)}><th scope="row"><a class="go" href=${`/workspaces/${workspace.id}`}>${workspace.name}</a></th><td><${Status} workspace=${workspace} /></td><td class="second">${workspace.groupDisplayName}</td><td class="second">${showSize(workspace.resources)}</td><td class="minor fg2"><${Time} at=${workspace.updatedAt} /></td><td class="acts"><${Menu} label=${`Actions for ${workspace.name}`} size="s" items=${menuItems(workspace)} /></td></tr>`)}</tbody></table></div></div>`;
}
