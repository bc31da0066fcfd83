/** New user: who it is, the first password or an invitation link, and groups to begin with. */
import { html, useRef, useState } from '../lib/html.js';
import { freshKey, post } from '../lib/api.js';
import { emailWrong, loginFrom, loginWrong } from '../lib/checks.js';
import { plural } from '../lib/format.js';
import { useForm } from '../lib/form.js';
import { refresh, useQuery } from '../lib/query.js';
import { installation } from '../lib/session.js';
import { Avatar, Button, Copy } from '../components/basics.js';
import { CheckField, TextField } from '../components/fields.js';
import { Callout, Card, FormProblem, PageHead, usePage } from '../components/places.js';
import { freshPassword } from '../components/user-actions.js';

export default function NewUser() {
  usePage([{ text: 'Users', href: '/admin/users' }, { text: 'New user' }]);
  const [made, setMade] = useState(/** @type {any} */ (null));
  return html`<div class="page narrow"><${PageHead} title=${made ? 'The account is there' : 'New user'} facts=${made ? undefined : 'An account for one person.'} />${made ? html`<${Made} ...${made} again=${() => setMade(null)} />` : html`<${Ask} done=${setMade} />`}</div>`;
}

/** @param {{done: (made: any) => void}} props */
function Ask({ done }) {
  const own = useRef(false);
  const key = useRef(freshKey());
  const least = installation.value.passwordMinLength || 12;
  const groups = useQuery('/api/groups?limit=200', ['group']);
  const form = useForm({
    first: { name: '', email: '', username: '', way: 'password', temporaryPassword: freshPassword(), isAdmin: false, groups: /** @type {string[]} */ ([]) },
    check: (values) => ({ email: emailWrong(values.email), username: loginWrong(values.username), temporaryPassword: values.way === 'password' && values.temporaryPassword.length < least && `Use at least ${least} characters.` }),
    send: async ({ name, email, username, way, temporaryPassword, isAdmin, groups: chosen }) => {
      const user = await post('/api/admin/users', { email: email.trim(), username, ...(name.trim() ? { name: name.trim() } : {}), ...(way === 'password' ? { temporaryPassword } : {}), isAdmin, groups: chosen }, { key: key.current });
      refresh('user', 'membership', 'group');
      done({ user, password: way === 'password' ? temporaryPassword : '' });
    },
  });
  const { values } = form;
  const toggle = (/** @type {string} */ id) => form.set('groups', values.groups.includes(id) ? values.groups.filter((/** @type {string} */ one) => one !== id) : [...values.groups, id]);
  return html`<form class="stack s24" onSubmit=${form.submit} novalidate>
    <div class="stack"><div class="fields2"><${TextField} form=${form} name="name" label="Name" optional maxlength="100" autofocus /><${TextField} form=${form} name="email" label="E-mail" type="email" onInput=${(/** @type {any} */ event) => form.setAll({ email: event.target.value, ...(own.current ? {} : { username: loginFrom(event.target.value) }) })} /></div>
      <${TextField} form=${form} name="username" label="User name" mono hint="For signing in and in addresses; it cannot be changed." onInput=${(/** @type {any} */ event) => { own.current = true; form.set('username', event.target.value.toLowerCase()); }} /></div>
    <fieldset class="stack s8"><legend class="strong" style="margin-bottom:8px">First sign-in</legend>
      <label class="check"><input type="radio" name="way" checked=${values.way === 'password'} onChange=${() => form.set('way', 'password')} />With a temporary password, which must be changed</label>
      ${values.way === 'password' && html`<div style="margin-left:24px"><${TextField} form=${form} name="temporaryPassword" label="Temporary password" mono hint=${`At least ${least} characters; hand it over in a safe way.`} /></div>`}
      <label class="check"><input type="radio" name="way" checked=${values.way === 'link'} onChange=${() => form.set('way', 'link')} />With an invitation link, which sets the password</label></fieldset>
    ${groups.error && !groups.data && html`<${Callout} kind="warn" alert lead="The groups could not be read." actions=${html`<${Button} size="s" onClick=${groups.reload}>Try again<//>`}>The account can be made without them; groups can be added later.<//>`}
    ${groups.data?.length > 0 && html`<fieldset><legend class="strong" style="margin-bottom:8px">Groups <span class="fg3" style="font-weight:400">(optional)</span></legend><div class="pick-list">${groups.data.map((/** @type {any} */ group) => html`<label class="pick-one" key=${group.id}><input type="checkbox" class="box" style="border-radius:4px" checked=${values.groups.includes(group.id)} onChange=${() => toggle(group.id)} /><${Avatar} of=${group} group size="s20" /><span class="cut">${group.displayName}</span><span class="right t12 fg3">${plural(group.memberCount, 'member')}</span></label>`)}</div></fieldset>`}
    <${CheckField} form=${form} name="isAdmin" label="Platform admin" hint="Sees and changes everything. Two to four people are enough." />
    <div class="stack s8"><${FormProblem} form=${form} what="Not created" /><div class="row"><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Creating">Create user<//><${Button} kind="ghost" href="/admin/users">Cancel<//></div></div></form>`;
}

/** @param {{user: any, password: string, again: () => void}} props what must be handed over now, since it is not shown again */
function Made({ user, password, again }) {
  const told = user.invitation?.link || user.invitation?.url || user.invitationLink || (typeof user.invitation === 'string' ? user.invitation : '');
  const link = told && told.startsWith('/') ? location.origin + told : told;
  const secret = password || link;
  return html`<${Card}><div class="card-body stack"><${Callout} kind="ok" lead=${`${user.name || user.username} can sign in.`}>${password ? 'Hand over the user name and this password; it must be changed at the first sign-in.' : link ? 'Hand over this link; it works once.' : 'The invitation is on its way by mail.'}<//>
    <div class="stack s4"><span class="t13 strong">User name</span><div class="secret mono">${user.username}<${Copy} text=${user.username} label="Copy the user name" /></div></div>
    ${secret && html`<div class="stack s4"><span class="t13 strong">${password ? 'Temporary password' : 'Invitation link'}</span><div class="secret mono">${secret}<${Copy} text=${secret} label="Copy it" /></div><p class="hint">It is not shown again.</p></div>`}
    <div class="row wrap"><${Button} kind="primary" href=${`/admin/users/${user.id}`}>Open the account<//><${Button} icon="user-plus" onClick=${again}>Another user<//></div></div><//>`;
}
