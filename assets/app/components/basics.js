/** The smallest parts: icon, button, badge, avatar, id chip, time, status, key. */
import { html, useId, useState } from '../lib/html.js';
import { ago, called, now, showExact } from '../lib/format.js';
import { stateOf } from '../lib/words.js';

/** @param {{name: string, size?: 's12' | 's14' | 's20', class?: string, label?: string}} props */
export function Icon({ name, size, class: extra = '', label }) {
  return html`<svg class=${`icon ${size || ''} ${extra}`} aria-hidden=${label ? undefined : 'true'} role=${label ? 'img' : undefined} aria-label=${label}><use href=${`#icon-${name}`} /></svg>`;
}

/**
 * A button, or a link that looks like one. Refused: it stays focusable and says the server's reason.
 * @param {{kind?: 'primary' | 'ghost' | 'danger' | 'fill-bad', icon?: string, busy?: boolean, busyWord?: string, refused?: string, size?: 's' | 'l', wide?: boolean,
 *   label?: string, href?: string, type?: string, onClick?: (event: Event) => void, children?: any, [more: string]: any}} props
 *   label: an icon alone, with this as its name
 */
export function Button({ kind = undefined, icon, busy, busyWord, refused, size, wide, label, href, type = 'button', onClick, children, ...more }) {
  const id = useId();
  const shape = `btn ${kind || ''} ${size || ''} ${wide ? 'wide' : ''} ${label ? 'square' : ''}`;
  const inside = html`${busy ? html`<span class="spin" aria-hidden="true" />` : icon && html`<${Icon} name=${icon} />`}${label ? null : busy && busyWord ? busyWord : children}`;
  if (href && !refused) return html`<a class=${shape} href=${href} aria-label=${label} data-tip=${label} ...${more}>${inside}</a>`;
  const press = (/** @type {Event} */ event) => { if (busy || refused) event.preventDefault(); else onClick?.(event); };
  return html`<button type=${refused ? 'button' : type} class=${shape} aria-label=${label} data-tip=${refused || label} aria-disabled=${refused ? 'true' : undefined}
    aria-busy=${busy ? 'true' : undefined} aria-describedby=${refused ? id : undefined} onClick=${press} ...${more}>${inside}</button>${refused && html`<span class="sr" id=${id}>${refused}</span>`}`;
}

/** @param {{kind?: string, icon?: string, children?: any, tip?: string}} props */
export const Badge = ({ kind = '', icon, children, tip }) => html`<span class=${`badge ${kind}`} data-tip=${tip}>${icon && html`<${Icon} name=${icon} size="s12" />`}${children}</span>`;

/** @param {string} text */
function colourOf(text) {
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return (hash % 5) + 1;
}

/** @param {string} name */
function initials(name) {
  const parts = name.split(/[\s._-]+/).filter((part) => /[\p{L}\p{N}]/u.test(part));
  return ((parts[0]?.[0] || '?') + (parts.length > 1 ? parts[parts.length - 1][0] : parts[0]?.[1] || '')).toUpperCase();
}

/** @param {{of: any, group?: boolean, size?: 's20' | 's32' | 's40'}} props decorative: the name stands beside it */
export function Avatar({ of, group, size = undefined }) {
  const system = !of?.id && !of?.username && !group;
  return html`<span class=${`avatar ${group ? 'sq' : ''} ${size || ''} ${system ? '' : `a${colourOf(of.id || of.username || '')}`}`} data-initials=${system ? undefined : initials(group ? of.displayName || called(of) : called(of))} aria-hidden="true">${system && html`<${Icon} name="settings" size="s12" />`}</span>`;
}

/** A relative time with the exact one in its tooltip. @param {{at?: string | null, never?: string}} props */
export function Time({ at, never = 'never' }) {
  if (!at) return html`<span>${never}</span>`;
  return html`<time datetime=${at} data-tip=${showExact(at)}>${ago(at, now.value)}</time>`;
}

/** Copies a text; says so by its icon for a moment. @param {{text: string, label: string, class?: string, children?: any}} props */
export function Copy({ text, label, class: extra = 'iconbtn', children }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copyText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class=${extra} aria-label=${children ? undefined : label} data-tip=${done ? 'Copied' : label} onClick=${copy}><${Icon} name=${done ? 'check' : 'copy'} size=${children ? undefined : 's14'} class=${done ? 'ok' : ''} />${children}<span class="sr" role="status">${done ? 'Copied' : ''}</span></button>`;
}

/** @param {string} text */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).catch(() => copyByHand(text));
  return copyByHand(text); // plain http addresses have no clipboard object
}

/** @param {string} text */
function copyByHand(text) {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'sr';
  (document.querySelector('dialog[open]') || document.body).append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

/** An id, cut in the middle, whole when copied. @param {{id: string, label?: string, whole?: boolean}} props */
export function Id({ id, label = 'Copy the id', whole }) {
  const text = whole || id.length <= 22 ? id : `${id.slice(0, id.indexOf('_') + 5)}…${id.slice(-4)}`;
  return html`<span class="idchip"><span class="cut" data-tip=${text === id ? undefined : id}>${text}</span><${Copy} text=${id} label=${label} class="" /></span>`;
}

/** @param {{workspace: import('../lib/types.js').Workspace, fact?: boolean}} props */
export function Status({ workspace, fact }) {
  const { shape, word, fact: second } = stateOf(workspace);
  return html`<span class="status"><span class=${`dot ${shape}`} aria-hidden="true" />${word}${fact && html` <span class="fg2 t12">${second}</span>`}</span>`;
}

/** @param {{who: any, login?: boolean, href?: string, size?: any, go?: boolean}} props a person with picture and name */
export function Person({ who, login, href, size, go }) {
  const name = called(who);
  return html`<span class="who row"><${Avatar} of=${who} size=${size || 's20'} /><span class="cut">${href ? html`<a class=${go ? 'go' : ''} href=${href}>${name}</a>` : name}${login && who.username && who.username !== name ? html` <span class="fg3">${who.username}</span>` : null}</span></span>`;
}

export const Mark = ({ size = 24 }) => html`<svg width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true" style="color:var(--accent)"><rect width="24" height="24" rx="6" fill="currentColor" /><path d="M15.4 8.1a5.2 5.2 0 1 0 0 7.8M13 12h5.4" fill="none" style="stroke:var(--on-accent)" stroke-width="2.2" stroke-linecap="round" /></svg>`;
