/** Dialogs: the browser's own, so that focus, Escape and the page behind are right; and the two every page asks with. */
import { html, loadStyle, useEffect, useId, useRef, useState } from '../lib/html.js';
import { ApiError } from '../lib/api.js';
import { openDialog } from '../lib/overlay.js';
import { Button } from './basics.js';
import { Callout } from './places.js';

await loadStyle('/style/dialog.css');

/** @param {{title?: any, lead?: any, wide?: boolean, kind?: string, label?: string, onClose: () => void, children?: any}} props */
export function Dialog({ title, lead, wide, kind = 'modal', label, onClose, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const dialog = box.current;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    dialog?.showModal();
    /** @type {HTMLElement | null | undefined} */ (dialog?.querySelector('[autofocus]'))?.focus();
    return () => { dialog?.close(); if (before?.isConnected) before.focus(); };
  }, []);
  const pressed = (/** @type {MouseEvent} */ event) => {
    const at = box.current?.getBoundingClientRect();
    if (at && event.target === box.current && (event.clientX < at.left || event.clientX > at.right || event.clientY < at.top || event.clientY > at.bottom)) onClose();
  };
  return html`<dialog class=${`${kind} ${wide ? 'form' : ''}`} ref=${box} aria-labelledby=${title ? id : undefined} aria-label=${label} onMouseDown=${pressed} onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); onClose(); }}>
    ${title && html`<h2 id=${id}>${title}</h2>`}${lead && html`<p class="lead">${lead}</p>`}${children}</dialog>`;
}

/**
 * Asks before something is done, does it, and stays with the reason when it could not be done.
 * @param {{title: string, lead?: any, word: string, keep?: string, danger?: boolean, type?: string, reason?: string | boolean, run: (reason: string) => Promise<any>, done: (answer: any) => void, failed?: string, children?: any}} props
 *   type: the name to type where it cannot be undone; reason: asks for one, with this as its hint
 */
function Confirm({ title, lead, word, keep = 'Keep it', danger, type, reason, run, done, failed = 'Not done' }) {
  const [typed, setTyped] = useState('');
  const [why, setWhy] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const ids = [useId(), useId()];
  const ready = (!type || typed === type);
  const act = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    setError(null);
    try { await run(why.trim()); done(true); } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} lead=${lead} onClose=${() => done(undefined)}><form onSubmit=${act}>
    ${(type || reason || error) && html`<div class="body">
      ${type && html`<div class="field"><label for=${ids[0]}><span>Type <code>${type}</code> to confirm</span></label><input id=${ids[0]} class="input mono" autofocus autocomplete="off" spellcheck=${false} value=${typed} onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></div>`}
      ${reason && html`<div class="field"><label for=${ids[1]}>Reason <span class="optional">(${typeof reason === 'string' ? reason : 'optional'})</span></label><input id=${ids[1]} class="input" maxlength="500" autocomplete="off" value=${why} onInput=${(/** @type {any} */ event) => setWhy(event.target.value)} /></div>`}
      ${error && html`<${Callout} kind="bad" alert lead=${`${failed}.`}>${error.message}<//>`}
    </div>`}
    <div class="buttons"><${Button} autofocus=${!type} onClick=${() => done(undefined)}>${keep}<//><${Button} kind=${danger ? 'fill-bad' : 'primary'} type="submit" busy=${busy} disabled=${!ready}>${word}<//></div>
  </form><//>`;
}

/** @param {Omit<Parameters<typeof Confirm>[0], 'done'>} props @returns {Promise<true | undefined>} */
export const confirm = (props) => openDialog(Confirm, props);
