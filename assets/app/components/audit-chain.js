/** Where the audit log stands: how long it is, what was signed and checked last, and how long it is kept. */
import { html, loadStyle } from '../lib/html.js';
import { number, plural, showDate } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { Copy, Icon, Time } from './basics.js';
import { Callout, Failed, Skeleton } from './places.js';

await loadStyle('/style/table.css');

const KEPT = /** @type {Record<string, string>} */ ({ hold: 'Older entries stay: a hold is on.', clock: 'Older entries stay: the clock may be wrong.', broken: 'Older entries stay: the chain is not intact.', file: 'Older entries stay: they could not be written out. The server’s log says why.' });

/** The state of the log, read again after a check. */
export const useAuditStatus = () => useQuery('/api/admin/audit-logs/status', ['audit-status']);

/** @param {{name: string, figure: any, beside?: any, children?: any}} props */
const Tile = ({ name, figure, beside, children }) => html`<div><div class="h"><span>${name}</span>${beside}</div><div class="f">${figure}</div><div class="t12 fg2">${children}</div></div>`;

/** What is wrong with the chain, where something is. @param {{checked: any}} props */
export function BrokenChain({ checked }) {
  if (!checked || checked.ok) return null;
  return html`<div style="margin-bottom:16px"><${Callout} kind="bad" alert lead="The chain is broken.">${checked.message || checked.verdict}${checked.entry ? html` It begins at entry ${number(checked.entry)}.` : ''} Keep the database as it is, and compare it with a backup.<//></div>`;
}

export function ChainTiles() {
  const status = useAuditStatus();
  const told = status.data;
  if (!told) return html`<div class="card" style="margin-bottom:16px">${status.error ? html`<${Failed} what="The state of the log could not be read" error=${status.error} again=${status.reload} />` : html`<${Skeleton} lines=${2} />`}</div>`;
  const { checkpoint, checked, retention } = told;
  return html`<${BrokenChain} checked=${checked} /><section class="card tiles" aria-label="State of the log">
    <${Tile} name="Entries" figure=${number(told.entries)}>${told.since ? `since ${showDate(told.since)}` : 'none yet'}<//>
    <${Tile} name="Checkpoint" figure=${checkpoint ? html`<small>entry</small> ${number(checkpoint.entry)}` : '–'} beside=${checkpoint && html`<span class="tuck"><${Copy} text=${checkpoint.anchor} label="Copy the checkpoint, to keep it elsewhere" /></span>`}>${checkpoint ? html`signed <${Time} at=${checkpoint.at} />${checkpoint.behind > 0 ? `, ${plural(checkpoint.behind, 'entry', 'entries')} since` : ''}<br /><span class="mono fg3">${checkpoint.hash.slice(0, 12).replace(/.{4}(?=.)/g, '$& ')}\u00a0…</span>` : 'the first follows within the hour'}<//>
    <${Tile} name="Checked" figure=${checked ? (checked.ok ? html`<span class="row" role="status" style="gap:6px"><${Icon} name="shield-check" class="s20 ok" />Intact</span>` : html`<span class="bad">Broken</span>`) : 'Not yet'}>${checked ? html`${plural(checked.entries, 'entry', 'entries')}, <${Time} at=${checked.at} />` : 'the server does so soon, and once a day'}<//>
    <${Tile} name="Kept for" figure=${retention.hold ? 'Ever' : html`${number(retention.days)} <small>days</small>`} beside=${html`<a class="link t12" href="/admin/settings?find=audit">Change</a>`}>${retention.kept ? html`<span class="warn">${KEPT[retention.kept]}</span>` : retention.purgedUpTo ? html`written out and removed up to entry ${number(retention.purgedUpTo)}, <${Time} at=${retention.purgedAt} />` : retention.hold ? 'a hold is on: nothing is removed' : 'then exported and removed; none so far'}<//>
  </section>`;
}
