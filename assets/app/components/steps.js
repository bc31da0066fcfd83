/** The steps of a start: done, now, to come, failed. */
import { html, loadStyle } from '../lib/html.js';
import { showDuration } from '../lib/format.js';
import { Icon } from './basics.js';

await loadStyle('/style/steps.css');

/** @param {{steps: import('../lib/starts.js').Step[]}} props */
export function Steps({ steps }) {
  return html`<ol class="steps" aria-live="polite">${steps.map((step) => html`<li class=${step.mark === 'failed' ? 'now' : step.mark}><span class=${`m ${step.mark === 'done' ? 'ok' : step.mark === 'failed' ? 'bad' : ''}`}>${step.mark === 'now' ? html`<span class="spin" />` : step.mark === 'todo' ? html`<span class="ring" />` : html`<${Icon} name=${step.mark === 'done' ? 'circle-check' : 'circle-x'} label=${step.mark === 'done' ? 'done' : 'failed'} />`}</span>
    <span>${step.title}${step.detail && html`<div class="w">${step.detail}</div>`}${step.raw?.map((line) => html`<div class="w">${line}</div>`)}</span><span class="s">${step.amount || (step.took !== undefined && step.mark !== 'now' ? showDuration(Math.max(0, step.took)) : '')}</span></li>`)}</ol>`;
}
