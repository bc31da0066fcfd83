/** Lines over time, drawn as SVG, with a pointer that reads them and the same numbers as a table. Where nothing is known a line is broken. */
import { html, loadStyle, useEffect, useId, useRef, useState } from '../lib/html.js';
import { number } from '../lib/format.js';
import { Button } from './basics.js';

await loadStyle('/style/table.css');
await loadStyle('/style/charts.css');

/** @typedef {{name: string, values: (number | null)[]}} Series null: nothing is known */
/** @typedef {{title: string, labels: string[], series: Series[], show: (value: number) => string, base: number, limit?: Series, step: string}} Drawn */

const HEIGHT = 220;
const EDGE = { top: 12, right: 12, bottom: 24 };

/** Round steps from zero up to the largest value: four or five of them. @param {number} most @param {number} [base] what a step is a whole number of, where values are few */
export function ticks(most, base = 1) {
  const units = most / base;
  const rough = Math.max(units, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) || 10 * power, units < 8 ? 1 : 0);
  const count = Math.max(1, Math.ceil(units / step));
  return Array.from({ length: count + 1 }, (_, i) => i * step * base);
}

/** The width of the place, as it is and as it changes. @param {{current: HTMLElement | null}} box */
function useWidth(box) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

/** @param {(number | null)[]} values @returns {number[]} */
const known = (values) => values.filter((value) => value !== null);

/**
 * @param {{title: string, labels: string[], series: Series[], show?: (value: number) => string, base?: number, limit?: Series, step?: string, beside?: any, under?: any}} props
 *   labels: one for each value; limit: a dashed line, with its name; step: what a row of the table is; under: a line above the drawing
 */
export function LineChart({ title, labels, series, show = number, base = 1, limit, step = 'Day', beside, under }) {
  const [table, setTable] = useState(false);
  const id = useId();
  const drawn = { title, labels, series, show, base, limit, step };
  return html`<section class="card" aria-labelledby=${id}><div class="card-head wrap"><h2 id=${id}>${title}</h2><ul class="legend">${series.map(({ name }, i) => html`<li key=${name}><i class=${`s${i + 1}`} />${name}</li>`)}${limit && html`<li key="limit">${isNear(series, limit) && html`<i class="limit" />`}${limit.name}</li>`}</ul><span class="right row">${beside}<${Button} kind="ghost" size="s" icon="list" aria-pressed=${table ? 'true' : 'false'} onClick=${() => setTable(!table)}>Table<span class="sr"> of ${title}</span><//></span></div>${under}
    ${table ? html`<${Numbers} ...${drawn} />` : html`<${Lines} ...${drawn} />`}</section>`;
}

/** @param {number | null} value @param {(value: number) => string} show */
const cell = (value, show) => (value === null ? '–' : show(value));

/** @param {Drawn} props the newest first */
function Numbers({ title, labels, series, show, limit, step }) {
  const rows = labels.map((label, i) => ({ label, i })).reverse();
  const columns = limit ? [...series, limit] : series;
  return html`<div class="table-scroll chart-table" tabindex="0" role="region" aria-label=${title}><table class="table compact"><thead><tr><th scope="col">${step}</th>${columns.map(({ name }) => html`<th scope="col" class="num" key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${rows.map(({ label, i }) => html`<tr key=${i}><th scope="row">${label}</th>${columns.map(({ name, values }) => html`<td class="num" key=${name}>${cell(values[i], show)}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** The stretches of a line in which every value is known: where each begins, and its values. @param {(number | null)[]} values @returns {[number, number[]][]} */
export function stretches(values) {
  /** @type {[number, number[]][]} */
  const found = [];
  values.forEach((value, i) => {
    if (value === null) return;
    const last = found[found.length - 1];
    if (last && last[0] + last[1].length === i) last[1].push(value); else found.push([i, [value]]);
  });
  return found;
}

/** A limit far above would press the lines flat: it is not drawn then, only named in the legend, and stands in the table. @param {Series[]} series @param {Series} [limit] */
function isNear(series, limit) {
  const bound = limit ? Math.max(0, ...known(limit.values)) : 0;
  return bound > 0 && 3 * Math.max(0, ...series.flatMap(({ values }) => known(values))) >= bound;
}

/** A chart in words. @param {Drawn} drawn */
function inWords({ title, labels, series, show }) {
  const line = (/** @type {Series} */ { name, values }) => { const told = known(values); return told.length ? `${name} from ${show(told[0])} to ${show(told[told.length - 1])}` : `${name} not known`; };
  return `${title}, ${labels[0]} to ${labels[labels.length - 1]}: ${series.map(line).join(', ')}.`;
}

/** @param {Drawn} props */
function Lines(props) {
  const { labels, series, show, base, limit } = props;
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [at, setAt] = useState(-1);
  const width = useWidth(box);
  const most = Math.max(0, ...series.flatMap(({ values }) => known(values)));
  const bound = limit ? Math.max(0, ...known(limit.values)) : 0;
  const near = isNear(series, limit);
  const steps = ticks(near ? Math.max(most, bound) : most, base);
  const left = 20 + 6.5 * Math.max(...steps.map((step) => show(step).length));
  const inner = { width: Math.max(0, width - left - EDGE.right), height: HEIGHT - EDGE.top - EDGE.bottom };
  const x = (/** @type {number} */ i) => left + (labels.length > 1 ? (i / (labels.length - 1)) * inner.width : inner.width / 2);
  const y = (/** @type {number} */ value) => EDGE.top + inner.height * (1 - value / steps[steps.length - 1]);
  const run = (/** @type {[number, number[]]} */ [from, values]) => values.map((value, i) => `${i ? 'L' : 'M'}${x(from + i).toFixed(1)} ${y(value).toFixed(1)}`).join('');
  const path = (/** @type {(number | null)[]} */ values) => stretches(values).map(run).join('');
  // A value that stands alone makes no line: it is a dot.
  const alone = (/** @type {(number | null)[]} */ values) => stretches(values).filter(([, one]) => one.length === 1);
  const ground = y(0);
  const filled = (/** @type {[number, number[]]} */ one) => `${run(one)}L${x(one[0] + one[1].length - 1)} ${ground}L${x(one[0])} ${ground}Z`;
  const marks = [0, .25, .5, .75, 1].map((part) => Math.round(part * (labels.length - 1))).filter((mark, i, all) => all.indexOf(mark) === i && (width > 480 || i % 2 === 0));
  const last = labels.length - 1;
  const point = (/** @type {PointerEvent} */ event) => { const from = event.clientX - /** @type {HTMLElement} */ (box.current).getBoundingClientRect().left - left; setAt(Math.max(0, Math.min(last, Math.round((from / inner.width) * last)))); };
  return html`<div class="chart" ref=${box} onPointerMove=${point} onPointerLeave=${() => setAt(-1)}>${width > 0 && html`<svg width=${width} height=${HEIGHT} role="img" aria-label=${inWords(props)}>
      ${steps.map((step) => html`<g key=${step}><line class="grid" x1=${left} x2=${width - EDGE.right} y1=${y(step)} y2=${y(step)} /><text x=${left - 8} y=${y(step) + 4} text-anchor="end">${show(step)}</text></g>`)}
      ${marks.map((mark) => html`<text key=${mark} x=${x(mark)} y=${HEIGHT - 6} text-anchor=${mark === 0 ? 'start' : mark === last ? 'end' : 'middle'}>${labels[mark]}</text>`)}
      ${near && limit && html`<path class="limit" d=${path(limit.values)} />`}
      ${series[0] && html`<path class="under" d=${stretches(series[0].values).filter(([, values]) => values.length > 1).map(filled).join('')} />`}
      ${series.map(({ name, values }, i) => html`<path key=${name} class=${`line s${i + 1}`} d=${path(values)} />`)}
      ${series.map(({ name, values }, i) => alone(values).map(([from, [value]]) => html`<circle key=${`${name} ${from}`} class=${`s${i + 1}`} cx=${x(from)} cy=${y(value)} r="2.5" />`))}
      ${at >= 0 && html`<line class="hair" x1=${x(at)} x2=${x(at)} y1=${EDGE.top} y2=${ground} />${series.map(({ name, values }, i) => values[at] !== null && values[at] !== undefined && html`<circle key=${name} class=${`s${i + 1}`} cx=${x(at)} cy=${y(/** @type {number} */ (values[at]))} r="3" />`)}`}</svg>
    ${at >= 0 && at <= last && html`<div class="chart-tip" style=${{ left: `${x(at)}px` }} data-side=${x(at) > width / 2 ? 'left' : 'right'}><b>${labels[at]}</b>${series.map(({ name, values }, i) => html`<span key=${name}><i class=${`s${i + 1}`} />${name} <b>${cell(values[at], show)}</b></span>`)}</div>`}`}</div>`;
}

/** A small line without axes; the number beside it is the message. @param {{values: number[]}} props */
export function Sparkline({ values }) {
  const most = Math.max(...values, 1);
  const points = values.map((value, i) => `${((i / Math.max(1, values.length - 1)) * 88).toFixed(1)} ${(22 - (value / most) * 20).toFixed(1)}`);
  return html`<svg class="spark" width="88" height="24" aria-hidden="true"><path class="under" d=${`M0 24L${points.join('L')}L88 24Z`} /><path class="line s1" d=${`M${points.join('L')}`} /></svg>`;
}
