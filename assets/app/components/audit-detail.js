/** An opened audit entry: what changed on the left, where it came from and its place in the chain on the right. */
import { html, loadStyle, useState } from '../lib/html.js';
import { browserOf } from '../lib/agent.js';
import { withParams } from '../lib/api.js';
import { showExact } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { setQuery } from '../lib/router.js';
import { actionWords } from '../lib/words.js';
import { Button, Copy, Id } from './basics.js';
import { Segments } from './segments.js';
import { Facts } from './places.js';

await loadStyle('/style/table.css');

/** Flattens nested values into dotted keys. @param {any} value @param {string} [prefix] @returns {Record<string, string>} */
function flat(value, prefix = '') {
  if (value === null || typeof value !== 'object') return prefix ? { [prefix]: value === null ? '–' : String(value) } : {};
  if (Array.isArray(value)) return { [prefix]: value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : one)).join(', ') };
  return Object.assign({}, ...Object.entries(value).map(([key, inner]) => flat(inner, prefix ? `${prefix}.${key}` : key)));
}

/**
 * The two sides of a change: `{before, after}` of the whole, or of single values; what has no sides is kept apart.
 * @param {any} details
 */
function sides(details) {
  /** @type {Record<string, string>} */
  const before = {};
  /** @type {Record<string, string>} */
  const after = {};
  /** @type {Record<string, any>} */
  const rest = {};
  if (details?.before && details?.after) Object.assign(before, flat(details.before)) && Object.assign(after, flat(details.after));
  for (const [key, value] of Object.entries(details || {})) {
    if (key === 'before' || key === 'after' || key === 'reason') continue;
    if (value && typeof value === 'object' && 'before' in value && 'after' in value) {
      Object.assign(before, flat(value.before, key));
      Object.assign(after, flat(value.after, key));
    } else rest[key] = value;
  }
  return { before, after, rest, changed: Object.keys(before).length + Object.keys(after).length > 0 };
}

/** What a name of the record is for people: `endedTokens` is "Ended tokens". Names of settings stay as they are. @param {string} key */
function keyWords(key) {
  const words = key.replace(/^resource(Quota|s)\./, '');
  if (/[._]/.test(words)) return words;
  const text = words.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().replace(/\b(?:cpu|ssh|id|api)\b/g, (word) => word.toUpperCase()).replace('API Tokens', 'API tokens');
  return text === 'pods' ? 'Workspaces' : text[0].toUpperCase() + text.slice(1);
}

/** The rules of refusals, by their names in the log. */
const RULES = /** @type {Record<string, string>} */ ({
  not_permitted: 'the role does not include it', token_scope: 'the API token does not include it', more_rights: 'the other account has more rights',
  last_admin: 'the last platform admin stays', self_demotion: 'nobody takes the role from themselves', self_disable: 'nobody disables themselves', self_delete: 'nobody deletes themselves', self_offboard: 'nobody offboards themselves', self_reset: 'nobody resets their own password this way',
});

/** Why it was refused: the rule in words where it is one of the policy, and the word of the log. @param {{entry: import('../lib/types.js').AuditEntry}} props */
function Why({ entry }) {
  const [kind, rule] = (entry.error || '').split(':');
  const words = kind === 'denied' && rule ? RULES[rule] : '';
  const matrix = useQuery(kind === 'denied' ? '/api/access/matrix' : null);
  const told = matrix.data?.rows.some((/** @type {any} */ row) => row.action === entry.action);
  return html`<p><span class="bad">Refused${words && `: ${words}`}</span> <code class="fg2">${entry.error}</code>${told && html` <a href=${withParams('/admin/access', { find: entry.action })}>Who may ${actionWords(entry.action)}</a>`}</p>`;
}

/** @param {{before: Record<string, string>, after: Record<string, string>}} props */
function Diff({ before, after }) {
  const [all, setAll] = useState('changes');
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const moved = keys.filter((key) => before[key] !== after[key]);
  const line = (/** @type {string} */ mark, /** @type {string} */ key, /** @type {string} */ value) => html`<div class=${`diff-line ${mark === '+' ? 'add' : mark === '-' ? 'del' : ''}`}><span>${mark}<span class="sr">${mark === '+' ? 'after' : mark === '-' ? 'before' : ''}</span></span><span class="cut">${keyWords(key)}</span><span>${value}</span></div>`;
  return html`<div class="section-head"><h2>What changed</h2><span class="hint t12">${moved.length} of ${keys.length} values</span>${keys.length > moved.length && html`<span class="right"><${Segments} label="Values" value=${all} onPick=${setAll} options=${[['changes', 'Changes'], ['all', 'All values']]} /></span>`}</div>
    <div class="diff">${(all === 'all' ? keys : moved).map((key) => (before[key] === after[key] ? line('', key, before[key]) : html`${before[key] !== undefined && line('-', key, before[key])}${after[key] !== undefined && line('+', key, after[key])}`))}</div>`;
}

/** @param {{details: any}} props values that have no before */
function Values({ details }) {
  const all = Object.entries(flat(details)).filter(([key]) => key !== 'reason');
  if (all.length === 0) return html`<p class="fg2">Nothing more was recorded.</p>`;
  return html`<div class="section-head"><h2>What was recorded</h2></div><div class="diff">${all.map(([key, value]) => html`<div class="diff-line"><span /><span class="cut">${keyWords(key)}</span><span>${value}</span></div>`)}</div>`;
}

/** What an entry says: before and after, the rest, and the reason that was written. @param {{details: any}} props */
export function Changed({ details }) {
  const { before, after, rest, changed } = sides(details);
  return html`${changed && html`<div><${Diff} before=${before} after=${after} /></div>`}${(!changed || Object.keys(rest).length > 0) && html`<div><${Values} details=${rest} /></div>`}
    ${details?.reason && html`<p class="fg2">Reason given: “${details.reason}”</p>`}`;
}

/** When each of several equal refusals was. @param {{run: import('../lib/types.js').AuditEntry[]}} props newest first */
function Folded({ run }) {
  return html`<div><div class="section-head"><h2>Each attempt</h2></div><div class="diff folded" tabindex="0" role="region" aria-label="Each attempt">${run.map((one) => html`<div class="diff-line" key=${one.id}><span /><span>${showExact(one.timestamp)}</span><span>${(one.count || 1) > 1 ? `${one.count} times within a minute` : 'once'}</span></div>`)}</div></div>`;
}

/** @param {{entry: import('../lib/types.js').AuditEntry}} props */
export function AuditDetail({ entry }) {
  const { details } = entry;
  /** @type {[string, any][]} */
  const facts = [['Who', entry.username], ...(entry.agent ? [/** @type {[string, any]} */ (['Client', browserOf(entry.agent)])] : []), ...(entry.requestId ? [/** @type {[string, any]} */ (['Call id', html`<${Id} id=${entry.requestId} />`])] : []), ['Entry', html`<${Id} id=${entry.id} />`],
    ...(entry.hash ? [/** @type {[string, any]} */ (['Hash', html`<${Hash} hash=${entry.hash} />`])] : []), ...(entry.previousHash ? [/** @type {[string, any]} */ (['Previous hash', html`<${Hash} hash=${entry.previousHash} />`])] : [])];
  return html`<div class="detail-cols"><div class="stack">${((!entry.folded && !entry.error) || Object.keys(details || {}).length > 0) && html`<${Changed} details=${details} />`}${entry.folded && html`<${Folded} run=${entry.folded} />`}${entry.error && html`<${Why} entry=${entry} />`}
      <div class="row wrap">${entry.userId && html`<${Button} size="s" onClick=${() => setQuery({ userId: entry.userId, after: null, page: null })}>Everything by this person<//>`}<${Button} size="s" onClick=${() => setQuery({ resource: entry.resource, after: null, page: null })}>Everything to this object<//>${entry.requestId && html`<${Button} size="s" onClick=${() => setQuery({ requestId: entry.requestId, after: null, page: null })}>Everything of this call<//>`}<${Copy} class="btn s" text=${new URL(`/admin/audit?entry=${entry.id}`, location.href).href} label="Copy the link to this entry">Link<//></div></div>
    <${Facts} rows=${facts} /></div>`;
}

/** @param {{hash: string}} props */
const Hash = ({ hash }) => html`<${Id} id=${hash} label="Copy the hash" />`;
