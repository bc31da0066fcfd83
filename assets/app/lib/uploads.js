/**
 * Uploads that go on while other pages are looked at. A large file goes in pieces: when the connection is cut, the server
 * is asked how far it came and the rest follows. Its key is made of what the file is, so that choosing the same file
 * again after the page was reloaded goes on as well.
 */
import { signal } from './html.js';
import { ApiError, failure, get } from './api.js';
import { changed, fileAddress, join, makeFolder } from './files.js';

/** @typedef {'waiting' | 'sending' | 'again' | 'done' | 'failed' | 'exists' | 'stopped'} State */
/** @typedef {{id: number, workspace: string, path: string, file: File, sent: number, state: State, error: ApiError | null, replace: boolean, cut: (() => void) | null}} Upload */

/** What was asked for, in order; another array after each change. @type {import('../../vendor/signals.mjs').Signal<Upload[]>} */
export const uploads = signal(/** @type {Upload[]} */ ([]));

const PIECE = 8 * 2 ** 20; // bytes of one request: small enough to lose, large enough to be fast
const AT_ONCE = 3;
const TRIES = 10; // without any byte getting through, about a minute and a half
const PASSING = new Set([0, 408, 425, 429, 502, 503, 504]);

/** @type {Upload[]} */
let list = [];
let last = 0;
let timer = 0;
let busy = 0;

function tell() {
  timer ||= setTimeout(() => { timer = 0; uploads.value = [...list]; }, 60);
}

/** Whether something would be lost by closing the page. */
export const underWay = () => list.some(({ state }) => state === 'waiting' || state === 'sending' || state === 'again');
addEventListener('beforeunload', (event) => { if (underWay()) event.preventDefault(); });

/** The same file, the same key: what the server has of it is not sent again. @param {Upload} item */
function keyOf({ workspace, path, file }) {
  const text = `${workspace}/${path}:${file.size}:${file.lastModified}`;
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (let i = 0; i < text.length; i += 1) { a = Math.imul(a ^ text.charCodeAt(i), 0x01000193); b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b) ^ (b >>> 13); }
  return [a, b].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('');
}

/** One request with its progress, which fetch does not tell. @param {Upload} item @param {string} address @param {Blob} body @param {(bytes: number) => void} progress @returns {Promise<any>} */
function put(item, address, body, progress) {
  return new Promise((done, lost) => {
    const request = new XMLHttpRequest();
    item.cut = () => request.abort();
    request.open('PUT', address);
    request.setRequestHeader('content-type', 'application/octet-stream');
    if (!item.replace) request.setRequestHeader('if-none-match', '*');
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onload = async () => {
      if (request.status >= 200 && request.status < 300) { try { done(JSON.parse(request.responseText || 'null')); } catch { done(null); } return; }
      lost(await failure(new Response(request.responseText, { status: request.status, headers: { 'retry-after': request.getResponseHeader('retry-after') || '' } })));
    };
    request.onerror = request.onabort = () => lost(new ApiError(0, { message: 'The connection was cut.' }));
    request.send(body);
  });
}

/** @param {Upload} item @param {() => void} moved */
async function carry(item, moved) {
  const { workspace, path, file } = item;
  const say = (/** @type {number} */ bytes) => { if (bytes > item.sent) moved(); item.sent = Math.min(bytes, file.size); tell(); };
  if (file.size <= PIECE) { await put(item, fileAddress(workspace, path), file, say); return; }
  const upload = keyOf(item);
  let { offset } = await get(fileAddress(workspace, path, { upload })).catch((error) => { if (error.status === 404) return { offset: 0 }; throw error; });
  for (;;) {
    say(offset);
    const from = offset;
    const told = await put(item, fileAddress(workspace, path, { upload, offset: String(from), total: file.size }), file.slice(from, from + PIECE), (bytes) => say(from + bytes));
    if (told?.done) return;
    if (!(told?.offset > from)) throw new ApiError(0, { message: 'The server did not take the next piece.' });
    offset = told.offset;
  }
}

/** Waits, but not longer than until the network is back. @param {number} milliseconds */
const pause = (milliseconds) => new Promise((done) => {
  const go = () => { clearTimeout(wait); removeEventListener('online', go); done(undefined); };
  const wait = setTimeout(go, milliseconds);
  addEventListener('online', go);
});

/** @param {Upload} item */
async function send(item) {
  item.state = 'sending';
  tell();
  for (let tries = 0; ;) {
    try {
      await carry(item, () => { tries = 0; if (item.state === 'again') item.state = 'sending'; });
      Object.assign(item, { state: 'done', sent: item.file.size, cut: null });
      return;
    } catch (cause) {
      if (/** @type {State} */ (item.state) === 'stopped') return;
      const error = cause instanceof ApiError ? cause : new ApiError(0, { code: 'UNREADABLE', message: 'The file could not be read any more. Choose it again.' });
      tries += 1;
      // A piece that the server has not there yet, or has already: it says so, and is asked again.
      const passing = (PASSING.has(error.status) && error.code !== 'UNREADABLE') || (error.status === 409 && error.code !== 'QUOTA_EXCEEDED' && item.file.size > PIECE && tries < 3);
      if (!passing || tries > TRIES) { Object.assign(item, { state: error.status === 412 ? 'exists' : 'failed', error, cut: null }); return; }
      item.state = 'again';
      tell();
      await pause(Math.max(Math.min(400 * 2 ** tries, 15_000), (error.retryAfter || 0) * 1000));
      if (/** @type {State} */ (item.state) === 'stopped') return;
    }
  }
}

function work() {
  while (busy < AT_ONCE) {
    const next = list.find(({ state }) => state === 'waiting');
    if (!next) break;
    busy += 1;
    send(next).finally(() => { busy -= 1; tell(); if (busy === 0 || list.every(({ state }) => state !== 'waiting')) changed(); work(); });
  }
}

/**
 * @param {string} workspace
 * @param {string} folder where they go
 * @param {{path: string, file: File, replace?: boolean}[]} files paths from there
 * @param {string[]} [folders] made first, parents before what is in them
 */
export async function upload(workspace, folder, files, folders = []) {
  const place = (/** @type {string} */ path) => join(folder, path.split('/').map(encodeURIComponent).join('/'));
  for (const path of folders) {
    try { await makeFolder(workspace, place(path)); } catch (error) { if (/** @type {any} */ (error).status !== 409) throw error; }
  }
  if (!underWay()) list = list.filter(({ state }) => state === 'failed' || state === 'exists');
  list.push(...files.map(({ path, file, replace = false }) => ({ id: ++last, workspace, path: place(path), file, sent: 0, state: /** @type {State} */ ('waiting'), error: null, replace, cut: null })));
  if (files.length === 0) changed();
  tell();
  work();
}

/** Tries again, over what is there where that was the trouble. @param {Upload[]} items */
export function again(items) {
  for (const item of items) Object.assign(item, { replace: item.replace || item.state === 'exists', state: 'waiting', error: null });
  tell();
  work();
}

/** Leaves them out; what was sent of them is forgotten by the server in time. @param {Upload[]} items */
export function drop(items) {
  for (const item of items) { const { cut } = item; item.state = 'stopped'; cut?.(); }
  list = list.filter((item) => !items.includes(item));
  tell();
  work();
}
