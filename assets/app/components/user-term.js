/** How long an account lasts, who answers for it, and the invitation of somebody who has not signed in yet. */
import { html, useState } from '../lib/html.js';
import { ApiError, del, patch, post, withParams } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { called, now, plural, showDate } from '../lib/format.js';
import { fail, openDialog, toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { Badge, Button, Copy, Person } from './basics.js';
import { confirm, Dialog } from './dialog.js';
import { SearchBox } from './fields.js';
import { Callout, Card, Facts } from './places.js';

/** @typedef {import('../lib/types.js').User} User */

const DAY = 86_400_000;

/** @param {{user: User}} props */
export function Term({ user }) {
  const no = refusal(user, 'update_user');
  const left = user.expiresAt ? Math.ceil((Date.parse(user.expiresAt) - now.value) / DAY) : Infinity;
  const soon = left <= 0 ? html`<${Badge} kind="bad">ended<//>` : left <= 14 && html`<${Badge} kind="warn">in ${plural(left, 'day')}<//>`;
  const end = user.expiresAt ? html`<span class="row wrap">${showDate(user.expiresAt)} ${soon}</span>` : 'None';
  const manager = user.manager ? html`<a class="link" href=${`/admin/users/${user.manager.id}`}>${called(user.manager)}</a>` : 'Nobody';
  return html`<${Card} title="End date and manager"><div class="card-body"><${Facts} rows=${[['Account ends', end], ['Manager', manager]]} /></div><div class="card-foot"><${Button} size="s" refused=${no} onClick=${() => openDialog(EndDialog, { user })}>Change the end date<//><${Button} size="s" refused=${no} onClick=${() => openDialog(ManagerDialog, { user })}>Change the manager<//></div><//>`;
}

/** Sends a change, and keeps the reason when it is refused. @param {(answer: any) => void} done */
function useSend(done) {
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [busy, setBusy] = useState(false);
  const send = async (/** @type {() => Promise<any>} */ run) => {
    setBusy(true);
    setError(null);
    try { await run(); refresh('user'); done(true); } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      setBusy(false);
    }
  };
  return { busy, send, problem: error && html`<${Callout} kind="bad" alert lead="Not saved.">${error.fields[0]?.message || error.message}<//>` };
}

/** @param {{user: User, done: (answer: any) => void}} props */
function EndDialog({ user, done }) {
  const [date, setDate] = useState(user.expiresAt?.slice(0, 10) || '');
  const { busy, send, problem } = useSend(done);
  const save = (/** @type {Event} */ event) => { event.preventDefault(); send(() => patch(`/api/admin/users/${user.id}`, { expiresAt: date ? `${date}T00:00:00Z` : null })); };
  return html`<${Dialog} title=${`When does the account of ${called(user)} end?`} lead="From the beginning of that day (UTC) nobody signs in with it: sign-ins and API tokens end, workspaces and files are kept. The person and the manager are told two weeks before." onClose=${() => done(undefined)}><form onSubmit=${save}><div class="body">
    <div class="field"><label for="account-end">First day without it <span class="optional">(empty: it does not end)</span></label><input id="account-end" class="input" type="date" min=${new Date(now.value + DAY).toISOString().slice(0, 10)} value=${date} onInput=${(/** @type {any} */ event) => setDate(event.target.value)} autofocus /></div>${problem}</div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Cancel<//><${Button} kind="primary" type="submit" busy=${busy} busyWord="Saving">Save<//></div></form><//>`;
}

/** @param {{user: User, done: (answer: any) => void}} props */
function ManagerDialog({ user, done }) {
  const [text, setText] = useState('');
  const [picked, setPicked] = useState(/** @type {any} */ (user.manager || null));
  const { busy, send, problem } = useSend(done);
  const people = useQuery(withParams('/api/admin/users', { search: text.trim(), limit: 8, status: 'active' }), ['user'], { keep: true });
  const list = /** @type {any[]} */ (people.data?.items || []).filter(({ id, kind }) => id !== user.id && kind !== 'service');
  const save = (/** @type {Event} */ event) => { event.preventDefault(); send(() => patch(`/api/admin/users/${user.id}`, { managerId: picked?.id || null })); };
  return html`<${Dialog} wide title=${`Who answers for ${called(user)}?`} lead="The manager is told when the account is about to end." onClose=${() => done(undefined)}><form onSubmit=${save}><div class="body">
    <div class="stack s8"><${SearchBox} value=${text} label="Name, login or e-mail" onText=${setText} autofocus />
      <div class="pick-list" role="radiogroup" aria-label="People" tabindex="0"><label class="pick-one"><input type="radio" name="manager" class="box" style="border-radius:50%" checked=${!picked} onChange=${() => setPicked(null)} /><span class="fg2">Nobody</span></label>
        ${list.map((person) => html`<label class="pick-one" key=${person.id}><input type="radio" name="manager" class="box" style="border-radius:50%" checked=${picked?.id === person.id} onChange=${() => setPicked(person)} /><${Person} who=${person} login /><span class="right t12 fg3 cut">${person.email}</span></label>`)}
        ${people.data && list.length === 0 && html`<p class="t13 fg2" style="padding:12px">Nobody is called that.</p>`}</div></div>${problem}</div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Cancel<//><${Button} kind="primary" type="submit" busy=${busy} busyWord="Saving">Save<//></div></form><//>`;
}

/** What stands above the page of somebody without a password. @param {{user: User}} props */
export function Invited({ user }) {
  const no = refusal(user, 'invite_user');
  const path = `/api/admin/users/${user.id}/invitation`;
  const make = async () => {
    try { const made = await post(path); refresh('user'); await openDialog(LinkDialog, { user, link: made.link }); } catch (error) { fail('No link was made', error); }
  };
  const withdraw = async () => {
    const done = await confirm({ title: `Withdraw the invitation of ${called(user)}?`, lead: 'The link stops working at once. The account stays, and you can make another link.', word: 'Withdraw', failed: 'Not withdrawn', danger: true, run: async () => { await del(path); refresh('user'); } });
    if (done) toast({ title: 'The invitation is withdrawn.' });
  };
  const acts = html`<${Button} size="s" refused=${no} onClick=${make}>New link<//>${user.invitedUntil && html`<${Button} size="s" refused=${no} onClick=${withdraw}>Withdraw<//>`}`;
  return html`<div style="margin-bottom:16px"><${Callout} kind=${user.invitedUntil ? '' : 'warn'} lead=${user.invitedUntil ? 'Invited.' : 'No way in yet.'} actions=${acts}>${user.invitedUntil ? html`The link works once, until ${showDate(user.invitedUntil)}.` : 'There is no password, and no invitation is open. Make a link and hand it over.'}<//></div>`;
}

/** @param {{user: User, link: string, done: (answer: any) => void}} props */
const LinkDialog = ({ user, link, done }) => html`<${Dialog} title=${`Hand this link to ${called(user)}`} lead="It works once, sets the password, and is not shown again. Links made before it work no more." wide onClose=${() => done(true)}><div class="body"><div class="secret mono">${link}<${Copy} text=${link} label="Copy the link" /></div></div><div class="buttons"><${Button} kind="primary" autofocus onClick=${() => done(true)}>Done<//></div><//>`;
