/** A group: its head and tabs; each tab is a part of its own. */
import { html, useEffect } from '../lib/html.js';
import { call } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { useQuery } from '../lib/query.js';
import { stateWord } from '../lib/words.js';
import { Avatar, Badge, Button, Id } from '../components/basics.js';
import { Callout, Failed, FailedPage, PageHead, Skeleton, usePage } from '../components/places.js';
import { Tabs } from '../components/tabs.js';
import { GroupMembers } from '../components/group-members.js';
import { GroupOverview } from '../components/group-overview.js';
import { GroupSettings } from '../components/group-settings.js';
import { GroupWorkspaces } from '../components/group-workspaces.js';

const WORDS = /** @type {Record<string, string>} */ ({ members: 'Members', workspaces: 'Workspaces', settings: 'Settings' });

/** @param {{params: {id: string, tab?: string}}} props */
export default function GroupPage({ params }) {
  const query = useQuery(`/api/groups/${encodeURIComponent(params.id)}`, ['group', 'membership', 'workspace']);
  const group = /** @type {import('../lib/types.js').Group | undefined} */ (query.data);
  const tab = params.tab || '';
  const address = `/groups/${params.id}`;
  usePage([{ text: 'Groups', href: '/groups' }, { text: group?.displayName || 'Group', href: address }, ...(WORDS[tab] ? [{ text: WORDS[tab] }] : [])]);
  const visited = group?.role ? group.id : undefined;
  useEffect(() => {
    // Who did not come further than here was here too; whether it could be noted changes nothing on the page.
    if (visited) call('PUT', `/api/groups/${visited}/visit`).catch(() => {});
  }, [visited]);
  if (!group) return query.error ? html`<${FailedPage} what="The group could not be read" error=${query.error} again=${query.reload} />` : html`<div class="page"><${Skeleton} lines=${5} /></div>`;
  const create = html`<${Button} kind="primary" icon="plus" href=${`/workspaces/new?group=${group.id}`} refused=${refusal(group, 'create_workspace')}>New workspace<//>`;
  return html`<div class="page"><${PageHead} tabbed title=${group.displayName} lead=${html`<${Avatar} of=${group} group size="s40" />`} actions=${create} bottom=${create}
      beside=${html`${group.private !== false && html`<${Badge} kind="line" icon="lock">Private<//>`}${group.role === 'admin' && html`<${Badge} kind="accent">You are an admin<//>`}${group.status !== 'active' && html`<${Badge} kind=${group.status === 'failed' ? 'bad' : 'warn'}>${stateWord(group.status)}<//>`}`}
      facts=${html`${group.description && html`<span>${group.description}</span>`}<${Id} id=${group.namespace} whole label="Copy the namespace" />`} />
    <${Tabs} label="Group" now=${tab} items=${[['', 'Overview', address], ['members', 'Members', `${address}/members`, group.memberCount], ['workspaces', 'Workspaces', `${address}/workspaces`, group.usage.pods.used], ['settings', 'Settings', `${address}/settings`]]} />
    ${group.reason && group.status !== 'active' && html`<${Callout} kind=${group.status === 'failed' ? 'bad' : 'warn'} lead=${`${stateWord(group.status)}.`}>${group.reason.message} ${group.reason.remedy}<//>`}
    <${Part} tab=${tab} group=${group} /></div>`;
}

/** @param {{tab: string, group: import('../lib/types.js').Group}} props */
function Part({ tab, group }) {
  if (tab === '') return html`<${GroupOverview} group=${group} />`;
  if (tab === 'members') return html`<${GroupMembers} group=${group} />`;
  if (tab === 'workspaces') return html`<${GroupWorkspaces} group=${group} />`;
  if (tab === 'settings') return html`<${GroupSettings} key=${group.updatedAt} group=${group} />`;
  return html`<div class="card"><${Failed} what="No such page" error=${{ status: 404, message: 'The group has no such part.' }} /></div>`;
}
