/** The servers that listen inside a workspace, as they come and go; each is opened on an origin of its own. */
import { html, loadStyle } from '../lib/html.js';
import { barred } from '../lib/entering.js';
import { usePoll } from '../lib/poll.js';
import { useQuery } from '../lib/query.js';
import { Badge, Button, Copy, Icon } from './basics.js';
import { Command } from './command.js';
import { openRefusal } from './launch.js';
import { NotRunning } from './not-running.js';
import { Card, Empty, Loaded } from './places.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {{port: number, address: string, process?: string | null, pid?: number | null, app?: string | null, url?: string}} Port */

await Promise.all([loadStyle('/style/table.css'), loadStyle('/style/work.css')]);

const LOOK_MS = 3000;

/** @param {{workspace: Workspace}} props */
export default function PortsPart({ workspace }) {
  const running = workspace.status === 'running';
  const no = running ? openRefusal(workspace) : undefined;
  const query = useQuery(running && !no ? `/api/workspaces/${workspace.id}/ports` : null, ['workspace']);
  usePoll(query.reload, LOOK_MS, running && !no);
  if (no) return html`<div class="card"><${Empty} icon="ban" title="These servers are not yours to open" text=${no} /></div>`;
  if (!running) return html`<${NotRunning} workspace=${workspace} icon="ethernet-port" text="Servers that listen in it appear here while it runs." soon="Its servers appear here as soon as they listen." />`;
  return html`<div class="cols rail"><div><${Loaded} query=${query} what="The ports could not be read" lines=${4}>${(/** @type {Port[]} */ list) => (list.length ? html`<${List} list=${list} workspace=${workspace} />` : html`<div class="card"><${Empty} icon="ethernet-port" title="No server listens yet" text="Start one in the terminal. It appears here within seconds, with a button that opens it." action=${html`<${Button} icon="terminal" href=${`/workspaces/${workspace.id}/terminal`} refused=${barred(workspace, 'open_terminal')}>Open terminal<//>`} /></div>`)}<//></div><aside><${Help} /></aside></div>`;
}

/** @param {{list: Port[], workspace: Workspace}} props */
function List({ list, workspace }) {
  const app = (/** @type {Port} */ one) => workspace.apps?.find(({ slug }) => slug === one.app)?.name;
  return html`<div class="card table-card"><div class="table-scroll" tabindex="0" role="region" aria-label="Ports"><table class="table list ports"><thead><tr><th scope="col">Port</th><th scope="col">Program</th><th scope="col">Listens on</th><th scope="col">Who may open it</th><th scope="col" class="acts"><span class="sr">Actions</span></th></tr></thead>
    <tbody>${[...list].sort((a, b) => a.port - b.port).map((one) => html`<tr key=${`${one.address}:${one.port}`}><th scope="row" class="mono port">${one.port}</th><td class="second">${app(one) ? html`<span class="strong">${app(one)}</span>` : html`<span class="mono strong">${one.process || 'unknown'}</span>`}${one.pid ? html` <span class="fg3">process ${one.pid}</span>` : ''}</td><td class="minor mono fg2">${one.address}</td><td class="second"><${Badge} icon="lock" tip="Whoever may enter this workspace, signed in. Nobody else reaches it.">Private<//></td>
      <td class="acts"><span class="row"><${Copy} text=${new URL(one.url || `/open?workspace=${workspace.id}&port=${one.port}`, location.href).href} label=${`Copy the link to port ${one.port}`} /><${Button} size="s" icon="external-link" href=${one.url || `/open?workspace=${workspace.id}&port=${one.port}`} target="_blank" aria-label=${`Open port ${one.port}`}>Open<//></span></td></tr>`)}</tbody></table></div></div>`;
}

const Help = () => html`<${Card} title="A server of your own" class="wide"><div class="card-body stack s8 t13"><p class="fg2">Any program that listens is found, on every address, 127.0.0.1 too.</p><p>A folder as a website:</p><${Command} text="python3 -m http.server 8000" /><p>A front end with reload:</p><${Command} text="npm run dev" />
  <p class="fg2 row" style="align-items:flex-start;margin-top:4px"><${Icon} name="lock" /><span>Ports are private: only who may enter this workspace can open them. The link may be kept; it starts the workspace and waits for the server.</span></p></div><//>`;
