/**
 * Where we are, and how to go elsewhere: the History API, links that stay links, and state in the address.
 * Pages are modules that are fetched when first needed; hovering a link fetches its page ahead of the click.
 */
import { computed, signal } from './html.js';

/** @typedef {{pattern: string, load: () => Promise<any>, bare?: boolean, open?: boolean, signedIn?: boolean, needs?: string}} Route bare: without the frame, and for anybody unless it is said that one must be signed in; open: for anybody, with the frame for who is signed in; needs: the action without which there is nothing to see */

export const here = signal({ path: location.pathname, search: location.search });
/** Asked before leaving; a form with unsaved changes sets it. within: also before another query of the same page. @type {{ask: (() => boolean) | null, within?: boolean}} */
export const guard = { ask: null };
let shown = location.href;

/** @type {Route[]} */
let routes = [];
/** @param {Route[]} list */
export function setRoutes(list) { routes = list; }

export const query = computed(() => new URLSearchParams(here.value.search));

/** @param {string} path @returns {{route: Route, params: Record<string, string>} | null} */
export function match(path) {
  const parts = path.split('/').filter(Boolean);
  for (const route of routes) {
    const wanted = route.pattern.split('/').filter(Boolean);
    if (parts.length > wanted.length) continue;
    /** @type {Record<string, string>} */
    const params = {};
    const fits = wanted.every((part, i) => {
      if (parts[i] === undefined) return part.endsWith('?');
      if (part[0] !== ':') return part === parts[i];
      params[part.replace(/[:?]/g, '')] = decode(parts[i]);
      return true;
    });
    if (fits) return { route, params };
  }
  return null;
}

/** @param {string} text */
function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** @param {string} address same-origin path, with its query @param {{replace?: boolean, keepScroll?: boolean}} [how] */
export function navigate(address, how = {}) {
  const target = new URL(address, location.href);
  if (target.href === location.href && !how.replace) return;
  if (stays(target)) return;
  history[how.replace ? 'replaceState' : 'pushState'](null, '', target.href);
  moved(how.keepScroll || target.pathname === here.peek().path);
}

/** Whether somebody would rather not lose what they typed. @param {{pathname: string, search: string}} target */
const stays = (target) => Boolean(guard.ask && (target.pathname !== here.peek().path || (guard.within && target.search !== here.peek().search)) && !guard.ask());

/** Sets or removes parameters of the address. @param {Record<string, string | number | null | undefined>} changes @param {{replace?: boolean}} [how] replace: no step of its own in the history */
export function setQuery(changes, how = {}) {
  const params = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === '') params.delete(key);
    else params.set(key, String(value));
  }
  const text = params.toString();
  navigate(location.pathname + (text ? `?${text}` : ''), { ...how, keepScroll: true });
}

/** @param {boolean} [keepScroll] */
function moved(keepScroll) {
  const before = here.peek().path;
  shown = location.href;
  here.value = { path: location.pathname, search: location.search };
  if (!keepScroll) scrollTo(0, 0);
  // Somebody who does not see the page must notice that it is another one: its heading takes the focus.
  if (before !== location.pathname && before.split('/')[1] !== location.pathname.split('/')[1]) setTimeout(() => document.querySelector('main')?.focus({ preventScroll: true }), 0);
}

/** Where to sign in, and come back from; what an address has behind its # stays behind it, so that no server reads it. */
export function signInAddress() {
  const now = location.pathname + location.search;
  return now === '/' || now.startsWith('/sign-in') || now.startsWith('/setup') ? '/sign-in' : `/sign-in?next=${encodeURIComponent(now)}${location.hash}`;
}

/** A path of ours from the address bar; anything else becomes the home page. @param {string | null} text */
export function safeNext(text) {
  if (!text || text[0] !== '/' || text[1] === '/' || text[1] === '\\') return '/';
  const target = new URL(text, location.origin);
  return target.origin === location.origin && !target.pathname.startsWith('/sign-in') ? target.pathname + target.search : '/';
}

/** @param {Event} event @returns {HTMLAnchorElement | null} */
function ownLink(event) {
  const link = event.target instanceof Element ? /** @type {HTMLAnchorElement | null} */ (event.target.closest('a[href]')) : null;
  if (!link || link.origin !== location.origin || link.hasAttribute('download') || (link.target && link.target !== '_self')) return null;
  return match(link.pathname) ? link : null;
}

export function startRouter() {
  history.scrollRestoration = 'auto';
  addEventListener('popstate', () => { if (stays(location)) history.pushState(null, '', shown); else moved(true); });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = ownLink(event);
    if (!link || (link.hash && link.pathname === location.pathname)) return;
    event.preventDefault();
    navigate(link.href);
  });
  document.addEventListener('pointerover', (event) => {
    const link = ownLink(event);
    if (link) match(link.pathname)?.route.load().catch(() => {});
  }, { passive: true });
  addEventListener('beforeunload', (event) => { if (guard.ask) event.preventDefault(); });
}
