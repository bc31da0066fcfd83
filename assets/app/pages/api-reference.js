/** The API reference: every call of this very server by noun, from its own OpenAPI document, to read and to try. */
import { html, loadStyle, useEffect, useLayoutEffect, useState } from '../lib/html.js';
import { pieces } from '../lib/markdown.js';
import { exampleOf, fieldsOf, kindOf, resolve, theApi } from '../lib/openapi.js';
import { plural } from '../lib/format.js';
import { here } from '../lib/router.js';
import { Badge, Button, Copy, Icon } from '../components/basics.js';
import { GuideFrame } from '../components/guide-frame.js';
import { Late } from '../components/late.js';
import { Card, Failed, PageHead, Skeleton, usePage } from '../components/places.js';

await Promise.all(['/style/table.css', '/style/work.css', '/style/forms.css', '/style/guide.css'].map(loadStyle));

/** @typedef {import('../lib/openapi.js').Api} Api @typedef {import('../lib/openapi.js').Noun} Noun @typedef {import('../lib/openapi.js').Operation} Operation */

const tryIt = () => import('../components/api-try.js');
const KINDS = /** @type {Record<string, string>} */ ({ GET: 'info', POST: 'ok', PUT: 'warn', PATCH: 'warn', DELETE: 'bad' });
const DEEPEST = 3;

/** @param {{params: {noun?: string}}} props */
export default function ApiReference({ params }) {
  const [api, setApi] = useState(/** @type {Api | null} */ (null));
  const [lost, setLost] = useState(false);
  const read = () => { setLost(false); theApi().then(setApi, () => setLost(true)); };
  useEffect(read, []);
  const noun = api?.nouns.find(({ slug }) => slug === params.noun);
  usePage([{ text: 'Help', href: '/help' }, { text: 'API reference', href: '/help/api' }, ...(params.noun ? [{ text: noun?.name || params.noun }] : [])]);
  const nouns = api?.nouns.map(({ slug, name }) => ({ id: slug, text: name })) || [];
  return html`<div class="page"><${PageHead} title=${noun ? noun.name : 'API reference'} facts=${noun ? noun.description : api ? `Every call of this server, version ${api.version}.` : '\u00a0'} actions=${html`<${Button} icon="download" href="/api/openapi.json" download="openapi.json">OpenAPI document<//>`} />
    <${GuideFrame} now=${params.noun ? `api/${params.noun}` : 'api'} headings=${nouns}>${!api ? (lost ? html`<div class="card"><${Failed} what="The description of the API could not be read" error=${{ status: 0, message: 'The server did not answer.' }} again=${read} /></div>` : html`<${Skeleton} lines=${8} />`)
    : noun ? html`<${Calls} key=${noun.slug} noun=${noun} api=${api} />`
    : params.noun ? html`<div class="card"><${Failed} what="No such part" error=${{ status: 404, message: 'The API has no part of this name.' }} /></div>` : html`<${Start} api=${api} />`}<//></div>`;
}

/** @param {{api: Api}} props */
function Start({ api }) {
  return html`<p class="t13">How to sign in, and what all calls have in common: <a class="link" href="/help/user/automation">The API</a>.</p>
    ${api.nouns.map((noun) => html`<${Card} key=${noun.slug} title=${html`<a class="plain" href=${`/help/api/${noun.slug}`}>${noun.name}</a>`} right=${plural(noun.operations.length, 'call')}><ul class="lines api-list">${noun.operations.map((one) => html`<li key=${one.id}><${Method} of=${one} /><a class="mono" href=${`/help/api/${noun.slug}#${one.id}`}>${one.path}</a><span class="t12 fg2">${one.summary}</span></li>`)}</ul><//>`)}`;
}

/** @param {{of: Operation}} props */
const Method = ({ of }) => html`<span class="api-method"><${Badge} kind=${KINDS[of.method]}>${of.method}<//></span>`;

/** @param {{noun: Noun, api: Api}} props */
function Calls({ noun, api }) {
  const asked = () => decodeURIComponent(location.hash.slice(1));
  const [open, setOpen] = useState(/** @type {Set<string>} */ (new Set([asked()])));
  useEffect(() => {
    const told = () => setOpen((now) => new Set([...now, asked()]));
    addEventListener('hashchange', told);
    told();
    return () => removeEventListener('hashchange', told);
  }, [here.value]);
  useLayoutEffect(() => { if (location.hash) document.getElementById(asked())?.scrollIntoView(); }, []);
  const turn = (/** @type {string} */ id, /** @type {boolean} */ is) => setOpen((now) => { const next = new Set(now); if (is) next.add(id); else next.delete(id); return next; });
  return html`<div class="stack">${noun.operations.map((one) => html`<details class="card api-call" key=${one.id} id=${one.id} open=${open.has(one.id)} onToggle=${(/** @type {any} */ event) => turn(one.id, event.currentTarget.open)}>
    <summary><${Method} of=${one} /><span class="mono strong path">${one.path}</span><span class="t13 fg2 what">${one.summary}</span></summary>${open.has(one.id) && html`<${Call} one=${one} api=${api} />`}</details>`)}</div>`;
}

/** @param {{one: Operation, api: Api}} props */
function Call({ one, api }) {
  const { schemas } = api;
  const example = one.answer.schema && JSON.stringify(exampleOf(one.answer.schema, schemas), null, 2);
  return html`<div class="card-body stack s24 api-body"><${Access} one=${one} />
    ${one.body?.schema && html`<section class="stack s8"><h2>Body${one.body.required ? '' : html` <span class="fg3" style="font-weight:400">(optional)</span>`}</h2><${Fields} schema=${one.body.schema} schemas=${schemas} /></section>`}
    <section class="stack s8"><h2>Answer</h2><p class="t13"><${Badge} kind="ok">${one.answer.status}<//> ${one.answer.description}${one.answer.schema ? ` ${capital(kindOf(one.answer.schema, schemas))}.` : one.answer.kind ? ` ${one.answer.kind}.` : ''} Refusals are <a class="link" href="/help/user/automation#what-is-common-to-all-calls">told alike everywhere</a>.</p>
      ${one.answer.schema && html`<${Fields} schema=${one.answer.schema} schemas=${schemas} /><details><summary class="t13 link">Example</summary><div class="command" style="margin-top:8px"><pre tabindex="0" role="group" aria-label="Example of the answer">${example}</pre><${Copy} text=${example || ''} label="Copy the example" /></div></details>`}</section>
    <section class="stack s8"><h2>Try it</h2><${Late} load=${tryIt} part="Try" one=${one} schemas=${schemas} /></section></div>`;
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Who may call it. @param {{one: Operation}} props */
function Access({ one }) {
  const words = one.publicBecause ? `Anybody. ${one.publicBecause}` : one.who;
  return html`<section class="row wrap t13" style="align-items:flex-start"><${Icon} name="shield-check" class="fg2" /><div style="flex:1"><p>${words}</p>${one.action && html`<p class="t12 fg2">In the <a class="link" href="/admin/access">matrix</a> and the audit log: <code>${one.action}</code>${one.scope && html`; scope <code>${one.scope}</code>`}</p>`}</div></section>`;
}

/** A description, with its code as code. @param {{text: string}} props */
const Said = ({ text }) => pieces(text).map((piece) => (piece.kind === 'code' ? html`<code>${piece.text}</code>` : piece.text));

/** The fields of an object; those that are objects themselves open. @param {{schema: any, schemas: Record<string, any>, depth?: number}} props */
function Fields({ schema, schemas, depth = 0 }) {
  const fields = fieldsOf(schema, schemas);
  const about = depth === 0 ? resolve(schema, schemas).description : '';
  if (!fields.length) return about ? html`<p class="t13 fg2"><${Said} text=${about} /></p>` : null;
  return html`${about && html`<p class="t13 fg2"><${Said} text=${about} /></p>`}<ul class="api-fields">${fields.map((field) => { const inner = depth < DEEPEST && fieldsOf(field.schema, schemas).length > 0; return html`<li key=${field.name}><div class="row wrap" style="gap:4px 8px"><span class="mono strong">${field.name}</span><span class="t12 fg2">${field.kind}</span>${field.required ? null : html`<span class="t12 fg3">optional</span>`}</div>${field.description && html`<p class="t12 fg2"><${Said} text=${field.description} /></p>`}${inner && html`<details><summary class="t12 link">Its fields</summary><${Fields} schema=${field.schema} schemas=${schemas} depth=${depth + 1} /></details>`}</li>`; })}</ul>`;
}
