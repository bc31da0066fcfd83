/** A workspace at a glance: its start step by step, its health, what it uses, and its facts. */
import { html } from '../lib/html.js';
import { may } from '../lib/can.js';
import { called, show, showDate, showDuration } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { byRun, stepsOf } from '../lib/starts.js';
import { me } from '../lib/session.js';
import { act, reasons, startOff } from '../lib/workspace-actions.js';
import { stateOf } from '../lib/words.js';
import { Badge, Button, Icon, Time } from './basics.js';
import { Gauge } from './gauge.js';
import { Late } from './late.js';
import { Card, Empty, Facts, Failed, Skeleton } from './places.js';
import { Steps } from './steps.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */

const apps = () => import('./workspace-apps.js');
const cost = () => import('./workspace-cost.js');

/** @param {{workspace: Workspace}} props */
export function Overview({ workspace }) {
  return html`<div class="cols rail"><div class="stack">${workspace.apps && workspace.apps.length > 0 && html`<${Late} load=${apps} part="Apps" workspace=${workspace} />`}<${Start} workspace=${workspace} />${workspace.status === 'running' && html`<${Health} workspace=${workspace} />`}</div><${Rail} workspace=${workspace} /></div>`;
}

/** @param {{workspace: Workspace}} props the start that goes on, or the last one */
function Start({ workspace }) {
  const timeline = useQuery(`/api/workspaces/${workspace.id}/timeline?limit=200`, ['workspace']);
  const no = reasons(workspace);
  const { shape } = stateOf(workspace);
  if (!timeline.data) return html`<${Card} title="Start">${timeline.error ? html`<${Failed} what="The timeline could not be read" error=${timeline.error} again=${timeline.reload} />` : html`<${Skeleton} lines=${4} height=${32} />`}<//>`;
  const runs = byRun(timeline.data).map(({ run, list }) => ({ run, ...stepsOf(list, workspace, run === workspace.run) })).filter(({ steps }) => steps.length > 0);
  const last = runs[0];
  // A start that failed before its first step has nothing to show that is not said above.
  if (shape === 'error' && last?.failed && !last.steps.some(({ mark }) => mark === 'done')) return html`<${Card}><${Resting} workspace=${workspace} /><//>`;
  if (shape === 'stopped' || !last) return html`<${Card}><${Resting} workspace=${workspace} /><//>${last && html`<${Card} title="Last start" right=${html`<${When} run=${last} />`}><div class="card-body"><${Steps} steps=${last.steps} /></div><//>`}`;
  const going = shape === 'starting' || shape === 'pending';
  return html`<${Card} title=${going ? 'This start' : last.failed ? 'This start failed' : 'Last start'} right=${html`<${When} run=${last} />`}><div class="card-body"><${Steps} steps=${last.steps} /></div>
    ${shape === 'running' && html`<div class="card-foot"><${Button} size="s" icon="terminal" href=${`/workspaces/${workspace.id}/terminal`} refused=${no.terminal}>Open terminal<//><span class="t12 fg2">${no.terminal || 'A shell in this page; it goes on when you close the tab.'}</span></div>`}<//>`;
}

/** What stands where no start is to be seen; why it failed or waits is said above. @param {{workspace: Workspace}} props */
function Resting({ workspace }) {
  const { shape, word, fact } = stateOf(workspace);
  const off = startOff(workspace);
  const [icon, text] = /** @type {Record<string, [string, string]>} */ ({
    stopped: ['moon', 'Its files are kept. A start takes a few seconds.'],
    error: ['rotate-cw', 'Nothing of it runs. Another try begins a new start.'], pending: ['play', 'It goes on by itself as soon as it can.'],
  })[shape] || ['play', fact];
  const again = shape === 'error' ? ['rotate-cw', 'Try again'] : shape === 'stopped' ? ['play', 'Start'] : null;
  return html`<${Empty} icon=${icon} title=${word} text=${text} action=${again && html`<${Button} icon=${again[0]} refused=${reasons(workspace).start} onClick=${() => act(workspace, 'start')}>${again[1]}<//>${off && html`<p class="t12">${off}</p>`}`} />`;
}

/** @param {{run: {begin: any, total: number, ready: boolean}}} props */
const When = ({ run }) => html`${run.begin && html`<${Time} at=${run.begin.at} />`}${run.ready && html` · ${showDuration(run.total)}`}`;

/** @param {{workspace: Workspace}} props */
function Health({ workspace }) {
  const health = useQuery(may(workspace, 'view_workspace') ? `/api/workspaces/${workspace.id}/health` : null, ['workspace']);
  const list = Array.isArray(health.data) ? health.data : health.data?.components;
  if (!list?.length) return null;
  return html`<${Card} title="Health" right=${list.every((/** @type {any} */ part) => part.healthy) ? html`<${Badge} kind="ok" icon="check">All well<//>` : html`<${Badge} kind="warn" icon="triangle-alert">Look here<//>`}><ul class="lines">${list.map((/** @type {any} */ part) => html`<li key=${part.type + part.name}><${Icon} name=${part.healthy ? 'circle-check' : 'triangle-alert'} class=${part.healthy ? 'ok' : 'warn'} label=${part.healthy ? 'well' : 'unwell'} /><span class="cut">${part.name[0].toUpperCase() + part.name.slice(1)}${part.reason && html` <span class="fg2">${part.reason}</span>`}</span><span class="at">${part.status}</span></li>`)}</ul><//>`;
}

/** What stands beside every part of a workspace. @param {{workspace: Workspace}} props */
export function Rail({ workspace }) {
  const usage = workspace.usage || {};
  const { resources } = workspace;
  const running = workspace.status === 'running';
  const level = (/** @type {'cpu' | 'memory' | 'storage'} */ resource, /** @type {string} */ label) => {
    const told = usage[resource];
    const [size, unit] = show(resource, resources[resource]).split('\u00a0');
    return told && (running || resource === 'storage') && told.used !== null && told.used !== undefined ? html`<${Gauge} resource=${resource} used=${told.used} total=${told.total || resources[resource]} label=${label} />` : html`<div class="gauge"><div class="g"><span>${label}</span><span class="v"><b>${size}</b>${`\u00a0${unit}`}</span></div></div>`;
  };
  const waits = running && workspace.resizeWaits;
  return html`<aside><${Card} title=${running ? 'In use' : 'Size'} right=${waits && html`<${Badge} kind="info" tip=${waits}>new size waits<//>`}><div class="card-body gauges">${level('cpu', 'CPU')}${level('memory', 'Memory')}${level('storage', 'Disk')}</div><//>
    <${Card} title="Details"><div class="card-body"><${Facts} rows=${[['Owner', html`<${Owner} workspace=${workspace} />`], ['Group', html`<a href=${`/groups/${workspace.groupId}`}>${workspace.groupDisplayName}</a>`], ...(workspace.image && !workspace.image.startsWith('local:') ? [/** @type {[string, any]} */ (['Image', html`<span class="mono">${workspace.image}</span>`])] : []), ['Created', showDate(workspace.createdAt)], ['Last used', html`<${Time} at=${workspace.lastAccessedAt} />`]]} /></div>${workspace.description && html`<p class="card-part t13 fg2">${workspace.description}</p>`}<//>${may(workspace, 'view_workspace_metrics') && html`<${Late} load=${cost} part="WorkspaceCost" workspace=${workspace} />`}</aside>`;
}

/** Whose it is; for whoever may look at accounts the way to that one. @param {{workspace: Workspace}} props */
function Owner({ workspace }) {
  const name = workspace.userDisplayName || called({ name: workspace.userEmail }) || 'you';
  return workspace.userId && may(me.value, 'list_users') ? html`<a href=${`/admin/users/${workspace.userId}`}>${name}</a>` : name;
}
