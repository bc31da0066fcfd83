/** Who looked at or changed my things: what others did to my account and my workspaces. */
import { html } from '../lib/html.js';
import { actionWords } from '../lib/words.js';
import { Avatar, Badge, Time } from '../components/basics.js';
import { Changed } from '../components/audit-detail.js';
import { Empty, PageHead, usePage } from '../components/places.js';
import { DataTable } from '../components/table.js';

const KINDS = /** @type {Record<string, [string, string, string]>} */ ({ looked: ['', 'eye', 'Looked'], entered: ['warn', 'terminal', 'Entered'], changed: ['accent', 'pencil', 'Changed'], tried: ['bad', 'ban', 'Tried'] });

/** @param {any} deed */
const called = (deed) => deed.name || deed.username || (deed.userId?.startsWith('cli:') ? 'The server’s console' : deed.userId ? 'A deleted account' : 'Nobody signed in');

/** @param {any} deed the workspace, while it is there */
function Thing({ deed }) {
  const [kind, id] = deed.resource.split(':');
  if (kind === 'workspace') return html`<a href=${`/workspaces/${id}`}>${deed.resourceName || 'a workspace'}</a>`;
  if (kind === 'group') return html`<span>Membership of <a href=${`/groups/${id}`}>${deed.resourceName || 'a group'}</a></span>`;
  return html`<span>My account</span>`;
}

/** @type {import('../components/table.js').Column[]} */
const columns = [
  { key: 'when', title: 'When', cell: (deed) => html`<${Time} at=${deed.timestamp} />`, csv: (deed) => deed.timestamp },
  { key: 'who', title: 'Who', head: true, cell: (deed) => html`<span class="who"><${Avatar} of=${deed.username ? { id: deed.userId, username: deed.username, name: deed.name } : {}} size="s20" /><span class="cut">${called(deed)}${deed.username && deed.username !== called(deed) ? html` <span class="fg3">${deed.username}</span>` : ''}</span></span>`, csv: (deed) => called(deed) },
  { key: 'kind', title: 'What', cell: (deed) => { const [kind, icon, word] = KINDS[deed.kind]; return html`<span class="row" style="gap:8px"><${Badge} kind=${kind} icon=${icon}>${word}<//><span>${actionWords(deed.action)}${deed.count > 1 ? `, ${deed.count} times` : ''}</span></span>`; }, csv: (deed) => `${deed.kind}: ${deed.action}` },
  { key: 'thing', title: 'Of', cell: (deed) => html`<${Thing} deed=${deed} />`, csv: (deed) => deed.resourceName || deed.resource },
];

export default function Activity() {
  usePage([{ text: 'Profile', href: '/profile' }, { text: 'Activity' }]);
  return html`<div class="page"><${PageHead} title="Who looked at or changed my things" facts="What others did to your account and your workspaces, administrators included. What you do yourself is not listed." />
    <${DataTable} path="/api/users/me/activity" items uncounted kinds=${['audit', 'user', 'workspace', 'membership', 'session']} columns=${columns} label="Activity" noun="entry" size=${50}
      detail=${(/** @type {any} */ deed) => html`<div class="stack"><${Changed} details=${deed.details} /></div>`} empty=${html`<${Empty} icon="shield-check" title="Nobody did" text="As soon as somebody else looks into a workspace of yours, or changes it or your account, it stands here." />`} /></div>`;
}
