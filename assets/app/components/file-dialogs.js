/** What is asked about files before it is done: names, places, and what is lost. */
import { html, useId, useState } from '../lib/html.js';
import { ApiError, call, failure } from '../lib/api.js';
import { changed, fileAddress, fileNameWrong, join, keyOf, makeFolder, move, nameOf, ordered, pageAddress, parentOf, removeFile, shown } from '../lib/files.js';
import { useForm } from '../lib/form.js';
import { plural, showBytes } from '../lib/format.js';
import { fail, openDialog, toast } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { Button, Icon } from './basics.js';
import { confirm, Dialog } from './dialog.js';
import { TextField } from './fields.js';
import { Callout, FormProblem, Loaded } from './places.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {import('../lib/files.js').Entry} Entry */

/** @param {{title: string, lead?: string, word: string, label?: string, first?: string, taken: Set<string>, send: (name: string) => Promise<any>, done: (name?: string) => void}} props */
function NameDialog({ title, lead, word, label = 'Name', first = '', taken, send, done }) {
  const form = useForm({
    first: { name: first },
    check: ({ name }) => ({ name: fileNameWrong(name) || (name !== first && taken.has(name) && 'There is something of that name already.') }),
    send: async ({ name }) => { if (name !== first) await send(name); done(name); },
  });
  return html`<${Dialog} title=${title} lead=${lead} onClose=${() => done()}><form onSubmit=${form.submit} novalidate><div class="body"><${TextField} form=${form} name="name" label=${label} mono autofocus onFocus=${(/** @type {any} */ event) => { const dot = first.lastIndexOf('.'); event.target.setSelectionRange(0, dot > 0 ? dot : first.length); }} /><${FormProblem} form=${form} what="Not done" /></div>
    <div class="buttons"><${Button} onClick=${() => done()}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy}>${word}<//></div></form><//>`;
}

/** @param {Entry[]} entries */
const names = (entries) => new Set(entries.map(({ name }) => name));

/** @param {Workspace} workspace @param {string} path @param {Entry[]} all */
export async function newFolder(workspace, path, all) {
  const name = await openDialog(NameDialog, { title: 'New folder', lead: `In ${shown(path)}.`, word: 'Create', taken: names(all), send: (/** @type {string} */ text) => makeFolder(workspace.id, join(path, encodeURIComponent(text))) });
  if (name) { changed(); navigate(pageAddress(workspace.id, join(path, encodeURIComponent(name)))); }
}

/** @param {Workspace} workspace @param {string} path @param {Entry[]} all */
export async function newFile(workspace, path, all) {
  const send = async (/** @type {string} */ text) => {
    const response = await fetch(fileAddress(workspace.id, join(path, encodeURIComponent(text))), { method: 'PUT', body: '', headers: { 'if-none-match': '*', 'content-type': 'application/octet-stream' } });
    if (!response.ok) throw await failure(response);
  };
  const name = await openDialog(NameDialog, { title: 'New text file', lead: `In ${shown(path)}.`, word: 'Create', taken: names(all), send });
  if (name) { changed(); navigate(pageAddress(workspace.id, path, encodeURIComponent(name))); }
}

/** @param {Workspace} workspace @param {string} path @param {Entry} entry @param {Entry[]} all */
export async function renameFile(workspace, path, entry, all) {
  const name = await openDialog(NameDialog, { title: `Rename ${entry.name}`, word: 'Rename', first: entry.name, taken: names(all), send: (/** @type {string} */ text) => move(workspace.id, join(path, keyOf(entry)), join(path, encodeURIComponent(text))) });
  if (name && name !== entry.name) { changed(); toast({ title: `Now called ${name}.`, undo: () => { move(workspace.id, join(path, encodeURIComponent(name)), join(path, keyOf(entry))).then(changed, (error) => fail('Not renamed back', error)); } }); }
}

/** What goes with it, in words. @param {Workspace} workspace @param {string} path @param {Entry[]} list */
async function consequence(workspace, path, list) {
  const folders = list.filter(({ type }) => type === 'directory');
  const size = list.reduce((sum, { type, size: bytes }) => sum + (type === 'file' ? bytes : 0), 0);
  if (folders.length === 0) return list.length === 1 ? `This deletes ${showBytes(size)}${list[0].type === 'link' ? '; what the link leads to stays' : ''}.` : `This deletes ${plural(list.length, 'file')}, ${showBytes(size)}.`;
  if (list.length > 1) return `This deletes ${plural(folders.length, 'folder')} with all that is in ${folders.length === 1 ? 'it' : 'them'}${list.length > folders.length ? `, and ${plural(list.length - folders.length, 'file')}` : ''}.`;
  const inside = await call('GET', fileAddress(workspace.id, join(path, keyOf(folders[0])), { list: 'true' })).then(({ data }) => data, () => null);
  return inside ? (inside.entries.length ? `This deletes the folder with its ${plural(inside.entries.length, 'entry', 'entries')}${inside.truncated ? ' and more' : ''}, hidden ones too, and all that is in them.` : 'The folder is empty.') : 'This deletes the folder with all that is in it.';
}

/** @param {Workspace} workspace @param {string} path @param {Entry[]} list @returns {Promise<boolean>} */
export async function removeFiles(workspace, path, list) {
  const one = list.length === 1 ? list[0].name : `${list.length} selected`;
  const done = await confirm({
    title: `Delete ${one}?`, lead: `${await consequence(workspace, path, list)} There is no bin: nobody can bring it back.`, danger: true, word: list.length === 1 ? 'Delete' : `Delete ${list.length}`, failed: 'Not everything was deleted',
    run: async () => { try { for (const entry of list) await removeFile(workspace.id, join(path, keyOf(entry))); } finally { changed(); } },
  });
  if (done) toast({ title: list.length === 1 ? `${one} deleted.` : `${list.length} deleted.` });
  return Boolean(done);
}

/** @param {Workspace} workspace @param {string} path @param {Entry[]} list @returns {Promise<boolean>} */
export async function moveFiles(workspace, path, list) {
  const to = await openDialog(MoveDialog, { workspace, path, list });
  if (to === undefined) return false;
  changed();
  const back = () => { Promise.all(list.map((entry) => move(workspace.id, join(to, keyOf(entry)), join(path, keyOf(entry))))).then(changed, (error) => { changed(); fail('Not moved back', error); }); };
  toast({ title: `${list.length === 1 ? list[0].name : `${list.length} entries`} moved to ${shown(to)}.`, undo: back });
  return true;
}

/** @param {{workspace: Workspace, path: string, list: Entry[], done: (to?: string) => void}} props goes through the folders */
function MoveDialog({ workspace, path, list, done }) {
  const [at, setAt] = useState(path);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const label = useId();
  const query = useQuery(fileAddress(workspace.id, at, { list: 'true' }), ['files']);
  const moving = new Set(list.map((entry) => join(path, keyOf(entry))));
  const go = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (at === path || busy) return;
    setBusy(true);
    setError(null);
    try {
      for (const entry of list) await move(workspace.id, join(path, keyOf(entry)), join(at, keyOf(entry)));
      done(at);
    } catch (cause) {
      changed();
      setError(cause instanceof ApiError ? cause : new ApiError(0, { message: 'Something in this page went wrong.' }));
      setBusy(false);
    }
  };
  const line = (/** @type {string} */ to, /** @type {string} */ icon, /** @type {string} */ word) => html`<button type="button" class="pick-one folder-line" key=${to} onClick=${() => setAt(to)}><${Icon} name=${icon} class=${icon === 'folder' ? 'folder' : ''} /><span class="cut">${word}</span></button>`;
  return html`<${Dialog} title=${list.length === 1 ? `Move ${list[0].name}` : `Move ${list.length} entries`} lead="Choose the folder it goes to. What has the same name there stays." wide onClose=${() => done()}><form onSubmit=${go}><div class="body"><div class="field"><span class="label" id=${label}>Folder <span class="mono fg2">${shown(at)}</span></span>
    <div class="pick-list folder-list" role="group" aria-labelledby=${label}>${at && line(parentOf(at), 'corner-left-up', `Up to ${shown(parentOf(at))}`)}<${Loaded} query=${query} what="The folder could not be read" lines=${3} height=${40}>${(/** @type {any} */ data) => { const inner = ordered(data.entries, 'name').filter((entry) => entry.type === 'directory' && !moving.has(join(at, keyOf(entry)))); return inner.length ? inner.map((entry) => line(join(at, keyOf(entry)), 'folder', entry.name)) : html`<p class="t13 fg2" style="padding:10px 12px">No folder in ${at ? nameOf(at) : 'the home'}.</p>`; }}<//></div></div>
    ${error && html`<${Callout} kind="bad" alert lead="Not moved.">${error.message}<//>`}</div>
    <div class="buttons"><${Button} onClick=${() => done()}>Cancel<//><${Button} kind="primary" type="submit" busy=${busy} busyWord="Moving" refused=${at === path ? 'It is in this folder already. Choose another.' : undefined}>Move to ${at ? nameOf(at) : 'the home'}<//></div></form><//>`;
}

/** @param {{names: string[], path: string, done: (answer?: 'replace' | 'skip') => void}} props */
function ReplaceDialog({ names: list, path, done }) {
  return html`<${Dialog} title=${list.length === 1 ? `Replace ${list[0]}?` : `Replace ${list.length} files?`} lead=${`${list.length === 1 ? 'A file of that name is' : 'Files of these names are'} in ${shown(path)} already. Replacing puts the new content in its place; the old one is lost.`} onClose=${() => done()}>
    ${list.length > 1 && html`<ul class="same-names mono">${list.slice(0, 6).map((name) => html`<li class="cut">${name}</li>`)}${list.length > 6 && html`<li class="fg2">and ${list.length - 6} more</li>`}</ul>`}
    <div class="buttons"><${Button} kind="ghost" onClick=${() => done()}>Cancel<//><${Button} autofocus onClick=${() => done('skip')}>${list.length === 1 ? 'Keep the old one' : 'Keep the old ones'}<//><${Button} kind="primary" onClick=${() => done('replace')}>Replace<//></div><//>`;
}

/** @param {string[]} list @param {string} path @returns {Promise<'replace' | 'skip' | undefined>} */
export const asksReplace = (list, path) => openDialog(ReplaceDialog, { names: list, path });

/** @param {{workspace: Workspace, count: number, size: number, free: number, total: number, done: () => void}} props */
function TooMuch({ workspace, count, size, free, total, done }) {
  return html`<${Dialog} title="Does not fit" lead=${`${count === 1 ? 'The file is' : `These ${count} files are`} ${showBytes(size)}; ${showBytes(Math.max(0, free))} of ${showBytes(total)} are free. Nothing was uploaded.`} onClose=${done}><p class="t13 fg2" style="margin-top:8px">Delete what is not needed, choose fewer files, or give the workspace a larger disk.</p>
    <div class="buttons"><${Button} href=${`/workspaces/${workspace.id}/settings`} onClick=${done}>Settings<//><${Button} kind="primary" autofocus onClick=${done}>Close<//></div><//>`;
}

/** @param {Workspace} workspace @param {number} count @param {number} size @param {number} free @param {number} total */
export const tooMuch = (workspace, count, size, free, total) => openDialog(TooMuch, { workspace, count, size, free, total });
