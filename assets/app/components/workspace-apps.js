/** The apps of a workspace as rows: how each one is, opening it, starting it again, its log, and how to install a missing one. */
import { html, loadStyle } from '../lib/html.js';
import { post } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { plural } from '../lib/format.js';
import { fail, toast } from '../lib/overlay.js';
import { usePoll } from '../lib/poll.js';
import { refresh, useQuery } from '../lib/query.js';
import { confirm } from './dialog.js';
import { Button, Icon, Time } from './basics.js';
import { Hint } from './command.js';
import { appAddress, appIcon, openRefusal } from './launch.js';
import { Menu } from './menu.js';
import { Card } from './places.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {import('../lib/types.js').App} App */

await loadStyle('/style/work.css');

const SHAPES = /** @type {Record<string, [string, string]>} */ ({ running: ['running', 'Running'], starting: ['starting', 'Starting'], failed: ['error', 'Failed'], stopped: ['stopped', 'Stopped'], missing: ['pending', 'Not installed'] });

/** @param {{workspace: Workspace}} props */
export function Apps({ workspace }) {
  const running = workspace.status === 'running';
  const query = useQuery(running ? `/api/workspaces/${workspace.id}/apps` : null, ['workspace']);
  const list = /** @type {App[]} */ ((running && query.data) || workspace.apps || []);
  const moving = list.some(({ status }) => status === 'starting');
  usePoll(query.reload, moving ? 2000 : 15_000, running);
  return html`<${Card} title="Apps" right="each opens in a tab of its own"><ul class="lines apps">${list.map((app, i) => html`<${Row} key=${app.slug} workspace=${workspace} app=${app} first=${i === 0} again=${query.reload} />`)}</ul><//>`;
}

/** What is worth knowing beside the word. @param {App} app @param {Workspace} workspace */
function fact(app, workspace) {
  if (app.status === 'stopped') return workspace.status === 'running' ? app.message || 'It starts when it is opened' : 'Opening it starts the workspace';
  if (app.status === 'running' && !app.message) return html`${app.since ? html`since <${Time} at=${app.since} />` : 'Answers'}${app.restarts ? ` · started again ${plural(app.restarts, 'time')}` : ''}`;
  return (app.message !== app.hint && app.message) || (app.status === 'starting' ? 'It does not answer yet' : app.status === 'missing' ? 'It is not on this machine' : app.lastExit ? `It ended with code ${app.lastExit}` : 'It ended');
}

/** @param {{workspace: Workspace, app: App, first: boolean, again: () => void}} props */
function Row({ workspace, app, first, again }) {
  const [shape, word] = SHAPES[app.status] || ['stopped', app.status];
  const inside = workspace.status === 'running';
  const missing = app.status === 'missing';
  const no = missing ? 'It is not installed.' : openRefusal(workspace);
  const never = refusal(workspace, 'restart_app') || (inside ? (missing ? 'It is not installed.' : undefined) : 'The workspace does not run.');
  const restart = async () => {
    const send = async () => { await post(`/api/workspaces/${workspace.id}/apps/${app.slug}/restart`); refresh('workspace'); again(); };
    if (app.status === 'running') {
      const done = await confirm({ title: `Start ${app.name} again?`, lead: `It ends first, and with it what runs inside it, its own terminals too. Saved files are kept; other apps go on.`, word: 'Start it again', keep: 'Leave it', failed: 'Not started again', run: send });
      if (done) toast({ title: `${app.name} starts again.` });
      return;
    }
    try { await send(); toast({ title: `${app.name} starts.` }); } catch (error) { fail(`${app.name} was not started`, error); }
  };
  return html`<li><span class="tile"><${Icon} name=${appIcon(app.icon)} /></span><div class="app-words"><div class="row wrap"><span class="strong">${app.name}</span><span class="status t12"><span class=${`dot ${shape}`} aria-hidden="true" />${word}</span></div><div class="t12 fg2">${fact(app, workspace)}</div></div>
    <span class="right row"><${Button} size="s" kind=${first && app.status === 'running' ? 'primary' : undefined} icon="external-link" href=${appAddress(workspace, app)} target="_blank" refused=${no} aria-label=${`Open ${app.name}`}>Open<//><${Menu} label=${`More for ${app.name}`} size="s" items=${[
      { text: app.status === 'failed' ? 'Start it' : 'Start it again', icon: 'rotate-cw', run: restart, refused: never },
      { text: 'Log', icon: 'file-text', href: `/workspaces/${workspace.id}/logs?app=${app.slug}`, refused: refusal(workspace, 'view_workspace_logs') || (inside ? undefined : 'The workspace does not run.') },
    ]} /></span>${missing && app.hint && html`<div class="app-hint"><${Hint} text=${app.hint} class="t12 fg2" /></div>`}</li>`;
}
