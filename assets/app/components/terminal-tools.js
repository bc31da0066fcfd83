/** Tools of the terminal: searching in it, and the keys that a touch screen lacks. */
import { html, useEffect, useState } from '../lib/html.js';
import { Icon } from './basics.js';

/** @typedef {import('./terminal.js').Handle} Handle */

/** How hits are marked, in the terminal's colours. */
function decorations() {
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return { decorations: { matchBackground: colour('--term-black'), matchOverviewRuler: colour('--term-yellow'), activeMatchBackground: colour('--term-bright-black'), activeMatchColorOverviewRuler: colour('--term-bright-yellow') } };
}

/** @param {{handle: Handle | undefined, done: () => void}} props */
export function TerminalSearch({ handle, done }) {
  const [text, setText] = useState('');
  const [found, setFound] = useState('');
  useEffect(() => {
    const listening = handle?.search.onDidChangeResults((/** @type {any} */ { resultIndex, resultCount }) => setFound(text ? (resultCount ? `${resultIndex + 1} of ${resultCount}` : 'not found') : ''));
    if (text) handle?.search.findNext(text, { ...decorations(), incremental: true });
    else { handle?.search.clearDecorations(); setFound(''); }
    return () => listening?.dispose();
  }, [text, handle]);
  useEffect(() => () => handle?.search.clearDecorations(), []);
  const turn = (/** @type {boolean} */ back) => { if (text) handle?.search[back ? 'findPrevious' : 'findNext'](text, decorations()); };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Escape') { event.preventDefault(); done(); }
    if (event.key === 'Enter') { event.preventDefault(); turn(event.shiftKey); }
  };
  return html`<div class="term-search" role="search" aria-label="Find in the terminal"><${Icon} name="search" size="s14" /><input type="text" aria-label="Find in the terminal" placeholder="Find" autocomplete="off" spellcheck=${false} value=${text} ref=${(/** @type {HTMLInputElement | null} */ input) => { if (input && !input.dataset.met) { input.dataset.met = '1'; input.focus(); } }} onInput=${(/** @type {any} */ event) => setText(event.target.value)} onKeyDown=${key} /><span role="status">${found}</span>
    <button type="button" class="term-btn" aria-label="The one before" onClick=${() => turn(true)}><${Icon} name="chevron-up" /></button><button type="button" class="term-btn" aria-label="The next one" onClick=${() => turn(false)}><${Icon} name="chevron-down" /></button><button type="button" class="term-btn" aria-label="Close" onClick=${done}><${Icon} name="x" /></button></div>`;
}

const KEYS = /** @type {[string, string, string][]} */ ([['Esc', 'Esc', '\x1b'], ['Tab', 'Tab', '\t'], ['Ctrl', 'Ctrl', ''], ['↑', 'Up', '\x1b[A'], ['↓', 'Down', '\x1b[B'], ['←', 'Left', '\x1b[D'], ['→', 'Right', '\x1b[C']]);

/** @param {{handle: Handle | undefined}} props */
export function TouchKeys({ handle }) {
  const [held, setHeld] = useState(false);
  useEffect(() => { if (held && handle && !handle.link.ctrl) setHeld(false); });
  const press = (/** @type {Event} */ event, /** @type {string} */ code) => {
    event.preventDefault();
    if (!handle) return;
    if (code) handle.link.input(code);
    else { handle.link.ctrl = !handle.link.ctrl; setHeld(handle.link.ctrl); }
    handle.term.focus();
  };
  return html`<div class="term-keys" role="group" aria-label="Keys">${KEYS.map(([word, name, code]) => html`<button type="button" key=${name} aria-label=${name} aria-pressed=${code ? undefined : held ? 'true' : 'false'} onClick=${(/** @type {Event} */ event) => press(event, code)}>${word}</button>`)}</div>`;
}
