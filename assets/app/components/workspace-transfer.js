/** Giving a workspace to somebody else: whom, in which group, and everything that follows before it is done. */
import { html, loadStyle, useState } from '../lib/html.js';
import { ApiError, post, withParams } from '../lib/api.js';
import { may } from '../lib/can.js';
import { sentence, useFits } from '../lib/fits.js';
import { called } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { me } from '../lib/session.js';
import { isMine } from '../lib/workspace-actions.js';
import { Button, Person } from './basics.js';
import { Dialog } from './dialog.js';
import { SearchBox, Select } from './fields.js';
import { Callout } from './places.js';

await loadStyle('/style/notices.css');

/** @typedef {import('../lib/types.js').Workspace} Workspace @typedef {import('../lib/types.js').Member} Member */

/** @param {{workspace: Workspace, done: (answer: any) => void}} props */
export function Transfer({ workspace, done }) {
  const groups = useQuery('/api/groups?limit=1000', ['group', 'membership']);
  const [group, setGroup] = useState(workspace.groupId);
  const [text, setText] = useState('');
  const [picked, setPicked] = useState(/** @type {Member | null} */ (null));
  const [name, setName] = useState('');
  const [why, setWhy] = useState('');
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [busy, setBusy] = useState(false);
  const places = /** @type {any[]} */ (groups.data || []).filter((one) => one.id === workspace.groupId || may(one, 'create_workspace'));
  const members = useQuery(withParams(`/api/groups/${group}/members`, { search: text.trim(), limit: 8 }), ['membership'], { keep: true });
  const people = /** @type {any[]} */ (members.data || []);
  const body = picked && { userId: picked.id, ...(group !== workspace.groupId ? { groupId: group } : {}), ...(name.trim() ? { name: name.trim() } : {}), ...(why.trim() ? { reason: why.trim() } : {}) };
  const { answer, error: refused } = useFits(`/api/workspaces/${workspace.id}/transfer?dryRun=true`, body);
  const review = /** @type {any} */ (picked ? answer : null);
  const short = review?.checks.find((/** @type {any} */ check) => !check.ok);
  const taken = refused?.code === 'CONFLICT';
  const is = (/** @type {any} */ one) => one.id === workspace.userId && group === workspace.groupId;
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!body || busy) return;
    setBusy(true);
    setError(null);
    try {
      await post(`/api/workspaces/${workspace.id}/transfer`, body);
      refresh('workspace', 'group');
      toast({ title: `${workspace.name} is ${called(/** @type {any} */ (picked))}'s now.` });
      done(true);
      if (isMine(workspace) && picked?.id !== me.peek()?.id) navigate('/');
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      setBusy(false);
    }
  };
  return html`<${Dialog} wide title=${`Give ${workspace.name} to somebody else`} lead="Only members of a group can have a workspace in it." onClose=${() => done(undefined)}><form onSubmit=${send}><div class="body">
    ${places.length > 1 && html`<div class="field"><label for="transfer-group">Group</label><${Select} id="transfer-group" value=${group} options=${places.map((one) => [one.id, one.displayName])} onPick=${(/** @type {string} */ id) => { setGroup(id); setPicked(null); }} /></div>`}
    <div class="stack s8"><${SearchBox} value=${text} label="Name, login or e-mail" onText=${setText} autofocus />
      <div class="pick-list" role="radiogroup" aria-label="New owner" tabindex="0">${people.map((one) => html`<label class="pick-one" key=${one.id}><input type="radio" name="person" class="box" style="border-radius:50%" disabled=${is(one) || one.status !== 'active'} checked=${picked?.id === one.id} onChange=${() => { setPicked(one); setError(null); }} /><${Person} who=${one} login /><span class="right t12 fg3 cut">${is(one) ? 'has it' : one.status !== 'active' ? one.status : one.role === 'admin' ? 'group admin' : ''}</span></label>`)}
        ${members.data && people.length === 0 && html`<p class="t13 fg2" style="padding:12px">Nobody in this group is called that.</p>`}${members.error && html`<p class="t13 fg2" style="padding:12px">${members.error.message}</p>`}</div></div>
    ${(taken || name) && html`<div class="field"><label for="transfer-name">Its name from now on</label><input id="transfer-name" class="input" maxlength="63" autocomplete="off" value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} /><span class="hint">${called(/** @type {any} */ (picked))} has one called ${workspace.name} already.</span></div>`}
    <div class="field"><label for="transfer-why">Reason <span class="optional">(both owners see it)</span></label><input id="transfer-why" class="input" maxlength="500" autocomplete="off" value=${why} onInput=${(/** @type {any} */ event) => setWhy(event.target.value)} /></div>
    ${review && !short && html`<div class="callout" role="status"><div class="text"><b>What follows</b><ul class="bullets">${review.consequences.map((/** @type {string} */ line) => html`<li key=${line}>${line}</li>`)}</ul></div></div>`}
    ${short && html`<${Callout} kind="bad" lead="Does not fit.">${sentence(short)}<//>`}
    ${(error || (picked && refused)) && html`<${Callout} kind="bad" alert lead="Not given.">${(error || refused)?.fields?.[0]?.message || (error || refused)?.message}<//>`}</div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Keep it<//><${Button} kind="primary" type="submit" busy=${busy} disabled=${!review?.allowed}>Give it${picked ? ` to ${called(picked)}` : ''}<//></div></form><//>`;
}
