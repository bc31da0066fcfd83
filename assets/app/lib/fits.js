/** Asks the server whether something would fit, as one chooses: a dry run, a blink after the last change. */
import { useEffect, useRef, useState } from './html.js';
import { ApiError, call } from './api.js';
import { onChange } from './events.js';
import { resourceWord } from './words.js';
import { show } from './format.js';

/** @typedef {import('./types.js').Check} Check */
/** @typedef {{answer: {allowed: boolean, checks: Check[]} | null, error: ApiError | null, waiting: boolean}} Fits */

/** @param {string} path @param {any} body null: nothing to ask yet; the last answer stays @param {'POST' | 'PATCH'} [method] @returns {Fits} */
export function useFits(path, body, method = 'POST') {
  const [state, setState] = useState(/** @type {Fits} */ ({ answer: null, error: null, waiting: false }));
  const [turn, setTurn] = useState(0);
  const text = body ? JSON.stringify(body) : '';
  const first = useRef(true);
  useEffect(() => onChange((change) => { if (!change || change.kind === 'group' || change.kind === 'workspace') setTurn((n) => n + 1); }), []);
  useEffect(() => {
    if (!text) return undefined;
    const stop = new AbortController();
    setState((now) => ({ ...now, waiting: true }));
    const timer = setTimeout(async () => {
      try {
        const { data } = await call(method, path, JSON.parse(text), { signal: stop.signal });
        setState({ answer: data, error: null, waiting: false });
      } catch (error) {
        if (error instanceof ApiError) setState({ answer: null, error, waiting: false });
      }
    }, first.current ? 0 : 150);
    first.current = false;
    return () => { clearTimeout(timer); stop.abort(); };
  }, [path, text, turn]);
  return state;
}

const NAMES = /** @type {Record<string, string>} */ ({ workspace: 'Largest size allowed', user: 'Your limits', group: 'Quota of the group', organization: 'Organization' });

/** The levels in the order of the check, each with its own checks. @param {Check[]} checks */
export function levels(checks) {
  /** @type {{level: string, id?: string, name: string, checks: Check[], ok: boolean}[]} */
  const found = [];
  for (const check of checks) {
    let level = found.find((one) => one.level === check.level && one.id === check.id);
    if (!level) found.push(level = { level: check.level, id: check.id, name: NAMES[check.level] || check.level, checks: [], ok: true });
    level.checks.push(check);
    level.ok &&= check.ok;
  }
  return found;
}

/** "It asks for 16 GiB of memory; 4 GiB are left of 32 GiB." @param {Check} check */
export function sentence(check) {
  const { resource, requested, available, total } = check;
  const kind = resource === 'count' || resource === 'pods' || resource === 'workspaces' ? 'pods' : resource;
  if (check.level === 'workspace') return `It asks for ${show(kind, requested)}${kind === 'cpu' ? '' : ` of ${resourceWord(kind).toLowerCase()}`}; the largest size allowed is ${show(kind, total)}.`;
  if (kind === 'pods') return `It would be one more workspace; ${Number(available) > 0 ? `${available} are` : 'none is'} left of ${total}.`;
  return `It asks for ${show(kind, requested)}${kind === 'cpu' ? '' : ` of ${resourceWord(kind).toLowerCase()}`}; ${left(kind, available)} left of ${show(kind, total)}.`;
}

/** @param {string} kind @param {string | number | null | undefined} available */
function left(kind, available) {
  const text = show(kind, available);
  return /^0\s/.test(text) ? 'nothing is' : `${text} ${kind === 'cpu' && !/^1\s/.test(text) ? 'are' : 'is'}`;
}
