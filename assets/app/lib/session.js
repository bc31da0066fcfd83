/** Who is signed in, what the installation is like, and how a session begins and ends. */
import { taken } from '../ahead.js';
import { signal } from './html.js';
import { ApiError, get, onSessionLost, post } from './api.js';
import { startEvents, stopEvents, onChange } from './events.js';
import { forgetAnswers } from './query.js';
import { navigate, signInAddress } from './router.js';

/** @typedef {import('./types.js').User} User */

/** @type {import('../../vendor/signals.mjs').Signal<User | null>} */
export const me = signal(/** @type {User | null} */ (null));

/** @typedef {{setupRequired?: boolean, version?: string, passwordMinLength?: number, oidc?: any[]}} Providers */
/** @type {import('../../vendor/signals.mjs').Signal<Providers>} */
export const installation = signal(/** @type {Providers} */ ({}));

/** Whether the document came with a session; without one nobody has to ask whose it is. */
export const hasSession = document.documentElement.dataset.session !== undefined;
let nobody = !hasSession;

/** Reads who we are; false when nobody is signed in. */
export async function recognise() {
  if (nobody) {
    installation.value = await get('/api/auth/providers', { quiet: true });
    nobody = false; // true of the document as it came; a sign-in changes it
    return false;
  }
  const asked = get('/api/auth/providers', { quiet: true }).then((told) => { installation.value = told; }, () => {});
  try {
    const { user } = await get('/api/auth/me', { quiet: true });
    me.value = user;
    await asked;
    if (!user.mustChangePassword) startEvents();
    return true;
  } catch (error) {
    await asked;
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return false;
    throw error;
  }
}

/** After a sign-in that was answered with the user. @param {User} user */
export async function begin(user) {
  taken('/api/auth/me'); // an answer from before this session
  me.value = user;
  startEvents();
  const told = await get('/api/auth/me');
  me.value = told.user;
}

/** @param {boolean} [everywhere] */
export async function signOut(everywhere) {
  await post(`/api/auth/logout${everywhere ? '?everywhere=true' : ''}`);
  ended();
}

/** Clears what belonged to the session and shows the sign-in page. @param {string} [address] */
export function ended(address = '/sign-in') {
  stopEvents();
  forgetAnswers();
  me.value = null;
  navigate(address);
}

// Ended elsewhere: an administrator, another tab, or its time. Signing in again comes back to where one was.
onSessionLost(() => { if (me.peek()) ended(signInAddress()); else navigate(signInAddress(), { replace: true }); });

onChange((change) => {
  if (!me.peek()) return;
  const mine = !change || change.kind === 'session' || change.kind === 'membership' || (change.kind === 'user' && (!change.id || change.id === me.peek()?.id));
  if (mine) get('/api/auth/me').then(({ user }) => { if (JSON.stringify(user) !== JSON.stringify(me.peek())) me.value = user; }, () => {});
});
