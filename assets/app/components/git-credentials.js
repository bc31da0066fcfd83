/** Names and tokens for git over https, one per server. A token is written once and never shown again. */
import { html } from '../lib/html.js';
import { call, del } from '../lib/api.js';
import { useForm } from '../lib/form.js';
import { showDate } from '../lib/format.js';
import { openDialog, toast } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { Button, Icon } from './basics.js';
import { confirm, Dialog } from './dialog.js';
import { PasswordField, TextField } from './fields.js';
import { Menu } from './menu.js';
import { Card, Empty, FormProblem, Loaded } from './places.js';

/** @typedef {{host: string, username: string, createdAt: string}} Credential */

const PATH = '/api/users/me/git-credentials';
const address = (/** @type {string} */ host) => `${PATH}/${encodeURIComponent(host)}`;

/** A host as somebody writes or pastes it: without scheme and path. @param {string} text */
const hostOf = (text) => text.trim().toLowerCase().replace(/^https?:\/\//, '').replace(/[/?#].*$/, '').replace(/^[^@]*@/, '');

/** @param {string} text */
const hostWrong = (text) => !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/.test(hostOf(text)) && 'Write the server’s name, for example git.example.org.';

/** @param {{known?: Credential, taken: string[], done: (saved?: string) => void}} props known: its token is replaced */
function CredentialDialog({ known, taken, done }) {
  const form = useForm({
    first: { host: known?.host || '', username: known?.username || '', token: '' },
    check: ({ host, username, token }) => ({ host: hostWrong(host) || (!known && taken.includes(hostOf(host)) && 'There is one for this server already. Replace its token instead.'), username: !username.trim() && 'Enter the name you have there.', token: !token.trim() && 'Paste the token.' }),
    send: async ({ host, username, token }) => { await call('PUT', address(hostOf(host)), { username: username.trim(), token: token.trim() }); done(hostOf(host)); },
  });
  return html`<${Dialog} title=${known ? `Replace the token for ${known.host}` : 'Add a git server'} lead=${known ? 'The one before is forgotten. Running workspaces use the new one at once.' : 'Git in your workspaces asks for it when it needs it. It is kept sealed, and never shown again.'} wide onClose=${() => done()}><form onSubmit=${form.submit} novalidate><div class="body">
    <${TextField} form=${form} name="host" label="Server" mono readonly=${Boolean(known)} autofocus=${!known} hint="Its name alone, for example git.example.org." /><${TextField} form=${form} name="username" label="User name there" autocapitalize="off" hint="Some servers take any name with a token." /><${PasswordField} form=${form} name="token" label="Token" autocomplete="off" autofocus=${Boolean(known)} hint="An access token that may read and write repositories, not your password." /><${FormProblem} form=${form} what="Not saved" /></div>
    <div class="buttons"><${Button} onClick=${() => done()}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Saving">Save<//></div></form><//>`;
}

export function GitCredentials() {
  const query = useQuery(PATH, ['user']);
  const list = /** @type {Credential[]} */ (query.data || []);
  const edit = async (/** @type {Credential} */ known) => {
    const saved = await openDialog(CredentialDialog, { known, taken: list.map(({ host }) => host) });
    if (saved) { query.reload(); toast({ title: `Saved for ${saved}.` }); }
  };
  const remove = async (/** @type {Credential} */ { host }) => {
    const done = await confirm({ title: `Remove the token for ${host}?`, lead: `Git in your workspaces can no longer fetch private repositories from ${host} over https, or push to it. The token itself stays valid there; revoke it on the server too.`, danger: true, word: 'Remove', failed: 'Not removed', run: async () => { await del(address(host)); query.reload(); } });
    if (done) toast({ title: `Removed for ${host}.` });
  };
  const add = html`<${Button} size="s" icon="plus" onClick=${() => edit(/** @type {any} */ (undefined))}>Add<//>`;
  return html`<${Card} title="Git over https" right=${list.length > 0 && add}><${Loaded} query=${query} what="Your git servers could not be read" lines=${3} height=${54}>${() => (list.length ? html`<ul class="lines">${list.map((one) => html`<li key=${one.host}><span class="tile"><${Icon} name="git-branch" /></span><div class="cut"><div class="strong mono cut">${one.host}</div><div class="t12 fg2 cut">${one.username} · token since ${showDate(one.createdAt)}</div></div><span class="right"><${Menu} label=${`Actions for ${one.host}`} size="s" items=${[{ text: 'Replace the token', icon: 'key-round', run: () => { edit(one); } }, { text: 'Remove', icon: 'trash-2', danger: true, line: true, run: () => { remove(one); } }]} /></span></li>`)}</ul>` : html`<${Empty} icon="git-branch" title="No git server yet" text="Private repositories over https need a token of yours. With SSH, the key above is enough." action=${html`<${Button} icon="plus" onClick=${() => edit(/** @type {any} */ (undefined))}>Add a git server<//>`} />`)}<//><//>`;
}
