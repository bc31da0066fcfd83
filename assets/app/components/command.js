/** Something to type in a terminal, with a button that copies it. */
import { html, loadStyle } from '../lib/html.js';
import { Copy } from './basics.js';

await loadStyle('/style/work.css');

/** @param {{text: string, label?: string}} props */
export const Command = ({ text, label = 'Copy the command' }) => html`<div class="command"><pre>${text}</pre><${Copy} text=${text} label=${label} /></div>`;
