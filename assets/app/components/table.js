/**
 * A table over a list of the server: search, sort, filters and page in the address, selection with bulk actions, CSV.
 * Paging is by key: the server says where the next page begins, and we remember where the earlier ones did.
 */
import { html, loadStyle, useEffect, useRef, useState } from '../lib/html.js';
import { withParams } from '../lib/api.js';
import { number } from '../lib/format.js';
import { fail } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { navigate, query, setQuery } from '../lib/router.js';
import { downloadCsv } from '../lib/csv.js';
import { Button, Icon } from './basics.js';
import { Empty, Failed, Skeleton } from './places.js';
import { Filters } from './filters.js';
import { SearchBox } from './fields.js';

await loadStyle('/style/table.css');

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} title
 * @property {(row: any) => any} cell
 * @property {string[]} [sort] the server's names for sorting by it, "-" in front for downwards
 * @property {boolean} [num] right-aligned
 * @property {boolean} [minor] left out on narrow screens
 * @property {boolean} [head] names the row
 * @property {(row: any) => any} [csv]
 */

/**
 * @typedef {object} TableProps
 * @property {string} path
 * @property {Record<string, any>} [params]
 * @property {string[]} kinds what makes it read again
 * @property {boolean} [items] the answer is {items, nextToken, total}, not a bare array
 * @property {Column[]} columns
 * @property {string} label what it lists, for the reader of a screen: "Users"
 * @property {string} noun one of them: "user"
 * @property {string} [search] placeholder of the search box; without it there is none
 * @property {import('./filters.js').Filter[]} [filters]
 * @property {(row: any) => string | null} [open] where a row leads
 * @property {(picked: any[], clear: () => void) => any} [bulk] actions for selected rows
 * @property {(row: any) => any} [acts] the menu at the end of a row
 * @property {(row: any) => any} [detail] what opens below a row
 * @property {any} empty
 * @property {any} [aside] right of the toolbar
 * @property {boolean} [compact]
 * @property {boolean} [uncounted] the server does not say how many there are in all
 * @property {boolean} [narrowed] the parameters narrow the list, as a filter does
 * @property {(rows: any[]) => any[]} [arrange] what is shown of the rows of a page
 * @property {boolean} [openFirst] the first row is open at once
 * @property {number} [size] rows of a page
 */

/** @param {TableProps} props */
export function DataTable(props) {
  const { path, params = {}, kinds, items, columns, noun, size = 50, filters = [] } = props;
  const address = query.value;
  const asked = Object.fromEntries(filters.map(({ key }) => [key, address.get(key) || '']));
  const wanted = { ...params, ...expand(filters, asked), search: address.get('q') || '', sort: address.get('sort') || '', limit: size };
  const cursor = address.get('after') || '';
  const page = Number(address.get('page')) || 1;
  const full = withParams(path, { ...wanted, [items ? 'nextToken' : 'cursor']: cursor, ...(props.uncounted ? {} : { count: 'true' }) });
  const state = useQuery(full, kinds, { keep: true });
  const read = /** @type {any[] | undefined} */ (items ? state.data?.items : state.data);
  const rows = read && props.arrange ? props.arrange(read) : read;
  const next = items ? state.data?.nextToken : state.next;
  const total = items ? state.data?.total : state.total;
  const earlier = useRef(/** @type {Record<number, string>} */ ({ 1: '' }));
  earlier.current[page] = cursor;
  const [picked, setPicked] = useState(/** @type {Map<string, any>} */ (new Map()));
  const clear = () => setPicked(new Map());
  useEffect(clear, [full]);
  useEffect(() => {
    if (picked.size === 0) return undefined;
    const key = (/** @type {KeyboardEvent} */ event) => { if (event.key === 'Escape' && !document.querySelector('dialog[open], .menu:popover-open')) clear(); };
    document.addEventListener('keydown', key);
    return () => document.removeEventListener('keydown', key);
  }, [picked.size > 0]);
  const narrowed = Boolean(props.narrowed || wanted.search || Object.values(asked).some(Boolean));
  const exportAll = () => downloadCsv({ path, wanted, items, columns, name: noun });
  const go = (/** @type {number} */ to) => { setQuery({ page: to === 1 ? null : to, after: to > page ? next : earlier.current[to] }); scrollTo(0, 0); };

  return html`
    ${picked.size > 0 && props.bulk ? html`<div class="bulk" role="region" aria-label="Selected rows"><span class="n">${picked.size} selected</span>${props.bulk([...picked.values()], clear)}<button type="button" class="iconbtn right" aria-label="Clear the selection" onClick=${clear}><${Icon} name="x" /></button></div>`
    : html`<${Bar} ...${props} asked=${asked} found=${address.get('q') || ''} exportAll=${rows?.length ? exportAll : undefined} />`}
    <div class="card table-card">${rows === undefined ? (state.error ? html`<${Failed} what=${`The ${props.label.toLowerCase()} could not be read`} error=${state.error} again=${state.reload} />` : html`<${Skeleton} lines=${6} />`)
      : rows.length === 0 && next ? html`<${Empty} icon="search" title=${`No ${noun} matches so far`} text="Those that were looked at do not fit. There are older ones." action=${html`<${Button} onClick=${() => go(page + 1)}>Look further back<//>`} />`
      : rows.length === 0 ? (narrowed ? html`<${Empty} icon="search" title=${`No ${noun} matches`} text="Nothing here fits the search and the filters." action=${html`<${Button} onClick=${() => navigate(location.pathname, { keepScroll: true })}>Clear the filters<//>`} />` : props.empty)
      : html`<${Grid} ...${props} rows=${rows} picked=${picked} setPicked=${setPicked} busy=${false} />`}</div>
    ${rows && rows.length > 0 && html`<div class="table-foot"><span>${range(read?.length || 0, total, page, size, noun)}</span>${(page > 1 || next) && html`<span class="right row"><${Button} size="s" icon="chevron-left" refused=${page > 1 ? undefined : 'This is the first page.'} onClick=${() => go(earlier.current[page - 1] === undefined ? 1 : page - 1)}>Previous<//><${Button} size="s" refused=${next ? undefined : 'This is the last page.'} onClick=${() => go(page + 1)}>Next<${Icon} name="chevron-right" /><//></span>`}</div>`}`;
}

/** @param {import('./filters.js').Filter[]} filters @param {Record<string, string>} asked */
function expand(filters, asked) {
  return Object.assign({}, ...filters.map(({ key, params }) => (asked[key] ? (params ? params(asked[key]) : { [key]: asked[key] }) : {})));
}

/** @param {number} count @param {number | null | undefined} total @param {number} page @param {number} size @param {string} noun */
function range(count, total, page, size, noun) {
  const name = count === 1 && (total ?? 1) === 1 ? noun : `${noun}s`.replace(/ys$/, 'ies');
  if (page === 1 && (total === undefined || total === null || total <= count)) return `${number(total ?? count)} ${name}`;
  const from = (page - 1) * size + 1;
  return `${number(from)}–${number(from + count - 1)}${total ? ` of ${number(total)}` : ''}`;
}

/** @param {TableProps & {asked: Record<string, string>, found: string, exportAll?: () => Promise<void>}} props exportAll: where there is something to export */
function Bar({ search, filters, asked, found, aside, exportAll, label }) {
  const [text, setText] = useState(found);
  const [busy, setBusy] = useState(false);
  const timer = useRef(0);
  useEffect(() => setText(found), [found]);
  const type = (/** @type {string} */ next) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ q: next.trim(), after: null, page: null }, { replace: true }), 200);
  };
  const save = async () => { setBusy(true); try { await exportAll?.(); } catch (error) { fail('Not exported', error); } setBusy(false); };
  return html`<div class="toolbar" role="search" aria-label=${`Find in ${label.toLowerCase()}`}>${search && html`<${SearchBox} value=${text} label=${search} onText=${type} />`}${filters && html`<${Filters} filters=${filters} asked=${asked} />`}
    <span class="right">${aside}${exportAll && html`<${Button} kind="ghost" icon="download" busy=${busy} onClick=${save}>CSV<//>`}</span></div>`;
}

/** @param {TableProps & {rows: any[], picked: Map<string, any>, setPicked: (next: Map<string, any>) => void}} props */
function Grid({ rows, columns, label, open, bulk, acts, detail, compact, openFirst, picked, setPicked }) {
  const [opened, setOpened] = useState(/** @type {string | null} */ (openFirst ? rows[0].id : null));
  const all = picked.size === rows.length;
  const toggle = (/** @type {any} */ row) => { const next = new Map(picked); if (!next.delete(row.id)) next.set(row.id, row); setPicked(next); };
  const press = (/** @type {MouseEvent} */ event, /** @type {any} */ row) => {
    if (!(event.target instanceof Element) || event.target.closest('a, button, input, label, .menu, .detail') || String(getSelection())) return;
    if (detail) setOpened(opened === row.id ? null : row.id);
    else if (open?.(row)) navigate(/** @type {string} */ (open(row)));
  };
  const width = columns.length + (bulk ? 1 : 0) + (acts ? 1 : 0) + (detail ? 1 : 0);
  return html`<div class="table-scroll" tabindex="0" role="region" aria-label=${label}><table class=${`table list ${compact ? 'compact' : ''}`}>
    <thead><tr>${detail && html`<th scope="col" style="width:44px"><span class="sr">Details</span></th>`}${bulk && html`<th scope="col" class="pick"><label><span class="sr">Select all</span><input type="checkbox" class="box" checked=${all} ref=${(/** @type {HTMLInputElement | null} */ box) => { if (box) box.indeterminate = picked.size > 0 && !all; }} onChange=${() => setPicked(all ? new Map() : new Map(rows.map((row) => [row.id, row])))} /></label></th>`}
      ${columns.map((column) => html`<${Head} key=${column.key} column=${column} />`)}${acts && html`<th scope="col" class="acts"><span class="sr">Actions</span></th>`}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.id} class=${`${picked.has(row.id) ? 'picked' : ''} ${opened === row.id ? 'open' : ''}`} onClick=${(/** @type {MouseEvent} */ event) => press(event, row)} style=${detail ? 'cursor:pointer' : undefined}>
      ${detail && html`<td class="acts"><button type="button" class="iconbtn" aria-expanded=${opened === row.id ? 'true' : 'false'} aria-label="Details" onClick=${() => setOpened(opened === row.id ? null : row.id)}><${Icon} name=${opened === row.id ? 'chevron-down' : 'chevron-right'} /></button></td>`}
      ${bulk && html`<td class="pick"><label><span class="sr">Select ${row.name || row.username || row.id}</span><input type="checkbox" class="box" checked=${picked.has(row.id)} onChange=${() => toggle(row)} /></label></td>`}
      ${columns.map((column) => (column.head ? html`<th key=${column.key} scope="row">${column.cell(row)}</th>` : html`<td key=${column.key} class=${`${column.num ? 'num' : ''} ${column.minor ? 'minor' : 'second'}`}>${column.cell(row)}</td>`))}
      ${acts && html`<td class="acts">${acts(row)}</td>`}</tr>${detail && opened === row.id && html`<tr class="detail" key=${`${row.id}-detail`}><td colspan=${width}>${detail(row)}</td></tr>`}`)}</tbody></table></div>`;
}

/** @param {{column: Column}} props */
function Head({ column }) {
  if (!column.sort) return html`<th scope="col" class=${column.num ? 'num' : ''}>${column.title}</th>`;
  const now = query.value.get('sort') || '';
  const at = column.sort.indexOf(now);
  const by = at < 0 ? undefined : now[0] === '-' ? 'descending' : 'ascending';
  const turn = () => setQuery({ sort: column.sort?.[at + 1] || null, after: null, page: null });
  return html`<th scope="col" class=${column.num ? 'num' : ''} aria-sort=${by}><button type="button" onClick=${turn}>${column.title}<${Icon} name=${by === 'descending' ? 'arrow-down' : 'arrow-up'} size="s12" /></button></th>`;
}
