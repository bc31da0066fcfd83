/** The terminal of a workspace: several sessions as tabs, search, copy, full screen, and what the connection does. */
import { html, loadStyle, useEffect, useRef, useState } from '../lib/html.js';
import { del, get } from '../lib/api.js';
import { asksReason, needsReason } from '../lib/entering.js';
import { fail } from '../lib/overlay.js';
import { act, reasons } from '../lib/workspace-actions.js';
import { AskPart } from './ask-entry.js';
import { Button, copyText, Icon } from './basics.js';
import { Empty, Skeleton } from './places.js';
import { Rail } from './workspace-overview.js';
import { Screen } from './terminal-screen.js';
import { TerminalSearch, TouchKeys } from './terminal-tools.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {{term: any, search: any, link: import('../lib/terminal-link.js').TerminalLink}} Handle */

await Promise.all([loadStyle('/vendor/xterm.css'), loadStyle('/style/terminal.css')]);

/** @param {{workspace: Workspace}} props */
export default function TerminalPart({ workspace }) {
  const no = reasons(workspace);
  const denied = workspace.status === 'running' ? no.terminal : undefined;
  const [began, setBegan] = useState(workspace.status === 'running');
  const [agreed, setAgreed] = useState(() => !asksReason(workspace, 'open_terminal')); // asked once: a shell that is open stays
  useEffect(() => { if (workspace.status === 'running') setBegan(true); }, [workspace.status]);
  if (denied) return html`<div class="card"><${Empty} icon="ban" title="This terminal is not yours to open" text=${denied} /></div>`;
  if (began && !agreed) return html`<${AskPart} workspace=${workspace} what="open a terminal" word="Open terminal" agree=${() => setAgreed(true)} />`;
  if (!began) {
    const moving = workspace.status === 'starting';
    return html`<div class="cols rail"><div class="card"><${Empty} icon="terminal" title=${moving ? 'Starting' : 'The workspace is stopped'} text=${moving ? 'The terminal opens by itself as soon as it is ready.' : 'A terminal needs a running workspace. Its files are kept.'} action=${moving ? html`<span class="spin" style="margin-top:12px" />` : html`<${Button} icon="play" refused=${no.start} onClick=${() => act(workspace, 'start')}>Start<//>`} /></div><${Rail} workspace=${workspace} /></div>`;
  }
  return html`<div class="cols rail"><${Frame} workspace=${workspace} /><${Rail} workspace=${workspace} /></div>`;
}

/** The first name that is free: main, then 2, 3 and so on. @param {string[]} names */
function freeName(names) {
  if (!names.includes('main')) return 'main';
  for (let n = 2; ; n += 1) if (!names.includes(`shell-${n}`)) return `shell-${n}`;
}

/** @param {string} name */
const title = (name) => (name === 'main' ? 'shell' : name.replace('-', ' '));

/** @param {{workspace: Workspace}} props */
function Frame({ workspace }) {
  const [sessions, setSessions] = useState(/** @type {string[] | null} */ (null));
  const [active, setActive] = useState('');
  const [states, setStates] = useState(/** @type {Record<string, any>} */ ({}));
  const [searching, setSearching] = useState(false);
  const [selected, setSelected] = useState(false);
  const [size, setSize] = useState('');
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  const handles = useRef(/** @type {Record<string, Handle>} */ ({}));
  const handle = handles.current[active];

  const guest = needsReason(workspace, 'open_terminal'); // sees the shells that they open themselves
  useEffect(() => {
    (guest ? Promise.resolve([]) : get(`/api/workspaces/${workspace.id}/terminals`)).then((list) => list.map((/** @type {any} */ one) => one.session), () => []).then((names) => {
      const list = names.length ? names : ['main'];
      setSessions(list);
      setActive(list[0]);
    });
  }, [workspace.id]);

  if (!sessions) return html`<div class="term-frame"><${Skeleton} lines=${3} /></div>`;
  const add = () => { const name = freeName(sessions); setSessions([...sessions, name]); setActive(name); };
  const close = async (/** @type {string} */ name) => {
    const rest = sessions.filter((one) => one !== name);
    handles.current[name]?.link.close();
    try { if (states[name]?.code !== 'exit' && !guest) await del(`/api/workspaces/${workspace.id}/terminals/${name}`); } catch (error) { if (/** @type {any} */ (error).status !== 404) fail('The shell was not ended', error); }
    const next = rest.length ? rest : [freeName([name])];
    setSessions(next);
    if (active === name) setActive(next[Math.max(0, sessions.indexOf(name) - 1)] || next[0]);
  };
  const again = (/** @type {string} */ name) => { const fresh = freeName(sessions); setSessions(sessions.map((one) => (one === name ? fresh : one))); setActive(fresh); };
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : frame.current?.requestFullscreen()?.catch(() => {}));
  const state = states[active] || { phase: 'connecting', tries: 0 };

  return html`<section class="term-frame" ref=${frame} aria-label=${`Terminal of ${workspace.name}. Control Shift Escape leaves it.`}>
    <div class="term-bar"><div class="term-tabs" role="group" aria-label="Shells">${sessions.map((name) => html`<span class=${`term-tab ${name === active ? 'on' : ''}`} key=${name}><button type="button" aria-pressed=${name === active ? 'true' : 'false'} id=${`term-tab-${name}`} onClick=${() => { setActive(name); setTimeout(() => handles.current[name]?.term.focus(), 0); }}><${Icon} name="terminal" size="s14" />${title(name)}</button>${sessions.length > 1 && html`<button type="button" class="term-x" aria-label=${`End ${title(name)}`} onClick=${() => close(name)}><${Icon} name="x" size="s12" /></button>`}</span>`)}
      <button type="button" class="term-btn" aria-label="New shell" data-tip="New shell" onClick=${add}><${Icon} name="plus" /></button></div>
      <button type="button" class="term-btn" aria-label="Find" aria-pressed=${searching ? 'true' : 'false'} data-tip="Find (Ctrl Shift F)" onClick=${() => setSearching(!searching)}><${Icon} name="search" /></button>
      <button type="button" class="term-btn" aria-label="Copy the selection" aria-disabled=${selected ? undefined : 'true'} data-tip=${selected ? 'Copy the selection' : 'Select text first.'} onClick=${() => selected && copyText(handle?.term.getSelection())}><${Icon} name="copy" /></button>
      <button type="button" class="term-btn" aria-label="Full screen" data-tip="Full screen" onClick=${full}><${Icon} name="maximize-2" /></button></div>
    ${searching && html`<${TerminalSearch} handle=${handle} done=${() => { setSearching(false); handle?.term.focus(); }} />`}
    <div class="term-body">${sessions.map((name) => html`<${Screen} key=${name} workspace=${workspace} session=${name} shown=${name === active} ready=${(/** @type {Handle} */ one) => { handles.current[name] = one; }} onState=${(/** @type {any} */ next) => setStates((now) => ({ ...now, [name]: next }))} onSelect=${setSelected} onSize=${setSize}
      find=${() => setSearching(true)} leave=${() => document.getElementById(`term-tab-${name}`)?.focus()} />`)}<${Notice} state=${state} workspace=${workspace} handle=${handle} again=${() => again(active)} /></div>
    <${TouchKeys} handle=${handle} /><${Foot} state=${state} size=${size} handle=${handle} /></section>`;
}

/** What stands over a screen that ended. @param {{state: any, workspace: Workspace, handle: Handle | undefined, again: () => void}} props */
function Notice({ state, workspace, handle, again }) {
  // The end is told before the page knows that the workspace stops: only a start that was seen after it brings it back.
  const down = useRef(false);
  if (workspace.status !== 'running') down.current = true;
  const back = state.phase === 'ended' && state.code === 'stopped' && workspace.status === 'running' && down.current;
  useEffect(() => { if (back) { down.current = false; handle?.link.retry(); } }, [back]);
  useEffect(() => { if (state.phase === 'open') down.current = false; }, [state.phase]);
  if (state.phase !== 'ended') return null;
  const starting = workspace.status === 'starting';
  return html`<div class="term-notice" role="alert"><span>${starting ? 'The workspace is starting; the terminal comes back by itself.' : state.message || 'The terminal was closed.'}</span>
    ${state.code === 'exit' ? html`<${Button} size="s" icon="plus" onClick=${again}>New shell<//>` : state.code === 'signed_out' ? html`<${Button} size="s" href="/sign-in">Sign in<//>` : state.code === 'stopped' && !starting ? html`<${Button} size="s" icon="play" refused=${reasons(workspace).start} onClick=${() => act(workspace, 'start')}>Start<//>` : state.code === 'revoked' || starting ? null : html`<${Button} size="s" icon="rotate-cw" onClick=${() => handle?.link.retry()}>Connect again<//>`}</div>`;
}

/** @param {{state: any, size: string, handle: Handle | undefined}} props */
function Foot({ state, size, handle }) {
  const lost = state.phase === 'lost';
  const words = { connecting: 'Connecting', open: 'Connected', lost: `Reconnecting, try ${state.tries}`, ended: 'Ended' }[/** @type {'open'} */ (state.phase)];
  return html`<div class=${`term-foot ${lost ? 'warn' : ''}`}><span class=${`dot ${{ connecting: 'starting', open: 'running', lost: 'starting', ended: 'stopped' }[/** @type {'open'} */ (state.phase)]}`} aria-hidden="true" /><span role="status">${words}</span>${state.phase === 'open' && state.delay !== undefined && html`<span>${state.delay} ms</span>`}
    ${lost && state.tries > 3 && html`<button type="button" class="link" onClick=${() => handle?.link.retry()}>Try now</button>`}<span class="right">${size}</span></div>`;
}
