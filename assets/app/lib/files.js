/**
 * Files of a workspace: their paths and addresses, their order, what a name may be, and what changes them.
 *
 * A path is kept as it stands in an address, each name percent-encoded: a name on a disk need not be text, and the
 * server says of such names how they are written. Only for people is it decoded.
 */
import { call, withParams } from './api.js';
import { reasonOf } from './entering.js';
import { refresh } from './query.js';

/** @typedef {{name: string, encodedName?: string, type: 'file' | 'directory' | 'link' | 'other', size: number, modifiedAt: string, mode?: string, target?: string | null}} Entry */
/** @typedef {{path: string, entries: Entry[], truncated: boolean, usedBytes?: number | null, totalBytes?: number | null}} Listing */

/** A name in a path. @param {Entry} entry */
export const keyOf = (entry) => entry.encodedName || encodeURIComponent(entry.name);
/** @param {string} folder '' is the home @param {string} key a name as it stands in a path */
export const join = (folder, key) => (folder ? `${folder}/${key}` : key);
/** @param {string} text */
function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text.replace(/(%[0-9a-f]{2})+/gi, '\ufffd'); }
}
/** A path as somebody may have typed it into the address bar. @param {string} text */
export const clean = (text) => text.split('/').filter(Boolean).map((part) => (/%[0-9a-f]{2}/i.test(part) ? part : encodeURIComponent(part))).join('/');
/** @param {string} path */
export const parentOf = (path) => path.slice(0, Math.max(0, path.lastIndexOf('/')));
/** @param {string} path */
export const nameOf = (path) => decoded(path.slice(path.lastIndexOf('/') + 1));
/** How a folder is called in a sentence. @param {string} path */
export const shown = (path) => (path ? `~/${path.split('/').map(decoded).join('/')}` : '~');

/** Where the server has it; in somebody else's workspace with the reason for it. @param {string} workspace @param {string} path @param {Record<string, any>} [params] */
export const fileAddress = (workspace, path, params = {}) => withParams(`/api/workspaces/${workspace}/files/${path}`, { ...params, reason: reasonOf(workspace) });
/** Where this interface shows it. @param {string} workspace @param {string} path of a folder @param {string} [file] a name in it, encoded */
export const pageAddress = (workspace, path, file) => withParams(`/workspaces/${workspace}/files`, { path, file });

/** @param {string} name @returns {string | false} */
export function fileNameWrong(name) {
  if (!name.trim()) return 'Give it a name.';
  if (name === '.' || name === '..') return 'This name is taken by the system.';
  if (name.includes('/')) return 'A name has no slash in it.';
  return new TextEncoder().encode(name).length > 255 && 'Use at most 255 bytes.';
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const ORDERS = /** @type {Record<string, (a: Entry, b: Entry) => number>} */ ({
  name: (a, b) => collator.compare(a.name, b.name), size: (a, b) => a.size - b.size || collator.compare(a.name, b.name),
  modified: (a, b) => new Date(a.modifiedAt).getTime() - new Date(b.modifiedAt).getTime() || collator.compare(a.name, b.name),
});

/** Folders first, then by the wanted column. @param {Entry[]} entries @param {string} sort "name", "-size" */
export function ordered(entries, sort) {
  const down = sort[0] === '-' ? -1 : 1;
  const by = ORDERS[sort.replace('-', '')] || ORDERS.name;
  return [...entries].sort((a, b) => Number(b.type === 'directory') - Number(a.type === 'directory') || down * by(a, b));
}

const ICONS = /** @type {[RegExp, string][]} */ ([[/\.(tar|gz|tgz|zip|xz|zst|bz2|7z|jar|whl)$/i, 'file-archive'], [/\.(png|jpe?g|gif|webp|svg|ico|avif)$/i, 'file-image'], [/\.(md|txt|log|rst|csv|pdf)$/i, 'file-text'], [/\.(rs|js|mjs|ts|tsx|jsx|py|go|java|kt|c|h|cc|cpp|rb|php|sh|css|html|json|ya?ml|toml|sql|ipynb|lua|xml)$/i, 'file-code']]);
/** @param {Entry} entry */
export const fileIcon = ({ name, type }) => (type === 'directory' ? 'folder' : type === 'link' ? 'file-symlink' : ICONS.find(([pattern]) => pattern.test(name))?.[1] || 'file');

/** Reads the list again wherever it is shown, and how full the disk is. */
export const changed = () => refresh('files');

/** @param {string} workspace @param {string} path */
export async function makeFolder(workspace, path) {
  await call('POST', fileAddress(workspace, path), { type: 'directory' });
}
/** @param {string} workspace @param {string} from @param {string} to */
export async function move(workspace, from, to) {
  await call('POST', fileAddress(workspace, from), { type: 'move', encodedTo: to });
}
/** @param {string} workspace @param {string} path */
export async function removeFile(workspace, path) {
  await call('DELETE', fileAddress(workspace, path));
}
