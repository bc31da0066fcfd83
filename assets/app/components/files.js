/** The files of a workspace: the folder that the address names, or one of its files in the editor. */
import { html, loadStyle, useEffect, useRef, useState } from '../lib/html.js';
import { fromDrop, fromField } from '../lib/chosen.js';
import { changed, clean, fileAddress, join, nameOf, pageAddress, parentOf, shown } from '../lib/files.js';
import { plural, showBytes } from '../lib/format.js';
import { fail } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { navigate, query } from '../lib/router.js';
import { asksReason, barred } from '../lib/entering.js';
import { AskPart } from './ask-entry.js';
import { Button, Icon } from './basics.js';
import { asksReplace, newFile, newFolder, tooMuch } from './file-dialogs.js';
import { Bulk, FileTable } from './file-table.js';
import { Late } from './late.js';
import { Menu } from './menu.js';
import { NotRunning } from './not-running.js';
import { Empty, Failed, Skeleton } from './places.js';
import { UploadPanel } from './upload-panel.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {import('../lib/files.js').Listing} Listing */

await Promise.all([loadStyle('/style/table.css'), loadStyle('/style/work.css')]);

const HIDDEN = 'codex-files-hidden';
const editor = () => import('./file-editor.js');

/** @param {{workspace: Workspace}} props */
export default function FilesPart({ workspace }) {
  const running = workspace.status === 'running';
  const denied = running ? barred(workspace, 'read_workspace_files') : undefined;
  const [, setAgreed] = useState(false);
  const path = clean(query.value.get('path') || '');
  const file = clean(query.value.get('file') || '');
  if (denied) return html`<div class="card"><${Empty} icon="ban" title="These files are not yours to see" text=${denied} /></div>`;
  if (!running) return html`<${NotRunning} workspace=${workspace} icon="folder" text="Its files are kept. They are seen while it runs." soon="Its files appear as soon as it is ready." />`;
  if (asksReason(workspace, 'read_workspace_files')) return html`<${AskPart} workspace=${workspace} what="see its files" word="See the files" agree=${() => setAgreed(true)} />`;
  if (file) return html`<${Way} workspace=${workspace} path=${path} file=${file} /><${Late} load=${editor} part="FileEditor" key=${join(path, file)} workspace=${workspace} path=${join(path, file)} /><${UploadPanel} workspace=${workspace} />`;
  return html`<${Folder} key=${workspace.id} workspace=${workspace} path=${path} />`;
}

/** The way from the home to here. @param {{workspace: Workspace, path: string, file?: string}} props */
function Way({ workspace, path, file }) {
  const parts = path ? path.split('/') : [];
  const steps = [{ name: 'Home', at: '' }, ...parts.map((part, i) => ({ name: nameOf(part), at: parts.slice(0, i + 1).join('/') }))];
  return html`<nav class="way" aria-label="Folders"><ol>${steps.map(({ name, at }, i) => html`<li key=${at}>${i > 0 && html`<${Icon} name="chevron-right" size="s14" />`}${i === steps.length - 1 && !file ? html`<span aria-current="location" class="cut">${i === 0 && html`<${Icon} name="house" size="s14" />`}${name}</span>` : html`<a href=${pageAddress(workspace.id, at)} class="cut">${i === 0 && html`<${Icon} name="house" size="s14" />`}${name}</a>`}</li>`)}${file && html`<li><${Icon} name="chevron-right" size="s14" /><span aria-current="location" class="cut">${nameOf(file)}</span></li>`}</ol></nav>`;
}

/** @param {{workspace: Workspace, path: string}} props */
function Folder({ workspace, path }) {
  const listing = useQuery(fileAddress(workspace.id, path, { list: 'true' }), ['files']);
  const [hidden, setHidden] = useState(localStorage.getItem(HIDDEN) === 'yes');
  const [over, setOver] = useState(0);
  const [picked, setPicked] = useState(/** @type {Set<string>} */ (new Set()));
  const files = useRef(/** @type {HTMLInputElement | null} */ (null));
  const folders = useRef(/** @type {HTMLInputElement | null} */ (null));
  const data = /** @type {Listing | undefined} */ (listing.data);
  const never = barred(workspace, 'write_workspace_files');
  useEffect(() => setPicked(new Set()), [path]);
  useEffect(() => {
    const back = () => { if (document.visibilityState === 'visible') changed(); };
    document.addEventListener('visibilitychange', back);
    return () => document.removeEventListener('visibilitychange', back);
  }, []);
  const flip = () => { localStorage.setItem(HIDDEN, hidden ? 'no' : 'yes'); setHidden(!hidden); };
  const add = async (/** @type {Promise<import('../lib/chosen.js').Chosen> | import('../lib/chosen.js').Chosen} */ chosen) => {
    try { await begin(workspace, path, data, await chosen); } catch (error) { fail('Not uploaded', error); }
  };
  const fromInput = (/** @type {any} */ event) => { if (event.target.files.length) add(fromField(event.target.files)); event.target.value = ''; };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    setOver(0);
    if (!never && event.dataTransfer) add(fromDrop(event.dataTransfer));
  };
  const carries = (/** @type {DragEvent} */ event) => [...(event.dataTransfer?.types || [])].includes('Files');
  const inside = (/** @type {number} */ by) => (/** @type {DragEvent} */ event) => { if (carries(event)) { event.preventDefault(); setOver((n) => Math.max(0, n + by)); } };
  const all = data?.entries || [];
  const entries = hidden ? all : all.filter(({ name }) => name[0] !== '.');

  const clear = () => setPicked(new Set());
  const one = { workspace, path, entries, all, never, picked };

  return html`${picked.size > 0 ? html`<${Bulk} ...${one} clear=${clear} />` : html`<div class="toolbar"><${Way} workspace=${workspace} path=${path} /><span class="right row wrap">
      <${Button} kind="ghost" icon=${hidden ? 'eye' : 'eye-off'} aria-pressed=${hidden ? 'true' : 'false'} onClick=${flip}>Hidden files<//>
      <${Menu} label="New" button=${{ class: 'btn', inside: html`<${Icon} name="plus" />New<${Icon} name="chevron-down" size="s14" />` }} items=${[{ text: 'Folder', icon: 'folder-plus', run: () => newFolder(workspace, path, all), refused: never }, { text: 'Text file', icon: 'file-plus', run: () => newFile(workspace, path, all), refused: never }]} />
      <${Menu} label="Upload" button=${{ class: 'btn', inside: html`<${Icon} name="upload" />Upload<${Icon} name="chevron-down" size="s14" />` }} items=${[{ text: 'Files', icon: 'file', run: () => files.current?.click(), refused: never }, { text: 'A folder', icon: 'folder', run: () => folders.current?.click(), refused: never }]} /></span></div>`}
    <input type="file" class="sr" multiple hidden ref=${files} onChange=${fromInput} aria-label="Files to upload" /><input type="file" class="sr" hidden ref=${(/** @type {any} */ field) => { folders.current = field; field?.setAttribute('webkitdirectory', ''); }} onChange=${fromInput} aria-label="Folder to upload" />
    <${UploadPanel} workspace=${workspace} />
    <div class=${`card table-card drop ${over ? 'over' : ''}`} onDragEnter=${inside(1)} onDragLeave=${inside(-1)} onDragOver=${(/** @type {DragEvent} */ event) => { if (carries(event)) event.preventDefault(); }} onDrop=${drop}>
      ${!data ? (listing.error ? html`<${Gone} error=${listing.error} workspace=${workspace} path=${path} again=${listing.reload} />` : html`<${Skeleton} lines=${8} height=${44} />`)
      : entries.length === 0 && path === '' ? html`<${Empty} icon="folder" title=${all.length ? 'Only hidden files here' : 'No files yet'} text="Drop files and folders here, upload them, or clone a repository in the terminal." action=${all.length ? html`<${Button} icon="eye" onClick=${flip}>Show hidden files<//>` : !never && html`<${Button} icon="upload" onClick=${() => files.current?.click()}>Upload files<//>`} />`
      : html`<${FileTable} ...${one} setPicked=${setPicked} />`}
      ${over > 0 && html`<div class="drop-here" aria-hidden="true"><${Icon} name="upload" size="s20" /><b>${never || `Drop to upload to ${shown(path)}`}</b></div>`}</div>
    ${data && html`<div class="table-foot"><span>${plural(entries.length, 'entry', 'entries')}${all.length > entries.length ? `, ${all.length - entries.length} hidden` : ''}${data.truncated ? '. There are more than are shown; the terminal has them all.' : ''}</span>${data.totalBytes ? html`<span class="right">${showBytes(Math.max(0, data.totalBytes - (data.usedBytes || 0)))} free of ${showBytes(data.totalBytes)}</span>` : ''}</div>`}`;
}

/** A folder that is not there: perhaps the address names a file. @param {{error: any, workspace: Workspace, path: string, again: () => void}} props */
function Gone({ error, workspace, path, again }) {
  useEffect(() => { if (path && error.status === 409) navigate(pageAddress(workspace.id, parentOf(path), path.slice(path.lastIndexOf('/') + 1)), { replace: true }); }, [error]);
  return html`<${Failed} what="The folder could not be read" error=${error} again=${again} />${path && html`<div class="card-foot"><${Button} size="s" icon="corner-left-up" href=${pageAddress(workspace.id, parentOf(path))}>To ${shown(parentOf(path))}<//></div>`}`;
}

/** Looks whether they fit and what they would replace, then begins. @param {Workspace} workspace @param {string} path @param {Listing | undefined} data @param {import('../lib/chosen.js').Chosen} chosen */
async function begin(workspace, path, data, { files, folders }) {
  const there = new Map((data?.entries || []).map((entry) => [entry.name, entry]));
  const size = files.reduce((sum, { file }) => sum + file.size, 0);
  const freed = files.reduce((sum, { path: name }) => sum + (there.get(name)?.size || 0), 0);
  const free = data?.totalBytes ? data.totalBytes - (data.usedBytes || 0) + freed : Infinity;
  if (size > free) { await tooMuch(workspace, files.length, size, free, data?.totalBytes || 0); return; }
  const same = files.filter(({ path: name }) => there.has(name));
  const answer = same.length ? await asksReplace(same.map(({ path: name }) => name), path) : 'replace';
  if (!answer) return;
  const { upload } = await import('../lib/uploads.js');
  await upload(workspace.id, path, files.filter((one) => answer === 'replace' || !same.includes(one)).map((one) => ({ ...one, replace: same.includes(one) })), folders.filter((folder) => !there.has(folder)));
}
