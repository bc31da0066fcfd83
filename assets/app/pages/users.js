/** Administration: everybody, with search, filters and actions for several at once. */
import { html } from '../lib/html.js';
import { post } from '../lib/api.js';
import { each } from '../lib/bulk.js';
import { may, refusal } from '../lib/can.js';
import { called } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { me } from '../lib/session.js';
import { stateWord } from '../lib/words.js';
import { Badge, Button, Person, Time } from '../components/basics.js';
import { confirm } from '../components/dialog.js';
import { Menu } from '../components/menu.js';
import { Callout, Empty, PageHead, usePage } from '../components/places.js';
import { DataTable } from '../components/table.js';
import { userItems } from '../components/user-actions.js';

/** @typedef {import('../lib/types.js').User} User */

/** @type {import('../components/table.js').Column[]} */
const columns = [
  { key: 'name', title: 'Name', head: true, cell: (user) => html`<span class="row"><${Person} who=${user} login href=${`/admin/users/${user.id}`} go />${user.status !== 'active' && html`<span class="only-narrow"><${Badge} kind=${user.status === 'disabled' ? 'warn' : ''}>${stateWord(user.status)}<//></span>`}</span>`, csv: (user) => called(user) },
  { key: 'email', title: 'E-mail', cell: (user) => html`<span class="fg2">${user.email}</span>`, csv: (user) => user.email },
  { key: 'role', title: 'Role', cell: (user) => (user.isAdmin ? html`<${Badge} kind="accent">Platform admin<//>` : html`<span class="fg2">Member</span>`), csv: (user) => (user.isAdmin ? 'platform admin' : 'member') },
  { key: 'status', title: 'Status', minor: true, cell: (user) => (user.status === 'active' ? (user.mustChangePassword ? html`<${Badge} kind="warn" tip="The password must be changed at the next sign-in.">New password due<//>` : html`<span class="fg2">Active</span>`) : html`<${Badge} kind=${user.status === 'disabled' ? 'warn' : ''}>${stateWord(user.status)}<//>`), csv: (user) => user.status },
  { key: 'groups', title: 'Groups', num: true, minor: true, cell: (user) => { const count = user.groupMemberships?.length ?? user.groups?.length ?? 0; return html`<span class=${count ? '' : 'zero'}>${count}</span>`; }, csv: (user) => user.groupMemberships?.length ?? user.groups?.length },
  { key: 'created', title: 'Created', minor: true, cell: (user) => html`<span class="fg2"><${Time} at=${user.createdAt} /></span>`, csv: (user) => user.createdAt },
  { key: 'seen', title: 'Last sign-in', minor: true, cell: (user) => html`<span class="fg2"><${Time} at=${user.lastLoginAt} /></span>`, csv: (user) => user.lastLoginAt },
];

const filters = [{ key: 'role', label: 'Role', options: /** @type {[string, string][]} */ ([['admin', 'Platform admin']]) }, { key: 'status', label: 'Status', options: /** @type {[string, string][]} */ ([['active', 'Active'], ['disabled', 'Disabled']]) }];

/** @param {{picked: User[], clear: () => void}} props */
function Bulk({ picked, clear }) {
  const others = picked.filter(({ id }) => id !== me.value?.id);
  const active = others.filter(({ status }) => status === 'active');
  const disabled = others.filter(({ status }) => status === 'disabled');
  const run = (/** @type {'enable' | 'disable'} */ what, /** @type {User[]} */ list) => async (/** @type {string} */ reason) => {
    const refused = await each(list, (user) => post(`/api/admin/users/${user.id}/${what}`, reason ? { reason } : {}));
    refresh('user');
    toast({ title: `${list.length - refused.length} ${what}d${refused.length ? `, ${refused.length} refused` : ''}.`, lines: refused, failed: refused.length > 0 });
    clear();
  };
  const disable = () => confirm({ title: `Disable ${active.length} ${active.length === 1 ? 'user' : 'users'}?`, lead: 'They are signed out everywhere within a second, and their open terminals close. Their workspaces and files are kept.', word: `Disable ${active.length}`, keep: 'Leave them', danger: true, reason: 'kept in the audit', run: run('disable', active) });
  return html`<${Button} size="s" icon="user-check" refused=${disabled.length ? undefined : 'None of them is disabled.'} onClick=${() => run('enable', disabled)('')}>Enable<//><${Button} size="s" kind="danger" icon="user-x" refused=${active.length ? undefined : 'None of them is active.'} onClick=${disable}>Disable<//>
    <span class="fg2">${others.length < picked.length ? 'You are among them; nobody disables themselves.' : ''}</span>`;
}

/** Too few platform admins, or too many. */
function Advice() {
  const stats = useQuery(may(me.value, 'view_platform_stats') ? '/api/admin/stats?days=1' : null, ['user']);
  const words = stats.data?.platform.adminAdvice;
  if (!words) return null;
  const [lead, ...rest] = words.split(/(?<=\.) /);
  return html`<div style="margin-bottom:16px"><${Callout} kind="warn" lead=${lead}>${rest.join(' ')}<//></div>`;
}

export default function Users() {
  usePage([{ text: 'Administration' }, { text: 'Users' }]);
  const create = html`<${Button} kind="primary" icon="user-plus" href="/admin/users/new" refused=${refusal(me.value, 'create_user')}>New user<//>`;
  return html`<div class="page"><${PageHead} title="Users" facts="Everybody who can sign in, and who could." actions=${html`<${Button} icon="upload" href="/admin/users/import" refused=${refusal(me.value, 'create_user')}>Import<//>${create}`} bottom=${create} />
    <${Advice} />
    <${DataTable} path="/api/admin/users" items kinds=${['user', 'membership']} columns=${columns} filters=${filters} label="Users" noun="user" search="Name, login or e-mail" open=${(/** @type {User} */ user) => `/admin/users/${user.id}`}
      acts=${(/** @type {User} */ user) => html`<${Menu} label=${`Actions for ${called(user)}`} size="s" items=${userItems(user)} />`} bulk=${(/** @type {User[]} */ picked, /** @type {() => void} */ clear) => html`<${Bulk} picked=${picked} clear=${clear} />`}
      empty=${html`<${Empty} icon="user-round" title="Nobody yet" text="Make an account for each person." action=${create} />`} /></div>`;
}
