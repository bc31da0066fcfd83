/**
 * The state of a form: what was typed, what is wrong with it, and sending it. A field is checked when it is left and on
 * every key once it was wrong; the server's field errors stand until that field changes.
 */
import { useRef, useState } from './html.js';
import { ApiError } from './api.js';

/**
 * @typedef {Record<string, any>} Values
 * @typedef {object} Form
 * @property {Values} values
 * @property {Record<string, string>} errors the ones to show now
 * @property {boolean} busy
 * @property {ApiError | null} problem what concerns the whole form
 * @property {number} wrong how many fields are wrong, after an attempt to send
 * @property {boolean} changed
 * @property {(name: string, value: any) => void} set
 * @property {(values: Values) => void} setAll
 * @property {(name: string) => void} left
 * @property {(event?: Event) => Promise<void>} submit
 * @property {() => void} reset
 */

/**
 * @param {{first: Values, check?: (values: Values) => Record<string, string | false | null | undefined>, send: (values: Values) => Promise<any>}} options
 * @returns {Form}
 */
export function useForm({ first, check = () => ({}), send }) {
  const start = useRef(first);
  const [values, setValues] = useState(first);
  const [touched, setTouched] = useState(/** @type {Record<string, boolean>} */ ({}));
  const [told, setTold] = useState(/** @type {Record<string, string>} */ ({}));
  const [problem, setProblem] = useState(/** @type {ApiError | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);

  /** @type {Record<string, string>} */
  const wrong = { ...told };
  for (const [name, message] of Object.entries(check(values))) if (message) wrong[name] ||= message;
  /** @type {Record<string, string>} */
  const errors = {};
  for (const [name, message] of Object.entries(wrong)) if (tried || touched[name] || told[name]) errors[name] = message;

  /** @param {Values} next */
  function setAll(next) {
    setValues((now) => ({ ...now, ...next }));
    setTold((now) => Object.fromEntries(Object.entries(now).filter(([name]) => !(name in next))));
    setProblem(null);
  }

  /** @param {Event} [event] */
  async function submit(event) {
    event?.preventDefault();
    const form = event?.target instanceof Element ? event.target.closest('form') : null;
    setTried(true);
    if (busy) return;
    if (Object.keys(wrong).length > 0) { focusWrong(form); return; }
    setBusy(true);
    setProblem(null);
    try {
      await send(values);
      start.current = values;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const known = error.fields.filter(({ field }) => field in values);
      setTold(Object.fromEntries(known.map(({ field, message }) => [field, message])));
      if (known.length === 0 || known.length < error.fields.length) setProblem(error);
      if (known.length > 0) focusWrong(form);
    } finally {
      setBusy(false);
    }
  }

  return {
    values, errors, busy, problem, setAll, submit,
    wrong: tried ? Object.keys(wrong).length : Object.keys(told).length,
    changed: Object.keys(values).some((name) => values[name] !== start.current[name]),
    set: (name, value) => setAll({ [name]: value }),
    left: (name) => setTouched((now) => ({ ...now, [name]: true })),
    reset: () => { setValues(start.current); setTouched({}); setTold({}); setTried(false); setProblem(null); },
  };
}

/** @param {Element | null} form */
function focusWrong(form) {
  setTimeout(() => { /** @type {HTMLElement | null | undefined} */ (form?.querySelector('[aria-invalid="true"]'))?.focus(); }, 30);
}
