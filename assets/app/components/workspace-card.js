/** A workspace as a card: status in words with its second fact, and the one thing to do next. */
import { html } from '../lib/html.js';
import { showSize } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { act, menuItems, reasons, startOff } from '../lib/workspace-actions.js';
import { stateOf } from '../lib/words.js';
import { Button, Icon, Status, Time } from './basics.js';
import { Late } from './late.js';
import { Menu } from './menu.js';
import { templateIcon, useTemplates } from './templates.js';

const launch = () => import('./launch.js');

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export function WorkspaceCard({ workspace }) {
  const { by } = useTemplates();
  const template = by.get(workspace.templateId || '');
  const { shape, fact } = stateOf(workspace);
  const address = `/workspaces/${workspace.id}`;
  // Whether a start fits is said of one workspace, not of a list of them.
  const known = useQuery(shape === 'stopped' || shape === 'error' ? `/api${address}` : null, ['workspace', 'group']).data || workspace;
  const off = startOff(known);
  return html`<article class="card ws-card" aria-label=${workspace.name}>
    <div class="ws-top"><span class="tile"><${Icon} name=${templateIcon(template?.icon, template?.kind)} /></span><div class="cut"><h3 class="cut"><a class="plain" href=${address}>${workspace.name}</a></h3><div class="t12 fg2 cut" data-tip-cut>${[template?.displayName || workspace.image, showSize(workspace.resources), workspace.groupDisplayName].filter(Boolean).join(' · ')}</div></div><span class="right"><${Menu} label=${`Actions for ${workspace.name}`} size="s" items=${menuItems(known)} /></span></div>
    <div class="ws-state"><div class="row"><${Status} workspace=${workspace} /><span class="right t12 fg2"><${Time} at=${workspace.status === 'running' ? workspace.lastAccessedAt || workspace.updatedAt : workspace.updatedAt} /></span></div>
      ${shape === 'starting' && html`<div class="track info moving" aria-hidden="true"><i /></div>`}
      <div class="t12 fg2 ws-fact">${shape === 'stopped' ? fact.split(' · ')[1].replace('keeps', 'Keeps its files,') : fact}${shape === 'error' && html`${/[.!?]$/.test(fact) ? ' ' : ' · '}<a class="link" href=${`${address}/timeline`}>Details</a>`}</div></div>
    <div class="card-foot"><${Next} workspace=${known} shape=${shape} />${off && html`<span class="t12 fg2 why">${off}</span>`}</div></article>`;
}

/** @param {{workspace: import('../lib/types.js').Workspace, shape: string}} props */
function Next({ workspace, shape }) {
  const no = reasons(workspace);
  const address = `/workspaces/${workspace.id}`;
  if (shape === 'running' || shape === 'unwell') return html`${workspace.apps?.length ? html`<${Late} load=${launch} part="OpenButton" workspace=${workspace} size="s" kind="primary" />` : html`<${Button} size="s" kind="primary" icon="terminal" href=${`${address}/terminal`} refused=${no.terminal}>Terminal<//>`}<${Button} size="s" kind="ghost" icon="circle-stop" refused=${no.stop} onClick=${() => act(workspace, 'stop')}>Stop<//>`;
  if (shape === 'starting') return html`<${Button} size="s" icon="list-checks" href=${address}>Follow the start<//><${Button} size="s" kind="ghost" refused=${no.stop} onClick=${() => act(workspace, 'stop')}>Cancel<//>`;
  if (shape === 'stopping' || shape === 'deleting') return html`<${Button} size="s" href=${address}>Details<//>`;
  const failed = shape === 'error' || shape === 'pending';
  const open = shape === 'stopped' && !no.start && Boolean(workspace.apps?.length);
  return html`${open && html`<${Late} load=${launch} part="OpenButton" workspace=${workspace} size="s" terminal=${false} />`}<${Button} size="s" kind=${open ? 'ghost' : undefined} icon=${failed ? 'rotate-cw' : 'play'} refused=${no.start} onClick=${() => act(workspace, 'start')}>${failed ? 'Try again' : 'Start'}<//>${failed && html`<${Button} size="s" icon="file-text" href=${`${address}/logs`} refused=${no.logs}>Logs<//>`}`;
}
