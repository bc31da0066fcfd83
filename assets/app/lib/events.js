/**
 * One stream of changes per browser: the tab that holds the lock keeps it and tells the others, so that ten tabs cost
 * the server one connection. When the stream was interrupted beyond repair everything on screen is read again.
 */
import { signal } from './html.js';
import { get } from './api.js';

/** @typedef {import('./types.js').Change} Change */

/** What the foot of the side bar says. @type {import('../../vendor/signals.mjs').Signal<{state: 'live' | 'connecting' | 'offline', since: number}>} */
export const connection = signal({ state: /** @type {'live' | 'connecting' | 'offline'} */ ('connecting'), since: Date.now() });

/** @type {Set<(change: Change | null) => void>} */
const listeners = new Set();
/** Called with each change, and with null when anything may have changed. @param {(change: Change | null) => void} listener */
export function onChange(listener) {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

/** @type {BroadcastChannel | null} */
let channel = null;
/** @type {EventSource | null} */
let stream = null;
let wasDown = true; // until a stream is open, changes pass unseen: what was read before is read again
let tries = 0;
let stopped = true;
let leader = false;

/** @param {'live' | 'connecting' | 'offline'} state */
function say(state) {
  if (connection.peek().state !== state) connection.value = { state, since: Date.now() };
  if (leader) channel?.postMessage({ state });
}

/** @param {Change | null} change */
function tell(change) { for (const listener of listeners) listener(change); }

/** @param {Change | null} change */
function spread(change) {
  tell(change);
  channel?.postMessage({ change });
}

function open() {
  if (stopped) return;
  const source = stream = new EventSource('/api/events');
  source.onopen = () => {
    tries = 0;
    say('live');
    if (wasDown) spread(null);
    wasDown = false;
  };
  source.onmessage = (event) => { try { spread(JSON.parse(event.data)); } catch { spread(null); } };
  source.addEventListener('change', (event) => { try { spread(JSON.parse(/** @type {MessageEvent} */ (event).data)); } catch { spread(null); } });
  source.addEventListener('reset', () => spread(null));
  source.onerror = () => {
    source.close();
    if (stream !== source) return;
    stream = null;
    wasDown = true;
    tries += 1;
    say(tries > 1 ? 'offline' : 'connecting');
    // The stream does not say why it ended: asking who we are tells a lost session from a lost network.
    setTimeout(() => get('/api/auth/me').then(open, (error) => { if (error?.status !== 401) { say('offline'); again(); } }), Math.min(400 * 2 ** (tries - 1), 5000));
  };
}

function again() {
  tries += 1;
  if (!stopped) setTimeout(() => get('/api/auth/me').then(open, (error) => { if (error?.status !== 401) again(); }), Math.min(400 * 2 ** tries, 5000));
}

export function startEvents() {
  if (!stopped) return;
  stopped = false;
  channel = new BroadcastChannel('codex-web');
  channel.onmessage = ({ data }) => {
    if (data.change !== undefined) tell(data.change);
    if (data.state && !leader) connection.value = { state: data.state, since: Date.now() };
    if (data.hello && leader) channel?.postMessage({ state: connection.peek().state });
  };
  channel.postMessage({ hello: true });
  addEventListener('online', retryNow);
  addEventListener('offline', () => say('offline'));
  const lead = () => { leader = true; open(); };
  // Without locks (an old browser, a plain http address) each tab keeps its own stream.
  if (!navigator.locks) lead();
  else navigator.locks.request('codex-web-events', () => { lead(); return new Promise((done) => { release = () => done(undefined); }); }).catch(() => {});
}
/** @type {() => void} */
let release = () => {};

function retryNow() { if (leader && !stream) { tries = 0; open(); } }

export function stopEvents() {
  stopped = true;
  stream?.close();
  stream = null;
  release();
  leader = false;
  channel?.close();
  channel = null;
}
