/** Home: my workspaces, my groups with their quotas, and the next step when there is nothing yet. */
import { html, useState } from '../lib/html.js';
import { may } from '../lib/can.js';
import { called, plural } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { me } from '../lib/session.js';
import { Avatar, Badge, Button } from '../components/basics.js';
import { Segments } from '../components/segments.js';
import { Gauges } from '../components/gauge.js';
import { Late } from '../components/late.js';
import { Card, Empty, Failed, Loaded, PageHead, Skeleton, usePage } from '../components/places.js';

const VIEW = 'codex-home-view';
// On the first day there is none.
const card = () => import('../components/workspace-card.js');
const first = () => import('../components/first-steps.js');
const lines = () => import('../components/workspace-lines.js');

export default function Home() {
  usePage([{ text: 'Home' }]);
  const workspaces = useQuery('/api/workspaces?mine=true&limit=100', ['workspace']);
  const groups = useQuery('/api/groups?limit=100', ['group', 'membership', 'workspace']);
  const user = me.value;
  const mine = new Set(user?.groupMemberships?.map((membership) => membership.groupId));
  const own = groups.data?.filter((/** @type {any} */ group) => mine.has(group.id) || group.role);
  const list = workspaces.data;
  const create = html`<${Button} kind="primary" icon="plus" href="/workspaces/new">New workspace<//>`;
  return html`<div class="page"><${PageHead} title="Home" facts=${facts(list, own, user)} actions=${list?.length > 0 && create} bottom=${list?.length > 0 && create} />
    <div class="cols"><div class="stack s24"><${Mine} query=${workspaces} groups=${own} />${list?.length === 0 && own?.length > 0 && html`<${Late} load=${first} part="TemplateStrip" group=${own[0]} />`}</div>
    <aside>${list?.length === 0 && groups.data && html`<${Late} load=${first} part="FirstSteps" groups=${own} />`}<${MyGroups} query=${groups} own=${own} /></aside></div></div>`;
}

/** @param {any[] | undefined} list @param {any[] | undefined} own @param {any} user */
function facts(list, own, user) {
  if (!list) return '\u00a0';
  if (list.length === 0) return own?.length ? `Welcome, ${called(user).split(' ')[0]}. You are in ${own.length === 1 ? own[0].displayName : plural(own.length, 'group')}.` : `Welcome, ${called(user).split(' ')[0]}.`;
  const count = (/** @type {string} */ status) => list.filter((workspace) => workspace.status === status).length;
  const parts = [['running', 'running'], ['starting', 'starting'], ['error', 'failed'], ['stopped', 'stopped']].map(([status, word]) => [count(status), word]).filter(([n]) => n).map(([n, word]) => `${n}\u00a0${word}`);
  return parts.join(', ');
}

/** @param {{query: any, groups: any[] | undefined}} props */
function Mine({ query, groups }) {
  const [view, setView] = useState(localStorage.getItem(VIEW) === 'list' ? 'list' : 'cards');
  const pick = (/** @type {string} */ next) => { localStorage.setItem(VIEW, next); setView(next); };
  const list = query.data;
  const none = groups?.length === 0 && !may(me.value, 'list_all_groups');
  return html`<section><div class="section-head"><h2>My workspaces</h2>${list?.length > 0 && html`<span class="hint">${list.length}</span><span class="right"><${Segments} label="View" value=${view} onPick=${pick} options=${[['cards', 'Cards', 'layout-grid'], ['list', 'List', 'list']]} /></span>`}</div>
    ${!list ? (query.error ? html`<div class="card"><${Failed} what="Your workspaces could not be read" error=${query.error} again=${query.reload} /></div>` : html`<div class="cards"><div class="card"><${Skeleton} lines=${4} height=${42} /></div><div class="card"><${Skeleton} lines=${4} height=${42} /></div></div>`)
    : list.length === 0 ? html`<div class="card">${none ? html`<${Empty} icon="users" title="You are in no group yet" text="A workspace belongs to a group. Ask an administrator to add you to one." />` : groups?.length === 0 && may(me.value, 'create_group') ? html`<${Empty} icon="users" title="Make a group first" text="A workspace belongs to a group: a team with a quota of its own." action=${html`<${Button} kind="primary" icon="plus" href="/groups/new">New group<//>`} />` : html`<${Empty} icon="square-terminal" title="No workspaces yet" text="A workspace is a machine of your own in the browser. It takes a few seconds." action=${html`<${Button} kind="primary" icon="plus" href="/workspaces/new">New workspace<//>`} />`}</div>`
    : view === 'list' ? html`<${Late} load=${lines} part="WorkspaceLines" list=${list} />` : html`<div class="cards">${list.map((/** @type {any} */ workspace) => html`<${Late} load=${card} part="WorkspaceCard" meanwhile=${html`<div class="card"><${Skeleton} lines=${4} height=${42} /></div>`} key=${workspace.id} workspace=${workspace} />`)}</div>`}</section>`;
}

/** @param {{query: any, own: any[] | undefined}} props */
function MyGroups({ query, own }) {
  return html`<${Card} title="My groups" right=${html`<a href="/groups">${own && own.length > 3 ? `All ${own.length}` : 'All groups'}</a>`}><${Loaded} query=${query} what="Your groups could not be read">${() => (own?.length
    ? own.slice(0, 3).map((group) => html`<div class="card-part stack s8" key=${group.id}><div class="row"><${Avatar} of=${group} group size="s32" /><div class="cut"><div class="row"><a class="cut strong" data-tip-cut href=${`/groups/${group.id}`}>${group.displayName}</a>${group.role === 'admin' && html`<${Badge} kind="line">admin<//>`}</div><div class="t12 fg3">${group.usage.pods.used} of ${group.usage.pods.total} workspaces</div></div></div><${Gauges} usage=${group.usage} /></div>`)
    : html`<div class="card-body fg2 t13">You are a member of no group.${may(me.value, 'create_group') && html` <a class="link" href="/groups/new">Create one</a>`}</div>`)}<//><//>`;
}
