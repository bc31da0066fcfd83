/** What floats above every page: the toasts, the open dialogs, and the one tooltip. */
import { html, useEffect, useLayoutEffect, useRef } from '../lib/html.js';
import { dialogs, dropToast, toasts } from '../lib/overlay.js';
import { Button, Icon, Id } from './basics.js';

/** The open dialogs. */
export function Dialogs() {
  return html`${dialogs.value.map(({ id, component, props, done }) => html`<${component} key=${id} ...${props} done=${done} />`)}`;
}

/** @param {{toast: import('../lib/overlay.js').Toast}} props */
function One({ toast }) {
  return html`<div class="toast" role=${toast.failed ? 'alert' : 'status'}><${Icon} name=${toast.failed ? 'circle-x' : 'circle-check'} class=${toast.failed ? 'bad' : 'ok'} />
    <div class="text"><b>${toast.title}</b>${toast.text && html`<div>${toast.text}</div>`}${toast.lines?.map((line) => html`<div>${line}</div>`)}${toast.callid && html`<div><${Id} id=${toast.callid} label="Copy the call id" /></div>`}</div>
    ${toast.undo && html`<${Button} kind="ghost" size="s" onClick=${() => { dropToast(toast.id); toast.undo?.(); }}>Undo<//>`}
    <button type="button" class="iconbtn" aria-label="Close" onClick=${() => dropToast(toast.id)}><${Icon} name="x" /></button></div>`;
}

/** The toast region; raised again whenever a dialog opens, so that it stays above it. */
export function Toasts() {
  const region = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = toasts.value;
  const above = dialogs.value.length;
  useLayoutEffect(() => {
    const element = region.current;
    if (!element) return;
    if (element.matches(':popover-open')) element.hidePopover();
    if (shown.length > 0) element.showPopover();
  }, [shown.length, above]);
  return html`<div class="toasts" popover="manual" ref=${region} aria-label="Messages" role="region">${shown.map((toast) => html`<${One} key=${toast.id} toast=${toast} />`)}</div>`;
}

/** One tooltip for every element with data-tip, under the pointer or with the focus; data-tip-cut only where text is cut off. */
export function Tooltip() {
  const tip = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    let timer = 0;
    const hide = () => { clearTimeout(timer); const element = tip.current; if (element?.matches(':popover-open')) element.hidePopover(); };
    const look = (/** @type {Event} */ event) => {
      const target = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest('[data-tip], [data-tip-cut]')) : null;
      hide();
      if (!target || (event.type === 'focusin' && !target.matches(':focus-visible'))) return;
      timer = setTimeout(() => show(target, tip.current), 400);
    };
    for (const name of ['pointerover', 'focusin']) document.addEventListener(name, look, { passive: true });
    for (const name of ['pointerdown', 'keydown', 'scroll', 'focusout']) document.addEventListener(name, hide, { passive: true, capture: true });
    return () => { for (const name of ['pointerover', 'focusin']) document.removeEventListener(name, look); for (const name of ['pointerdown', 'keydown', 'scroll', 'focusout']) document.removeEventListener(name, hide, { capture: true }); };
  }, []);
  return html`<div class="tip" popover="manual" ref=${tip} role="tooltip" />`;
}

/** @param {HTMLElement} target @param {HTMLElement | null} element */
function show(target, element) {
  if (!element || !target.isConnected) return;
  const cut = target.hasAttribute('data-tip-cut');
  if (cut && target.scrollWidth <= target.clientWidth) return;
  element.textContent = (cut ? target.textContent : target.dataset.tip) || '';
  if (!element.textContent) return;
  element.showPopover();
  const at = target.getBoundingClientRect();
  const box = element.getBoundingClientRect();
  const side = target.closest('.side') && at.width < 60;
  element.style.left = `${side ? at.right + 8 : Math.max(8, Math.min(at.left + at.width / 2 - box.width / 2, innerWidth - box.width - 8))}px`;
  element.style.top = `${side ? at.top + at.height / 2 - box.height / 2 : at.bottom + 6 + box.height > innerHeight ? at.top - box.height - 6 : at.bottom + 6}px`;
}

/** All that floats. */
export const Floats = () => html`<${Dialogs} /><${Toasts} /><${Tooltip} />`;
