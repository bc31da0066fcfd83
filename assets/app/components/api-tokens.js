/** API tokens of an account: what programs show instead of a password. A token's text is seen once, when it is made. */
import { html, useId } from '../lib/html.js';
import { del, post } from '../lib/api.js';
import { useForm } from '../lib/form.js';
import { now, plural, showDate } from '../lib/format.js';
import { openDialog, toast } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { Avatar, Badge, Button, Copy, Icon, Time } from './basics.js';
import { confirm, Dialog } from './dialog.js';
import { SelectField, TextField } from './fields.js';
import { Card, Empty, FormProblem, Loaded } from './places.js';

/**
 * @typedef {{id: string, name: string, beginsWith: string, scopes: string[], groups: string[], workspaces: string[], createdAt: string,
 *   expiresAt: string, lastUsedAt: string | null, lastAddress: string | null, token?: string, owner?: {id: string, username: string, name: string, kind: string}}} Token
 * @typedef {{scope: string, words: string, actions: string[]}} Scope
 */

const DAY = 86_400_000;
const LIVES = /** @type {[string, string][]} */ ([['7', '7 days'], ['30', '30 days'], ['90', '90 days'], ['180', '180 days'], ['365', '365 days, the longest']]);

/** How long a token still works, where that is soon. @param {{token: Token}} props */
export function EndOf({ token }) {
  const left = Date.parse(token.expiresAt) - now.value;
  if (left <= 0) return html`<${Badge} kind="bad">ended<//>`;
  return left < 14 * DAY ? html`<${Badge} kind="warn">ends in ${plural(Math.ceil(left / DAY), 'day')}<//>` : null;
}

/** @param {{token: Token, children?: any}} props one token in a list; children: what can be done with it */
export function TokenLine({ token, children }) {
  const where = [token.groups.length && plural(token.groups.length, 'group'), token.workspaces.length && plural(token.workspaces.length, 'workspace')].filter(Boolean).join(' and ');
  return html`<li key=${token.id}><span class="tile"><${Icon} name="key-round" /></span><div style="min-width:0;overflow-wrap:anywhere"><div class="row wrap"><span class="strong cut">${token.name}</span><${EndOf} token=${token} />${where && html`<${Badge} tip="It works there and nowhere else.">${where} only<//>`}</div>
    ${token.owner && html`<div class="t12"><a href=${`/admin/users/${token.owner.id}`}>${token.owner.name || token.owner.username}</a>${token.owner.kind === 'service' ? ' · service account' : ''}</div>`}
    <div class="t12 fg2">${token.scopes.join(', ')}</div>
    <div class="t12 fg2"><span class="mono">${token.beginsWith}…</span> · ${token.lastUsedAt ? html`used <${Time} at=${token.lastUsedAt} />${token.lastAddress ? ` from ${token.lastAddress}` : ''}` : 'never used'} · until ${showDate(token.expiresAt)}</div></div>
    <span class="right">${children}</span></li>`;
}

/** @param {{path: string, whose: string, done: (made?: Token) => void}} props */
function NewToken({ path, whose, done }) {
  const scopes = useQuery('/api/access/scopes', []);
  const groups = useQuery('/api/groups?limit=200', ['group']);
  const id = useId();
  const form = useForm({
    first: { name: '', expiresInDays: '90', scopes: /** @type {string[]} */ ([]), limited: false, groups: /** @type {string[]} */ ([]) },
    check: (values) => ({ name: !values.name.trim() && 'Say what uses it, for example nightly build.', scopes: values.scopes.length === 0 && 'Choose at least one.', groups: values.limited && values.groups.length === 0 && 'Choose at least one group, or let it work everywhere.' }),
    send: async ({ name, expiresInDays, scopes: chosen, limited, groups: only }) => { done(await post(path, { name: name.trim(), expiresInDays: Number(expiresInDays), scopes: chosen, ...(limited ? { groups: only } : {}) })); },
  });
  const { values, errors } = form;
  const turn = (/** @type {'scopes' | 'groups'} */ field, /** @type {string} */ one) => form.set(field, values[field].includes(one) ? values[field].filter((/** @type {string} */ other) => other !== one) : [...values[field], one]);
  const wrong = (/** @type {string} */ field) => errors[field] && html`<span class="error-line" id=${`${id}-${field}`}><${Icon} name="circle-alert" size="s12" /><span>${errors[field]}</span></span>`;
  return html`<${Dialog} title="New API token" lead=${`A program shows it instead of ${whose} password. Give it no more than it needs.`} wide onClose=${() => done()}><form onSubmit=${form.submit} novalidate><div class="body">
    <div class="fields2"><${TextField} form=${form} name="name" label="Name" maxlength="100" autofocus hint="What uses it." /><${SelectField} form=${form} name="expiresInDays" label="Works for" options=${LIVES} hint="Every token ends." /></div>
    <fieldset aria-describedby=${errors.scopes ? `${id}-scopes` : undefined}><legend class="t13 strong">What it may do</legend><${Loaded} query=${scopes} what="The scopes could not be read" lines=${3}>${(/** @type {Scope[]} */ list) => html`<div class="pick-list">${list.map((one) => html`<label class="pick-one" key=${one.scope} style="padding-block:6px"><input type="checkbox" class="box" checked=${values.scopes.includes(one.scope)} onChange=${() => turn('scopes', one.scope)} /><span class="cut"><span class="mono">${one.scope}</span><span class="hint" style="display:block;white-space:normal">${one.words}</span></span></label>`)}</div>`}<//>${wrong('scopes')}</fieldset>
    ${groups.data?.length > 0 && html`<fieldset aria-describedby=${errors.groups ? `${id}-groups` : undefined}><legend class="sr">Where it works</legend><label class="check"><input type="checkbox" checked=${values.limited} onChange=${(/** @type {any} */ event) => form.set('limited', event.target.checked)} />Only in certain groups and their workspaces</label>
      ${values.limited && html`<div class="pick-list">${groups.data.map((/** @type {any} */ group) => html`<label class="pick-one" key=${group.id}><input type="checkbox" class="box" checked=${values.groups.includes(group.id)} onChange=${() => turn('groups', group.id)} /><${Avatar} of=${group} group size="s20" /><span class="cut">${group.displayName}</span></label>`)}</div>`}${wrong('groups')}</fieldset>`}
    <${FormProblem} form=${form} what="Not made" /></div>
    <div class="buttons"><${Button} onClick=${() => done()}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Making">Make token<//></div></form><//>`;
}

/** @param {{made: Token, done: (answer: any) => void}} props */
function MadeToken({ made, done }) {
  const text = /** @type {string} */ (made.token);
  return html`<${Dialog} title="Copy the token now" lead="It is not shown again. Keep it like a password, where the program reads its secrets." wide onClose=${() => done(true)}><div class="body stack"><div class="secret mono">${text}<${Copy} text=${text} label="Copy the token" /></div>
    <p class="t13 fg2">The program sends it with each call, as <code>Authorization: Bearer ${made.beginsWith}…</code>.</p></div><div class="buttons"><${Button} kind="primary" autofocus onClick=${() => done(true)}>Done<//></div><//>`;
}

/** Asks before a token is revoked, and revokes it. @param {string} path @param {Token} token @param {() => void} after @param {boolean} [others] somebody else's */
export async function revoke(path, token, after, others) {
  const done = await confirm({ title: `Revoke the token “${token.name}”?`, lead: 'Programs that use it are refused at once, and what they have open is closed. It cannot be brought back.', danger: true, word: 'Revoke', failed: 'Not revoked', ...(others ? { reason: 'kept in the audit' } : {}), run: async (reason) => { await del(`${path}/${token.id}`, reason ? { reason } : {}); after(); } });
  if (done) toast({ title: `${token.name} is revoked.` });
}

/** @param {{path: string, whose?: string, others?: boolean, refused?: string}} props path: of the tokens; whose: “your”; others: an administrator looks; refused: why no token can be made here */
export function ApiTokens({ path, whose = 'your', others = false, refused }) {
  const query = useQuery(path, ['token', 'user']);
  const list = /** @type {Token[]} */ (query.data || []);
  const make = async () => {
    const made = await openDialog(NewToken, { path, whose });
    if (!made) return;
    query.reload();
    await openDialog(MadeToken, { made });
  };
  const all = () => confirm({ title: `Revoke all ${plural(list.length, 'token')}?`, lead: 'Every program that uses one of them is refused at once.', danger: true, word: 'Revoke all', failed: 'Not revoked', run: async () => { await del(path); query.reload(); } });
  const add = (/** @type {any} */ size) => html`<${Button} size=${size} icon="plus" refused=${refused} onClick=${make}>New token<//>`;
  const none = others ? 'Programs that act for this account show an API token. There is none.' : 'With one, a script or a pipeline works for you without your password, and with no more rights than it needs.';
  return html`<${Card} title="API tokens" right=${list.length > 0 && html`<span class="row">${list.length > 1 && html`<${Button} size="s" onClick=${all}>Revoke all<//>`}${add('s')}</span>`}><${Loaded} query=${query} what="The API tokens could not be read" lines=${3} height=${61}>${() => (list.length ? html`<ul class="lines">${list.map((token) => html`<${TokenLine} token=${token}><${Button} size="s" onClick=${() => revoke(path, token, query.reload, others)}>Revoke<span class="sr"> ${token.name}</span><//><//>`)}</ul>` : refused ? html`<p class="card-body t13 fg2">None. ${refused}</p>` : html`<${Empty} icon="key-round" title="No API token" text=${none} action=${add(undefined)} />`)}<//><//>`;
}
