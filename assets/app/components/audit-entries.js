/** The entries of the audit as a table: filtered, folded, opened, and every view of them an address. */
import { html, useState } from '../lib/html.js';
import { withParams } from '../lib/api.js';
import { number, showDate, showSeconds, showExact } from '../lib/format.js';
import { fold } from '../lib/fold.js';
import { useQuery } from '../lib/query.js';
import { query, setQuery } from '../lib/router.js';
import { Avatar, Badge, Icon } from './basics.js';
import { AuditDetail } from './audit-detail.js';
import { Empty } from './places.js';
import { DataTable } from './table.js';

/** @typedef {import('../lib/types.js').AuditEntry} AuditEntry */

const ACTIONS = ['sign_in', 'sign_out', 'change_password', 'end_session', 'update_profile', 'create_user', 'update_user', 'delete_user', 'enable_user', 'disable_user', 'unlock_user', 'sign_out_user', 'reset_user_password', 'promote_user_to_admin', 'demote_admin_user', 'add_user_to_group', 'remove_user_from_group', 'set_user_group_role', 'promote_user_to_group_admin', 'demote_user_from_group_admin', 'create_group', 'update_group', 'set_group_quota', 'delete_group', 'create_workspace', 'start_workspace', 'stop_workspace', 'restart_workspace', 'update_workspace', 'delete_workspace', 'admin_delete_workspace', 'open_terminal', 'open_app', 'read_workspace_files', 'write_workspace_files', 'view_workspace_logs', 'view_workspace_egress', 'use_ssh_key', 'use_git_credential', 'update_system_settings', 'update_pricing', 'rotate_keys', 'create_backup', 'restore_backup', 'view_audit_log', 'verify_audit_log', 'purge_audit_log'];
const HOURS = /** @type {Record<string, number>} */ ({ hour: 1, day: 24, week: 168, month: 720 });

/** The start of a period, on the minute so that its address stays the same for a while. @param {string} period */
const since = (period) => new Date(Math.floor((Date.now() - HOURS[period] * 3_600_000) / 60_000) * 60_000).toISOString();

const filters = [
  { key: 'period', label: 'Time', options: /** @type {[string, string][]} */ ([['hour', 'Last hour'], ['day', 'Last 24 hours'], ['week', 'Last 7 days'], ['month', 'Last 30 days']]), params: (/** @type {string} */ value) => (HOURS[value] ? { startDate: since(value) } : {}) },
  { key: 'action', label: 'Action', options: ACTIONS.map((action) => /** @type {[string, string]} */ ([action, action])) },
  { key: 'success', label: 'Outcome', options: /** @type {[string, string][]} */ ([['true', 'Done'], ['false', 'Refused']]) },
];

/** @param {AuditEntry} entry */
const parts = (entry) => { const at = entry.resource.indexOf(':'); return { kind: entry.resource.slice(0, at < 0 ? undefined : at), id: at < 0 ? '' : entry.resource.slice(at + 1) }; };

/** @param {AuditEntry} entry */
const system = (entry) => !entry.userId?.startsWith('usr_');

/** @param {AuditEntry} entry a person by the login, a part of the server by its name */
const who = (entry) => (entry.username.startsWith('system:') ? entry.username.slice(7).replace(/^reconcile$/, 'reconciler') : entry.username.split('@')[0]);

/** @param {{entry: AuditEntry}} props */
const When = ({ entry }) => html`<time datetime=${entry.timestamp} data-tip=${showExact(entry.timestamp)} class="fg2">${Date.now() - new Date(entry.timestamp).getTime() > 72_000_000 ? html`<span class="fg3">${showDate(entry.timestamp).replace(/ \d{4}$/, '')} </span>` : ''}${showSeconds(entry.timestamp)}</time>`;

/** @type {import('./table.js').Column[]} */
const columns = [
  { key: 'time', title: 'Time', cell: (entry) => html`<${When} entry=${entry} />`, csv: (entry) => entry.timestamp },
  { key: 'who', title: 'Who', head: true, cell: (entry) => html`<span class="who"><${Avatar} of=${system(entry) ? {} : { id: entry.userId, username: who(entry) }} size="s20" /><span class="cut" style="font-weight:400" data-tip=${entry.username}>${who(entry)}</span></span>`, csv: (entry) => entry.username },
  { key: 'action', title: 'Action', cell: (entry) => html`<span class="mono">${entry.action}</span>${(entry.count || 1) > 1 && html` <${Badge}>${number(/** @type {number} */ (entry.count))} times<//>`}`, csv: (entry) => entry.action },
  { key: 'object', title: 'Object', cell: (entry) => { const { kind, id } = parts(entry); return html`<span class="strong">${entry.resourceName || (id.length > 20 ? `${id.slice(0, 9)}…${id.slice(-4)}` : id) || kind}</span> <span class="fg3">${id ? kind : ''}</span>`; }, csv: (entry) => entry.resource },
  { key: 'from', title: 'From', minor: true, cell: (entry) => html`<span class="mono fg2">${entry.address || 'internal'}</span>`, csv: (entry) => entry.address },
  { key: 'outcome', title: 'Outcome', cell: (entry) => (entry.success ? html`<span class="row fg2" style="gap:6px"><${Icon} name="check" size="s14" class="ok" />Done</span>` : html`<${Badge} kind="bad" icon="ban">${refused(entry.error)}<//>`), csv: (entry) => (entry.success ? 'done' : entry.error || 'refused') },
];

const REFUSED = /** @type {Record<string, string>} */ ({ denied: 'not allowed', quota: 'quota', throttled: 'too often', 'conflict:still_used': 'still used', 'conflict:wrong_state': 'wrong state', bad_credentials: 'wrong password', wrong_password: 'wrong password' });
/** "Refused: quota" from the server's word. @param {string | null | undefined} error */
function refused(error) {
  const [kind, rest] = (error || '').split(':');
  const why = REFUSED[error || ''] || REFUSED[kind] || (rest?.endsWith('_taken') ? 'taken' : kind.length < 24 ? kind.replaceAll('_', ' ') : '');
  return why ? `Refused: ${why}` : 'Refused';
}

/** What narrows the list besides the filters: it came from a row, a digest, or somebody else's link. */
const NARROWED = /** @type {Record<string, string>} */ ({ userId: 'userId', resource: 'resource', requestId: 'requestId', entry: 'id', from: 'startDate', to: 'endDate' });

export function AuditEntries() {
  const address = query.value;
  const narrowed = Object.fromEntries(Object.entries(NARROWED).map(([key, parameter]) => [parameter, address.get(key)]));
  return html`<${DataTable} path="/api/admin/audit-logs" items kinds=${['audit', 'user', 'group', 'workspace', 'membership', 'setting']} compact columns=${columns} filters=${filters} label="Audit entries" noun="entry" size=${50}
    params=${narrowed} narrowed=${Object.values(narrowed).some(Boolean)} aside=${html`<${Narrowed} />`} arrange=${fold} openFirst=${Boolean(address.get('entry'))}
    detail=${(/** @type {AuditEntry} */ entry) => html`<${AuditDetail} entry=${entry} />`} empty=${html`<${Empty} icon="scroll-text" title="Nothing yet" text="The first change will be the first entry." />`} />`;
}

/** Each as a chip that can be taken away. */
function Narrowed() {
  const address = query.value;
  const [names] = useState(() => new Map());
  const one = useQuery(address.get('userId') ? withParams('/api/admin/audit-logs', { userId: address.get('userId'), limit: 1 }) : null);
  if (one.data?.items[0]) names.set(address.get('userId'), one.data.items[0].username);
  const short = (/** @type {string} */ text) => (text.length > 17 ? `${text.slice(0, 16)}…` : text);
  const day = (/** @type {string} */ text) => (Number.isNaN(Date.parse(text)) ? text : showDate(text));
  const words = /** @type {Record<string, (value: string) => string>} */ ({ userId: (value) => `Who: ${names.get(value) || 'one person'}`, resource: (value) => `Object: ${short(value)}`, requestId: (value) => `Call: ${short(value)}`, entry: (value) => `Entry: ${short(value)}`, from: (value) => `From: ${day(value)}`, to: (value) => `To: ${day(value)}` });
  return html`${Object.keys(NARROWED).map((key) => { const value = address.get(key); const word = value && words[key](value); return word && html`<button key=${key} type="button" class="filter set" onClick=${() => setQuery({ [key]: null, after: null, page: null })} aria-label=${`Remove the filter ${word}`}>${word}<${Icon} name="x" size="s14" /></button>`; })}`;
}
