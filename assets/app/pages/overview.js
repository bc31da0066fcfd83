/** Administration: the platform at a glance. Figures first, then where room is left, what needs attention, and what it costs. */
import { html } from '../lib/html.js';
import { may } from '../lib/can.js';
import { amount, money, number, percent, plural, showDuration } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { query, setQuery } from '../lib/router.js';
import { me } from '../lib/session.js';
import { resourceWord } from '../lib/words.js';
import { Badge, Icon } from '../components/basics.js';
import { CapacityByNode, Commitments } from '../components/capacity-table.js';
import { Gauge } from '../components/gauge.js';
import { tightest } from '../components/gauge-tiles.js';
import { Late } from '../components/late.js';
import { LineChart, Sparkline } from '../components/line-chart.js';
import { Card, Failed, Loaded, PageHead, Skeleton, usePage } from '../components/places.js';
import { Segments } from '../components/segments.js';

const use = () => import('../components/platform-use.js');
const advised = () => import('../components/advice.js');
const week = () => import('../components/audit-digest.js');
const PERIODS = /** @type {[string, string][]} */ ([['30', '30 days'], ['90', '90 days'], ['365', '12 months']]);
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

export default function Overview() {
  usePage([{ text: 'Administration' }, { text: 'Overview' }]);
  const days = PERIODS.some(([key]) => key === query.value.get('days')) ? query.value.get('days') : '30';
  const stats = useQuery(`/api/admin/stats?days=${days}`, ['user', 'group', 'workspace'], { keep: true });
  const capacity = useQuery('/api/admin/cluster/capacity', ['group', 'workspace'], { keep: true });
  const costs = useQuery('/api/admin/costs?by=group&limit=5', ['workspace', 'setting'], { keep: true });
  const health = useQuery('/api/health/detailed', ['setting']);
  const groups = useQuery('/api/groups?limit=1000', ['group', 'workspace']);
  const advice = useQuery('/api/admin/advice', ['group', 'workspace']);
  return html`<div class="page"><${PageHead} title="Overview" facts=${facts(capacity.data, health.data)} actions=${html`<${Segments} label="Period" value=${days} options=${PERIODS} onPick=${(/** @type {string} */ next) => setQuery({ days: next === '30' ? null : next }, { replace: true })} />`} />
    <div class="stack"><${Figures} stats=${stats} capacity=${capacity} costs=${costs} />
    <div class="cols" style="gap:16px"><div class="stack">
      ${capacity.data ? html`<${CapacityByNode} capacity=${capacity.data} />` : html`<${Card} title="Capacity by node">${capacity.error ? html`<${Failed} what="The cluster does not say what it has" error=${capacity.error} again=${capacity.reload} />` : html`<${Skeleton} lines=${3} />`}<//>`}
      <${Late} load=${use} part="PlatformTrend" meanwhile=${html`<${Card} title="Use over time"><${Skeleton} lines=${4} height=${67} /><//>`} nodes=${(capacity.data?.nodes || []).map((/** @type {any} */ node) => node.name)} />
      ${stats.data ? html`<${Growth} growth=${stats.data.growth} />` : html`<${Card} title="Growth">${stats.error ? html`<${Failed} what="The numbers could not be read" error=${stats.error} again=${stats.reload} />` : html`<${Skeleton} lines=${4} height=${57} />`}<//>`}
      <${Late} load=${use} part="TopConsumers" meanwhile=${html`<${Card} title="Top consumers"><${Skeleton} lines=${4} height=${44} /><//>`} />${advice.data && html`<${Late} load=${advised} part="UnusedCards" advice=${advice.data} always groups />`}</div>
    <aside><${Problems} health=${health} stats=${stats.data} capacity=${capacity.data} groups=${groups.data} />${capacity.data ? html`<${Commitments} commitments=${capacity.data.commitments} />` : !capacity.error && html`<${Card} title="Promised by quotas"><${Skeleton} lines=${4} height=${46} /><//>`}<${Late} load=${advised} part="Alerts" meanwhile=${html`<${Card} title="Alerts"><${Skeleton} /><//>`} advice=${advice} /><${Near} groups=${groups} /><${Late} load=${advised} part="Underused" advice=${advice} /><${Dearest} costs=${costs} />${may(me.value, 'view_audit_log') && html`<${Late} load=${week} part="AdminWeek" />`}</aside></div></div></div>`;
}

/** @param {any} capacity @param {any} health */
function facts(capacity, health) {
  return [capacity && plural(capacity.nodeCount, 'node'), health && `${health.cluster.kind === 'local' ? 'workspaces on this machine' : 'a Kubernetes cluster'}`, health && `running for ${showDuration(health.uptime * 1000)}`].filter(Boolean).join(' · ') || '\u00a0';
}

/** @param {number} [days] */
const periodWords = (days = 30) => (days >= 365 ? '12 months' : plural(days, 'day'));

/** @param {{what: string, figure: any, of?: string, means: any, values?: number[]}} props */
const Figure = ({ what, figure, of, means, values }) => html`<div class="card figure"><div class="what">${what}</div><div class="f">${figure}${of && html` <small>${of}</small>`}</div>${values && values.length > 1 ? html`<${Sparkline} values=${values} />` : html`<span />`}<div class="means">${means}</div></div>`;

/** @param {{stats: any, capacity: any, costs: any}} props */
function Figures({ stats, capacity, costs }) {
  const told = stats.data;
  const has = capacity.data;
  const cost = costs.data?.total;
  const cpu = has?.commitments.find((/** @type {any} */ one) => one.resource === 'cpu');
  const series = (/** @type {string} */ name) => told?.growth.map((/** @type {any} */ one) => one[name]);
  const before = `${periodWords(told?.growth.length)} ago`;
  const growing = (/** @type {string} */ name, /** @type {string} */ one) => { const all = series(name); const more = all ? all[all.length - 1] - all[0] : 0; return more === 0 ? `as many ${one}s as ${before}` : `${plural(Math.abs(more), one)} ${more > 0 ? 'more' : 'fewer'} than ${before}`; };
  return html`<section class="figures" aria-label="In figures" aria-busy=${told || stats.error ? undefined : 'true'}>
    <${Figure} what="Workspaces running" figure=${told ? number(told.platform.runningWorkspaces) : '–'} of=${told && `of ${number(told.platform.totalWorkspaces)}`} values=${series('workspaces')} means=${told ? growing('workspaces', 'workspace') : '\u00a0'} />
    <${Figure} what="People active this week" figure=${told ? number(told.activity.activeUsersLast7Days) : '–'} of=${told && `of ${number(told.platform.totalUsers)}`} values=${series('users')} means=${told ? plural(told.platform.adminUsers, 'platform admin') : '\u00a0'} />
    <${Figure} what="CPU promised to groups" figure=${cpu?.capacity ? percent(cpu.percentage) : '–'} means=${has ? `${percent(100 * amount('cpu', has.usedCpu) / (amount('cpu', has.allocatableCpu) || 1))} given to workspaces that run` : '\u00a0'} />
    <${Figure} what="Cost this month" figure=${cost ? money(cost.monthToDate, cost.currency) : '–'} means=${cost ? `${money(cost.projected, cost.currency)} at the end of the month` : '\u00a0'} /></section>`;
}

/** @param {{growth: any[]}} props */
function Growth({ growth }) {
  const values = (/** @type {string} */ name) => growth.map((one) => one[name]);
  return html`<${LineChart} title="Growth" labels=${growth.map(({ date }) => day.format(new Date(date)))} series=${[{ name: 'Workspaces', values: values('workspaces') }, { name: 'People', values: values('users') }, { name: 'Groups', values: values('groups') }]} />`;
}

/** What needs somebody. @param {{health: any, stats: any, capacity: any, groups: any[] | undefined}} props */
function Problems({ health, stats, capacity, groups }) {
  const told = health.data;
  /** @type {{kind: 'bad' | 'warn', title: string, text: any}[]} */
  const found = [];
  if (told?.cluster.status === 'unhealthy') found.push({ kind: 'bad', title: 'The cluster is not well', text: told.cluster.summary });
  if (told?.dependencies.database.status === 'unhealthy') found.push({ kind: 'bad', title: 'The database does not answer', text: 'Look at the server’s log.' });
  for (const check of told?.cluster.checks || []) if (!check.blocked) found.push({ kind: 'bad', title: 'The sandbox has a gap', text: check.name });
  for (const warning of told?.cluster.warnings || []) found.push({ kind: 'warn', title: 'Not isolated', text: warning });
  if (stats?.platform.adminAdvice) found.push({ kind: 'warn', title: 'Platform admins', text: stats.platform.adminAdvice });
  for (const node of capacity?.nodes || []) {
    // A node that was never meant for workspaces is no trouble.
    if (node.unschedulable?.startsWith('not for workspaces')) continue;
    if (node.unschedulable) found.push({ kind: 'warn', title: `Node ${node.name} takes nothing new`, text: `It is ${node.unschedulable}.` });
    else if (node.cpuPercentage >= 90 || node.memoryPercentage >= 90) found.push({ kind: 'warn', title: `Node ${node.name} is nearly full`, text: `${percent(Math.max(node.cpuPercentage, node.memoryPercentage))} of its ${node.cpuPercentage >= node.memoryPercentage ? 'CPU' : 'memory'} is given away.` });
    const disk = node.totalDisk ? 100 * amount('storage', node.usedDisk) / amount('storage', node.totalDisk) : 0;
    if (disk >= 90) found.push({ kind: disk >= 95 ? 'bad' : 'warn', title: `The disk of node ${node.name} is ${percent(disk)} full`, text: 'Delete workspaces that nobody needs, or give it more room.' });
  }
  for (const group of groups || []) if (group.status === 'failed') found.push({ kind: 'bad', title: `${group.displayName} could not be made`, text: html`<a class="link" href=${`/groups/${group.id}`}>See why</a>` });
  const serious = found.filter(({ kind }) => kind === 'bad').length;
  const badge = html`${serious > 0 && html`<${Badge} kind="bad">${number(serious)} serious<//>`} ${found.length > serious && html`<${Badge} kind="warn">${number(found.length - serious)} to watch<//>`}`;
  return html`<${Card} title="Problems" right=${badge}><${Loaded} query=${health} what="The health of the parts could not be read">${() => (found.length
    ? html`<ul class="lines">${found.map((one) => html`<li key=${`${one.title} ${one.text}`} class="row high"><${Icon} name=${one.kind === 'bad' ? 'circle-alert' : 'triangle-alert'} class=${one.kind} label=${one.kind === 'bad' ? 'Serious' : 'To watch'} /><span class="stack" style="gap:2px"><span class="strong">${one.title}</span><span class="t12 fg2">${one.text}</span></span></li>`)}</ul>`
    : html`<p class="card-body t13 fg2 row"><${Icon} name="circle-check" class="ok" />Everything is as it should be.</p>`)}<//><//>`;
}

/** @param {{groups: any}} props */
function Near({ groups }) {
  const near = (groups.data || []).map((/** @type {any} */ group) => ({ group, ...tightest(group.usage) })).filter((/** @type {any} */ one) => one.share >= 80).sort((/** @type {any} */ a, /** @type {any} */ b) => b.share - a.share).slice(0, 5);
  return html`<${Card} title="Groups near their quota"><${Loaded} query=${groups} what="The groups could not be read">${() => (near.length
    ? html`<div class="card-body stack s8">${near.map((/** @type {any} */ { group, resource }) => html`<a class="plain" key=${group.id} href=${`/groups/${group.id}`}><${Gauge} resource=${resource} used=${group.usage[resource].used} total=${group.usage[resource].total} label=${`${group.displayName}, ${resource === 'cpu' ? 'CPU' : resourceWord(resource).toLowerCase()}`} /></a>`)}</div>`
    : html`<p class="card-body t13 fg2">No group uses 80 % or more of anything.</p>`)}<//><//>`;
}

/** @param {{costs: any}} props */
function Dearest({ costs }) {
  return html`<${Card} title="Cost by group" right=${may(me.value, 'update_pricing') && html`<a href="/admin/settings?find=pricing">Prices</a>`}><${Loaded} query=${costs} what="The costs could not be read">${(/** @type {any} */ told) => (told.items.length
    ? html`<ul class="lines">${told.items.map((/** @type {any} */ line) => html`<li key=${line.id}>${line.name ? html`<a class="cut" href=${`/groups/${line.id}`}>${line.name}</a>` : html`<span class="cut fg2">a group that is gone</span>`}<span class="at">${money(line.monthToDate, told.total.currency)} · ${money(line.projected, told.total.currency)} at the end</span></li>`)}</ul>`
    : html`<p class="card-body t13 fg2">Nothing was held this month.</p>`)}<//><//>`;
}
