/** Filters above a table: set ones in the accent with an x, addable ones dashed; each is a menu of its choices. */
import { html } from '../lib/html.js';
import { setQuery } from '../lib/router.js';
import { Icon } from './basics.js';
import { Menu } from './menu.js';

/** @typedef {{key: string, label: string, options: [string, string][], params?: (value: string) => Record<string, any>}} Filter */

/** @param {{filters: Filter[], asked: Record<string, string>}} props */
export function Filters({ filters, asked }) {
  return html`${filters.map((filter) => {
    const value = asked[filter.key];
    const word = value && (filter.options.find(([key]) => key === value)?.[1] || value);
    const pick = (/** @type {string | null} */ next) => setQuery({ [filter.key]: next, after: null, page: null });
    const items = [...filter.options.map(([key, text]) => ({ text, current: key === value, run: () => pick(key) })), ...(value ? [{ text: 'Any', icon: 'x', line: true, run: () => pick(null) }] : [])];
    const inside = value ? html`${filter.label}: ${word}<${Icon} name="chevron-down" size="s14" />` : html`<${Icon} name="plus" size="s14" />${filter.label}`;
    return html`<span key=${filter.key}><${Menu} label=${`Filter by ${filter.label.toLowerCase()}${value ? `: ${word}` : ''}`} items=${items} button=${{ class: `filter ${value ? 'set' : ''}`, inside }} /></span>`;
  })}`;
}
