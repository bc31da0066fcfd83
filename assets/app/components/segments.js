/** A switch between a few views of the same thing. */
import { html } from '../lib/html.js';
import { Icon } from './basics.js';

/** A few views of the same thing. @param {{label: string, value: string, options: [string, string, string?][], onPick: (value: string) => void}} props */
export const Segments = ({ label, value, options, onPick }) => html`<div class="segments" role="group" aria-label=${label}>${options.map(([key, word, icon]) => html`<button type="button" aria-pressed=${key === value ? 'true' : 'false'} onClick=${() => onPick(key)}>${icon && html`<${Icon} name=${icon} />`}${word}</button>`)}</div>`;
