/** What happened to a workspace, start by start, in words; what the cluster said is one press away. */
import { html, loadStyle } from '../lib/html.js';
import { plural, showClock, showDate, showDuration, showExact } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { actorName, byRun, stepsOf, withReason } from '../lib/starts.js';
import { Badge, Icon, Time } from './basics.js';
import { Card, Empty, Loaded } from './places.js';
import { Rail } from './workspace-overview.js';

await loadStyle('/style/steps.css');

const ICONS = /** @type {Record<string, [string, string]>} */ ({ step: ['circle-check', 'ok'], action: ['user-round', 'fg3'], warning: ['triangle-alert', 'warn'], error: ['circle-x', 'bad'] });

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export default function Timeline({ workspace }) {
  const query = useQuery(`/api/workspaces/${workspace.id}/timeline?limit=500`, ['workspace']);
  return html`<div class="cols rail"><div class="stack"><${Loaded} query=${query} what="The timeline could not be read" lines=${6}>${(/** @type {any[]} */ entries) => (entries.length === 0 ? html`<div class="card"><${Empty} icon="history" title="Nothing happened yet" text="Starts, stops and what the cluster says appear here." /></div>` : byRun(withReason(entries, workspace)).map((run, i) => html`<${Run} key=${run.run} ...${run} workspace=${workspace} first=${i === 0} />`))}<//></div><${Rail} workspace=${workspace} /></div>`;
}

/** @param {{run: number, list: any[], workspace: any, first: boolean}} props */
function Run({ run, list, workspace, first }) {
  const { begin, ready, failed, total } = stepsOf(list, workspace, run === workspace.run);
  const at = begin || list[0];
  const problems = list.filter(({ kind }) => kind === 'error' || kind === 'warning').length;
  return html`<${Card} title=${run === 0 ? 'Before the first start' : first ? 'Latest start' : `Start of ${showDate(at.at)}`} right=${html`${ready ? html`<${Badge} kind="ok">ready in ${showDuration(total)}<//>` : failed ? html`<${Badge} kind="bad">failed<//>` : ''} ${problems > 0 && ready && plural(problems, 'problem')}`}>
    <ol class="steps card-body">${list.map((entry) => html`<li key=${entry.id}><span class=${`m ${ICONS[entry.kind]?.[1] || 'fg3'}`}><${Icon} name=${ICONS[entry.kind]?.[0] || 'activity'} label=${entry.kind} /></span><span>${entry.message}${(entry.count || 1) > 1 && html` <${Badge}>${entry.count} times<//>`}${actorName(entry.actor) && !entry.message.includes(actorName(entry.actor)) && html`<div class="w">by ${actorName(entry.actor)}</div>`}${(entry.kind === 'error' || entry.kind === 'warning') && html`<details class="w"><summary>Details</summary><code>${entry.code}</code></details>`}</span><span class="s" data-tip=${showExact(entry.at)}>${showClock(entry.at)}</span></li>`)}</ol>
    ${!first && html`<div class="card-part t12 fg3"><${Time} at=${at.at} /></div>`}<//>`;
}
