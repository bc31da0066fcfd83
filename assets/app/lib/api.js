/**
 * Talks to the server: JSON in and out, every failure an ApiError that can be shown as it is.
 * A session that ended leads to the sign-in page, a password that must be changed to its form; both come back afterwards.
 */
import { signal } from './html.js';
import { taken, WAY } from '../ahead.js';
import { navigate, signInAddress } from './router.js';

/** The server's disk is nearly full and it only reads: every answer of the API says so. */
export const onlyReading = signal(false);

/** What is done when an answer says that nobody is signed in any more. */
let lost = () => navigate(signInAddress(), { replace: true });
/** @param {() => void} run */
export function onSessionLost(run) { lost = run; }

export class ApiError extends Error {
  /**
   * @param {number} status HTTP status, 0 when the server did not answer
   * @param {{code?: string, message?: string, fields?: {field: string, code?: string, message: string}[], details?: any, callid?: string}} told
   * @param {number} [retryAfter] seconds
   */
  constructor(status, told, retryAfter) {
    super(told.message || 'The server gave no reason.');
    this.status = status;
    this.code = told.code || '';
    this.fields = told.fields || [];
    this.details = told.details;
    this.callid = told.callid || '';
    this.retryAfter = retryAfter;
  }
}

/** @typedef {{data: any, next: string | null, total: number | null}} Answer */

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {{signal?: AbortSignal, key?: string, quiet?: boolean}} [options] quiet: a 401 is for the caller, not a lost session
 * @returns {Promise<Answer>}
 */
export async function call(method, path, body, options = {}) {
  const response = await reach(method, path, body, options);
  if (!response.ok) throw await failure(response, options.quiet);
  const text = response.status === 204 ? '' : await response.text();
  const total = response.headers.get('x-total-count');
  return { data: text ? JSON.parse(text) : null, next: nextLink(response.headers.get('link')), total: total === null ? null : Number(total) };
}

/** @param {string} method @param {string} path @param {unknown} body @param {{signal?: AbortSignal, key?: string}} options */
async function reach(method, path, body, options) {
  /** @type {Record<string, string>} */
  const headers = { ...WAY.headers };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (options.key) headers['idempotency-key'] = options.key;
  try {
    const response = await ((method === 'GET' && taken(path)) || fetch(path, { ...WAY, method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: options.signal }));
    onlyReading.value = response.headers.get('x-codex-web-storage') === 'short';
    return response;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, { code: 'OFFLINE', message: 'The server did not answer. Check the connection; nothing you typed is lost.' });
  }
}

/** @param {Response} response @param {boolean} [quiet] */
export async function failure(response, quiet) {
  /** @type {any} */
  let told = {};
  try { told = (await response.json()).error || {}; } catch { told = { message: `The server answered ${response.status} without a reason.` }; }
  const error = new ApiError(response.status, told, Number(response.headers.get('retry-after')) || undefined);
  if (response.status === 401 && !quiet) lost();
  if (error.code === 'PASSWORD_CHANGE_REQUIRED' && !quiet) navigate('/sign-in?change=1', { replace: true });
  return error;
}

/** The address of the next page in a Link header. @param {string | null} header */
function nextLink(header) {
  const found = header && /<([^>]+)>\s*;\s*rel="?next"?/.exec(header);
  if (!found) return null;
  const address = new URL(found[1], location.origin);
  return address.searchParams.get('cursor') || address.searchParams.get('nextToken');
}

/** @param {string} path @param {{signal?: AbortSignal, quiet?: boolean}} [options] @returns {Promise<any>} */
export const get = async (path, options) => (await call('GET', path, undefined, options)).data;
/** @param {string} path @param {unknown} [body] @param {{key?: string, quiet?: boolean, signal?: AbortSignal}} [options] @returns {Promise<any>} */
export const post = async (path, body = {}, options) => (await call('POST', path, body, options)).data;
/** @param {string} path @param {unknown} body @returns {Promise<any>} */
export const patch = async (path, body) => (await call('PATCH', path, body)).data;
/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export const del = async (path, body) => (await call('DELETE', path, body)).data;

/** A path with the parameters that have a value. @param {string} path @param {Record<string, any>} params */
export function withParams(path, params) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) if (value !== undefined && value !== null && value !== '') query.set(key, String(value));
  const text = query.toString();
  return text ? `${path}${path.includes('?') ? '&' : '?'}${text}` : path;
}

/** A key that makes a repeated creating call harmless. */
export const freshKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
