/** A workspace: its head, its tabs, and the rail with what it uses. The terminal is fetched when it is opened. */
import { html, useEffect, useState } from '../lib/html.js';
import { showSize } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { act, isMine, menuItems, reasons } from '../lib/workspace-actions.js';
import { stateOf } from '../lib/words.js';
import { Button, Icon, Id, Status } from '../components/basics.js';
import { mainApp, OpenButton } from '../components/launch.js';
import { Menu } from '../components/menu.js';
import { Callout, Failed, FailedPage, PageHead, Skeleton, usePage } from '../components/places.js';
import { Tabs } from '../components/tabs.js';
import { templateIcon, useTemplates } from '../components/templates.js';
import { Overview } from '../components/workspace-overview.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */

const PARTS = /** @type {Record<string, {word: string, load: () => Promise<any>}>} */ ({
  terminal: { word: 'Terminal', load: () => import('../components/terminal.js') }, files: { word: 'Files', load: () => import('../components/files.js') },
  ports: { word: 'Ports', load: () => import('../components/ports.js') }, network: { word: 'Network', load: () => import('../components/network.js') },
  metrics: { word: 'Metrics', load: () => import('../components/workspace-metrics.js') },
  logs: { word: 'Logs', load: () => import('../components/logs.js') },
  timeline: { word: 'Timeline', load: () => import('../components/timeline.js') }, settings: { word: 'Settings', load: () => import('../components/workspace-settings.js') },
});

/** @param {{params: {id: string, tab?: string}}} props */
export default function WorkspacePage({ params }) {
  const query = useQuery(`/api/workspaces/${params.id}`, ['workspace', 'membership']);
  const { by } = useTemplates();
  const workspace = /** @type {Workspace | undefined} */ (query.data);
  const tab = params.tab || '';
  const address = `/workspaces/${params.id}`;
  usePage([{ text: 'Home', href: '/' }, { text: workspace?.name || 'Workspace', href: address }]);
  // Gone while one looks at it: nothing here can be done any more.
  if (!workspace || (query.error?.status === 404)) return query.error ? html`<${FailedPage} what="The workspace could not be read" error=${query.error} again=${query.reload} />` : html`<div class="page"><${Skeleton} lines=${6} /></div>`;
  const template = by.get(workspace.templateId || '');
  return html`<div class="page"><${PageHead} tabbed title=${workspace.name} lead=${html`<span class="tile s40"><${Icon} name=${templateIcon(template?.icon, template?.kind)} /></span>`} beside=${html`<${Status} workspace=${workspace} />`}
      facts=${html`<span>${html`<a class="plain" href=${`/groups/${workspace.groupId}`}>${workspace.groupDisplayName}</a>`}${[template?.displayName || workspace.image, showSize(workspace.resources), isMine(workspace) ? '' : `of ${workspace.userDisplayName || 'somebody else'}`].filter(Boolean).map((text) => ` · ${text}`)}</span><${Id} id=${workspace.id} />`}
      actions=${html`<${Actions} workspace=${workspace} tab=${tab} />`} />
    <${Tabs} label="Workspace" now=${tab} items=${[['', 'Overview', address], ...Object.entries(PARTS).map(([key, { word }]) => /** @type {[string, string, string]} */ ([key, word, `${address}/${key}`]))]} />
    <${Trouble} workspace=${workspace} tab=${tab} />
    <${Part} tab=${tab} workspace=${workspace} /></div>`;
}

/** @param {{workspace: Workspace, tab: string}} props */
function Actions({ workspace, tab }) {
  const no = reasons(workspace);
  const { shape } = stateOf(workspace);
  const down = shape === 'stopped' || shape === 'error' || shape === 'pending';
  const open = (tab !== 'terminal' || mainApp(workspace)) && html`<${OpenButton} workspace=${workspace} kind=${down ? undefined : 'primary'} terminal=${tab !== 'terminal'} />`;
  return html`${down ? html`${open}<${Button} kind="primary" icon=${shape === 'stopped' ? 'play' : 'rotate-cw'} refused=${no.start} onClick=${() => act(workspace, 'start')}>${shape === 'stopped' ? 'Start' : 'Try again'}<//>` : html`<${Button} icon="circle-stop" refused=${no.stop} onClick=${() => act(workspace, 'stop')}>${shape === 'starting' ? 'Cancel the start' : 'Stop'}<//>${open}`}<${Menu} label="More actions" items=${menuItems(workspace, { link: false, removed: () => navigate('/') })} />`;
}

/** What is wrong and what helps. @param {{workspace: Workspace, tab: string}} props */
function Trouble({ workspace, tab }) {
  const { reason } = workspace;
  const { shape } = stateOf(workspace);
  if (!reason || !['error', 'pending', 'unwell'].includes(shape)) return null;
  return html`<${Callout} kind=${shape === 'error' ? 'bad' : 'warn'} lead=${/[.!?]$/.test(reason.message) ? reason.message : `${reason.message}.`} actions=${shape !== 'unwell' && tab !== 'timeline' && html`<${Button} size="s" href=${`/workspaces/${workspace.id}/timeline`}>What happened<//>`}>${reason.remedy || (shape === 'error' ? 'Its files are safe.' : '')}<//>`;
}

/** @param {{tab: string, workspace: Workspace}} props */
function Part({ tab, workspace }) {
  const [loaded, setLoaded] = useState(/** @type {Record<string, any>} */ ({}));
  const part = PARTS[tab];
  useEffect(() => { if (part && !loaded[tab]) part.load().then((page) => setLoaded((now) => ({ ...now, [tab]: page.default }))); }, [tab]);
  if (tab === '') return html`<${Overview} workspace=${workspace} />`;
  if (!part) return html`<div class="card"><${Failed} what="No such page" error=${{ status: 404, message: 'The workspace has no such part.' }} /></div>`;
  const Shown = loaded[tab];
  return Shown ? html`<${Shown} workspace=${workspace} />` : html`<${Skeleton} lines=${5} />`;
}
