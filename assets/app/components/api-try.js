/** Tries a call of the API with the session of who reads: its parameters, its body, what came back, and the same for a shell. */
import { html, useRef, useState } from '../lib/html.js';
import { addressOf, curlOf, exampleOf } from '../lib/openapi.js';
import { showBytes } from '../lib/format.js';
import { me } from '../lib/session.js';
import { Badge, Button, Copy, Id } from './basics.js';
import { confirm } from './dialog.js';
import { Callout } from './places.js';

/** @typedef {import('../lib/openapi.js').Operation} Operation */
/** @typedef {{status: number, words: string, ms: number, text: string, callid: string, cut: string}} Answer */

const MOST = 200_000; // characters that are shown
const LISTEN_MS = 3000; // a stream is listened to for so long

/** @param {{one: Operation, schemas: Record<string, any>}} props */
export function Try({ one, schemas }) {
  const [values, setValues] = useState(/** @type {Record<string, string>} */ ({}));
  const [body, setBody] = useState(() => (one.body?.schema ? JSON.stringify(exampleOf(one.body.schema, schemas), null, 2) : ''));
  const [busy, setBusy] = useState(false);
  const [answer, setAnswer] = useState(/** @type {Answer | null} */ (null));
  const [wrong, setWrong] = useState('');
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const no = hindrance(one);

  const run = async () => {
    setBusy(true);
    setAnswer(null);
    try { setAnswer(await send(one, values, body)); } catch (error) { setWrong(/** @type {Error} */ (error).message || 'The server did not answer.'); }
    setBusy(false);
  };
  const press = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setWrong('');
    const missing = one.parameters.filter(({ in: place, required, name }) => required && !values[`${place}.${name}`]?.trim()).map(({ name }) => name);
    if (missing.length) { setWrong(`Fill in ${missing.join(' and ')}.`); /** @type {HTMLElement | null} */ (form.current?.querySelector('input'))?.focus(); return; }
    if (one.body && !one.body.bytes && body.trim()) try { JSON.parse(body); } catch (error) { setWrong(`The body is no JSON: ${/** @type {Error} */ (error).message}`); return; }
    if (one.method === 'GET') { run(); return; }
    const sure = await confirm({ title: `Send ${one.method} ${addressOf(one, values)}?`, lead: 'This is the real thing: it changes what it says, as you, and stands in the audit log.', word: 'Send it', keep: 'Do not', danger: one.method === 'DELETE', run: async () => {} });
    if (sure) run();
  };
  const field = (/** @type {import('../lib/openapi.js').Parameter} */ { name, in: place, required, description, schema }, /** @type {number} */ i) => {
    const key = `${place}.${name}`;
    const id = `try-${one.id}-${i}`;
    const words = schema.type === 'boolean' ? ['true', 'false'] : schema.enum?.filter(Boolean);
    const set = (/** @type {any} */ event) => setValues({ ...values, [key]: event.target.value });
    return html`<div class="field" key=${key}><label for=${id}><span class="mono">${name}</span> <span class="optional">${place === 'path' ? '' : `(${place})`}${required || place === 'path' ? '' : ' (optional)'}</span></label>
      ${words ? html`<div class="input-wrap"><select class="input" id=${id} value=${values[key] || ''} aria-describedby=${description ? `${id}-hint` : undefined} onChange=${set}><option value="">not sent</option>${words.map((/** @type {string} */ word) => html`<option key=${word} value=${word}>${word}</option>`)}</select></div>` : html`<input class="input mono" id=${id} autocomplete="off" spellcheck=${false} inputmode=${schema.type === 'integer' ? 'numeric' : undefined} maxlength=${schema.maxLength} value=${values[key] || ''} aria-describedby=${description ? `${id}-hint` : undefined} onInput=${set} />`}
      ${description && html`<span class="hint" id=${`${id}-hint`}>${description}</span>`}</div>`;
  };
  const curl = curlOf(one, values, body);
  return html`<form class="stack" ref=${form} onSubmit=${press} novalidate>
    ${one.parameters.length > 0 && html`<div class="fields2">${one.parameters.map(field)}</div>`}
    ${one.body && !one.body.bytes && one.body.schema && html`<div class="field"><label for=${`try-${one.id}-body`}>Body${one.body.required ? '' : html` <span class="optional">(optional)</span>`}</label><textarea class="input mono" id=${`try-${one.id}-body`} rows=${Math.min(16, body.split('\n').length + 1)} spellcheck=${false} onInput=${(/** @type {any} */ event) => setBody(event.target.value)}>${body}</textarea></div>`}
    <div class="command"><pre tabindex="0" role="group" aria-label="The same with curl">${curl}</pre><${Copy} text=${curl} label="Copy as curl" /></div>
    ${wrong && html`<${Callout} kind="bad" alert lead="Not sent.">${wrong}<//>`}
    <div class="row wrap"><${Button} kind="primary" size="s" icon="play" type="submit" busy=${busy} busyWord="Sending" refused=${no}>Try it<//><span class="t12 fg2">${no || (one.method === 'GET' ? 'Sent with your session; it changes nothing.' : 'Sent with your session, after you have confirmed it.')}</span></div>
    ${answer && html`<section class="stack s8" aria-label="Answer"><div class="row wrap" role="status"><${Badge} kind=${answer.status < 300 ? 'ok' : answer.status < 400 ? 'info' : 'bad'}>${answer.status} ${answer.words}<//><span class="t12 fg2">${answer.ms} ms</span>${answer.callid && html`<${Id} id=${answer.callid} label="Copy the call id" />`}${answer.cut && html`<span class="t12 fg2">${answer.cut}</span>`}</div>
      ${answer.text && html`<div class="command answer"><pre tabindex="0" role="group" aria-label="Body of the answer">${answer.text}</pre><${Copy} text=${answer.text} label="Copy the answer" /></div>`}</section>`}</form>`;
}

/** Why it cannot be tried from a page. @param {Operation} one */
function hindrance(one) {
  if (one.machine) return 'Only a workspace can make this call, with its machine token.';
  if (one.answer.status === '101' || /WebSocket/.test(one.answer.description)) return 'The connection becomes a WebSocket; the terminal of a workspace is its client.';
  if (one.body?.bytes) return 'It takes the bytes of a file: use curl, or the files of the workspace.';
  return me.value ? undefined : 'Sign in to try it.';
}

/** @param {Operation} one @param {Record<string, string>} values @param {string} body @returns {Promise<Answer>} */
async function send(one, values, body) {
  const begin = performance.now();
  const stop = new AbortController();
  /** @type {Record<string, string>} */
  const headers = {};
  for (const { name, in: place } of one.parameters) if (place === 'header' && values[`header.${name}`]) headers[name] = values[`header.${name}`];
  const carries = Boolean(one.body && body.trim());
  if (carries) headers['content-type'] = 'application/json';
  const response = await fetch(addressOf(one, values), { method: one.method, headers, body: carries ? body : undefined, credentials: 'same-origin', cache: 'no-store', signal: stop.signal });
  const ms = Math.round(performance.now() - begin);
  const { text, cut } = await read(response, stop);
  return { status: response.status, words: response.statusText, ms, text: pretty(text), cut, callid: response.headers.get('x-request-id') || '' };
}

/** What came, as text: a stream for a moment, of something long the beginning. @param {Response} response @param {AbortController} stop */
async function read(response, stop) {
  const kind = response.headers.get('content-type') || '';
  const size = Number(response.headers.get('content-length'));
  if (!response.body || response.status === 204) return { text: '', cut: 'no body' };
  if (!/json|text|event-stream|csv/.test(kind)) { stop.abort(); return { text: '', cut: `${kind || 'bytes'}${size ? `, ${showBytes(size)}` : ''}` }; }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const late = new Promise((done) => { setTimeout(() => done({ late: true }), LISTEN_MS); });
  let text = '';
  for (;;) {
    const next = /** @type {any} */ (await Promise.race([reader.read(), late]));
    if (next.late) { stop.abort(); reader.cancel().catch(() => {}); return { text, cut: 'a stream: what came in the first three seconds' }; }
    if (next.done) return { text, cut: '' };
    text += next.value;
    if (text.length > MOST) { stop.abort(); return { text: text.slice(0, MOST), cut: 'only the beginning is shown' }; }
  }
}

/** @param {string} text */
function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}
