/** Adding somebody to a group: search for a person, choose the role. */
import { html, useState } from '../lib/html.js';
import { ApiError, post, withParams } from '../lib/api.js';
import { called } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { Button, Person } from './basics.js';
import { Dialog } from './dialog.js';
import { SearchBox } from './fields.js';
import { Callout } from './places.js';

/** @param {{group: import('../lib/types.js').Group, done: (answer: any) => void}} props */
export function AddMember({ group, done }) {
  const [text, setText] = useState('');
  const [picked, setPicked] = useState(/** @type {any} */ (null));
  const [role, setRole] = useState('member');
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [busy, setBusy] = useState(false);
  const people = useQuery(withParams('/api/admin/users', { search: text.trim(), limit: 8, status: 'active' }), ['user'], { keep: true });
  const list = /** @type {any[]} */ (people.data?.items || []);
  const inside = (/** @type {any} */ user) => user.groupMemberships?.some((/** @type {any} */ membership) => membership.groupId === group.id) || user.groups?.includes(group.id);
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!picked || busy) return;
    setBusy(true);
    setError(null);
    try {
      await post(`/api/groups/${group.id}/members`, { userId: picked.id, role });
      refresh('membership', 'group', 'user');
      toast({ title: `${called(picked)} is ${role === 'admin' ? 'an admin' : 'a member'} of ${group.displayName}.` });
      done(true);
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      setBusy(false);
    }
  };
  return html`<${Dialog} wide title=${`Add a member to ${group.displayName}`} onClose=${() => done(undefined)}><form onSubmit=${send}><div class="body">
    <div class="stack s8"><${SearchBox} value=${text} label="Name, login or e-mail" onText=${setText} autofocus />
      <div class="pick-list" role="radiogroup" aria-label="People" tabindex="0">${list.map((user) => html`<label class="pick-one" key=${user.id}><input type="radio" name="person" class="box" style="border-radius:50%" disabled=${inside(user)} checked=${picked?.id === user.id} onChange=${() => setPicked(user)} /><${Person} who=${user} login /><span class="right t12 fg3 cut">${inside(user) ? 'a member already' : user.email}</span></label>`)}
        ${people.data && list.length === 0 && html`<p class="t13 fg2" style="padding:12px">Nobody is called that.</p>`}</div></div>
    <fieldset class="row" style="gap:16px"><legend class="t13 strong" style="margin-bottom:4px">Role</legend>${[['member', 'Member'], ['admin', 'Group admin']].map(([key, word]) => html`<label class="check" key=${key}><input type="radio" name="role" checked=${role === key} onChange=${() => setRole(key)} />${word}</label>`)}</fieldset>
    <p class="hint">${role === 'admin' ? 'Sees, starts, stops and deletes every workspace of the group.' : 'Makes workspaces in the group and sees their own.'}</p>
    ${error && html`<${Callout} kind="bad" alert lead="Not added.">${error.message}<//>`}</div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Cancel<//><${Button} kind="primary" type="submit" busy=${busy} disabled=${!picked}>Add${picked ? ` ${called(picked)}` : ''}<//></div></form><//>`;
}
