/**
 * Reads that stay fresh: an answer is kept by its address, shown at once when somebody comes back, and read again when
 * the event stream says that something of its kind changed.
 */
import { signal, useEffect, useRef, useState } from './html.js';
import { call } from './api.js';
import { onChange } from './events.js';

/**
 * @typedef {{data: any, next: string | null, total: number | null, error: any, loading: boolean}} State
 * @typedef {{state: import('../../vendor/signals.mjs').Signal<State>, kinds: Set<string>, users: number, at: number, stale: boolean, busy: boolean, timer: number}} Entry
 */

/** @type {Map<string, Entry>} */
const kept = new Map();
const KEEP = 60; // answers kept for coming back
const FRESH_MS = 4000; // without a stream, an answer older than this is read again when its page opens

/** @param {string} path @returns {Entry} */
function entry(path) {
  let found = kept.get(path);
  if (!found) {
    found = { state: signal(/** @type {State} */ ({ data: undefined, next: null, total: null, error: null, loading: true })), kinds: new Set(), users: 0, at: 0, stale: true, busy: false, timer: 0 };
    kept.set(path, found);
    if (kept.size > KEEP) for (const [key, old] of kept) if (old.users === 0 && key !== path) { kept.delete(key); break; }
  }
  return found;
}

/** @param {string} path @param {Entry} item */
async function read(path, item) {
  if (item.busy) { item.stale = true; return; }
  item.busy = true;
  item.stale = false;
  item.state.value = { ...item.state.peek(), loading: true };
  try {
    const answer = await call('GET', path);
    item.at = Date.now();
    item.state.value = { ...answer, error: null, loading: false };
  } catch (error) {
    item.stale = true;
    item.state.value = { ...item.state.peek(), error, loading: false };
  }
  item.busy = false;
  if (item.stale && item.users > 0 && !item.state.peek().error) read(path, item);
}

onChange((change) => {
  for (const [path, item] of kept) {
    if (change && !item.kinds.has(change.kind)) continue;
    item.stale = true;
    if (item.users > 0 && !item.timer) item.timer = setTimeout(() => { item.timer = 0; read(path, item); }, 120);
  }
});

/**
 * @param {string | null} path null reads nothing
 * @param {string[]} [kinds] what must change for it to be read again: user, group, membership, workspace, audit, session, setting
 * @param {{keep?: boolean}} [how] keep: while another page of the same list is on its way the one before stays
 * @returns {State & {reload: () => void}}
 */
export function useQuery(path, kinds = [], how = {}) {
  const last = useRef(/** @type {State | null} */ (null));
  useEffect(() => {
    if (!path) return undefined;
    const item = entry(path);
    item.users += 1;
    for (const kind of kinds) item.kinds.add(kind);
    if (item.stale || Date.now() - item.at > FRESH_MS) read(path, item);
    return () => { item.users -= 1; };
  }, [path, kinds.join()]);
  const state = path ? entry(path).state.value : { data: undefined, next: null, total: null, error: null, loading: false };
  const reload = () => { if (path) read(path, entry(path)); };
  if (how.keep && state.data === undefined && state.loading && last.current) return { ...last.current, loading: true, reload };
  if (state.data !== undefined) last.current = state;
  return { ...state, reload };
}

/** Puts an answer that is at hand where its page looks first. @param {string} path @param {any} data */
export function setAnswer(path, data) {
  const item = entry(path);
  item.state.value = { ...item.state.peek(), data, error: null, loading: false };
}

/** Reads again what depends on these kinds, without waiting for the stream. @param {...string} kinds */
export function refresh(...kinds) {
  for (const [path, item] of kept) {
    if (!kinds.some((kind) => item.kinds.has(kind))) continue;
    item.stale = true;
    if (item.users > 0) read(path, item);
  }
}

export function forgetAnswers() { kept.clear(); }

/** True once something has taken longer than a blink, so that quick answers show no skeleton. @param {boolean} waiting */
export function useSlow(waiting) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    if (!waiting) { setSlow(false); return undefined; }
    const timer = setTimeout(() => setSlow(true), 150);
    return () => clearTimeout(timer);
  }, [waiting]);
  return slow && waiting;
}
