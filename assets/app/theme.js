/**
 * The theme, chosen before anything is drawn: the system's unless somebody chose another one on this device.
 * A module of its own so that it runs first; it imports nothing.
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
