/** What stands in a place when there is nothing, nothing yet, or a failure; callouts and page heads. */
import { html, useLayoutEffect } from '../lib/html.js';
import { signal } from '../lib/html.js';
import { useSlow } from '../lib/query.js';
import { Button, Icon, Id } from './basics.js';

/** @typedef {{text: string, href?: string}} Crumb */
/** The way to the page, drawn in the top bar. @type {import('../../vendor/signals.mjs').Signal<Crumb[]>} */
export const crumbs = signal(/** @type {Crumb[]} */ ([]));

/** Names the page: its title in the browser and the way to it. @param {Crumb[]} way */
export function usePage(way) {
  const text = way.map((step) => step.text).join(' · ');
  useLayoutEffect(() => {
    crumbs.value = way;
    document.title = `${[...way].reverse().map((step) => step.text).join(' · ')} · Codex Web`;
  }, [text]);
}

/** @param {{title: any, beside?: any, facts?: any, actions?: any, lead?: any, tabbed?: boolean, bottom?: any}} props bottom: the main action again, as a bar on narrow screens */
export function PageHead({ title, beside, facts, actions, lead, tabbed, bottom }) {
  return html`<header class=${`page-head ${tabbed ? 'tabbed' : ''}`}>
    ${lead}
    <div class="titles"><div class="title"><h1 class="name" data-tip-cut>${title}</h1>${beside}</div>${facts && html`<div class="facts">${facts}</div>`}</div>
    ${actions && html`<div class=${`actions ${bottom ? 'to-bottom' : ''}`}>${actions}</div>`}
  </header>${bottom && html`<div class="bar-bottom">${bottom}</div>`}`;
}

/** @param {{icon: string, title: string, text?: any, action?: any}} props */
export const Empty = ({ icon, title, text, action }) => html`<div class="empty"><span class="tile s40"><${Icon} name=${icon} class="s20" /></span><h2>${title}</h2>${text && html`<p>${text}</p>`}${action}</div>`;

/** A whole page that cannot be shown. @param {{what: string, error: any, again?: () => void}} props */
export function FailedPage(props) {
  usePage([{ text: props.error?.status === 404 ? 'Not found' : props.error?.status === 403 ? 'Not allowed' : 'Failed' }]);
  return html`<div class="page"><div class="card"><${Failed} ...${props} page /></div></div>`;
}

/** @param {{what: string, error: any, again?: () => void, page?: boolean}} props what: "The members could not be read" */
export function Failed({ what, error, again, page }) {
  const title = error?.status === 404 ? 'Not here, or not yours to see' : what;
  const refused = error?.status === 403; // another try would end the same
  return html`<div class="failed" role="alert"><${Icon} name=${error?.status === 0 ? 'wifi-off' : error?.status === 404 ? 'search' : refused ? 'ban' : 'circle-x'} /><div>
    ${page ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}<p>${error?.message || 'The page met something it did not expect.'}</p>
    <div class="row wrap">${page && (refused || error?.status === 404) && html`<${Button} icon="house" href="/">Home<//>`}${refused && html`<${Button} href="/help/user/roles">Who may do what<//>`}${again && !refused && html`<${Button} icon="rotate-cw" onClick=${again}>Try again<//>`}${error?.callid && html`<${Id} id=${error.callid} label="Copy the call id" />`}</div></div></div>`;
}

/** @param {{kind?: '' | 'ok' | 'warn' | 'bad', icon?: string, lead: any, children?: any, actions?: any, alert?: boolean}} props */
export function Callout({ kind = '', icon, lead, children, actions, alert }) {
  const shape = icon || { '': 'info', ok: 'circle-check', warn: 'triangle-alert', bad: 'circle-x' }[kind];
  return html`<div class=${`callout ${kind}`} role=${alert ? 'alert' : undefined}><${Icon} name=${shape} /><div class="text"><b>${lead}</b> ${children}</div>${actions && html`<div class="do">${actions}</div>`}</div>`;
}

/** What concerns a whole form, above its button. @param {{form: import('../lib/form.js').Form, what: string}} props */
export function FormProblem({ form, what }) {
  const { problem, wrong } = form;
  return html`${problem && html`<${Callout} kind="bad" alert lead=${`${what}.`} actions=${problem.callid && html`<${Id} id=${problem.callid} label="Copy the call id" />`}>${problem.message}<//>`}
    ${wrong > 0 && html`<p class="error-line" role="alert"><${Icon} name="circle-alert" size="s12" />Correct ${wrong} ${wrong === 1 ? 'field' : 'fields'}.</p>`}`;
}

/** Bars in the final height, after a blink. @param {{lines?: number, height?: number}} props */
export function Skeleton({ lines = 3, height = 44 }) {
  const slow = useSlow(true);
  return html`<div aria-busy="true"><span class="sr">Loading</span>${Array.from({ length: lines }, (_, i) => html`<div style=${{ height: `${height}px`, display: 'grid', alignItems: 'center', padding: '0 16px' }}>${slow && html`<span class="bone" style=${{ width: `${[62, 44, 54, 38][i % 4]}%` }} />`}</div>`)}</div>`;
}

/** Shows what a query has: its data, its failure, or bars. @param {{query: any, what: string, lines?: number, height?: number, children: (data: any) => any}} props */
export function Loaded({ query, what, lines, height, children }) {
  if (query.data !== undefined) return children(query.data);
  if (query.error) return html`<${Failed} what=${what} error=${query.error} again=${query.reload} />`;
  return html`<${Skeleton} lines=${lines} height=${height} />`;
}

/** @param {{title: any, right?: any, children?: any, class?: string, id?: string, level?: any}} props */
export const Card = ({ title, right, children, class: extra = '', id }) => html`<section class=${`card ${extra}`} id=${id}>${title && html`<div class="card-head"><h2>${title}</h2>${right && html`<span class="right">${right}</span>`}</div>`}${children}</section>`;

/** @param {{rows: [string, any][]}} props */
export const Facts = ({ rows }) => html`<dl class="facts-list">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
