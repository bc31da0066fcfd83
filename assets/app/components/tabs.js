/** Tabs as links, so that the chosen one is in the address. */
import { html, useEffect, useRef } from '../lib/html.js';

/** @param {{label: string, now: string, items: ([string, string, string, (number | string)?] | false)[]}} props key, word, address, count */
export function Tabs({ label, now, items }) {
  const row = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => { const current = row.current?.querySelector('[aria-current]'); if (current && row.current && row.current.scrollWidth > row.current.clientWidth) current.scrollIntoView({ block: 'nearest', inline: 'center' }); }, [now]);
  return html`<nav class="tabs" aria-label=${label} ref=${row}>${items.map((item) => item && html`<a key=${item[0]} href=${item[2]} aria-current=${item[0] === now ? 'page' : undefined}>${item[1]}${item[3] !== undefined && html`<span class="n">${item[3]}</span>`}</a>`)}</nav>`;
}
