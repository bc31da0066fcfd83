/** The same for several things: as many as the server allows at once, and which it refused. */
import { ApiError } from './api.js';
import { called } from './format.js';

/** @template T @param {T[]} things @param {(thing: T) => Promise<any>} run @returns {Promise<string[]>} a line for each refused one */
export async function each(things, run) {
  /** @type {string[]} */
  const refused = [];
  for (const thing of things) {
    try { await run(thing); } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refused.push(`${called(/** @type {any} */ (thing))}: ${error.message}`);
    }
  }
  return refused;
}
