/** What a workspace may reach, what it reached, and what was refused by which rule, in words. */
import { html, loadStyle } from '../lib/html.js';
import { refusal } from '../lib/can.js';
import { number, plural, showBytes } from '../lib/format.js';
import { usePoll } from '../lib/poll.js';
import { useQuery } from '../lib/query.js';
import { Badge, Icon, Time } from './basics.js';
import { Callout, Card, Empty, Loaded } from './places.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */
/** @typedef {{host: string, port: number, count: number, bytesIn: number, bytesOut: number, lastAt: string}} Seen */
/** @typedef {{host: string, port: number, rule: string, message: string, count: number, lastAt: string}} Refused */
/** @typedef {{governed: boolean, policy: 'open' | 'allowlist' | 'none', allow: string[], since?: string, bytesIn: number, bytesOut: number, connections: number, targets: Seen[], refused: Refused[]}} Egress */

await Promise.all([loadStyle('/style/table.css'), loadStyle('/style/work.css')]);

const LOOK_MS = 5000;
/** Nothing is no fraction of a large unit. @param {number} value */
const amount = (value) => (value ? showBytes(value) : `0\u00a0B`);
const POLICIES = /** @type {Record<string, {title: string, text: string, icon: string}>} */ ({
  open: { title: 'Open', icon: 'globe', text: 'Programs in it reach any public address. The machine it runs on, its private networks, other workspaces and the metadata of a cloud are always refused.' },
  allowlist: { title: 'Only what is listed', icon: 'list-checks', text: 'Programs in it reach the targets below and nothing else.' },
  none: { title: 'Nothing', icon: 'ban', text: 'Programs in it reach no address outside. Your browser still reaches its apps and ports.' },
});

/** @param {{workspace: Workspace}} props */
export default function NetworkPart({ workspace }) {
  const no = refusal(workspace, 'view_workspace_egress');
  const query = useQuery(no ? null : `/api/workspaces/${workspace.id}/egress`, ['workspace', 'setting']);
  usePoll(query.reload, LOOK_MS, !no && workspace.status === 'running');
  if (no) return html`<div class="card"><${Empty} icon="ban" title="Its network is not yours to see" text=${no} /></div>`;
  return html`<${Loaded} query=${query} what="The network could not be read" lines=${6}>${(/** @type {Egress} */ egress) => html`<${Shown} egress=${egress} workspace=${workspace} />`}<//>`;
}

/** @param {{egress: Egress, workspace: Workspace}} props */
function Shown({ egress, workspace }) {
  const policy = POLICIES[egress.policy] || POLICIES.open;
  const quiet = egress.targets.length === 0;
  return html`<div class="cols rail"><div class="stack">
    ${!egress.governed && html`<${Callout} kind="warn" lead="Its network is not governed.">Nothing is limited or counted: on this machine workspaces share the network of the server. <code>codex-web doctor</code> says why.<//>`}
    ${egress.governed && html`<div class="card tiles net-tiles"><${Tile} icon="arrow-down-to-line" word="Received" figure=${amount(egress.bytesIn)} /><${Tile} icon="arrow-up-from-line" word="Sent" figure=${amount(egress.bytesOut)} /><${Tile} icon="network" word="Connections" figure=${number(egress.connections)} /><${Tile} icon="ban" word="Refused" figure=${number(egress.refused.reduce((sum, { count }) => sum + count, 0))} /></div>`}
    ${egress.refused.length > 0 && html`<${RefusedTable} list=${egress.refused} />`}
    ${quiet ? egress.governed && html`<div class="card"><${Empty} icon="network" title="Nothing was reached yet" text=${workspace.status === 'running' ? 'What programs in it connect to appears here, with the bytes in both directions.' : 'It does not run. What its programs connect to appears here.'} /></div>` : html`<${Targets} list=${egress.targets} />`}</div>
    <aside><${Card} title="What it may reach"><div class="card-body"><div class="row" style="gap:12px;align-items:flex-start"><span class="tile"><${Icon} name=${policy.icon} /></span><div><div class="strong">${policy.title}</div><p class="t13 fg2">${policy.text}</p></div></div></div>
      ${egress.allow.length > 0 && egress.policy !== 'none' && html`${egress.policy === 'open' && html`<p class="card-part t13">And these, which are not public:</p>`}<ul class="lines allow">${egress.allow.map((line) => html`<li key=${line}><${Icon} name="check" class="ok" size="s14" /><span class="mono cut" data-tip-cut>${line}</span></li>`)}</ul>`}<p class="card-part t12 fg2">Whoever runs this server sets it, for all workspaces.${egress.since && html` Counted since <${Time} at=${egress.since} />.`}</p><//></aside></div>`;
}

/** @param {{icon: string, word: string, figure: string}} props */
const Tile = ({ icon, word, figure }) => html`<div><div class="h"><span>${word}</span><${Icon} name=${icon} class="fg3" /></div><div class="f">${figure}</div></div>`;

const REMEDIES = /** @type {Record<string, string>} */ ({ not_listed: 'If you need it, ask whoever runs this server to add it, with this name and port.', closed: 'Bring what you need under Files.' });

/** The server's sentence without the target it begins with: that stands above it. @param {string} message */
function why(message) {
  const rest = message.slice(message.indexOf(' is refused: ') + 1).replace('is refused: ', '');
  return rest[0].toUpperCase() + rest.slice(1);
}

/** @param {{list: Refused[]}} props */
function RefusedTable({ list }) {
  return html`<section><div class="section-head"><h2>Refused</h2><span class="hint">${plural(list.length, 'target')}</span></div><div class="card"><ul class="lines refused">${list.map((one) => html`<li key=${`${one.host}:${one.port}:${one.rule}`}><${Icon} name="ban" class="bad" /><div class="refused-words"><div class="row wrap"><span class="mono strong">${one.host}:${one.port}</span><${Badge} kind="bad">${one.rule.replaceAll('_', ' ')}<//></div><div class="t12 fg2">${why(one.message)} ${REMEDIES[one.rule]}</div></div><span class="at">${plural(one.count, 'time')} · <${Time} at=${one.lastAt} /></span></li>`)}</ul></div></section>`;
}

/** @param {{list: Seen[]}} props */
function Targets({ list }) {
  return html`<section><div class="section-head"><h2>Reached</h2><span class="hint">${plural(list.length, 'target')}</span></div><div class="card table-card"><div class="table-scroll" tabindex="0" role="region" aria-label="Reached targets"><table class="table list"><thead><tr><th scope="col">Target</th><th scope="col" class="num">Connections</th><th scope="col" class="num">Received</th><th scope="col" class="num">Sent</th><th scope="col">Last</th></tr></thead>
    <tbody>${list.map((one) => html`<tr key=${`${one.host}:${one.port}`}><th scope="row" class="mono">${one.host}<span class="fg3">:${one.port}</span></th><td class="num minor">${number(one.count)}</td><td class="num second"><span class="only-narrow" aria-hidden="true">↓ </span>${amount(one.bytesIn)}</td><td class="num second"><span class="only-narrow" aria-hidden="true">↑ </span>${amount(one.bytesOut)}</td><td class="second fg2"><${Time} at=${one.lastAt} /></td></tr>`)}</tbody></table></div></div></section>`;
}
