/** One screen: xterm.js on a link to a session, fitted to its place. It stays alive while another tab is shown. */
import { html, useEffect, useRef } from '../lib/html.js';
import { openTerminal, terminalTheme } from '../lib/xterm-open.js';
import { TerminalLink } from '../lib/terminal-link.js';
import { Terminal } from '../../vendor/xterm.mjs';
import { FitAddon } from '../../vendor/addon-fit.mjs';
import { SearchAddon } from '../../vendor/addon-search.mjs';
import { WebLinksAddon } from '../../vendor/addon-web-links.mjs';

/** @param {{find: () => void, leave: () => void, copy: () => boolean}} keys */
function keyHandler({ find, leave, copy }) {
  return (/** @type {KeyboardEvent} */ event) => {
    if (event.type !== 'keydown' || !event.ctrlKey || !event.shiftKey) return true;
    if (event.key === 'Escape') { event.preventDefault(); leave(); return false; }
    if (event.code === 'KeyF') { event.preventDefault(); find(); return false; }
    if (event.code === 'KeyC') { event.preventDefault(); return !copy(); }
    return event.code !== 'KeyV'; // the browser pastes
  };
}

/**
 * @param {{workspace: import('../lib/types.js').Workspace, session: string, shown: boolean, ready: (handle: any) => void, onState: (state: any) => void, onSelect: (has: boolean) => void, onSize: (size: string) => void, find: () => void, leave: () => void}} props
 */
export function Screen({ workspace, session, shown, ready, onState, onSelect, onSize, find, leave }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const parts = useRef(/** @type {any} */ (null));

  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const narrow = innerWidth < 768;
    const term = new Terminal({
      theme: terminalTheme(), fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'), fontSize: narrow ? 12 : 13, lineHeight: narrow ? 1.2 : 1.25,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches, minimumContrastRatio: 4.5, scrollback: 10_000, allowProposedApi: true, macOptionIsMeta: true, rightClickSelectsWord: false,
    });
    const fit = new FitAddon();
    const search = new SearchAddon();
    term.loadAddon(fit);
    term.loadAddon(search);
    term.loadAddon(new WebLinksAddon((event, address) => { if (event.ctrlKey || event.metaKey) open(address, '_blank', 'noopener,noreferrer'); }));
    openTerminal(term, element);
    fit.fit();
    const link = new TerminalLink(workspace.id, session, term, onState);
    const copy = () => { if (!term.hasSelection()) return false; navigator.clipboard?.writeText(term.getSelection()); return true; };
    term.attachCustomKeyEventHandler(keyHandler({ find, leave, copy }));
    term.onData((text) => link.input(link.ctrl ? withCtrl(link, text) : text));
    term.onBinary((data) => link.binary(data));
    term.onResize(({ cols, rows }) => onSize(`${cols} × ${rows}`));
    term.onSelectionChange(() => onSelect(term.hasSelection()));
    onSize(`${term.cols} × ${term.rows}`);
    parts.current = { term, fit, link, search };
    ready({ term, link, search });
    link.open();
    if (shown && !narrow) term.focus();
    let frame = 0;
    const watch = new ResizeObserver(() => { cancelAnimationFrame(frame); frame = requestAnimationFrame(() => { if (element.offsetWidth) link.room(fit.proposeDimensions()); }); });
    watch.observe(element);
    const online = () => { if (link.state.phase === 'lost') link.retry(); };
    addEventListener('online', online);
    return () => { removeEventListener('online', online); watch.disconnect(); link.close(); term.dispose(); };
  }, []);

  useEffect(() => {
    const now = parts.current;
    if (!shown || !now) return;
    now.link.room(now.fit.proposeDimensions());
    onSize(`${now.term.cols} × ${now.term.rows}`);
    onSelect(now.term.hasSelection());
    if (innerWidth >= 768) now.term.focus();
  }, [shown]);

  return html`<div class="term-screen" hidden=${!shown} ref=${place} />`;
}

/** The Ctrl key of the touch row holds for one key. @param {TerminalLink} link @param {string} text */
function withCtrl(link, text) {
  link.ctrl = false;
  link.say({});
  return text.length === 1 && /[a-z@[\\\]^_ ]/i.test(text) ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 31) : text;
}
