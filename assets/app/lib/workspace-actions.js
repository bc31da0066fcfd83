/** What one does with a workspace, the same from a card, a table, its page and the palette. */
import { del, post, withParams } from './api.js';
import { refusal } from './can.js';
import { barred } from './entering.js';
import { showBytes } from './format.js';
import { fail, toast } from './overlay.js';
import { refresh } from './query.js';
import { me } from './session.js';

/** @typedef {import('./types.js').Workspace} Workspace */

/** Asks, with the dialog fetched when it is needed. @param {any} props */
const ask = async (props) => (await import('../components/dialog.js')).confirm(props);

/** @param {Workspace} workspace */
export const isMine = (workspace) => workspace.userId === me.peek()?.id;

const WORDS = /** @type {const} */ ({ start: ['Not started', 'Starts'], stop: ['Not stopped', 'Stops'], restart: ['Not restarted', 'Restarts'] });

/** @param {Workspace} workspace @param {'start' | 'stop' | 'restart'} type @param {string} [reason] */
const send = (workspace, type, reason) => post(`/api/workspaces/${workspace.id}/actions`, reason ? { type, reason } : { type });

/** @param {Workspace} workspace @param {'start' | 'stop' | 'restart'} type */
export async function act(workspace, type) {
  if (!isMine(workspace)) {
    const verb = { start: 'Start', stop: 'Stop', restart: 'Restart' }[type];
    await ask({ title: `${verb} ${workspace.name}?`, lead: `It belongs to ${workspace.userDisplayName || 'somebody else'}, who is told and sees the reason.${type === 'start' ? '' : ' Running programs end; its files are kept.'}`, word: verb, keep: 'Leave it', reason: 'its owner sees it', failed: WORDS[type][0], run: async (/** @type {string} */ why) => { await send(workspace, type, why); refresh('workspace'); } });
    return;
  }
  try {
    await send(workspace, type);
    refresh('workspace', 'group');
    if (type === 'stop') toast({ title: `${workspace.name} stops.`, text: 'Its files are kept.', undo: () => { act(workspace, 'start'); } });
  } catch (error) { fail(WORDS[type][0], error); }
}

/** @param {Workspace} workspace @returns {Promise<boolean>} */
export async function remove(workspace) {
  const size = showBytes(workspace.resources.storage);
  const done = await ask({
    title: `Delete ${workspace.name}?`, danger: true, type: workspace.name, word: `Delete with ${size}`, failed: 'Not deleted',
    lead: `This deletes its disk of ${size} with every file on it. Nobody can bring them back.${isMine(workspace) ? '' : ` ${workspace.userDisplayName || 'Its owner'} is told.`}`,
    reason: isMine(workspace) ? undefined : 'its owner sees it',
    run: async (/** @type {string} */ reason) => { await del(withParams(`/api/workspaces/${workspace.id}`, { reason })); refresh('workspace', 'group'); },
  });
  if (done) toast({ title: `${workspace.name} is being deleted.` });
  return Boolean(done);
}

/** Why a workspace cannot be started, stopped and so on now. @param {Workspace} workspace */
export function reasons(workspace) {
  const { status } = workspace;
  return {
    start: refusal(workspace, 'start_workspace') || (status === 'running' || status === 'starting' ? 'It runs already.' : undefined),
    stop: refusal(workspace, 'stop_workspace') || (status === 'stopped' || status === 'stopping' ? 'It is stopped already.' : undefined),
    restart: refusal(workspace, 'restart_workspace') || (status === 'stopped' ? 'It is stopped; start it instead.' : undefined),
    terminal: barred(workspace, 'open_terminal') || (status !== 'running' ? 'Start it first.' : undefined),
    logs: refusal(workspace, 'view_workspace_logs'), update: refusal(workspace, 'update_workspace'), remove: refusal(workspace, 'delete_workspace'),
  };
}

/** Why its Start is off, as a line beside the button; a role that never starts it needs none. @param {Workspace} workspace */
export function startOff(workspace) {
  const told = ['stopped', 'error'].includes(workspace.status) && !Array.isArray(workspace.can) && reasons(workspace).start;
  return told ? `Start is off: ${told}` : '';
}

/** The items of its menu. @param {Workspace} workspace @param {{link?: boolean, removed?: () => void}} [options] */
export function menuItems(workspace, { link = true, removed } = {}) {
  const no = reasons(workspace);
  const stopped = workspace.status === 'stopped' || workspace.status === 'error' || workspace.status === 'pending';
  return [
    link && { text: 'Details', icon: 'square-terminal', href: `/workspaces/${workspace.id}` },
    { text: 'Terminal', icon: 'terminal', href: `/workspaces/${workspace.id}/terminal`, refused: no.terminal },
    stopped ? { text: 'Start', icon: 'play', run: () => { act(workspace, 'start'); }, refused: no.start } : { text: 'Stop', icon: 'circle-stop', run: () => { act(workspace, 'stop'); }, refused: no.stop },
    { text: 'Restart', icon: 'rotate-cw', run: () => { act(workspace, 'restart'); }, refused: no.restart },
    { text: 'Logs', icon: 'file-text', href: `/workspaces/${workspace.id}/logs`, refused: no.logs },
    { text: 'Settings', icon: 'settings', href: `/workspaces/${workspace.id}/settings`, refused: no.update },
    { text: 'Delete', icon: 'trash-2', danger: true, line: true, run: async () => { if (await remove(workspace)) removed?.(); }, refused: no.remove },
  ];
}
