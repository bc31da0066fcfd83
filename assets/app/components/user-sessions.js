/** Where somebody is signed in, for administrators: each sign-in with its browser and address, and an end to one. */
import { html } from '../lib/html.js';
import { del } from '../lib/api.js';
import { browserOf } from '../lib/agent.js';
import { refusal } from '../lib/can.js';
import { called, showDate } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { Badge, Button, Icon, Time } from './basics.js';
import { confirm } from './dialog.js';
import { Card, Loaded } from './places.js';

/** @param {{user: import('../lib/types.js').User}} props */
export function UserSessions({ user }) {
  const path = `/api/admin/users/${user.id}/sessions`;
  const query = useQuery(path, ['session', 'user']);
  const no = refusal(user, 'end_user_session');
  const end = async (/** @type {any} */ session) => {
    const what = session.kind === 'tokens' ? 'program' : 'browser';
    const done = await confirm({ title: `Sign ${called(user)} out there?`, lead: `This one ${what} is signed out within a second, and what it has open is closed. Other sign-ins stay.`, word: 'Sign out', keep: 'Leave it', danger: true, reason: 'kept in the audit', failed: 'Not signed out', run: async (reason) => { await del(`${path}/${session.id}`, reason ? { reason } : {}); query.reload(); } });
    if (done) toast({ title: `${called(user)} is signed out there.` });
  };
  return html`<${Card} title="Signed in"><${Loaded} query=${query} what="The sign-ins could not be read" lines=${2}>${(/** @type {any[]} */ list) => (list.length ? html`<ul class="lines">${list.map((session) => html`<li key=${session.id}><span class="tile"><${Icon} name=${session.kind === 'tokens' ? 'terminal' : 'monitor'} /></span><div class="cut"><div class="row"><span class="strong cut">${browserOf(session.agent)}</span>${session.current && html`<${Badge} kind="accent">this one<//>`}</div>
    <div class="t12 fg2">${session.address || 'address unknown'} · since ${showDate(session.createdAt)} · used <${Time} at=${session.lastUsedAt} /></div></div><span class="right">${!session.current && html`<${Button} size="s" refused=${no} onClick=${() => end(session)}>Sign out<span class="sr"> ${browserOf(session.agent)}, ${session.address}</span><//>`}</span></li>`)}</ul>` : html`<p class="card-body t13 fg2">Nowhere.</p>`)}<//><//>`;
}
