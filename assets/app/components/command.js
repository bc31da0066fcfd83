/** Something to type in a terminal, with a button that copies it; also out of a sentence that has it in backticks. */
import { html, loadStyle } from '../lib/html.js';
import { Copy } from './basics.js';

await loadStyle('/style/work.css');

/** @param {{text: string, label?: string}} props */
export const Command = ({ text, label = 'Copy the command' }) => html`<div class="command"><pre>${text.split(' ').map((word, i) => html`${i > 0 && ' '}<span key=${i}>${word}</span>`)}</pre><${Copy} text=${text} label=${label} /></div>`;

/** @param {{text: string, class?: string}} props */
export function Hint({ text, class: shape = 't13 fg2' }) {
  const [before, command, after] = text.split('`');
  if (!command) return html`<p class=${shape}>${text}</p>`;
  return html`<p class=${shape}>${before.trim()}:</p><${Command} text=${command} />${after && after.trim() !== '.' && html`<p class=${shape}>${after.trim()}</p>`}`;
}
