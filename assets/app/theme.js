/**
 * The theme, chosen before anything is drawn: the system's unless somebody chose another one on this device; and the
 * typeface. A module of its own so that it runs first; it imports nothing.
 */

/** @typedef {'system' | 'light' | 'dark'} Theme */

const KEY = 'codex-theme';

/** @returns {Theme} */
export function theme() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system'; // storage may be refused; the system's theme is a good answer
  }
}

/** @param {Theme} next */
export function setTheme(next) {
  try {
    if (next === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch { /* it then holds until the page is left */ }
  show(next);
}

/** @param {Theme} which */
function show(which) {
  if (which === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = which;
}

show(theme());

const FACE = 'codex-face';

/** Whether the typeface was fetched on this device before, so that it can be had at once. */
export function hasFace() {
  try { return localStorage.getItem(FACE) === 'yes'; } catch { return false; }
}

/** Fetches the typeface: at the start where it is at hand, else after the first page is drawn, whose weight it would double. */
export async function loadFace() {
  try {
    document.fonts.add(await new FontFace('Inter', `url("${new URL('../vendor/inter.woff2', import.meta.url).href}") format("woff2")`, { weight: '400 600' }).load());
    localStorage.setItem(FACE, 'yes');
  } catch { /* the system's typeface stays */ }
}

if (hasFace()) loadFace();
