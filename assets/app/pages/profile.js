/** Profile: who I am, here and at git servers, my password, where I am signed in, and what I may do. */
import { html } from '../lib/html.js';
import { del, patch, post } from '../lib/api.js';
import { browserOf } from '../lib/agent.js';
import { emailWrong } from '../lib/checks.js';
import { useForm } from '../lib/form.js';
import { called, plural, showDate } from '../lib/format.js';
import { fail, toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { installation, me, signOut } from '../lib/session.js';
import { Avatar, Badge, Button, Icon, Id, Time } from '../components/basics.js';
import { confirm } from '../components/dialog.js';
import { ApiTokens } from '../components/api-tokens.js';
import { GitCredentials } from '../components/git-credentials.js';
import { SshKey } from '../components/ssh-key.js';
import { PasswordField, TextField } from '../components/fields.js';
import { Card, Facts, FormProblem, Loaded, PageHead, usePage } from '../components/places.js';
import { SaveBar } from '../components/settings-parts.js';

export default function Profile() {
  usePage([{ text: 'Profile' }]);
  const user = me.value;
  if (!user) return null;
  return html`<div class="page"><${PageHead} title=${called(user)} lead=${html`<${Avatar} of=${user} size="s40" />`} facts=${html`<span>${user.username}</span><${Id} id=${user.id} />`} beside=${user.isAdmin && html`<${Badge} kind="accent">Platform admin<//>`} />
    <div class="cols"><div class="stack"><${Details} /><${SshKey} /><${GitCredentials} /><${ApiTokens} path="/api/auth/tokens" /><${Password} /><${Sessions} /></div><aside><${Card} title="Account"><div class="card-body"><${Facts} rows=${[['User name', html`<span class="mono">${user.username}</span>`], ['Role', user.isAdmin ? 'Platform admin' : 'Member'], ['Since', showDate(user.createdAt)]]} /></div><//><${MyGroups} /><${Others} /></aside></div></div>`;
}

function Details() {
  const user = /** @type {any} */ (me.value);
  const form = useForm({
    first: { name: user.name || '', email: user.email }, check: ({ email }) => ({ email: emailWrong(email) }),
    send: async ({ name, email }) => { me.value = { ...user, ...(await patch('/api/auth/profile', { ...(name.trim() !== (user.name || '') ? { name: name.trim() || null } : {}), ...(email.trim() !== user.email ? { email: email.trim() } : {}) })).user }; toast({ title: 'Profile saved.' }); },
  });
  return html`<${Card} title="Details"><form class="card-body stack" onSubmit=${form.submit} novalidate><div class="fields2"><${TextField} form=${form} name="name" label="Name" optional maxlength="100" autocomplete="name" hint="What others see." /><${TextField} form=${form} name="email" label="E-mail" type="email" autocomplete="email" hint="You can sign in with it too." /></div><${FormProblem} form=${form} what="Not saved" /><${SaveBar} form=${form} /></form><//>`;
}

function Password() {
  const least = installation.value.passwordMinLength || 12;
  const form = useForm({
    first: { currentPassword: '', newPassword: '', again: '' },
    check: ({ currentPassword, newPassword, again }) => ({ currentPassword: !currentPassword && 'Enter the password you have now.', newPassword: newPassword.length < least ? `Use at least ${least} characters.` : newPassword === currentPassword && 'Choose one that differs from the one before.', again: again !== newPassword && 'This differs from the line before.' }),
    send: async ({ currentPassword, newPassword }) => {
      await post('/api/auth/change-password', { currentPassword, newPassword });
      form.reset();
      refresh('session');
      toast({ title: 'Password changed.', text: 'Every other session has ended.' });
    },
  });
  return html`<${Card} title="Password" right="every other session ends with it"><form class="card-body stack" onSubmit=${form.submit} novalidate><${PasswordField} form=${form} name="currentPassword" label="Password you have now" autocomplete="current-password" />
    <div class="fields2"><${PasswordField} form=${form} name="newPassword" label="New password" autocomplete="new-password" hint=${`At least ${least} characters. A sentence is easy to remember.`} /><${PasswordField} form=${form} name="again" label="New password again" autocomplete="new-password" /></div>
    <${FormProblem} form=${form} what="Not changed" /><div><${Button} type="submit" busy=${form.busy} busyWord="Changing">Change password<//></div></form><//>`;
}

function Sessions() {
  const query = useQuery('/api/auth/sessions', ['session']);
  const end = async (/** @type {any} */ session) => {
    try { await del(`/api/auth/sessions/${session.id}`); query.reload(); toast({ title: `${browserOf(session.agent)} signed out.` }); } catch (error) { fail('Not signed out', error); }
  };
  const everywhere = () => confirm({ title: 'Sign out everywhere?', lead: 'Every session of yours ends at once, this one too, with its open terminals. Workspaces keep running.', word: 'Sign out everywhere', keep: 'Stay signed in', run: () => signOut(true) });
  return html`<${Card} title="Where you are signed in" right=${html`<${Button} size="s" icon="log-out" onClick=${everywhere}>Sign out everywhere<//>`}><${Loaded} query=${query} what="Your sessions could not be read">${(/** @type {any[]} */ list) => html`<ul class="lines">${list.map((session) => html`<li key=${session.id}><span class="tile"><${Icon} name="monitor" /></span><div class="cut"><div class="row"><span class="strong cut">${browserOf(session.agent)}</span>${session.current && html`<${Badge} kind="accent">this one<//>`}</div>
    <div class="t12 fg2">${session.address || 'address unknown'} · since ${showDate(session.createdAt)} · used <${Time} at=${session.lastUsedAt} /></div></div><span class="right">${!session.current && html`<${Button} size="s" onClick=${() => end(session)}>Sign out<//>`}</span></li>`)}</ul>`}<//><//>`;
}

/** The newest of what others did to my things. */
function Others() {
  const query = useQuery('/api/users/me/activity?limit=3', ['audit', 'user', 'workspace', 'membership']);
  return html`<${Card} title="Who looked at or changed my things" right=${html`<a href="/activity">All</a>`}><${Loaded} query=${query} what="The activity could not be read">${(/** @type {any} */ told) => (told.items.length ? html`<ul class="lines">${told.items.map((/** @type {any} */ deed) => html`<li key=${deed.id}><span class="cut">${deed.name || deed.username || 'Somebody'}: ${deed.action.replaceAll('_', ' ')}</span><span class="at"><${Time} at=${deed.timestamp} /></span></li>`)}</ul>` : html`<p class="card-body t13 fg2">Nobody but you did.</p>`)}<//><//>`;
}

function MyGroups() {
  const query = useQuery('/api/groups?limit=200', ['group', 'membership']);
  const roles = new Map(me.value?.groupMemberships?.map(({ groupId, role }) => [groupId, role]));
  return html`<${Card} title="My groups" right=${plural(roles.size, 'group')}><${Loaded} query=${query} what="Your groups could not be read">${(/** @type {any[]} */ list) => { const own = list.filter(({ id }) => roles.has(id)); return own.length ? html`<ul class="lines">${own.map((group) => html`<li key=${group.id}><${Avatar} of=${group} group /><a class="strong cut" href=${`/groups/${group.id}`}>${group.displayName}</a><span class="at">${roles.get(group.id) === 'admin' ? 'admin' : 'member'}</span></li>`)}</ul>` : html`<p class="card-body t13 fg2">None yet.</p>`; }}<//><//>`;
}
