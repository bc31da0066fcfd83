/** What a workspace uses: live while it runs, and over hours, days and months. */
import { html, loadStyle, useEffect, useState } from '../lib/html.js';
import { amount, percent, plural, show, showCores, showSeconds } from '../lib/format.js';
import { usePoll } from '../lib/poll.js';
import { useQuery } from '../lib/query.js';
import { query as address, setQuery } from '../lib/router.js';
import { call } from '../lib/api.js';
import { Select } from './fields.js';
import { Card, Empty, Failed, Skeleton } from './places.js';
import { Segments } from './segments.js';
import { RANGES, TrendChart } from './trend.js';

await loadStyle('/style/table.css');

const EVERY_MS = 3000;
/** Five minutes of it. */
const POINTS = 100;
const PARTS = /** @type {[string, string][]} */ ([['cpu', 'CPU'], ['memory', 'Memory'], ['storage', 'Disk'], ['processes', 'Processes']]);
const UNITS = /** @type {Record<string, string>} */ ({ cpu: 'cores', memory: 'bytes', storage: 'bytes', processes: 'count' });

/** @typedef {{at: number, total: any}} Moment */

/** What was measured since the page was opened, by workspace: coming back to it begins with what was there. @type {Map<string, Moment[]>} */
const seen = new Map();

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export default function Metrics({ workspace }) {
  const running = workspace.status === 'running';
  const options = /** @type {[string, string][]} */ ([...(running ? [['live', 'Live']] : []), ...RANGES]);
  const wanted = address.value.get('range');
  const range = options.find(([key]) => key === wanted)?.[0] || options[0][0];
  const apps = workspace.apps || [];
  const app = apps.find(({ slug }) => slug === address.value.get('app'));
  const whose = apps.length > 0 && html`<div class="log-source"><${Select} aria-label="Whose use is shown" value=${app?.slug || ''} options=${[['', 'The workspace'], ...apps.map(({ slug, name }) => [slug, name])]} onPick=${(/** @type {string} */ slug) => setQuery({ app: slug || null }, { replace: true })} /></div>`;
  const pick = html`<${Segments} label="How far back" value=${range} options=${options} onPick=${(/** @type {string} */ next) => setQuery({ range: next === options[0][0] ? null : next }, { replace: true })} />`;
  return html`<div class="stack"><div class="row wrap">${pick}${whose}<span class="t12 fg2">${range === 'live' ? 'Measured every three seconds while you look.' : 'Measured once a minute while it runs; a gap is a time in which it, or the server, did not run.'}</span></div>
    ${range === 'live' ? html`<${Live} workspace=${workspace} app=${app} />` : html`<${Past} workspace=${workspace} app=${app} range=${range} />`}</div>`;
}

/** @param {any} told what the server measured, of the workspace or of an app @param {string} part */
const measured = (told, part) => (part === 'processes' ? told?.processes ?? null : told?.[part] ? amount(part, told[part].used ?? told[part]) : null);

/** @param {any} total what was measured at one moment @param {string | undefined} slug of an app */
const partOf = (total, slug) => (slug ? total.apps?.find((/** @type {any} */ one) => one.slug === slug) : total);

/** @typedef {import('../lib/types.js').App} App */

/** @param {{workspace: import('../lib/types.js').Workspace, app: App | undefined}} props */
function Live({ workspace, app }) {
  const [moments, setMoments] = useState(/** @type {Moment[]} */ (seen.get(workspace.id) || []));
  const [error, setError] = useState(/** @type {any} */ (null));
  const read = async () => {
    try {
      const { data } = await call('GET', `/api/workspaces/${workspace.id}/metrics`);
      const next = [...(seen.get(workspace.id) || []), { at: Date.now(), total: data }].slice(-POINTS);
      seen.set(workspace.id, next);
      setMoments(next);
      setError(null);
    } catch (problem) { setError(problem); }
  };
  useEffect(() => { read(); }, [workspace.id]);
  usePoll(read, EVERY_MS);
  if (error && moments.length === 0) return html`<div class="card"><${Failed} what="What it uses could not be measured" error=${error} again=${read} /></div>`;
  if (moments.length < 2) return html`<${Card} title="Live"><${Skeleton} lines=${4} height=${52} /><//>`;
  const before = Array.from({ length: POINTS - moments.length }, () => null);
  const start = moments[0].at - before.length * EVERY_MS;
  const at = [...before.map((_, i) => start + i * EVERY_MS), ...moments.map((moment) => moment.at)];
  const total = moments[moments.length - 1].total;
  const lines = PARTS.map(([part]) => {
    const values = [...before, ...moments.map((moment) => measured(partOf(moment.total, app?.slug), part))];
    const limit = total[part]?.total ? values.map(() => amount(part, total[part].total)) : undefined;
    return { name: part, unit: UNITS[part], mean: values, peak: values, limit };
  });
  if (app && !partOf(total, app.slug)) return html`<${Card}><${Empty} icon="activity" title=${`${app.name} does not run`} text="What it uses is measured while it does." /><//>`;
  return html`<${Charts} answer=${{ range: 'live', stepSeconds: 60, at: at.map((time) => new Date(time).toISOString()), looks: [], lines }} labels=${at.map(showSeconds)} />${!app && total.apps?.length > 0 && html`<${ByApp} total=${total} />`}`;
}

/** What each app has of it now. @param {{total: any}} props */
function ByApp({ total }) {
  const share = (/** @type {string} */ part, /** @type {any} */ used) => (used && total[part] && amount(part, total[part].used) > 0 ? html` <span class="fg3">${percent(Math.min(100, 100 * amount(part, used) / amount(part, total[part].used)))}</span>` : '');
  return html`<${Card} class="table-card" title="By app" right=${plural(total.apps.length, 'app')}><div class="table-scroll" tabindex="0" role="region" aria-label="By app"><table class="table compact"><thead><tr><th scope="col">App</th><th scope="col">CPU</th><th scope="col">Memory</th><th scope="col">Processes</th></tr></thead>
    <tbody>${total.apps.map((/** @type {any} */ one) => html`<tr key=${one.slug}><th scope="row">${one.name}</th><td>${one.cpu ? html`${showCores(one.cpu)}${share('cpu', one.cpu)}` : '–'}</td><td>${show('memory', one.memory)}${share('memory', one.memory)}</td><td>${one.processes}</td></tr>`)}</tbody></table></div><//>`;
}

/** @param {{workspace: import('../lib/types.js').Workspace, app: App | undefined, range: string}} props */
function Past({ workspace, app, range }) {
  const query = useQuery(`/api/workspaces/${workspace.id}/metrics/history?range=${range}${app ? `&app=${app.slug}` : ''}`, [], { keep: true });
  usePoll(query.reload, 60_000);
  if (!query.data) return html`<${Card} title="In use">${query.error ? html`<${Failed} what="What it used could not be read" error=${query.error} again=${query.reload} />` : html`<${Skeleton} lines=${4} height=${52} />`}<//>`;
  if (!query.data.looks.some((/** @type {number} */ looks) => looks > 0)) return html`<${Card}><${Empty} icon="activity" title="Nothing was measured in this time" text=${`What ${app?.name || 'a workspace'} uses is measured once a minute while it runs.`} /><//>`;
  return html`<${Charts} answer=${query.data} />`;
}

/** @param {{answer: import('./trend.js').TrendAnswer, labels?: string[]}} props */
function Charts({ answer, labels }) {
  const shown = PARTS.flatMap(([part, word]) => { const line = answer.lines.find(({ name }) => name === part); return line && line.mean.some((value) => value !== null) ? [{ line, word }] : []; });
  return html`<div class="charts2">${shown.map(({ line, word }) => html`<${TrendChart} key=${line.name} answer=${answer} line=${line} title=${word} limitName="Size" labels=${labels} />`)}</div>`;
}
