/**
 * What the server says the caller may do with a thing. Nothing is decided here: the answer carries `can`, and this
 * reads it, in either of its two forms.
 */

/** @typedef {import('./types.js').Can} Can */

/**
 * @param {{can?: Can} | null | undefined} thing
 * @param {string} action name in the server's list of actions
 * @returns {string | undefined} the reason against it, or undefined when it is allowed
 */
export function refusal(thing, action) {
  const can = thing?.can;
  if (!can) return undefined; // nothing known: let the server answer when it is tried
  if (Array.isArray(can)) return can.includes(action) ? undefined : 'Your role does not include this.';
  const told = can[action];
  if (told === true) return undefined;
  return told?.message || 'Your role does not include this.';
}

/** @param {{can?: Can} | null | undefined} thing @param {string} action */
export const may = (thing, action) => Boolean(thing?.can) && refusal(thing, action) === undefined;
