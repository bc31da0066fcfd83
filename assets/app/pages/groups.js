/** Groups: mine, with what they use. */
import { html } from '../lib/html.js';
import { refusal } from '../lib/can.js';
import { plural } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { me } from '../lib/session.js';
import { Avatar, Badge, Button } from '../components/basics.js';
import { Gauges } from '../components/gauge.js';
import { Empty, Failed, PageHead, Skeleton, usePage } from '../components/places.js';

export default function Groups() {
  usePage([{ text: 'Groups' }]);
  const groups = useQuery('/api/groups?limit=200', ['group', 'membership', 'workspace']);
  const mine = new Set(me.value?.groupMemberships?.map((membership) => membership.groupId));
  const all = /** @type {any[] | undefined} */ (groups.data);
  const own = all?.filter((group) => mine.has(group.id) || group.role);
  const rest = all ? all.length - (own?.length || 0) : 0;
  const no = refusal(me.value, 'create_group');
  const create = html`<${Button} kind="primary" icon="plus" href="/groups/new" refused=${no && 'Only platform admins create groups.'}>New group<//>`;
  return html`<div class="page"><${PageHead} title="Groups" facts=${own ? own.length === 0 && !rest ? '\u00a0' : `${plural(own.length, 'group')} of yours${rest ? ` · ${rest} more you administer` : ''}` : '\u00a0'} actions=${html`${rest > 0 && html`<${Button} icon="boxes" href="/admin/groups">All groups<//>`}${own?.length !== 0 && html`<span class="for-wide">${create}</span>`}`} bottom=${own && own.length > 0 && create} />
    ${!own ? (groups.error ? html`<div class="card"><${Failed} what="The groups could not be read" error=${groups.error} again=${groups.reload} /></div>` : html`<div class="cards three">${[1, 2, 3].map(() => html`<div class="card"><${Skeleton} lines=${4} /></div>`)}</div>`)
    : own.length === 0 ? html`<div class="card">${no ? html`<${Empty} icon="users" title="You are in no group yet" text="A group is a team with a quota. Ask an administrator to add you to one." />` : html`<${Empty} icon="users" title="No group of yours yet" text="A group is a team with a quota of its own. Make one, then add its members." action=${create} />`}</div>`
    : html`<div class="cards three">${own.map((group) => html`<${GroupCard} key=${group.id} group=${group} />`)}</div>`}</div>`;
}

/** @param {{group: import('../lib/types.js').Group}} props */
function GroupCard({ group }) {
  return html`<article class="card" aria-label=${group.displayName}><div class="card-body stack"><div class="row" style="gap:12px"><${Avatar} of=${group} group size="s40" /><div class="cut"><h2 class="row"><a class="plain cut" href=${`/groups/${group.id}`}>${group.displayName}</a>${group.role === 'admin' && html`<${Badge} kind="accent">admin<//>`}${group.status !== 'active' && html`<${Badge} kind="warn">${group.status}<//>`}</h2>
    <div class="t12 fg2 cut">${group.description || 'No description'}</div></div></div><${Gauges} usage=${group.usage} /></div>
    <div class="card-foot t12 fg2"><span>${plural(group.memberCount, 'member')}</span><span class="right">${group.usage.pods.used} of ${group.usage.pods.total} workspaces</span></div></article>`;
}
