/** The product's words for states, roles, levels and actions; one place, so that they are the same everywhere. */
import { ago, showBytes } from './format.js';

/** @typedef {import('./types.js').Workspace} Workspace */

const STATES = /** @type {Record<string, string>} */ ({ running: 'Running', starting: 'Starting', stopping: 'Stopping', stopped: 'Stopped', pending: 'Waiting', error: 'Failed', deleting: 'Deleting', unwell: 'Unwell', creating: 'Creating', active: 'Active', failed: 'Failed', disabled: 'Disabled', deleted: 'Deleted', erased: 'Erased' });

/** @param {string} status */
export const stateWord = (status) => STATES[status] || status;

/** Shape, word and the second fact that always stands beside a status. @param {Workspace} workspace */
export function stateOf(workspace) {
  const { status, reason } = workspace;
  const shape = status === 'running' && reason ? 'unwell' : status;
  return { shape, word: stateWord(shape), fact: factOf(workspace, shape) };
}

/** @param {Workspace} workspace @param {string} shape */
function factOf(workspace, shape) {
  const { reason, resources, updatedAt } = workspace;
  switch (shape) {
    case 'running': return 'Ready to type in';
    case 'stopped': return `${ago(workspace.lastAccessedAt || updatedAt)} · keeps ${showBytes(resources.storage)}`;
    case 'deleting': return `Removing ${showBytes(resources.storage)}`;
    case 'starting': return reason?.message || 'Getting ready';
    case 'stopping': return reason?.message || 'Ending programs';
    default: return reason?.message || 'The reason is not known yet';
  }
}

const RESOURCES = /** @type {Record<string, string>} */ ({ cpu: 'CPU', memory: 'Memory', storage: 'Storage', pods: 'Workspaces', count: 'Workspaces', workspaces: 'Workspaces' });
/** @param {string} resource */
export const resourceWord = (resource) => RESOURCES[resource] || resource;

const SIZES = /** @type {Record<string, string>} */ ({ 'single-user': 'Small', 'small-team': 'Medium', enterprise: 'Large' });
/** @param {string} name */
export const sizeWord = (name) => SIZES[name] || name[0].toUpperCase() + name.slice(1);

/** An action as a sentence's verb: "reset_user_password" becomes "reset user password". @param {string} action */
export const actionWords = (action) => action.replaceAll('_', ' ');
