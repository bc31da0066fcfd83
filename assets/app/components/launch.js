/** Opening a workspace: its first app in one press, the others and the terminal in the menu beside it. */
import { html } from '../lib/html.js';
import { reasons } from '../lib/workspace-actions.js';
import { Button, Icon } from './basics.js';
import { Menu } from './menu.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {import('../lib/types.js').App} App */

const ICONS = new Set(['code', 'notebook-pen', 'terminal', 'square-terminal', 'database', 'book-open', 'layers', 'cpu']);

/** @param {string | undefined} name the app's own word for its icon */
export const appIcon = (name) => (name && ICONS.has(name) ? name : 'external-link');

/** Where an app is opened. The page starts the workspace, waits for the app and goes on. @param {Workspace} workspace @param {App} app */
export const appAddress = (workspace, app) => `/open?workspace=${workspace.id}&app=${app.slug}`;

/** The app that the main button opens: the first that is there. @param {Workspace} workspace */
export const mainApp = (workspace) => workspace.apps?.find(({ status }) => status !== 'missing');

/** Why its apps cannot be opened. A workspace that does not run is started by it, and a reason is asked for on the way. @param {Workspace} workspace */
export function openRefusal(workspace) {
  const { can, status } = workspace;
  const no = reasons(workspace);
  if (Array.isArray(can)) return can.includes('open_app') ? (status === 'stopped' ? no.start : undefined) : 'Your role does not include this.';
  const told = can?.open_app;
  if (!told || told === true || told.code === 'REASON_REQUIRED') return undefined;
  return told.code === 'WRONG_STATE' ? (status === 'starting' || status === 'stopping' ? undefined : no.start) : told.message;
}

/** @param {{workspace: Workspace, size?: 's', kind?: 'primary', terminal?: boolean}} props terminal: offered too */
export function OpenButton({ workspace, size, kind, terminal = true }) {
  const main = mainApp(workspace);
  const shell = { text: 'Open terminal', icon: 'terminal', href: `/workspaces/${workspace.id}/terminal`, refused: reasons(workspace).terminal };
  if (!main) return terminal ? html`<${Button} kind=${kind} size=${size} icon="terminal" href=${shell.href} refused=${shell.refused}>${shell.text}<//>` : null;
  const no = openRefusal(workspace);
  const others = (workspace.apps || []).filter((app) => app !== main).map((app) => ({ text: `Open ${app.name}`, icon: appIcon(app.icon), href: appAddress(workspace, app), target: '_blank', refused: app.status === 'missing' ? 'It is not installed.' : no }));
  const open = html`<${Button} kind=${kind} size=${size} icon=${appIcon(main.icon)} href=${appAddress(workspace, main)} target="_blank" refused=${no}>Open ${main.name}<//>`;
  if (!terminal && others.length === 0) return open;
  return html`<span class="split">${open}<${Menu} label=${`Other ways to open ${workspace.name}`} button=${{ class: `btn more ${kind || ''} ${size || ''}`, inside: html`<${Icon} name="chevron-down" />` }} items=${[...others, terminal && shell]} /></span>`;
}
