/** What administrators did in a week: who, what, how often, and the entries behind each number. */
import { html } from '../lib/html.js';
import { withParams } from '../lib/api.js';
import { number, plural, showDate } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { query, setQuery } from '../lib/router.js';
import { Avatar, Badge, Button, Icon, Time } from './basics.js';
import { BrokenChain, useAuditStatus } from './audit-chain.js';
import { Card, Empty, Loaded } from './places.js';

const DAY = 86_400_000;

/** @param {any} person */
const called = (person) => person.name || person.username || person.called;
/** @param {any} person */
const icon = (person) => (person.username ? { id: person.userId, username: person.username, name: person.name } : {});
/** The last day of a week. @param {any} digest */
const sunday = (digest) => new Date(new Date(digest.to).getTime() - 1);
/** Days of a digest are those of UTC. @param {string | Date} at */
const day = (at) => showDate(`${new Date(at).toISOString().slice(0, 10)}T12:00:00`);
/** The entries behind a number. @param {any} digest @param {any} person @param {string} [action] */
const entries = (digest, person, action) => withParams('/admin/audit', { userId: person.userId, action, from: digest.from, to: sunday(digest).toISOString() });

/** The page: a week and its neighbours. */
export function AdminDigest() {
  const week = query.value.get('week') || '';
  const state = useQuery(withParams('/api/admin/audit-logs/digest', { week }), ['audit', 'user', 'group', 'workspace', 'setting'], { keep: true });
  return html`<${Loaded} query=${state} what="What administrators did could not be read" lines=${5}>${(/** @type {any} */ digest) => html`<${Week} digest=${digest} />`}<//>`;
}

/** @param {{digest: any}} props */
function Week({ digest }) {
  const go = (/** @type {number} */ by) => setQuery({ week: new Date(new Date(digest.from).getTime() + by * 7 * DAY).toISOString().slice(0, 10) });
  const now = new Date(digest.to).getTime() > Date.now();
  return html`<div class="toolbar"><h2 aria-live="polite">${day(digest.from)} – ${day(sunday(digest))}</h2><span class="fg2 t13">${plural(digest.total, 'action')} by ${plural(digest.people.length, 'administrator')}</span>
      <span class="right row"><${Button} size="s" icon="chevron-left" onClick=${() => go(-1)}>Week before<//><${Button} size="s" refused=${now ? 'This is the present week.' : undefined} onClick=${() => go(1)}>Week after<${Icon} name="chevron-right" /><//></span></div>
    ${digest.people.length === 0 ? html`<div class="card"><${Empty} icon="shield-check" title="Nothing was administered" text="No user, group, setting or workspace of somebody else was changed in this week." /></div>`
    : html`<div class="stack">${digest.people.map((/** @type {any} */ person) => html`<${Card} key=${person.userId} title=${html`<span class="row"><${Avatar} of=${icon(person)} size="s20" /><a href=${entries(digest, person)}>${called(person)}</a>${person.username && person.username !== called(person) && html`<span class="fg3 t12">${person.username}</span>`}</span>`} right=${plural(person.total, 'action')}>
        <ul class="lines">${person.actions.map((/** @type {any} */ act) => html`<li key=${act.action}><a class="mono cut" href=${entries(digest, person, act.action)} data-tip=${`May ${act.words}`}>${act.action}</a>
          <span class="right row">${act.refused > 0 && html`<${Badge} kind="bad" icon="ban">${number(act.refused)} refused<//>`}<span class="strong">${number(act.done)}</span><span class="at">latest <${Time} at=${act.lastAt} /></span></span></li>`)}</ul><//>`)}</div>`}`;
}

/** The card of the overview: this week in a few lines. */
export function AdminWeek() {
  const state = useQuery('/api/admin/audit-logs/digest', ['audit', 'user', 'group', 'workspace', 'setting'], { keep: true });
  const status = useAuditStatus();
  return html`<${BrokenChain} checked=${status.data?.checked} /><${Card} title="Administrators this week" right=${html`<a href="/admin/audit/administrators">All weeks</a>`}><${Loaded} query=${state} what="What administrators did could not be read">${(/** @type {any} */ digest) => (digest.people.length
    ? html`<ul class="lines">${digest.people.slice(0, 5).map((/** @type {any} */ person) => html`<li key=${person.userId}><${Avatar} of=${icon(person)} size="s20" /><a class="cut" href=${entries(digest, person)}>${called(person)}</a><span class="at">${plural(person.total, 'action')}, mostly ${person.actions[0].action.replaceAll('_', ' ')}</span></li>`)}</ul>`
    : html`<p class="card-body t13 fg2">Nobody administered anything this week.</p>`)}<//><//>`;
}
