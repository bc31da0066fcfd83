/** The entries of a folder as a table: sorted by its columns, used with the arrow keys, several at once. */
import { html, useEffect, useRef } from '../lib/html.js';
import { fileAddress, fileIcon, join, keyOf, nameOf, ordered, pageAddress, parentOf } from '../lib/files.js';
import { plural, showBytes } from '../lib/format.js';
import { navigate, query, setQuery } from '../lib/router.js';
import { Button, Icon, Time } from './basics.js';
import { moveFiles, removeFiles, renameFile } from './file-dialogs.js';
import { Menu } from './menu.js';
import { Empty } from './places.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {import('../lib/files.js').Entry} Entry */
/** @typedef {{workspace: Workspace, path: string, entries: Entry[], all: Entry[], never?: string}} Shown never: why nothing may be changed */
/** @typedef {Shown & {picked: Set<string>, setPicked: (next: Set<string>) => void}} Props */

/** Which name gets the focus once the next folder is there, after it was opened by a key. */
let wanted = '';
const FIRST = '/'; // no name has it

/** @param {Props} props */
export function FileTable(props) {
  const { workspace, path, entries, picked, setPicked } = props;
  const sort = query.value.get('sort') || 'name';
  const list = ordered(entries, sort);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const chosen = list.filter(({ name }) => picked.has(name));
  useEffect(() => {
    if (!wanted) return;
    const links = /** @type {HTMLElement[]} */ ([...(box.current?.querySelectorAll('a.go') || [])]);
    (links.find((link) => link.dataset.name === wanted) || links[0] || box.current)?.focus();
    wanted = '';
  }, [path, entries]);

  const toggle = (/** @type {string} */ name) => { const next = new Set(picked); if (!next.delete(name)) next.add(name); setPicked(next); };
  const up = () => { if (path) { wanted = nameOf(path); navigate(pageAddress(workspace.id, parentOf(path))); } };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (!(event.target instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('.menu, input, .split')) return;
    if (event.key === 'Escape' && picked.size) { setPicked(new Set()); return; }
    if (event.key === 'Backspace') { event.preventDefault(); up(); return; }
    const links = /** @type {HTMLElement[]} */ ([...(box.current?.querySelectorAll('a.go') || [])]);
    const at = links.indexOf(event.target);
    const to = /** @type {Record<string, number>} */ ({ ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: links.length - 1 })[event.key];
    if (to !== undefined) { event.preventDefault(); links[Math.min(to, links.length - 1)]?.focus(); return; }
    const entry = list.find(({ name }) => name === links[at]?.dataset.name);
    if (!entry) return;
    if (event.key === 'Enter' && entry.type === 'directory') wanted = FIRST;
    if (event.key === ' ') { event.preventDefault(); toggle(entry.name); }
    if (event.key === 'F2' && !props.never) { event.preventDefault(); renameFile(workspace, path, entry, props.all); }
    if (event.key === 'Delete' && !props.never) { event.preventDefault(); removeFiles(workspace, path, chosen.length ? chosen : [entry]); }
  };
  const press = (/** @type {MouseEvent} */ event, /** @type {Entry} */ entry) => {
    if (event.target instanceof Element && !event.target.closest('a, button, input, label, .menu') && !String(getSelection())) navigate(addressOf(props, entry));
  };

  return html`<div class="table-scroll" tabindex="-1" role="region" aria-label=${`Files in ${path ? nameOf(path) : 'the home'}`} ref=${box} onKeyDown=${key}><table class="table list files" aria-describedby="files-keys"><thead><tr>
      <th scope="col" class="pick"><label><span class="sr">Select all</span><input type="checkbox" class="box" checked=${list.length > 0 && chosen.length === list.length} ref=${(/** @type {any} */ all) => { if (all) all.indeterminate = chosen.length > 0 && chosen.length < list.length; }} onChange=${() => setPicked(chosen.length === list.length ? new Set() : new Set(list.map(({ name }) => name)))} /></label></th>
      <${Head} word="Name" by="name" sort=${sort} /><${Head} word="Size" by="size" sort=${sort} num /><${Head} word="Changed" by="modified" sort=${sort} /><th scope="col" class="acts"><span class="sr">Actions</span></th></tr></thead>
      <tbody>${path && html`<tr onClick=${up}><td class="pick" /><th scope="row"><a class="go" href=${pageAddress(workspace.id, parentOf(path))} data-name=".."><${Icon} name="corner-left-up" /><span>One folder up</span></a></th><td class="second" /><td class="minor" /><td class="acts" /></tr>`}
        ${list.map((entry) => html`<tr key=${entry.name} class=${picked.has(entry.name) ? 'picked' : ''} onClick=${(/** @type {MouseEvent} */ event) => press(event, entry)}>
        <td class="pick"><label><span class="sr">Select ${entry.name}</span><input type="checkbox" class="box" checked=${picked.has(entry.name)} onChange=${() => toggle(entry.name)} /></label></td>
        <th scope="row"><a class="go" href=${addressOf(props, entry)} data-name=${entry.name}><${Icon} name=${fileIcon(entry)} class=${entry.type === 'directory' ? 'folder' : ''} /><span class="cut" data-tip-cut>${entry.name}</span>${entry.type === 'link' && entry.target && html`<span class="fg3 cut">→ ${entry.target}</span>`}</a></th>
        <td class="num second">${entry.type === 'file' ? showBytes(entry.size) : html`<span class="fg3">${entry.type === 'directory' ? 'folder' : entry.type === 'link' ? 'link' : 'special'}</span>`}</td><td class="minor fg2"><${Time} at=${entry.modifiedAt} /></td><td class="acts"><${Acts} ...${props} entry=${entry} /></td></tr>`)}</tbody></table></div>
    ${list.length === 0 && html`<${Empty} icon="folder" title=${props.all.length ? 'Only hidden files here' : 'This folder is empty'} text="Drop files here, or use Upload." />`}
    <p class="sr" id="files-keys">Arrow keys go through the names, Enter opens, Backspace goes one folder up, Space selects, F2 renames, Delete deletes.</p>`;
}

/** @param {Shown} props @param {Entry} entry */
const addressOf = ({ workspace, path }, entry) => (entry.type === 'directory' || entry.type === 'link' ? pageAddress(workspace.id, join(path, keyOf(entry))) : pageAddress(workspace.id, path, keyOf(entry)));

/** @param {{word: string, by: string, sort: string, num?: boolean}} props */
function Head({ word, by, sort, num }) {
  const now = sort.replace('-', '') === by ? (sort[0] === '-' ? 'descending' : 'ascending') : undefined;
  const turn = () => setQuery({ sort: now === 'ascending' ? `-${by}` : by === 'name' ? null : by }, { replace: true });
  return html`<th scope="col" class=${num ? 'num' : ''} aria-sort=${now}><button type="button" onClick=${turn}>${word}<${Icon} name=${now === 'descending' ? 'arrow-down' : 'arrow-up'} size="s12" /></button></th>`;
}

/** @param {Shown & {entry: Entry}} props */
function Acts({ workspace, path, entry, all, never }) {
  const full = join(path, keyOf(entry));
  const folder = entry.type === 'directory';
  return html`<${Menu} label=${`Actions for ${entry.name}`} size="s" items=${[
    entry.type === 'file' && { text: 'Open', icon: 'file-text', href: pageAddress(workspace.id, path, keyOf(entry)) },
    folder ? { text: 'Download as .zip', icon: 'download', href: fileAddress(workspace.id, full, { archive: 'zip' }), file: `${entry.name}.zip` } : { text: 'Download', icon: 'download', href: fileAddress(workspace.id, full, { download: 'true' }), file: entry.name },
    folder && { text: 'Download as .tar.gz', icon: 'archive', href: fileAddress(workspace.id, full, { archive: 'tar.gz' }), file: `${entry.name}.tar.gz` },
    { text: 'Rename', icon: 'pencil', keyName: 'F2', run: () => { renameFile(workspace, path, entry, all); }, refused: never },
    { text: 'Move', icon: 'folder-input', run: () => { moveFiles(workspace, path, [entry]); }, refused: never },
    { text: 'Delete', icon: 'trash-2', danger: true, line: true, run: () => { removeFiles(workspace, path, [entry]); }, refused: never },
  ]} />`;
}

/** In the place of the toolbar while something is selected. @param {Shown & {picked: Set<string>, clear: () => void}} props */
export function Bulk({ workspace, path, entries, picked, never, clear }) {
  const chosen = entries.filter(({ name }) => picked.has(name));
  const save = () => {
    for (const entry of chosen) {
      const { name, type } = entry;
      const link = document.createElement('a');
      link.href = fileAddress(workspace.id, join(path, keyOf(entry)), type === 'directory' ? { archive: 'zip' } : { download: 'true' });
      link.download = type === 'directory' ? `${name}.zip` : name;
      link.click();
    }
  };
  const size = chosen.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);
  const folders = chosen.filter(({ type }) => type === 'directory').length;
  return html`<div class="bulk" role="region" aria-label="Selected files"><span class="n">${chosen.length} selected</span><${Button} size="s" icon="download" onClick=${save}>Download<//><${Button} size="s" icon="folder-input" refused=${never} onClick=${async () => { if (await moveFiles(workspace, path, chosen)) clear(); }}>Move<//><${Button} size="s" kind="danger" icon="trash-2" refused=${never} onClick=${async () => { if (await removeFiles(workspace, path, chosen)) clear(); }}>Delete<//>
    <span class="fg2">${[folders && plural(folders, 'folder'), chosen.length > folders && `${plural(chosen.length - folders, 'file')}, ${showBytes(size)}`].filter(Boolean).join(' and ')}</span><button type="button" class="iconbtn right" aria-label="Clear the selection" onClick=${clear}><${Icon} name="x" /></button></div>`;
}
