/**
 * A small text file in a plain editor. What was opened is remembered by its tag: when somebody, or a program, changed
 * the file meanwhile, saving says so instead of writing over it. Line ends are kept as they were.
 */
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { ApiError, failure } from '../lib/api.js';
import { changed, fileAddress, nameOf, pageAddress, parentOf } from '../lib/files.js';
import { plural, showBytes } from '../lib/format.js';
import { guard, navigate } from '../lib/router.js';
import { refusal } from '../lib/can.js';
import { Button, Icon } from './basics.js';
import { mainApp, OpenButton } from './launch.js';
import { Callout, Empty, Failed, Skeleton } from './places.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {{text: string, etag: string, ends: 'lf' | 'crlf' | 'mixed', size: number}} Opened */

const LARGEST = 2 ** 20; // bytes; beyond this a plain field gets slow

/** @param {string} workspace @param {string} path @returns {Promise<Opened | {not: 'large' | 'binary', size: number}>} */
async function read(workspace, path) {
  const response = await fetch(fileAddress(workspace, path), { cache: 'no-store' });
  if (!response.ok) throw await failure(response);
  const size = Number(response.headers.get('content-length')) || 0;
  if (size > LARGEST) { await response.body?.cancel(); return { not: 'large', size }; }
  const bytes = await response.arrayBuffer();
  try {
    const raw = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (raw.includes('\0')) return { not: 'binary', size: bytes.byteLength };
    const crlf = raw.split('\r\n').length - 1;
    const lf = raw.split('\n').length - 1 - crlf;
    return { text: raw.replaceAll('\r\n', '\n'), etag: response.headers.get('etag') || '', ends: crlf && lf ? 'mixed' : crlf ? 'crlf' : 'lf', size: bytes.byteLength };
  } catch { return { not: 'binary', size: bytes.byteLength }; }
}

/** @param {{workspace: Workspace, path: string}} props */
export function FileEditor({ workspace, path }) {
  const [opened, setOpened] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const load = () => { setError(null); read(workspace.id, path).then(setOpened, (cause) => setError(cause instanceof ApiError ? cause : new ApiError(0, { message: 'The connection was lost.' }))); };
  useEffect(load, [workspace.id, path]);
  const name = nameOf(path);
  const save = html`<${Button} icon="download" href=${fileAddress(workspace.id, path, { download: 'true' })} download=${name}>Download<//>`;
  if (error) return html`<div class="card"><${Failed} what="The file could not be read" error=${error} again=${load} /></div>`;
  if (!opened) return html`<div class="card"><${Skeleton} lines=${8} height=${24} /></div>`;
  if (opened.not) return html`<div class="card"><${Empty} icon="file" title=${opened.not === 'large' ? 'Too large to edit here' : 'This is not text'} text=${`${name} is ${showBytes(opened.size)}. ${mainApp(workspace) ? 'An app of the workspace may open it; or download it.' : 'Download it, or use a program in the terminal.'}`} action=${html`<div class="row wrap">${save}${mainApp(workspace) && html`<${OpenButton} workspace=${workspace} terminal=${false} />`}</div>`} /></div>`;
  return html`<${Editor} key=${opened.etag} workspace=${workspace} path=${path} opened=${opened} reload=${load} />`;
}

/** @param {{workspace: Workspace, path: string, opened: Opened, reload: () => void}} props */
function Editor({ workspace, path, opened, reload }) {
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [base, setBase] = useState(opened);
  const [text, setText] = useState(opened.text);
  const [busy, setBusy] = useState(false);
  const [saved, setSaved] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const leaves = useRef(false);
  const never = refusal(workspace, 'write_workspace_files');
  const dirty = text !== base.text;
  const name = nameOf(path);
  useEffect(() => {
    if (!dirty) return undefined;
    guard.ask = () => window.confirm(`Leave ${name} without saving? What you changed in it is lost.`);
    guard.within = true;
    return () => { guard.ask = null; guard.within = false; };
  }, [dirty, name]);

  /** @param {boolean} [over] whatever is there now */
  const save = async (over) => {
    if (busy || never) return;
    setBusy(true);
    setError(null);
    const body = new TextEncoder().encode(base.ends === 'crlf' ? text.replaceAll('\n', '\r\n') : text);
    try {
      const response = await fetch(fileAddress(workspace.id, path), { method: 'PUT', body, headers: { 'content-type': 'application/octet-stream', ...(over ? {} : { 'if-match': base.etag }) } });
      if (!response.ok) throw await failure(response);
      const etag = response.headers.get('etag') || '';
      setBase({ ...base, text, etag, size: body.byteLength, ends: base.ends === 'mixed' ? 'lf' : base.ends });
      setSaved(true);
      changed();
    } catch (cause) {
      setError(cause instanceof ApiError ? cause : new ApiError(0, { message: 'The server did not answer. What you typed is still here.' }));
    }
    setBusy(false);
  };
  const take = () => { guard.ask = null; reload(); };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 's') { event.preventDefault(); save(); return; }
    if (event.key === 'Escape') { leaves.current = true; return; }
    if (event.key === 'Tab' && !event.shiftKey && !event.ctrlKey && !event.altKey && !leaves.current && !never) { event.preventDefault(); document.execCommand('insertText', false, '\t'); }
    if (event.key !== 'Shift') leaves.current = false;
  };
  const conflict = error?.status === 412;
  return html`${error && html`<${Callout} kind=${conflict ? 'warn' : 'bad'} alert lead=${conflict ? `${name} was changed since you opened it.` : 'Not saved.'} actions=${conflict && html`<${Button} size="s" onClick=${take}>Take theirs<//><${Button} size="s" kind="danger" onClick=${() => save(true)}>Save mine over it<//>`}>${conflict ? 'Yours is still here. To have both, copy yours first, then take theirs.' : error.message}<//>`}
    <section class="card editor" aria-label=${name}><div class="card-head"><${Icon} name="file-text" class="fg2" /><h2 class="cut" data-tip-cut>${name}</h2><span class="t12 fg2 name" role="status">${never ? 'read only' : dirty ? 'Not saved yet' : saved ? 'Saved' : ''}</span>
      <span class="right row"><${Button} size="s" kind="ghost" icon="download" href=${fileAddress(workspace.id, path, { download: 'true' })} download=${name}>Download<//><${Button} size="s" onClick=${() => navigate(pageAddress(workspace.id, parentOf(path)))}>Close<//><${Button} size="s" kind="primary" busy=${busy} busyWord="Saving" refused=${never || (dirty ? undefined : 'Nothing is changed.')} onClick=${() => save()}>Save<//></span></div>
      <textarea class="editor-text" ref=${field} aria-label=${`Content of ${name}`} aria-describedby="editor-keys" value=${text} readonly=${Boolean(never)} spellcheck=${false} autocapitalize="off" autocomplete="off" wrap="off" onInput=${(/** @type {any} */ event) => { setText(event.target.value); setSaved(false); }} onKeyDown=${key} onBlur=${() => { leaves.current = false; }} />
      <div class="editor-foot"><span>${plural(text.split('\n').length - (text === '' || text.endsWith('\n') ? 1 : 0), 'line')}, ${showBytes(base.size)}</span>${base.ends === 'crlf' && html`<span>Windows line ends, kept</span>`}${base.ends === 'mixed' && html`<span class="warn">Mixed line ends; saving makes them all alike</span>`}<span class="right keys" id="editor-keys">Tab indents; Esc, then Tab leaves. <kbd>Ctrl S</kbd> saves.</span></div></section>`;
}
