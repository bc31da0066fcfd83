/** Use over time: one line of it at a time, for a stretch that one picks. What nobody looked at is a gap. */
import { html, useState } from '../lib/html.js';
import { number, plural, showBytes, showClock, unitFor } from '../lib/format.js';
import { usePoll } from '../lib/poll.js';
import { useQuery } from '../lib/query.js';
import { LineChart } from './line-chart.js';
import { Card, Failed, Skeleton } from './places.js';
import { Segments } from './segments.js';

export const RANGES = /** @type {[string, string][]} */ ([['6h', '6 hours'], ['7d', '7 days'], ['90d', '90 days'], ['365d', '12 months']]);
const WORDS = /** @type {Record<string, string>} */ ({ cpu: 'CPU', memory: 'Memory', storage: 'Storage', workspaces: 'Workspaces', running: 'Running', processes: 'Processes', pods: 'Pods' });
const MINUTE = 60_000;
const fine = new Intl.NumberFormat('en-GB', { maximumSignificantDigits: 3 }); // 0.0025 cores are a grid line of their own

const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const hour = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

/** @typedef {{name: string, unit: string, mean: (number | null)[], peak: (number | null)[], limit?: (number | null)[]}} Line */
/** @typedef {{range: string, stepSeconds: number, at: string[], looks: number[], lines: Line[]}} TrendAnswer */

/** Days are those of UTC, hours and minutes those of whoever looks. @param {TrendAnswer} answer */
export function labelsOf(answer) {
  if (answer.stepSeconds === 60) return answer.at.map(showClock);
  return answer.at.map((at) => (answer.stepSeconds === 3600 ? hour : date).format(new Date(at)));
}

/** How an amount of this unit is written, and what round steps of its axis are made of. @param {string} unit @param {number} most the largest there is */
export function scale(unit, most) {
  if (unit === 'bytes') return { show: (/** @type {number} */ value) => (value === 0 ? '0' : showBytes(value)), base: unitFor(most).unit };
  if (unit === 'cores') return { show: (/** @type {number} */ value) => fine.format(value), base: most > 0 && most < 1 ? 10 ** Math.floor(Math.log10(most)) : 1 };
  return { show: (/** @type {number} */ value) => number(Math.round(value * 10) / 10), base: 1 };
}

/** What a row of the table is. @param {TrendAnswer} answer */
const stepWord = (answer) => (answer.stepSeconds === 60 ? 'Minute' : answer.stepSeconds === 3600 ? 'Hour' : 'Day');

/** @param {{answer: TrendAnswer, line: Line, title: string, limitName?: string, more?: Line, under?: any, labels?: string[]}} props more: a second line beside the mean, in place of the peak */
export function TrendChart({ answer, line, title, limitName = 'Limit', more, under, labels = labelsOf(answer) }) {
  const values = [...line.mean, ...line.peak].filter((value) => value !== null);
  const { show, base } = scale(line.unit, Math.max(0, .../** @type {number[]} */ (values)));
  // Within a minute there is one look, and so no peak of its own.
  const second = more ? [{ name: WORDS[more.name], values: more.mean }] : answer.stepSeconds > 60 ? [{ name: 'Peak', values: line.peak }] : [];
  const first = { name: more ? WORDS[line.name] : answer.stepSeconds > 60 ? 'Mean' : 'In use', values: line.mean };
  const limit = line.limit && { name: limitWords(limitName, line), values: line.limit };
  return html`<${LineChart} title=${title} labels=${labels} series=${[first, ...second]} show=${show} base=${base} limit=${limit} step=${answer.range === 'live' ? 'Time' : stepWord(answer)} under=${under} />`;
}

/** @param {string} name @param {Line} line */
function limitWords(name, line) {
  const last = (line.limit || []).filter((value) => value !== null).pop() || 0;
  return `${name} ${line.unit === 'bytes' ? showBytes(last) : line.unit === 'cores' ? plural(last, 'core') : number(last)}`;
}

/** @param {{title: string, path: string, parts: string[], limitName?: string, beside?: any}} props path: of the history, complete but for its range; parts: which of its lines can be picked */
export function Trend({ title, path, parts, limitName, beside }) {
  const [range, setRange] = useState('6h');
  const [part, setPart] = useState(parts[0]);
  const query = useQuery(`${path}${path.includes('?') ? '&' : '?'}range=${range}`, [], { keep: true });
  usePoll(query.reload, MINUTE);
  const answer = /** @type {TrendAnswer | undefined} */ (query.data);
  const line = answer?.lines.find(({ name }) => name === part) || answer?.lines[0];
  const under = html`<div class="trend-picks"><${Segments} label=${`What of ${title.toLowerCase()}`} value=${line?.name || part} options=${parts.filter((name) => !answer || answer.lines.some((one) => one.name === name)).map((name) => [name, WORDS[name]])} onPick=${setPart} /><${Segments} label=${`How far back: ${title.toLowerCase()}`} value=${range} options=${RANGES} onPick=${setRange} />${beside}</div>`;
  if (!answer || !line) return html`<${Card} title=${title}>${under}${query.error ? html`<${Failed} what="Use over time could not be read" error=${query.error} again=${query.reload} />` : html`<${Skeleton} lines=${4} height=${57} />`}<//>`;
  if (!answer.looks.some((looks) => looks > 0)) return html`<${Card} title=${title}>${under}<p class="card-body t13 fg2 chart-none">Nothing is known of this time yet: use is looked at once a minute, while the server runs.</p><//>`;
  const more = line.name === 'workspaces' ? answer.lines.find(({ name }) => name === 'running') : undefined;
  return html`<${TrendChart} answer=${answer} line=${line} title=${title} limitName=${limitName} more=${more} under=${under} />`;
}
