/** Ending everything of a leaver: what becomes of each thing is decided here, every consequence is listed, then it is done. */
import { html, loadStyle, useState } from '../lib/html.js';
import { ApiError, post, withParams } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { useFits } from '../lib/fits.js';
import { called, plural } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { Badge, Button, Icon } from '../components/basics.js';
import { Select } from '../components/fields.js';
import { Callout, Card, Empty, FailedPage, PageHead, Skeleton, usePage } from '../components/places.js';

await Promise.all([loadStyle('/style/forms.css'), loadStyle('/style/notices.css')]);

/** @typedef {{kind: string, id: string, name: string, groupId?: string, words: string, state: 'due' | 'undecided' | 'blocked' | 'done' | 'failed', message?: string}} Step */

const TITLES = /** @type {[string, string][]} */ ([['account', 'Sign-in'], ['credentials', 'Credentials'], ['rights', 'Platform rights'], ['group', 'Groups they own'], ['workspace', 'Workspaces'], ['membership', 'Memberships']]);
const MARKS = /** @type {Record<string, [string, string, string]>} */ ({ due: ['circle-dashed', 'fg3', 'to be done'], undecided: ['circle-question-mark', 'warn', 'to be decided'], blocked: ['ban', 'bad', 'cannot be done'], done: ['circle-check', 'ok', 'done'], failed: ['circle-x', 'bad', 'not done'] });

/** @param {{params: {id: string}}} props */
export default function Offboard({ params }) {
  const query = useQuery(`/api/admin/users/${params.id}`, ['user']);
  const user = /** @type {import('../lib/types.js').User | undefined} */ (query.data);
  usePage([{ text: 'Users', href: '/admin/users' }, { text: user ? called(user) : 'User', href: `/admin/users/${params.id}` }, { text: 'Offboard' }]);
  if (!user) return query.error ? html`<${FailedPage} what="The account could not be read" error=${query.error} again=${query.reload} />` : html`<div class="page"><${Skeleton} lines=${5} /></div>`;
  const no = refusal(user, 'offboard_user');
  return html`<div class="page"><${PageHead} title=${`Offboard ${called(user)}`} facts="Everything of a leaver ends in one go. Nothing is done before you have seen all of it." />
    ${no ? html`<div class="card"><${Empty} icon="ban" title="Not yours to do" text=${no} /></div>` : html`<${Decide} user=${user} />`}</div>`;
}

/** @param {{user: import('../lib/types.js').User}} props */
function Decide({ user }) {
  const address = `/api/admin/users/${user.id}/offboard`;
  const [fates, setFates] = useState(/** @type {Record<string, string>} */ ({}));
  const [owners, setOwners] = useState(/** @type {Record<string, string>} */ ({}));
  const [why, setWhy] = useState('');
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [result, setResult] = useState(/** @type {{complete: boolean, steps: Step[]} | null} */ (null));
  const body = {
    workspaces: Object.entries(fates).filter(([, fate]) => fate).map(([id, fate]) => (fate === 'delete' ? { id, action: 'delete' } : { id, action: 'transfer', userId: fate })),
    groups: Object.entries(owners).filter(([, owner]) => owner).map(([id, ownerId]) => ({ id, ownerId })),
  };
  const { answer, error: refused } = useFits(`${address}?dryRun=true`, result ? null : body);
  const review = /** @type {any} */ (answer);
  const shown = /** @type {{complete: boolean, steps: Step[]} | null} */ (result || review);
  if (!shown) return refused ? html`<${Callout} kind="bad" alert lead="The consequences could not be read.">${refused.message}<//>` : html`<div class="card"><${Skeleton} lines=${5} /></div>`;
  const count = (/** @type {string} */ state) => shown.steps.filter((step) => step.state === state).length;
  const open = count('undecided') + count('blocked');
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy || typed !== user.username) return;
    setBusy(true);
    setError(null);
    try {
      const done = await post(address, { ...body, review: review.review, ...(why.trim() ? { reason: why.trim() } : {}) });
      setResult(done);
      setTyped('');
      refresh('user', 'membership', 'group', 'workspace');
      toast(done.complete ? { title: `Nothing of ${called(user)} is left.` } : { title: 'Done but for what is marked.', failed: true });
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      if (cause.status === 412) refresh('user');
    }
    setBusy(false);
  };
  const choose = { fates, owners, fate: (/** @type {string} */ id, /** @type {string} */ fate) => setFates((now) => ({ ...now, [id]: fate })), owner: (/** @type {string} */ id, /** @type {string} */ owner) => setOwners((now) => ({ ...now, [id]: owner })) };
  if (shown.steps.length === 0) return html`<div class="card"><${Empty} icon="circle-check" title="Nothing is left to end" text="The account is disabled, and it has no workspace, no membership and no credential." action=${html`<${Button} href=${`/admin/users/${user.id}`}>Back to the account<//>`} /></div>`;
  return html`<form class="column stack s24" onSubmit=${send}>
    ${TITLES.map(([kind, title]) => { const steps = shown.steps.filter((step) => step.kind === kind); return steps.length > 0 && html`<${Card} key=${kind} title=${title} right=${steps.length > 1 && plural(steps.length, 'step')}><ul class="lines steps-left">${steps.map((step) => html`<${Line} key=${step.kind + step.id} step=${step} user=${user} choose=${choose} fixed=${Boolean(result)} />`)}</ul><//>`; })}
    ${result ? html`<${Callout} kind=${result.complete ? 'ok' : 'warn'} alert lead=${result.complete ? `Nothing of ${called(user)} is left.` : `${plural(result.steps.filter(({ state }) => state !== 'done').length, 'step')} left.`} actions=${result.complete ? html`<${Button} size="s" href=${`/admin/users/${user.id}`}>To the account<//>` : html`<${Button} size="s" icon="rotate-cw" onClick=${() => setResult(null)}>Go on with the rest<//>`}>${result.complete ? 'The audit has an entry for each step.' : 'What was done stays done. Decide about the rest and go on.'}<//>`
    : html`<${Card} title="Confirm"><div class="card-body stack">${open > 0 && html`<${Callout} kind="warn" lead=${`${plural(open, 'step')} cannot be done yet.`}>They are left as they are; you can go on with them later.<//>`}
      <div class="field"><label for="offboard-why">Reason <span class="optional">(optional)</span></label><input id="offboard-why" class="input" maxlength="500" autocomplete="off" value=${why} onInput=${(/** @type {any} */ event) => setWhy(event.target.value)} /><span class="hint">Kept in the audit. Whoever gets something of theirs is told.</span></div>
      <div class="field"><label for="offboard-type"><span>Type <code>${user.username}</code> to confirm</span></label><input id="offboard-type" class="input mono" autocomplete="off" spellcheck=${false} value=${typed} onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></div>
      ${(error || refused) && html`<${Callout} kind="bad" alert lead="Not done.">${error?.status === 412 ? 'Something changed since this was shown. Look at it again.' : (error || refused)?.message}<//>`}</div>
      <div class="card-foot"><${Button} href=${`/admin/users/${user.id}`}>Leave it<//><${Button} kind="fill-bad" type="submit" busy=${busy} disabled=${typed !== user.username || count('due') === 0 || Boolean(refused)}>Offboard ${called(user)}<//></div><//>`}</form>`;
}

/** @param {{step: Step, user: any, choose: any, fixed: boolean}} props */
function Line({ step, user, choose, fixed }) {
  const [icon, look, word] = MARKS[step.state];
  return html`<li><${Icon} name=${icon} class=${look} label=${word} /><div class="told"><div>${step.words}</div>${step.message && html`<div class="t12 fg2">${step.message}</div>`}
    ${!fixed && step.kind === 'workspace' && html`<${Fate} step=${step} user=${user} value=${choose.fates[step.id] || ''} onPick=${(/** @type {string} */ fate) => choose.fate(step.id, fate)} />`}
    ${!fixed && step.kind === 'group' && html`<${Owner} step=${step} user=${user} value=${choose.owners[step.id] || ''} onPick=${(/** @type {string} */ owner) => choose.owner(step.id, owner)} />`}</div>${step.state === 'failed' && html`<${Badge} kind="bad">not done<//>`}</li>`;
}

/** Who of a group could have something. @param {string | undefined} groupId @param {any} user @param {boolean} admins */
function usePeople(groupId, user, admins) {
  const members = useQuery(groupId ? withParams(`/api/groups/${groupId}/members`, { limit: 1000 }) : null, ['membership']);
  return /** @type {any[]} */ (members.data || []).filter((one) => one.id !== user.id && one.status === 'active' && (!admins || one.role === 'admin'));
}

/** @param {{step: Step, user: any, value: string, onPick: (fate: string) => void}} props */
function Fate({ step, user, value, onPick }) {
  const people = usePeople(step.groupId, user, false);
  return html`<div class="choice"><${Select} aria-label=${`What becomes of ${step.name}`} value=${value} options=${[['', 'Not decided'], ['delete', 'Delete with its files'], ...people.map((one) => [one.id, `Give to ${called(one)}`])]} onPick=${onPick} /></div>`;
}

/** @param {{step: Step, user: any, value: string, onPick: (owner: string) => void}} props */
function Owner({ step, user, value, onPick }) {
  const people = usePeople(step.groupId, user, true);
  if (people.length === 0) return html`<p class="t12"><a class="link" href=${`/groups/${step.id}/members`}>Make a member an admin of the group</a> to have somebody to choose.</p>`;
  return html`<div class="choice"><${Select} aria-label=${`New owner of ${step.name}`} value=${value} options=${[['', 'Not decided'], ...people.map((one) => [one.id, called(one)])]} onPick=${onPick} /></div>`;
}
