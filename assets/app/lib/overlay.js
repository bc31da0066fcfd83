/** What floats above a page: dialogs that answer, and toasts. The shell draws them; anybody may ask for one. */
import { signal } from './html.js';
import { ApiError } from './api.js';

/** @typedef {{id: number, component: any, props: Record<string, any>, done: (answer: any) => void}} Open */
/** @type {import('../../vendor/signals.mjs').Signal<Open[]>} */
export const dialogs = signal(/** @type {Open[]} */ ([]));

let last = 0;

/** Shows a dialog; resolves with what it closes with, undefined when it was left. @param {any} component @param {Record<string, any>} [props] @returns {Promise<any>} */
export function openDialog(component, props = {}) {
  return new Promise((resolve) => {
    const id = ++last;
    const done = (/** @type {any} */ answer) => {
      dialogs.value = dialogs.peek().filter((open) => open.id !== id);
      resolve(answer);
    };
    dialogs.value = [...dialogs.peek(), { id, component, props, done }];
  });
}

/** @typedef {{id: number, title: string, text?: string, failed?: boolean, callid?: string, undo?: () => void, lines?: string[]}} Toast */
/** @type {import('../../vendor/signals.mjs').Signal<Toast[]>} */
export const toasts = signal(/** @type {Toast[]} */ ([]));

/** @param {number} id */
export function dropToast(id) { toasts.value = toasts.peek().filter((toast) => toast.id !== id); }

/** @param {Omit<Toast, 'id'>} toast */
export function toast(toast) {
  const id = ++last;
  toasts.value = [...toasts.peek().slice(-2), { ...toast, id }];
  if (!toast.failed) setTimeout(() => dropToast(id), 6000);
}

/** Says that something was not done, and why. @param {string} what "Not stopped" @param {unknown} error */
export function fail(what, error) {
  if (error instanceof ApiError && error.status === 401) return; // the sign-in page says it
  const told = error instanceof ApiError ? error : null;
  if (!told) console.error(error);
  toast({ title: `${what}.`, text: told ? told.message : 'Something in this page went wrong. Reload it and try again.', callid: told?.callid, failed: true });
}
