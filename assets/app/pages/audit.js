/** Administration: every change and every refusal, filtered, opened, and compared before and after. */
import { html, useState } from '../lib/html.js';
import { get, withParams } from '../lib/api.js';
import { number, plural, showDate, showSeconds, showExact } from '../lib/format.js';
import { fail } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { query, setQuery } from '../lib/router.js';
import { Avatar, Badge, Button, Icon, Id, Time } from '../components/basics.js';
import { AuditDetail } from '../components/audit-detail.js';
import { Menu } from '../components/menu.js';
import { Callout, Empty, PageHead, usePage } from '../components/places.js';
import { DataTable } from '../components/table.js';

/** @typedef {import('../lib/types.js').AuditEntry} AuditEntry */

const ACTIONS = ['sign_in', 'sign_out', 'change_password', 'create_user', 'update_user', 'delete_user', 'enable_user', 'disable_user', 'reset_user_password', 'promote_user_to_admin', 'demote_admin_user', 'add_user_to_group', 'remove_user_from_group', 'set_user_group_role', 'create_group', 'update_group', 'set_group_quota', 'delete_group', 'create_workspace', 'start_workspace', 'stop_workspace', 'restart_workspace', 'update_workspace', 'delete_workspace', 'open_terminal'];
const HOURS = /** @type {Record<string, number>} */ ({ hour: 1, day: 24, week: 168, month: 720 });

/** The start of a period, on the minute so that its address stays the same for a while. @param {string} period */
const since = (period) => new Date(Math.floor((Date.now() - HOURS[period] * 3_600_000) / 60_000) * 60_000).toISOString();

const filters = [
  { key: 'period', label: 'Time', options: /** @type {[string, string][]} */ ([['hour', 'Last hour'], ['day', 'Last 24 hours'], ['week', 'Last 7 days'], ['month', 'Last 30 days']]), params: (/** @type {string} */ value) => ({ startDate: since(value) }) },
  { key: 'action', label: 'Action', options: ACTIONS.map((action) => /** @type {[string, string]} */ ([action, action])) },
  { key: 'success', label: 'Outcome', options: /** @type {[string, string][]} */ ([['true', 'Done'], ['false', 'Refused']]) },
];

/** @param {AuditEntry} entry */
const parts = (entry) => { const at = entry.resource.indexOf(':'); return { kind: entry.resource.slice(0, at < 0 ? undefined : at), id: at < 0 ? '' : entry.resource.slice(at + 1) }; };

/** @param {AuditEntry} entry */
const system = (entry) => !entry.userId?.startsWith('usr_');

/** @param {AuditEntry} entry a person by the login, a part of the server by its name */
const who = (entry) => (entry.username.startsWith('system:') ? entry.username.slice(7).replace(/^reconcile$/, 'reconciler') : entry.username.split('@')[0]);

/** @type {import('../components/table.js').Column[]} */
const columns = [
  { key: 'time', title: 'Time', cell: (entry) => html`<time datetime=${entry.timestamp} data-tip=${showExact(entry.timestamp)} class="fg2">${Date.now() - new Date(entry.timestamp).getTime() > 72_000_000 ? html`<span class="fg3">${showDate(entry.timestamp).replace(/ \d{4}$/, '')} </span>` : ''}${showSeconds(entry.timestamp)}</time>`, csv: (entry) => entry.timestamp },
  { key: 'who', title: 'Who', head: true, cell: (entry) => html`<span class="who"><${Avatar} of=${system(entry) ? {} : { id: entry.userId, username: who(entry) }} size="s20" /><span class="cut" style="font-weight:400" data-tip=${entry.username}>${who(entry)}</span></span>`, csv: (entry) => entry.username },
  { key: 'action', title: 'Action', cell: (entry) => html`<span class="mono">${entry.action}</span>${(entry.count || 1) > 1 && html` <${Badge}>${number(/** @type {number} */ (entry.count))} times<//>`}`, csv: (entry) => entry.action },
  { key: 'object', title: 'Object', cell: (entry) => { const { kind, id } = parts(entry); return html`<span class="strong">${entry.resourceName || (id.length > 20 ? `${id.slice(0, 9)}…${id.slice(-4)}` : id) || kind}</span> <span class="fg3">${id ? kind : ''}</span>`; }, csv: (entry) => entry.resource },
  { key: 'from', title: 'From', cell: (entry) => html`<span class="mono fg2">${entry.address || 'internal'}</span>`, csv: (entry) => entry.address },
  { key: 'outcome', title: 'Outcome', cell: (entry) => (entry.success ? html`<span class="row fg2" style="gap:6px"><${Icon} name="check" size="s14" class="ok" />Done</span>` : html`<${Badge} kind="bad" icon="ban">${refused(entry.error)}<//>`), csv: (entry) => (entry.success ? 'done' : entry.error || 'refused') },
];

const REFUSED = /** @type {Record<string, string>} */ ({ denied: 'not allowed', quota: 'quota', throttled: 'too often', 'conflict:still_used': 'still used', 'conflict:wrong_state': 'wrong state', bad_credentials: 'wrong password', wrong_password: 'wrong password' });
/** "Refused: quota" from the server's word. @param {string | null | undefined} error */
function refused(error) {
  const [kind, rest] = (error || '').split(':');
  const why = REFUSED[error || ''] || REFUSED[kind] || (rest?.endsWith('_taken') ? 'taken' : kind.length < 24 ? kind.replaceAll('_', ' ') : '');
  return why ? `Refused: ${why}` : 'Refused';
}

export default function Audit() {
  usePage([{ text: 'Administration' }, { text: 'Audit' }]);
  const address = query.value;
  const [chain, setChain] = useState(/** @type {any} */ (null));
  return html`<div class="page"><${PageHead} title="Audit" facts="Every change and every refusal, linked by hashes so that nothing can be taken out unseen." actions=${html`<${Verify} told=${setChain} /><${Menu} label="Export" button=${{ class: 'btn', inside: html`<${Icon} name="download" />Export` }} items=${[{ text: 'As JSON lines, signed', icon: 'file-text', href: '/api/admin/audit-logs/export?format=jsonl' }, { text: 'As CSV', icon: 'file-text', href: '/api/admin/audit-logs/export?format=csv' }]} />`} />
    ${chain && html`<div style="margin-bottom:16px"><${Chain} chain=${chain} /></div>`}
    <${DataTable} path="/api/admin/audit-logs" items kinds=${['audit', 'user', 'group', 'workspace', 'membership', 'setting']} compact columns=${columns} filters=${filters} label="Audit entries" noun="entry" size=${50}
      params=${{ userId: address.get('userId'), resource: address.get('resource') }} aside=${html`<${Narrowed} />`}
      detail=${(/** @type {AuditEntry} */ entry) => html`<${AuditDetail} entry=${entry} />`} empty=${html`<${Empty} icon="scroll-text" title="Nothing yet" text="The first change will be the first entry." />`} /></div>`;
}

/** @param {{told: (chain: any) => void}} props */
function Verify({ told }) {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try { told({ ...(await get('/api/admin/audit-logs/verify')), at: new Date().toISOString() }); } catch (error) { fail('Not verified', error); }
    setBusy(false);
  };
  return html`<${Button} icon="shield-check" busy=${busy} busyWord="Verifying" onClick=${run}>Verify now<//>`;
}

/** What a check of the chain found. @param {{chain: any}} props */
function Chain({ chain }) {
  if (chain.ok) return html`<${Callout} kind="ok" icon="shield-check" lead="The chain is intact." actions=${html`<${Id} id=${chain.lastHash} label="Copy the last hash" />`}>${plural(chain.entries, 'entry', 'entries')} verified <${Time} at=${chain.at} />${chain.checkpoints ? html`, with ${plural(chain.checkpoints, 'signed checkpoint')}` : ''}.<//>`;
  return html`<${Callout} kind="bad" alert lead="The chain is broken.">${chain.message || chain.verdict}${chain.entry ? html` It begins at entry ${number(chain.entry)}.` : ''} Keep the database as it is, and compare it with a backup.<//>`;
}

/** Filters that came from a row: one person, one object. */
function Narrowed() {
  const address = query.value;
  const [names] = useState(() => new Map());
  const one = useQuery(address.get('userId') ? withParams('/api/admin/audit-logs', { userId: address.get('userId'), limit: 1 }) : null);
  if (one.data?.items[0]) names.set(address.get('userId'), one.data.items[0].username);
  const chip = (/** @type {string} */ key, /** @type {string} */ word) => html`<button type="button" class="filter set" onClick=${() => setQuery({ [key]: null, after: null, page: null })} aria-label=${`Remove the filter ${word}`}>${word}<${Icon} name="x" size="s14" /></button>`;
  return html`${address.get('userId') && chip('userId', `Who: ${names.get(address.get('userId')) || 'one person'}`)}${address.get('resource') && chip('resource', `Object: ${(address.get('resource') || '').slice(0, 16)}…`)}`;
}
