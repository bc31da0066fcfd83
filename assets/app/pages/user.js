/** One account: details, groups and roles, workspaces, what happened to it, and every action. */
import { html, useState } from '../lib/html.js';
import { del, patch, post } from '../lib/api.js';
import { may, refusal } from '../lib/can.js';
import { emailWrong } from '../lib/checks.js';
import { useForm } from '../lib/form.js';
import { called, plural, showDate } from '../lib/format.js';
import { fail, openDialog, toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { me } from '../lib/session.js';
import { actionWords, stateWord } from '../lib/words.js';
import { Avatar, Badge, Button, Icon, Id, Status, Time } from '../components/basics.js';
import { confirm, Dialog } from '../components/dialog.js';
import { Select, TextField } from '../components/fields.js';
import { Invited, Term } from '../components/user-term.js';
import { UserSessions } from '../components/user-sessions.js';
import { ApiTokens } from '../components/api-tokens.js';
import { Late } from '../components/late.js';
import { Menu } from '../components/menu.js';
import { Callout, Card, Facts, FailedPage, FormProblem, Loaded, PageHead, Skeleton, usePage } from '../components/places.js';
import { Segments } from '../components/segments.js';
import { SaveBar } from '../components/settings-parts.js';
import { actions, removeUser, userItems } from '../components/user-actions.js';

const cost = () => import('../components/workspace-cost.js');

/** @typedef {import('../lib/types.js').User} User */

/** @param {{params: {id: string}}} props */
export default function UserPage({ params }) {
  const query = useQuery(`/api/admin/users/${params.id}`, ['user', 'membership', 'workspace']);
  const user = /** @type {User | undefined} */ (query.data);
  usePage([{ text: 'Users', href: '/admin/users' }, { text: user ? called(user) : 'User' }]);
  if (!user) return query.error ? html`<${FailedPage} what="The account could not be read" error=${query.error} again=${query.reload} />` : html`<div class="page"><${Skeleton} lines=${5} /></div>`;
  const active = user.status === 'active';
  return html`<div class="page"><${PageHead} title=${called(user)} lead=${html`<${Avatar} of=${user} size="s40" />`} beside=${html`${user.isAdmin && html`<${Badge} kind="accent">Platform admin<//>`}${!active && html`<${Badge} kind="warn">${stateWord(user.status)}<//>`}`} facts=${html`<span>${user.email}</span><${Id} id=${user.id} />`}
      actions=${html`<${Button} icon="key-round" refused=${refusal(user, 'reset_user_password')} onClick=${() => actions.resetPassword(user)}>Reset password<//>${active ? html`<${Button} kind="danger" icon="user-x" refused=${refusal(user, 'disable_user')} onClick=${() => actions.disable(user)}>Disable<//>` : html`<${Button} kind="primary" icon="user-check" refused=${refusal(user, 'enable_user')} onClick=${() => actions.enable(user)}>Enable<//>`}<${Menu} label="More actions" items=${userItems(user, { page: true, removed: () => navigate('/admin/users') })} />`} />
    ${!active && html`<div style="margin-bottom:16px"><${Callout} kind="warn" lead=${`${stateWord(user.status)}.`}>This person cannot sign in. Workspaces and files are kept.<//></div>`}
    ${active && user.kind === 'person' && user.hasPassword === false && html`<${Invited} user=${user} />`}
    ${active && user.mustChangePassword && html`<div style="margin-bottom:16px"><${Callout} lead="A new password is due.">It must be changed at the next sign-in.<//></div>`}
    <div class="cols"><div class="stack"><${Details} key=${user.name + user.email} user=${user} /><${Groups} user=${user} /><${Workspaces} user=${user} />${user.kind !== 'service' && !refusal(user, 'list_user_sessions') && html`<${UserSessions} user=${user} />`}${!refusal(user, 'list_user_tokens') && html`<${ApiTokens} path=${`/api/admin/users/${user.id}/tokens`} whose="a" others refused=${refusal(user, 'create_service_token')} />`}</div>
    <aside><${Card} title="Account"><div class="card-body"><${Facts} rows=${[['User name', html`<span class="mono">${user.username}</span>`], ['Role', user.kind === 'service' ? 'Service account' : user.isAdmin ? 'Platform admin' : 'Member'], ['Status', stateWord(user.status)], ['Created', showDate(user.createdAt)], ['Last sign-in', html`<${Time} at=${user.lastLoginAt} />`]]} /></div>
      <div class="card-foot">${user.isAdmin ? html`<${Button} size="s" icon="shield-off" refused=${refusal(user, 'demote_admin_user')} onClick=${() => actions.demote(user)}>Make a plain member<//>` : html`<${Button} size="s" icon="shield-check" refused=${refusal(user, 'promote_user_to_admin')} onClick=${() => actions.promote(user)}>Make a platform admin<//>`}<${Button} size="s" kind="danger" icon="trash-2" refused=${refusal(user, 'delete_user')} onClick=${() => removeUser(user, () => navigate('/admin/users'))}>Delete<//></div><//>${may(me.value, 'view_platform_stats') && html`<${Late} load=${cost} part="MonthCost" path=${`/api/users/${user.id}`} />`}<${Term} user=${user} /><${History} user=${user} /></aside></div></div>`;
}

/** @param {{user: User}} props */
function Details({ user }) {
  const no = refusal(user, 'update_user');
  const form = useForm({ first: { name: user.name || '', email: user.email }, check: ({ email }) => ({ email: emailWrong(email) }), send: async ({ name, email }) => { await patch(`/api/admin/users/${user.id}`, { ...(name.trim() !== (user.name || '') ? { name: name.trim() || null } : {}), ...(email.trim() !== user.email ? { email: email.trim() } : {}) }); refresh('user'); toast({ title: 'Saved.' }); } });
  return html`<${Card} title="Details"><form class="card-body stack" onSubmit=${form.submit} novalidate><div class="fields2"><${TextField} form=${form} name="name" label="Name" maxlength="100" readonly=${Boolean(no)} /><${TextField} form=${form} name="email" label="E-mail" type="email" readonly=${Boolean(no)} /></div><${FormProblem} form=${form} what="Not saved" /><${SaveBar} form=${form} /></form><//>`;
}

/** @param {{user: User}} props */
function Groups({ user }) {
  const roles = new Map(user.groupMemberships.map(({ groupId, role }) => [groupId, role]));
  const list = (user.groupDetails || user.groupMemberships.map(({ groupId, role }) => ({ id: groupId, name: groupId, role, displayName: undefined }))).map((group) => ({ ...group, role: roles.get(group.id) || group.role }));
  const no = { add: refusal(user, 'add_user_to_group'), remove: refusal(user, 'remove_user_from_group'), role: refusal(user, 'set_user_group_role') };
  const set = async (/** @type {any} */ group, /** @type {string} */ role) => { try { await patch(`/api/admin/users/${user.id}/groups/${group.id}/role`, { role }); refresh('user', 'membership'); toast({ title: `${called(user)} is ${role === 'admin' ? 'an admin' : 'a member'} of ${group.displayName || group.name}.` }); } catch (error) { fail('Role not changed', error); } };
  const drop = (/** @type {any} */ group) => confirm({ title: `Remove ${called(user)} from ${group.displayName || group.name}?`, lead: 'Access to the group ends at once. It is refused while this person owns workspaces in it.', word: 'Remove', keep: 'Keep the membership', danger: true, failed: 'Not removed', run: async () => { await del(`/api/admin/users/${user.id}/groups/${group.id}`); refresh('user', 'membership', 'group'); } });
  return html`<${Card} title="Groups" right=${html`<${Button} size="s" icon="plus" refused=${no.add} onClick=${() => openDialog(AddGroup, { user })}>Add to a group<//>`}>${list.length === 0 ? html`<p class="card-body t13 fg2">In no group. Without one there is nothing to make workspaces in.</p>` : html`<ul class="lines">${list.map((group) => html`<li key=${group.id}><${Avatar} of=${group} group /><a class="strong cut" href=${`/groups/${group.id}`}>${group.displayName || group.name}</a><${Badge} kind=${group.role === 'admin' ? 'accent' : ''}>${group.role === 'admin' ? 'Group admin' : 'Member'}<//><span class="right"><${Menu} size="s" label=${`Actions for ${group.displayName || group.name}`} items=${[group.role === 'admin' ? { text: 'Make a plain member', icon: 'user-round', refused: no.role, run: () => { set(group, 'member'); } } : { text: 'Make an admin', icon: 'shield-user', refused: no.role, run: () => { set(group, 'admin'); } }, { text: 'Remove from the group', icon: 'user-minus', danger: true, line: true, refused: no.remove, run: () => { drop(group); } }]} /></span></li>`)}</ul>`}<//>`;
}

/** @param {{user: User, done: (answer: any) => void}} props */
function AddGroup({ user, done }) {
  const groups = useQuery('/api/groups?limit=1000', ['group']);
  const list = /** @type {any[]} */ (groups.data || []).filter(({ id }) => !user.groupMemberships.some(({ groupId }) => groupId === id));
  const form = useForm({ first: { groupId: '', role: 'member' }, send: async ({ groupId, role }) => { await post(`/api/admin/users/${user.id}/groups`, { groupId: groupId || list[0]?.id, role }); refresh('user', 'membership', 'group'); done(true); } });
  return html`<${Dialog} title=${`Add ${called(user)} to a group`} onClose=${() => done(undefined)}><form onSubmit=${form.submit}><div class="body">${groups.data && list.length === 0 ? html`<p class="fg2">In every group already.</p>` : html`<div class="field"><label for="add-group">Group</label><${Select} id="add-group" value=${form.values.groupId || list[0]?.id} options=${list.map((group) => [group.id, group.displayName])} onPick=${(/** @type {string} */ id) => form.set('groupId', id)} autofocus /></div><div class="field"><label for="add-role">Role</label><${Select} id="add-role" value=${form.values.role} options=${[['member', 'Member'], ['admin', 'Group admin']]} onPick=${(/** @type {string} */ role) => form.set('role', role)} /></div>`}<${FormProblem} form=${form} what="Not added" /></div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy} disabled=${list.length === 0}>Add<//></div></form><//>`;
}

/** @param {{user: User}} props */
function Workspaces({ user }) {
  const query = useQuery(`/api/workspaces?userId=${user.id}&limit=200`, ['workspace']);
  return html`<${Card} title="Workspaces" right=${user.workspacesCount !== undefined && plural(user.workspacesCount, 'workspace')}><${Loaded} query=${query} what="The workspaces could not be read">${(/** @type {any[]} */ all) => { const list = all.filter(({ userId }) => userId === user.id); return list.length ? html`<ul class="lines">${list.map((workspace) => html`<li key=${workspace.id}><a class="strong cut" href=${`/workspaces/${workspace.id}`}>${workspace.name}</a><span class="fg3 t12 cut">${workspace.groupDisplayName}</span><span class="right"><${Status} workspace=${workspace} /></span></li>`)}</ul>` : html`<p class="card-body t13 fg2">None.</p>`; }}<//><//>`;
}

/** @param {{user: User}} props */
function History({ user }) {
  const [by, setBy] = useState(false);
  const query = useQuery(`/api/admin/audit-logs?limit=6&${by ? `userId=${user.id}` : `resource=${encodeURIComponent(`user:${user.id}`)}`}`, ['audit', 'user']);
  return html`<${Card} title="Activity" right=${html`<${Segments} label="Which" value=${by ? 'by' : 'to'} onPick=${(/** @type {string} */ next) => setBy(next === 'by')} options=${[['to', 'To them'], ['by', 'By them']]} />`}><${Loaded} query=${query} what="The audit could not be read">${(/** @type {any} */ { items }) => (items.length ? html`<ul class="lines">${items.map((/** @type {any} */ entry) => html`<li key=${entry.id}><${Icon} name=${entry.success ? 'check' : 'ban'} class=${entry.success ? 'ok' : 'bad'} /><span class="cut">${actionWords(entry.action)}${!by && html` <span class="fg3">by ${entry.username.split('@')[0]}</span>`}</span><span class="at"><${Time} at=${entry.timestamp} /></span></li>`)}</ul>` : html`<p class="card-body t13 fg2">Nothing yet.</p>`)}<//><//>`;
}
