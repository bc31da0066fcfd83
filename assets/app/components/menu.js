/** A menu under its button: the browser's popover, arrow keys, and the reasons of what is refused. */
import { html, useId, useLayoutEffect, useRef, useState } from '../lib/html.js';
import { Button, Icon } from './basics.js';

/** @typedef {{text: string, icon?: string, run?: () => void, href?: string, target?: string, file?: string, refused?: string, danger?: boolean, line?: boolean, keyName?: string, hidden?: boolean, current?: boolean}} Item */

/** @param {HTMLElement} menu @param {Element} button */
function place(menu, button) {
  const at = button.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  const below = at.bottom + 4 + box.height <= innerHeight || at.top < box.height;
  menu.style.left = `${Math.max(8, Math.min(at.right - box.width, innerWidth - box.width - 8))}px`;
  menu.style.top = `${below ? Math.max(8, Math.min(at.bottom + 4, innerHeight - box.height - 8)) : at.top - box.height - 4}px`;
}

/** @param {KeyboardEvent} event @param {HTMLElement} menu */
function move(event, menu) {
  const all = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('.item')]);
  const at = all.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const to = { ArrowDown: at + 1, ArrowUp: at - 1 + (at < 0 ? all.length + 1 : 0), Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  all[(to + all.length) % all.length]?.focus();
}

/** @param {{label: string, items: (Item | false | null | undefined)[], button?: any, head?: any, size?: 's'}} props button: what is pressed, instead of three dots */
export function Menu({ label, items, button, head, size }) {
  const menu = useRef(/** @type {HTMLElement | null} */ (null));
  const id = useId();
  const [open, setOpen] = useState(false);
  useLayoutEffect(() => {
    if (!open || !menu.current?.previousElementSibling) return;
    place(menu.current, menu.current.previousElementSibling);
    /** @type {HTMLElement | null} */ (menu.current.querySelector('.item'))?.focus();
  }, [open]);
  const props = { popovertarget: id, 'aria-haspopup': 'menu', 'aria-expanded': open ? 'true' : 'false' };
  return html`${button ? html`<button type="button" aria-label=${label} ...${props} class=${button.class}>${button.inside}</button>` : html`<${Button} kind="ghost" icon="ellipsis" label=${label} size=${size} ...${props} />`}
    <div class="menu" popover="auto" id=${id} role="menu" aria-label=${label} ref=${menu} onToggle=${(/** @type {any} */ event) => setOpen(event.newState === 'open')} onKeyDown=${(/** @type {KeyboardEvent} */ event) => menu.current && move(event, menu.current)}>
      ${open && html`${head && html`<div class="head">${head}</div>`}${items.map((item) => item && !item.hidden && html`${item.line && html`<hr />`}<${Entry} item=${item} close=${() => menu.current?.hidePopover()} />`)}`}
    </div>`;
}

/** @param {{item: Item, close: () => void}} props */
function Entry({ item, close }) {
  const inside = html`${item.icon && html`<${Icon} name=${item.icon} />`}<span>${item.text}${item.refused && html`<small>${item.refused}</small>`}</span>${item.keyName && html`<kbd>${item.keyName}</kbd>`}${item.current && html`<${Icon} name="check" class="right" label="chosen" />`}`;
  const shape = `item ${item.danger && !item.refused ? 'danger' : ''}`;
  if (item.href && !item.refused) return html`<a class=${shape} role="menuitem" href=${item.href} target=${item.target} download=${item.file} onClick=${() => setTimeout(close)}>${inside}</a>`;
  return html`<button type="button" class=${shape} role="menuitem" aria-disabled=${item.refused ? 'true' : undefined} onClick=${() => { if (item.refused) return; close(); item.run?.(); }}>${inside}</button>`;
}
