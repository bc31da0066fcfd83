/** Administration: the programs of the platform, service accounts and everybody's API tokens. */
import { html, useState } from '../lib/html.js';
import { post } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { loginWrong } from '../lib/checks.js';
import { useForm } from '../lib/form.js';
import { called, plural } from '../lib/format.js';
import { openDialog } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { me } from '../lib/session.js';
import { stateWord } from '../lib/words.js';
import { Avatar, Badge, Button, Icon } from '../components/basics.js';
import { revoke, TokenLine } from '../components/api-tokens.js';
import { Dialog } from '../components/dialog.js';
import { SearchBox, TextField } from '../components/fields.js';
import { Card, Empty, FormProblem, Loaded, PageHead, usePage } from '../components/places.js';

/** @typedef {import('../lib/types.js').User} User */
/** @typedef {import('../components/api-tokens.js').Token} Token */

export default function Tokens() {
  usePage([{ text: 'Administration' }, { text: 'API tokens' }]);
  return html`<div class="page"><${PageHead} title="API tokens" facts="What programs show instead of a password, and the accounts that are nobody in particular." /><div class="stack"><${ServiceAccounts} /><${AllTokens} /></div></div>`;
}

function ServiceAccounts() {
  const query = useQuery('/api/admin/service-accounts', ['user']);
  const no = refusal(me.value, 'create_service_account');
  const make = async () => { const made = await openDialog(NewService, {}); if (made) navigate(`/admin/users/${made.id}`); };
  const add = (/** @type {any} */ size) => html`<${Button} size=${size} icon="plus" refused=${no} onClick=${make}>New service account<//>`;
  return html`<${Card} title="Service accounts" right=${query.data?.length > 0 && add('s')}><${Loaded} query=${query} what="The service accounts could not be read" lines=${2}>${(/** @type {User[]} */ list) => (list.length ? html`<ul class="lines">${list.map((account) => html`<li key=${account.id}><${Avatar} of=${account} /><div class="cut"><a class="strong" href=${`/admin/users/${account.id}`}>${called(account)}</a><div class="t12 fg2 cut">${account.username} · in ${plural(account.groupMemberships.length, 'group')}</div></div>${account.status !== 'active' && html`<${Badge} kind="warn">${stateWord(account.status)}<//>`}</li>`)}</ul>` : html`<${Empty} icon="key-round" title="No service account" text="A pipeline that belongs to nobody in particular gets an account of its own: no password, API tokens only, and it stays when people leave." action=${add(undefined)} />`)}<//><//>`;
}

/** @param {{done: (made?: any) => void}} props */
function NewService({ done }) {
  const groups = useQuery('/api/groups?limit=200', ['group']);
  const form = useForm({
    first: { username: '', name: '', groups: /** @type {string[]} */ ([]) },
    check: ({ username }) => ({ username: loginWrong(username) }),
    send: async ({ username, name, groups: chosen }) => { const made = await post('/api/admin/service-accounts', { username, ...(name.trim() ? { name: name.trim() } : {}), groups: chosen }); refresh('user', 'membership'); done(made); },
  });
  const { values } = form;
  const turn = (/** @type {string} */ id) => form.set('groups', values.groups.includes(id) ? values.groups.filter((/** @type {string} */ one) => one !== id) : [...values.groups, id]);
  return html`<${Dialog} title="New service account" lead="An account for a program. It cannot sign in; it works through its groups, with API tokens that you make on its page." wide onClose=${() => done()}><form onSubmit=${form.submit} novalidate><div class="body">
    <div class="fields2"><${TextField} form=${form} name="username" label="User name" mono autofocus autocapitalize="off" clean=${(/** @type {string} */ text) => text.toLowerCase()} hint="For example ci-builds; it cannot be changed." /><${TextField} form=${form} name="name" label="What it is for" optional maxlength="100" /></div>
    ${groups.data?.length > 0 && html`<fieldset><legend class="t13 strong">Groups <span class="optional">(optional)</span></legend><div class="pick-list">${groups.data.map((/** @type {any} */ group) => html`<label class="pick-one" key=${group.id}><input type="checkbox" class="box" checked=${values.groups.includes(group.id)} onChange=${() => turn(group.id)} /><${Avatar} of=${group} group size="s20" /><span class="cut">${group.displayName}</span></label>`)}</div></fieldset>`}
    <${FormProblem} form=${form} what="Not created" /></div>
    <div class="buttons"><${Button} onClick=${() => done()}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Creating">Create service account<//></div></form><//>`;
}

/** Whether a token is one that was searched for. @param {Token} token @param {string} text */
const isMeant = (token, text) => [token.name, token.beginsWith, token.owner?.name, token.owner?.username, ...token.scopes].some((one) => one?.toLowerCase().includes(text));

function AllTokens() {
  const query = useQuery('/api/admin/tokens?limit=1000', ['token', 'user']);
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  return html`<${Card} title="Everybody’s tokens" right=${query.data && `${plural(query.data.length, 'token')}${query.next ? ', the newest' : ''}`}><${Loaded} query=${query} what="The API tokens could not be read" lines=${3}>${(/** @type {Token[]} */ list) => {
    const shown = list.filter((token) => isMeant(token, wanted));
    return list.length ? html`<div class="card-part"><${SearchBox} value=${text} label="Name, owner, scope or how it begins" onText=${setText} /></div>${shown.length ? html`<ul class="lines">${shown.map((token) => html`<${TokenLine} token=${token}><${Button} size="s" onClick=${() => revoke(`/api/admin/users/${token.owner?.id}/tokens`, token, query.reload, true)}>Revoke<span class="sr"> ${token.name}</span><//><//>`)}</ul>` : html`<p class="card-body t13 fg2"><${Icon} name="search" size="s14" /> No token like that.</p>`}` : html`<${Empty} icon="key-round" title="No API token" text="Nobody has made one yet. People make theirs on their profile page." />`;
  }}<//><//>`;
}
