/** The logs of a workspace: they follow as they are written, in colour, and can be searched, wrapped and saved. */
import { html, loadStyle, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../lib/html.js';
import { ApiError, failure } from '../lib/api.js';
import { pieces, withoutColours } from '../lib/ansi.js';
import { refusal } from '../lib/can.js';
import { saveText } from '../lib/csv.js';
import { plural, showExact, showSeconds } from '../lib/format.js';
import { query, setQuery } from '../lib/router.js';
import { Button, Icon } from './basics.js';
import { SearchBox, Select } from './fields.js';
import { Empty, Failed } from './places.js';

await Promise.all([loadStyle('/style/table.css'), loadStyle('/style/terminal.css')]);

const BEFORE = '~before'; // no app is called so: a slug has no such character
const KEEP = 5000; // lines on screen; the oldest go first

/** @typedef {{key: number, at: string, text: string}} Line */

/** @param {string} text @param {number} key @returns {Line} */
function parse(text, key) {
  const cut = text.indexOf(' ');
  const at = cut > 0 && /^\d{4}-\d\d-\d\dT/.test(text) ? text.slice(0, cut) : '';
  return { key, at, text: at ? text.slice(cut + 1) : text };
}

/** Reads the stream until it is stopped. @param {string} path @param {AbortSignal} signal @param {(lines: string[]) => void} add */
async function read(path, signal, add) {
  const response = await fetch(path, { signal, cache: 'no-store' });
  if (!response.ok || !response.body) throw await failure(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    const parts = (rest + (value || '')).split('\n');
    rest = done ? '' : parts.pop() || '';
    const lines = parts.filter((line) => line !== '');
    if (lines.length) add(lines);
    if (done) return;
  }
}

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export default function Logs({ workspace }) {
  const no = refusal(workspace, 'view_workspace_logs');
  const app = workspace.apps?.find(({ slug }) => slug === query.value.get('app'));
  // A container's log goes with it; the one before is kept apart. Programs of the host write on in one log.
  const apart = Boolean(workspace.image && !workspace.image.startsWith('local:'));
  const before = apart && query.value.get('app') === BEFORE;
  const source = app ? `apps/${app.slug}/logs?lines=1000&follow=true` : before ? 'logs?lines=1000&previous=true' : 'logs?lines=1000&follow=true';
  const [lines, setLines] = useState(/** @type {Line[]} */ ([]));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [ended, setEnded] = useState(false);
  const [turn, setTurn] = useState(0);
  const [text, setText] = useState('');
  const [wrap, setWrap] = useState(true);
  const [follow, setFollow] = useState(true);
  const box = useRef(/** @type {HTMLElement | null} */ (null));

  useEffect(() => {
    if (no) return undefined;
    const stop = new AbortController();
    let count = 0;
    setError(null);
    setEnded(false);
    setLines([]);
    read(`/api/workspaces/${workspace.id}/${source}`, stop.signal, (fresh) => setLines((now) => [...now, ...fresh.map((line) => parse(line, count++))].slice(-KEEP)))
      .then(() => setEnded(true), (cause) => { if (!stop.signal.aborted) setError(cause instanceof ApiError ? cause : new ApiError(0, { message: 'The connection was lost. What was read so far stays.' })); });
    return () => stop.abort();
  }, [workspace.id, workspace.run, turn, no, source]);

  const shown = useMemo(() => (text ? lines.filter((line) => withoutColours(line.text).toLowerCase().includes(text.toLowerCase())) : lines), [lines, text]);
  useLayoutEffect(() => { if (follow && box.current) box.current.scrollTop = box.current.scrollHeight; }, [shown.length, follow, wrap]);
  const scrolled = () => { const view = box.current; if (view) setFollow(view.scrollHeight - view.scrollTop - view.clientHeight < 40); };
  const save = () => saveText(`${lines.map((line) => `${line.at} ${withoutColours(line.text)}`.trim()).join('\n')}\n`, `${workspace.name}${app ? ` ${app.name}` : ''} log.txt`, 'text/plain');

  if (no) return html`<div class="card"><${Empty} icon="ban" title="These logs are not yours to read" text=${no} /></div>`;
  if (error && lines.length === 0) return html`<div class="card"><${Failed} what="The logs could not be read" error=${error} again=${() => setTurn(turn + 1)} /></div>`;
  return html`<div class="toolbar" role="search" aria-label="Find in the logs"><${SearchBox} value=${text} label="Find in the logs" onText=${setText} />${(apart || (workspace.apps && workspace.apps.length > 0)) && html`<div class="log-source"><${Select} aria-label="Log of" value=${app?.slug || (before ? BEFORE : '')} options=${[['', 'The workspace'], ...(apart ? [[BEFORE, 'Before its last restart']] : []), ...(workspace.apps || []).map(({ slug, name }) => [slug, name])]} onPick=${(/** @type {string} */ slug) => setQuery({ app: slug })} /></div>`}<span class="t12 fg2" role="status">${text ? `${plural(shown.length, 'line')} of ${lines.length}` : plural(lines.length, 'line')}</span>
    <span class="right"><${Button} kind="ghost" icon="text-wrap" aria-pressed=${wrap ? 'true' : 'false'} onClick=${() => setWrap(!wrap)}>${wrap ? 'Do not wrap' : 'Wrap'}<//><${Button} kind="ghost" icon="download" onClick=${save}>Save<//></span></div>
    <div class="logs" role="log" aria-label=${`Logs of ${workspace.name}`} aria-live="off" tabindex="0" ref=${box} onScroll=${scrolled}><div class=${wrap ? 'wrapped' : ''}>${shown.map((line) => html`<${Row} key=${line.key} line=${line} part=${text} />`)}
      ${lines.length === 0 && html`<div class="logs-none">${ended ? 'Nothing was written yet.' : 'Waiting for the first line.'}</div>`}</div></div>
    <div class="logs-foot">${error ? html`<${Icon} name="wifi-off" class="warn" /><span>${error.message}</span><${Button} size="s" onClick=${() => setTurn(turn + 1)}>Read again<//>` : ended ? html`<span class="dot stopped" aria-hidden="true" /><span>${before ? 'What ended before the container that runs now.' : html`The end: ${workspace.status === 'running' ? 'the stream was closed.' : 'it does not run.'}`}</span><${Button} size="s" kind="ghost" onClick=${() => setTurn(turn + 1)}>Read again<//>` : html`<span class="dot running" aria-hidden="true" /><span>${follow ? 'Following' : 'Still being written'}</span>`}
      ${!follow && html`<span class="right"><${Button} size="s" icon="arrow-down" onClick=${() => setFollow(true)}>To the end<//></span>`}</div>`;
}

/** @param {{line: Line, part: string}} props */
function Row({ line, part }) {
  return html`<div class="log"><time data-tip=${line.at ? showExact(line.at) : undefined}>${line.at ? showSeconds(line.at) : ''}</time><span>${pieces(line.text).map((piece) => html`<span class=${piece.class} style=${piece.style}>${part ? marked(piece.text, part) : piece.text}</span>`)}</span></div>`;
}

/** @param {string} text @param {string} part */
function marked(text, part) {
  const at = text.toLowerCase().indexOf(part.toLowerCase());
  return at < 0 ? text : html`${text.slice(0, at)}<mark>${text.slice(at, at + part.length)}</mark>${text.slice(at + part.length)}`;
}
