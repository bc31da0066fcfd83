/** Draws a chapter of a guide: its blocks as elements, with a link at every heading and a button that copies code. */
import { h, html } from '../lib/html.js';
import { pieces, plain } from '../lib/markdown.js';
import { Copy, Icon } from './basics.js';

/** @typedef {import('../lib/markdown.js').Block} Block */

/** Where a link of the guide leads here: other chapters are files to a source host, pages to us. @param {string} href @param {string} book */
export function target(href, book) {
  const chapter = /^(?:\.\.\/([a-z]+)\/)?([a-z-]+)\.md(#.*)?$/.exec(href);
  if (chapter) return `/help/${chapter[1] || book}/${chapter[2]}${chapter[3] || ''}`;
  return /^(https:\/\/|\/(?!\/)|#)/.test(href) ? href : undefined;
}

/** @param {{text: string, book: string}} props */
function Words({ text, book }) {
  return pieces(text).map((piece) => {
    if (piece.kind === 'code') return html`<code>${piece.text}</code>`;
    if (piece.kind === 'bold') return html`<b>${piece.text}</b>`;
    if (piece.kind === 'link') return html`<a class="link" href=${target(piece.href, book)}>${piece.text}</a>`;
    return piece.text.replace(/(\d) (GiB|MiB|KiB|TiB|%|cores?|days?|hours?|minutes?|min|s)\b/g, '$1\u00a0$2');
  });
}

/** @param {{block: Block, book: string}} props */
function One({ block, book }) {
  switch (block.kind) {
    // The link stands beside the heading, not in it, so that the heading is read out as it is written.
    case 'heading': return html`<div class=${`prose-h l${block.level}`}>${h(`h${block.level}`, { id: block.id, tabIndex: -1 }, html`<${Words} text=${block.text} book=${book} />`)}<a class="anchor" href=${`#${block.id}`} aria-label=${`Link to ${plain(block.text)}`}><${Icon} name="link" size="s14" /></a></div>`;
    case 'code': return html`<div class="command"><pre tabindex="0" role="group" aria-label="Commands">${block.text}</pre><${Copy} text=${block.text} label="Copy" /></div>`;
    case 'note': return html`<div class="callout" role="note"><${Icon} name="info" /><div class="text"><${Prose} blocks=${block.blocks} book=${book} /></div></div>`;
    case 'table': return html`<div class="card"><div class="table-scroll" tabindex="0" role="group" aria-label=${block.head.filter(Boolean).join(', ')}><table class=${`table ${block.head.length > 3 ? 'stacked' : ''}`}><thead><tr>${block.head.map((cell) => html`<th scope="col"><${Words} text=${cell} book=${book} /></th>`)}</tr></thead><tbody>${block.rows.map((row) => html`<tr>${row.map((cell, i) => html`<td data-head=${plain(block.head[i] || '')}><${Words} text=${cell} book=${book} /></td>`)}</tr>`)}</tbody></table></div></div>`;
    case 'list': {
      const items = block.items.map((item) => html`<li>${item.map((part, i) => (part.kind === 'p' && i === 0 ? html`<${Words} text=${part.text} book=${book} />` : html`<${One} block=${part} book=${book} />`))}</li>`);
      return block.ordered ? html`<ol start=${block.start}>${items}</ol>` : html`<ul>${items}</ul>`;
    }
    default: return html`<p><${Words} text=${block.text} book=${book} /></p>`;
  }
}

/** @param {{blocks: Block[], book: string}} props */
export const Prose = ({ blocks, book }) => blocks.map((block, i) => html`<${One} key=${i} block=${block} book=${book} />`);
