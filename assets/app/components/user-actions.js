/** What an administrator does with an account, the same from the list and from its page. */
import { html, useState } from '../lib/html.js';
import { ApiError, del, post } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { called } from '../lib/format.js';
import { fail, openDialog, toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { installation } from '../lib/session.js';
import { Button, Copy } from './basics.js';
import { confirm, Dialog } from './dialog.js';
import { Callout } from './places.js';

/** @typedef {import('../lib/types.js').User} User */

/** @param {User} user @param {string} what @param {any} [body] */
async function send(user, what, body = {}) {
  await post(`/api/admin/users/${user.id}/${what}`, body);
  refresh('user');
}

const because = (/** @type {string} */ reason) => (reason ? { reason } : {});

/** @param {User} user */
const disable = (user) => confirm({ title: `Disable ${called(user)}?`, lead: 'This person is signed out everywhere within a second and cannot sign in again; open terminals close. Workspaces, files and memberships are kept.', word: 'Disable', keep: 'Leave active', danger: true, reason: 'kept in the audit', failed: 'Not disabled', run: async (/** @type {string} */ reason) => { await send(user, 'disable', because(reason)); toast({ title: `${called(user)} is disabled.`, undo: () => { enable(user); } }); } });

/** @param {User} user */
const signOutEverywhere = (user) => confirm({ title: `Sign ${called(user)} out everywhere?`, lead: 'Every session of theirs ends within a second and open terminals close. The account stays active, so they can sign in again at once.', word: 'Sign out everywhere', keep: 'Leave signed in', reason: 'kept in the audit', failed: 'Not signed out', run: async (/** @type {string} */ reason) => { await send(user, 'sign-out', because(reason)); toast({ title: `${called(user)} is signed out everywhere.` }); } });

/** @param {User} user */
async function enable(user) {
  try { await send(user, 'enable'); toast({ title: `${called(user)} can sign in again.` }); } catch (error) { fail('Not enabled', error); }
}

/** @param {User} user */
const promote = (user) => confirm({ title: `Make ${called(user)} a platform admin?`, lead: 'Platform admins see and change everything: users, groups, quotas, every workspace and the audit.', word: 'Make platform admin', keep: 'Leave as it is', reason: 'kept in the audit', failed: 'Not changed', run: async (/** @type {string} */ reason) => { await send(user, 'promote', because(reason)); toast({ title: `${called(user)} is a platform admin.` }); } });

/** @param {User} user */
const demote = (user) => confirm({ title: `Make ${called(user)} a plain member?`, lead: 'Memberships and group roles stay as they are; the rights over the platform end at once.', word: 'Take the role away', keep: 'Keep it', danger: true, reason: 'kept in the audit', failed: 'Not changed', run: async (/** @type {string} */ reason) => { await send(user, 'demote', because(reason)); toast({ title: `${called(user)} is a plain member.` }); } });

/** @param {User} user */
async function unlock(user) {
  try { await send(user, 'unlock'); toast({ title: `${called(user)} may try to sign in again.` }); } catch (error) { fail('Not unlocked', error); }
}

/** @param {User} user @param {() => void} [removed] */
export async function removeUser(user, removed) {
  const done = await confirm({ title: `Delete ${called(user)}?`, danger: true, type: user.username, word: 'Delete user', failed: 'Not deleted', lead: 'The account and its memberships end. The audit keeps the name. Who owns workspaces or groups cannot be deleted.', run: async () => { await del(`/api/admin/users/${user.id}`); refresh('user', 'membership'); } });
  if (done) { toast({ title: `${called(user)} is deleted.` }); removed?.(); }
}

/** A password that can be read out: words of letters that are not mistaken for each other. */
export function freshPassword() {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const random = crypto.getRandomValues(new Uint32Array(16));
  const text = [...random].map((value) => letters[value % letters.length]).join('');
  return /** @type {string[]} */ (text.match(/.{4}/g)).join('-');
}

/** @param {{user: User, done: (answer: any) => void}} props */
function ResetPassword({ user, done }) {
  const [password, setPassword] = useState(freshPassword());
  const [permanent, setPermanent] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [set, setSet] = useState(false);
  const least = installation.value.passwordMinLength || 12;
  const act = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try { await send(user, 'reset-password', { newPassword: password, permanent }); setSet(true); } catch (cause) { if (!(cause instanceof ApiError)) throw cause; setError(cause); }
    setBusy(false);
  };
  if (set) return html`<${Dialog} title=${`The password of ${called(user)} is set`} lead=${permanent ? 'Hand it over in a safe way; it is not shown again.' : 'Hand it over on a safe way; it is not shown again and must be changed at the first sign-in.'} onClose=${() => done(true)}><div class="body"><div class="secret mono">${password}<${Copy} text=${password} label="Copy the password" /></div></div><div class="buttons"><${Button} kind="primary" autofocus onClick=${() => done(true)}>Done<//></div><//>`;
  return html`<${Dialog} title=${`Reset the password of ${called(user)}?`} lead="Every session of theirs ends at once." onClose=${() => done(undefined)}><form onSubmit=${act}><div class="body">
    <div class="field"><label for="reset-password">New password</label><div class="row"><input id="reset-password" class="input mono" autocomplete="off" spellcheck=${false} value=${password} onInput=${(/** @type {any} */ event) => setPassword(event.target.value)} autofocus /><${Button} icon="refresh-cw" label="Another one" onClick=${() => setPassword(freshPassword())} /></div><span class="hint">At least ${least} characters.</span></div>
    <label class="check"><input type="checkbox" checked=${!permanent} onChange=${(/** @type {any} */ event) => setPermanent(!event.target.checked)} />Must be changed at the next sign-in</label>
    ${error && html`<${Callout} kind="bad" alert lead="Not reset.">${error.fields[0]?.message || error.message}<//>`}</div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Leave it<//><${Button} kind="primary" type="submit" busy=${busy} disabled=${password.length < least}>Reset password<//></div></form><//>`;
}

/** The items of an account's menu. @param {User} user @param {{removed?: () => void, page?: boolean}} [options] */
export function userItems(user, { removed, page } = {}) {
  const active = user.status === 'active';
  return [
    !page && { text: 'Details', icon: 'user-round', href: `/admin/users/${user.id}` },
    { text: 'Reset password', icon: 'key-round', refused: refusal(user, 'reset_user_password'), run: () => { openDialog(ResetPassword, { user }); } },
    { text: 'Allow sign-in tries again', icon: 'lock-open', refused: refusal(user, 'unlock_user'), run: () => { unlock(user); } },
    { text: 'Sign out everywhere', icon: 'log-out', refused: refusal(user, 'sign_out_user'), run: () => { signOutEverywhere(user); } },
    user.isAdmin ? { text: 'Make a plain member', icon: 'shield-off', refused: refusal(user, 'demote_admin_user'), run: () => { demote(user); } } : { text: 'Make a platform admin', icon: 'shield-check', refused: refusal(user, 'promote_user_to_admin'), run: () => { promote(user); } },
    active ? { text: 'Disable', icon: 'user-x', danger: true, line: true, refused: refusal(user, 'disable_user'), run: () => { disable(user); } } : { text: 'Enable', icon: 'user-check', line: true, refused: refusal(user, 'enable_user'), run: () => { enable(user); } },
    { text: 'Offboard', icon: 'log-out', danger: true, href: `/admin/users/${user.id}/offboard`, refused: refusal(user, 'offboard_user') },
    { text: 'Delete', icon: 'trash-2', danger: true, refused: refusal(user, 'delete_user'), run: () => { removeUser(user, removed); } },
  ];
}

export const actions = { disable, enable, promote, demote, resetPassword: (/** @type {User} */ user) => openDialog(ResetPassword, { user }) };
