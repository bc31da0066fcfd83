/** Administration: every group, with what it uses. */
import { html } from '../lib/html.js';
import { refusal } from '../lib/can.js';
import { amount, percent, plural, show } from '../lib/format.js';
import { me } from '../lib/session.js';
import { stateWord } from '../lib/words.js';
import { Avatar, Badge, Button, Time } from '../components/basics.js';
import { levelOf } from '../components/gauge.js';
import { Empty, PageHead, usePage } from '../components/places.js';
import { DataTable } from '../components/table.js';

/** "14 of 20 cores" with its share in colour when it is near. @param {string} resource @param {any} level */
function used(resource, level) {
  if (!level) return '–';
  const kind = levelOf(level.percentage || 0);
  const none = amount(resource, level.used) === 0;
  return html`<span data-tip=${`${show(resource, level.used)} of ${show(resource, level.total)}`}><span class=${none ? 'zero' : ''}>${resource === 'pods' ? level.used : show(resource, level.used)}</span>${!none && html`<span class=${kind || 'fg3'}> · ${percent(level.percentage || 0)}</span>`}</span>`;
}

/** A number below its heading; with its word where there is no heading. @param {number} count @param {string} noun */
const counted = (count, noun) => html`<span class="for-wide">${count}</span><span class="for-narrow">${plural(count, noun)}</span>`;

/** @type {import('../components/table.js').Column[]} */
const columns = [
  { key: 'name', title: 'Name', sort: ['displayName'], head: true, cell: (group) => html`<span class="who"><${Avatar} of=${group} group size="s20" /><span class="cut"><a class="go" href=${`/groups/${group.id}`}>${group.displayName}</a>${group.displayName !== group.name ? html` <span class="fg3">${group.name}</span>` : null}</span>${group.status !== 'active' && html`<${Badge} kind="warn">${stateWord(group.status)}<//>`}</span>`, csv: (group) => group.name },
  { key: 'namespace', title: 'Namespace', minor: true, cell: (group) => html`<span class="mono fg2">${group.namespace}</span>`, csv: (group) => group.namespace },
  { key: 'members', title: 'Members', num: true, cell: (group) => counted(group.memberCount, 'member'), csv: (group) => group.memberCount },
  { key: 'pods', title: 'Workspaces', num: true, cell: (group) => html`<span class="for-wide">${used('pods', group.usage?.pods)}</span><span class="for-narrow">${group.usage ? plural(group.usage.pods.used, 'workspace') : ''}</span>`, csv: (group) => group.usage?.pods.used },
  { key: 'cpu', title: 'CPU', num: true, minor: true, cell: (group) => used('cpu', group.usage?.cpu), csv: (group) => group.usage?.cpu.used },
  { key: 'memory', title: 'Memory', num: true, minor: true, cell: (group) => used('memory', group.usage?.memory), csv: (group) => group.usage?.memory.used },
  { key: 'storage', title: 'Storage', num: true, minor: true, cell: (group) => used('storage', group.usage?.storage), csv: (group) => group.usage?.storage.used },
  { key: 'created', title: 'Created', sort: ['-createdAt'], minor: true, cell: (group) => html`<span class="fg2"><${Time} at=${group.createdAt} /></span>`, csv: (group) => group.createdAt },
];

export default function AllGroups() {
  usePage([{ text: 'Administration' }, { text: 'All groups' }]);
  const create = html`<${Button} kind="primary" icon="plus" href="/groups/new" refused=${refusal(me.value, 'create_group')}>New group<//>`;
  return html`<div class="page"><${PageHead} title="All groups" facts="Each has a namespace, a quota and members of its own." actions=${create} bottom=${create} />
    <${DataTable} path="/api/groups" kinds=${['group', 'membership', 'workspace']} columns=${columns} label="Groups" noun="group" search="Name" open=${(/** @type {any} */ group) => `/groups/${group.id}`}
      empty=${html`<${Empty} icon="users" title="No groups yet" text="A group is a team with a quota. Make the first one, then add its members." action=${create} />`} /></div>`;
}
