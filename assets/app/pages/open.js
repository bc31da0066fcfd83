/**
 * Opens an app or a port of a workspace: asks before somebody else's, starts what is stopped with its steps shown, waits
 * for the app and goes on. Where it cannot, it says why and what to do. The address may be kept as a bookmark.
 */
import { html, loadStyle, useEffect, useMemo, useState } from '../lib/html.js';
import { refusal } from '../lib/can.js';
import { needsReason } from '../lib/entering.js';
import { hindrance, readTarget, useOpening } from '../lib/opening.js';
import { useQuery } from '../lib/query.js';
import { stepsOf } from '../lib/starts.js';
import { here } from '../lib/router.js';
import { AskEntry } from '../components/ask-entry.js';
import { Button, Id } from '../components/basics.js';
import { Hint } from '../components/command.js';
import { Entry } from '../components/entry.js';
import { Callout, Skeleton, usePage } from '../components/places.js';
import { Steps } from '../components/steps.js';

await loadStyle('/style/work.css');

/** @typedef {ReturnType<typeof useOpening>} Opening */
/** @typedef {import('../lib/types.js').Workspace} Workspace */

export default function Open() {
  const target = useMemo(() => readTarget(location), [here.value]);
  const opening = useOpening(target);
  const { stage, workspace, app, error } = opening;
  const what = target.port ? `port ${target.port}` : app?.name || 'the app';
  const title = error ? `${what[0].toUpperCase()}${what.slice(1)} was not opened` : titleOf(stage, what, workspace);
  usePage([{ text: title }]);
  return html`<${Entry} title=${title} under=${workspace && html`<a class="link" href=${`/workspaces/${workspace.id}`}>${workspace.name}</a> · ${workspace.groupDisplayName}`} wide
    below=${workspace && !error && ['starting', 'waiting'].includes(stage) ? 'This page goes on by itself. You may keep it as a bookmark.' : undefined}>
    <div class="stack" aria-live="polite"><${Body} ...${opening} what=${what} port=${target.port} /></div><//>`;
}

/** @param {string} stage @param {string} what @param {Workspace | undefined} workspace */
function titleOf(stage, what, workspace) {
  const name = workspace?.name || 'The workspace';
  switch (stage) {
    case 'wrong': return 'The address is not complete';
    case 'lost': return 'Not here, or not yours to open';
    case 'refused': return 'Not yours to open';
    case 'ask': return `Open somebody else’s workspace?`;
    case 'starting': return `Starting ${name}`;
    case 'stopped': return `${name} is stopped`;
    case 'failed': return `${name} did not start`;
    case 'no-app': return 'It has no such app';
    case 'missing': return `${what} is not installed`;
    case 'app-failed': return `${what} did not start`;
    case 'waiting': return what.startsWith('port ') ? `Waiting for ${what}` : `Starting ${what}`;
    default: return `Opening ${what}`;
  }
}

/** @param {Opening & {what: string, port: number}} props */
function Body({ what, port, ...opening }) {
  const { stage, workspace, app, error, again } = opening;
  if (stage === 'wrong') return html`<p class="t13 fg2">It names no workspace, or nothing in it to open. It may have been cut off when it was copied.</p><${Buttons}><${Button} kind="primary" href="/">Home<//><//>`;
  if (error) return html`<${Problem} error=${error} again=${again} workspace=${workspace} />`;
  if (!workspace) return html`<${Skeleton} lines=${3} height=${28} />`;
  if (stage === 'refused') return html`<p class="t13 fg2">${hindrance(workspace) || 'It is being deleted.'}</p><${Buttons} workspace=${workspace} />`;
  if (stage === 'ask') return html`<${AskEntry} workspace=${workspace} what=${`open ${what}`} word=${`Open ${what}`} must=${needsReason(workspace)} leave="/" agree=${opening.agree} />`;
  if (stage === 'stopped') return html`<p class="t13 fg2">${refusal(workspace, 'start_workspace')} Its files are kept.</p><${Buttons} workspace=${workspace}><${Button} kind="primary" icon="rotate-cw" onClick=${again}>Try again<//><//>`;
  if (stage === 'failed') return html`<${Callout} kind="bad" alert lead=${workspace.reason?.message || 'The reason is not known yet.'}>${workspace.reason?.remedy || 'Its files are safe.'}<//><${Buttons} workspace=${workspace} to="/timeline" word="What happened"><${Button} kind="primary" icon="rotate-cw" refused=${refusal(workspace, 'start_workspace')} onClick=${opening.start}>Try again<//><//>`;
  if (stage === 'no-app') return html`<p class="t13 fg2">${workspace.apps?.length ? `It has ${workspace.apps.map(({ name }) => name).join(', ')}.` : 'Its template has no apps; it has a terminal.'}</p><${Buttons} workspace=${workspace}><${Button} kind="primary" icon="terminal" href=${`/workspaces/${workspace.id}/terminal`}>Open terminal<//><//>`;
  if (stage === 'missing') return html`<p class="t13 fg2">The program is not on this machine. Once it is installed, start the workspace again; this page then goes on by itself.</p>${app?.hint && html`<${Hint} text=${app.hint} />`}<${Buttons} workspace=${workspace}><${Button} icon="terminal" href=${`/workspaces/${workspace.id}/terminal`}>Open terminal<//><${Button} kind="primary" icon="rotate-cw" onClick=${again}>Check again<//><//>`;
  if (stage === 'app-failed') return html`<${AppFailed} workspace=${workspace} app=${app} restart=${opening.restartApp} />`;
  return html`<${Progress} workspace=${workspace} stage=${stage} what=${what} port=${port} anyway=${opening.anyway} />`;
}

/** What one can do, the harmless first. @param {{workspace?: Workspace, to?: string, word?: string, children?: any}} props */
const Buttons = ({ workspace, to = '', word = 'Details', children }) => html`<div class="row wrap open-buttons">${workspace && html`<${Button} href=${`/workspaces/${workspace.id}${to}`}>${word}<//>`}${children}</div>`;

/** @param {{error: any, again: () => void, workspace?: Workspace}} props */
function Problem({ error, again, workspace }) {
  const quota = error.code === 'QUOTA_EXCEEDED';
  const help = error.status === 0 ? 'This page tries again when you ask it to.' : quota ? 'Stop another workspace, choose a smaller size in its settings, or ask for more.' : error.status === 404 ? 'It may have been deleted, or the address was cut off.' : '';
  return html`<${Callout} kind=${quota ? 'warn' : 'bad'} alert lead=${error.message}>${help}<//>${error.callid && html`<div class="row t12 fg2">Call <${Id} id=${error.callid} label="Copy the call id" /></div>`}
    <${Buttons} workspace=${workspace} to=${quota ? '/settings' : ''} word=${quota ? 'Its size' : 'Details'}>${!workspace && html`<${Button} href="/">Home<//>`}<${Button} kind="primary" icon="rotate-cw" onClick=${again}>Try again<//><//>`;
}

/** @param {{workspace: Workspace, app: any, restart: () => void}} props */
function AppFailed({ workspace, app, restart }) {
  const [log, setLog] = useState('');
  useEffect(() => {
    const stop = new AbortController();
    fetch(`/api/workspaces/${workspace.id}/apps/${app.slug}/logs?lines=12`, { signal: stop.signal, cache: 'no-store' }).then((answer) => (answer.ok ? answer.text() : '')).then(setLog, () => {});
    return () => stop.abort();
  }, [workspace.id, app.slug, app.restarts]);
  return html`<${Callout} kind="bad" alert lead=${app.message || `${app.name} ended${app.lastExit ? ` with code ${app.lastExit}` : ''}.`}>The workspace itself runs; your files are safe.<//>${log && html`<pre class="log-tail" tabindex="0" role="region" aria-label="The end of its log">${log.trimEnd()}</pre>`}
    <${Buttons} workspace=${workspace} to=${`/logs?app=${app.slug}`} word="Whole log"><${Button} icon="terminal" href=${`/workspaces/${workspace.id}/terminal`}>Open terminal<//><${Button} kind="primary" icon="rotate-cw" onClick=${restart}>Start it again<//><//>`;
}

/** @param {{workspace: Workspace, stage: string, what: string, port: number, anyway: () => void}} props */
function Progress({ workspace, stage, what, port, anyway }) {
  const [seen] = useState(stage === 'starting');
  const moving = stage === 'starting';
  const timeline = useQuery(seen || moving ? `/api/workspaces/${workspace.id}/timeline?limit=100` : null, ['workspace']);
  useEffect(() => { if (seen || moving) timeline.reload(); }, [workspace.status, workspace.run]);
  const run = timeline.data?.filter((/** @type {any} */ entry) => entry.run === workspace.run) || [];
  const started = (seen || moving) && run.length ? stepsOf(run, workspace, true).steps.filter(({ mark, title }) => mark !== 'todo' && !(mark === 'done' && title === 'Ready')) : [];
  const later = /** @type {'now' | 'todo'} */ (moving ? 'todo' : 'now');
  const steps = [
    ...(moving && !started.some(({ mark }) => mark === 'now') ? [...started, { mark: /** @type {const} */ ('now'), title: workspace.status === 'stopping' ? 'Waiting until it has stopped' : 'Asked to start' }] : started),
    ...(moving ? [] : [{ mark: /** @type {const} */ ('done'), title: `${workspace.name} runs` }]),
    stage === 'going' ? { mark: /** @type {const} */ ('done'), title: port ? `Port ${port} answers` : `${what} answers` } : { mark: later, title: port ? `A server on port ${port}` : `${what} starts`, detail: port && !moving ? 'Start one in the terminal; it is opened as soon as it listens.' : undefined },
    { mark: /** @type {'now' | 'todo'} */ (stage === 'going' ? 'now' : 'todo'), title: 'Opening' },
  ];
  return html`<${Steps} steps=${steps} />${port && stage === 'waiting' ? html`<${Buttons} workspace=${workspace}><${Button} onClick=${anyway}>Open it anyway<//><${Button} kind="primary" icon="terminal" href=${`/workspaces/${workspace.id}/terminal`}>Open terminal<//><//>` : null}`;
}
