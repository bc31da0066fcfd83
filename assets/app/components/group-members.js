/** The members of a group: roles, last visits, adding and removing. */
import { html } from '../lib/html.js';
import { del, patch } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { called, showDate } from '../lib/format.js';
import { fail, openDialog, toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { each } from '../lib/bulk.js';
import { Badge, Button, Person, Time } from './basics.js';
import { confirm } from './dialog.js';
import { Menu } from './menu.js';
import { AddMember } from './add-member.js';
import { Empty } from './places.js';
import { DataTable } from './table.js';

/** @typedef {import('../lib/types.js').Group} Group @typedef {import('../lib/types.js').Member} Member */

/** @type {import('./table.js').Column[]} */
const columns = [
  { key: 'name', title: 'Name', head: true, cell: (member) => html`<${Person} who=${member} login />`, csv: (member) => called(member) },
  { key: 'email', title: 'E-mail', minor: true, cell: (member) => html`<span class="fg2">${member.email || '–'}</span>`, csv: (member) => member.email },
  { key: 'role', title: 'Role', cell: (member) => (member.role === 'admin' ? html`<${Badge} kind="accent">admin<//>` : html`<span class="fg2">member</span>`), csv: (member) => member.role },
  { key: 'joined', title: 'Joined', minor: true, cell: (member) => html`<span class="fg2">${showDate(member.joinedAt)}</span>`, csv: (member) => member.joinedAt },
  { key: 'visit', title: 'Last visit', cell: (member) => html`<span class=${stale(member) ? 'warn' : 'fg2'}><span class="only-narrow">Last visit: </span><${Time} at=${member.lastVisitAt} never="not yet" /></span>`, csv: (member) => member.lastVisitAt },
];

/** Who has not come for long, counted from the day they joined. @param {{lastVisitAt?: string | null, joinedAt: string}} member */
const stale = ({ lastVisitAt, joinedAt }) => Date.now() - new Date(lastVisitAt || joinedAt).getTime() > 40 * 86_400_000;

/** @param {Group} group @param {Member} member @param {'member' | 'admin'} role */
async function setRole(group, member, role) {
  try {
    await patch(`/api/groups/${group.id}/members/${member.id}`, { role });
    refresh('membership', 'group');
    toast({ title: role === 'admin' ? `${called(member)} is an admin of ${group.displayName}.` : `${called(member)} is a plain member now.` });
  } catch (error) { fail('Role not changed', error); }
}

/** @param {Group} group @param {Member[]} members @param {() => void} [clear] */
async function remove(group, members, clear) {
  const one = members.length === 1;
  let refused = /** @type {string[]} */ ([]);
  const done = await confirm({
    title: one ? `Remove ${called(members[0])} from ${group.displayName}?` : `Remove ${members.length} members from ${group.displayName}?`,
    lead: `${one ? 'This person loses' : 'They lose'} access to the group at once. Who still owns workspaces in it is kept, and named.`, word: one ? 'Remove' : `Remove ${members.length}`, keep: one ? 'Keep them' : 'Keep them', danger: true, failed: 'Not removed',
    run: async () => {
      if (one) await del(`/api/groups/${group.id}/members/${members[0].id}`);
      else refused = await each(members, (member) => del(`/api/groups/${group.id}/members/${member.id}`));
      refresh('membership', 'group');
    },
  });
  if (!done) return;
  const count = members.length - refused.length;
  toast({ title: one ? `${called(members[0])} removed.` : `${count} removed${refused.length ? `, ${refused.length} kept` : ''}.`, lines: refused, failed: refused.length > 0 });
  clear?.();
}

/** @param {{group: Group}} props */
export function GroupMembers({ group }) {
  const no = { add: refusal(group, 'add_user_to_group'), remove: refusal(group, 'remove_user_from_group'), role: refusal(group, 'set_user_group_role') };
  const several = async () => { openDialog((await import('./import-members.js')).ImportMembers, { group }); };
  const add = html`${!no.add && html`<${Button} icon="upload" onClick=${several}>Add several<//>`}<${Button} icon="user-plus" refused=${no.add && 'Only platform admins add members.'} onClick=${() => openDialog(AddMember, { group })}>Add member<//>`;
  const acts = (/** @type {Member} */ member) => html`<${Menu} label=${`Actions for ${called(member)}`} size="s" items=${[
    member.role === 'admin' ? { text: 'Make a plain member', icon: 'user-round', refused: no.role, run: () => { setRole(group, member, 'member'); } } : { text: 'Make an admin', icon: 'shield-user', refused: no.role, run: () => { setRole(group, member, 'admin'); } },
    { text: 'Remove', icon: 'user-minus', danger: true, line: true, refused: no.remove, run: () => { remove(group, [member]); } }]} />`;
  return html`<${DataTable} path=${`/api/groups/${group.id}/members`} kinds=${['membership', 'user']} columns=${columns} label="Members" noun="member" search="Name, login or e-mail" aside=${add} acts=${acts}
    bulk=${no.remove ? undefined : (/** @type {Member[]} */ picked, /** @type {() => void} */ clear) => html`<${Button} size="s" kind="danger" icon="user-minus" onClick=${() => remove(group, picked, clear)}>Remove<//>`}
    empty=${html`<${Empty} icon="user-round" title="No members yet" text="Members make workspaces in the group and see each other." action=${add} />`} />`;
}
