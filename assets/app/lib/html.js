/** The few names every component needs, from one place: templates, hooks and signals. */
import { Component, Fragment, h, render } from '../../vendor/preact.mjs';
import htm from '../../vendor/htm.mjs';

export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from '../../vendor/preact-hooks.mjs';
export { batch, computed, effect, signal } from '../../vendor/signals.mjs';
export { Component, Fragment, h, render };

/** A tree from a template: html`<p class="x">${text}</p>`. Text is always text; markup in it is shown, never run. */
export const html = htm.bind(h);

/** @typedef {import('../../vendor/preact.mjs').Child} Child */
/** @typedef {import('../../vendor/preact.mjs').VNode} VNode */

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/** Where the files of this build lie, ending in a slash: every script knows its own address. */
export const FILES = new URL('../../', import.meta.url).pathname;

/**
 * Adds a style sheet that only some pages need, once; modules wait for it, so that nothing is drawn without it. The
 * first page's are in the document already: the server reads off the modules which ones they wait for.
 * @param {string} address
 */
export function loadStyle(address) {
  const known = loaded.get(address);
  if (known) return known;
  if (document.head.querySelector(`link[rel="stylesheet"][href="${FILES}${address.slice(1)}"]`)) return Promise.resolve();
  const link = document.createElement('link');
  link.rel = 'stylesheet';
  link.href = FILES + address.slice(1);
  const there = new Promise((/** @type {(value: void) => void} */ done) => { link.onload = link.onerror = () => done(); });
  document.head.append(link);
  loaded.set(address, there);
  return there;
}
