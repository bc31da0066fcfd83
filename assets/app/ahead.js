/**
 * Asks what the interface wants to know first, while its modules are still on their way: what the installation is like
 * and, where the document came with a session, who is signed in. It imports nothing, so that it runs early.
 */

/** @type {Map<string, Promise<Response>>} */
const asked = new Map();

/** How everything is asked for. */
export const WAY = /** @type {const} */ ({ headers: { accept: 'application/json' }, credentials: 'same-origin', cache: 'no-store' });

for (const path of ['/api/auth/providers', ...(document.documentElement.dataset.session === undefined ? [] : ['/api/auth/me'])]) {
  const answer = fetch(path, WAY);
  answer.catch(() => {}); // told to who takes it
  asked.set(path, answer);
}

/** The answer that is on its way, to be taken once. @param {string} path */
export function taken(path) {
  const answer = asked.get(path);
  asked.delete(path);
  return answer;
}
