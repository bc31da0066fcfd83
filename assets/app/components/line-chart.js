/** Lines over time, drawn as SVG, with a pointer that reads them and the same numbers as a table. */
import { html, loadStyle, useEffect, useId, useRef, useState } from '../lib/html.js';
import { number } from '../lib/format.js';
import { Button } from './basics.js';

await loadStyle('/style/table.css');
await loadStyle('/style/charts.css');

/** @typedef {{name: string, values: number[]}} Series */

const HEIGHT = 220;
const EDGE = { top: 12, right: 12, bottom: 24, left: 44 };

/** Round steps from zero up to the largest value: four or five of them. @param {number} most */
export function ticks(most) {
  const rough = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) || 10 * power, most < 8 ? 1 : 0);
  const count = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: count + 1 }, (_, i) => i * step);
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

/** @param {{title: string, labels: string[], series: Series[], show?: (value: number) => string, beside?: any}} props labels: one for each value */
export function LineChart({ title, labels, series, show = number, beside }) {
  const [table, setTable] = useState(false);
  const id = useId();
  return html`<section class="card" aria-labelledby=${id}><div class="card-head wrap"><h2 id=${id}>${title}</h2><ul class="legend">${series.map(({ name }, i) => html`<li key=${name}><i class=${`s${i + 1}`} />${name}</li>`)}</ul><span class="right row">${beside}<${Button} kind="ghost" size="s" icon="list" aria-pressed=${table ? 'true' : 'false'} onClick=${() => setTable(!table)}>Table<span class="sr"> of ${title}</span><//></span></div>
    ${table ? html`<${Numbers} ...${{ title, labels, series, show }} />` : html`<${Lines} ...${{ title, labels, series, show }} />`}</section>`;
}

/** @param {{title: string, labels: string[], series: Series[], show: (value: number) => string}} props the newest first */
function Numbers({ title, labels, series, show }) {
  const rows = labels.map((label, i) => ({ label, i })).reverse();
  return html`<div class="table-scroll chart-table" tabindex="0" role="region" aria-label=${title}><table class="table compact"><thead><tr><th scope="col">Day</th>${series.map(({ name }) => html`<th scope="col" class="num" key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${rows.map(({ label, i }) => html`<tr key=${label}><th scope="row">${label}</th>${series.map(({ name, values }) => html`<td class="num" key=${name}>${show(values[i])}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** @param {{title: string, labels: string[], series: Series[], show: (value: number) => string}} props */
function Lines({ title, labels, series, show }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [at, setAt] = useState(-1);
  const width = useWidth(box);
  const steps = ticks(Math.max(0, ...series.flatMap(({ values }) => values)));
  const inner = { width: Math.max(0, width - EDGE.left - EDGE.right), height: HEIGHT - EDGE.top - EDGE.bottom };
  const x = (/** @type {number} */ i) => EDGE.left + (labels.length > 1 ? (i / (labels.length - 1)) * inner.width : inner.width / 2);
  const y = (/** @type {number} */ value) => EDGE.top + inner.height * (1 - value / steps[steps.length - 1]);
  const path = (/** @type {number[]} */ values) => values.map((value, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join('');
  const ground = y(0);
  const marks = [0, .25, .5, .75, 1].map((part) => Math.round(part * (labels.length - 1))).filter((mark, i, all) => all.indexOf(mark) === i && (width > 480 || i % 2 === 0));
  const last = labels.length - 1;
  const words = `${title}, ${labels[0]} to ${labels[last]}: ${series.map(({ name, values }) => `${name} from ${show(values[0])} to ${show(values[last])}`).join(', ')}.`;
  const point = (/** @type {PointerEvent} */ event) => { const left = event.clientX - /** @type {HTMLElement} */ (box.current).getBoundingClientRect().left - EDGE.left; setAt(Math.max(0, Math.min(last, Math.round((left / inner.width) * last)))); };
  return html`<div class="chart" ref=${box} onPointerMove=${point} onPointerLeave=${() => setAt(-1)}>${width > 0 && html`<svg width=${width} height=${HEIGHT} role="img" aria-label=${words}>
      ${steps.map((step) => html`<g key=${step}><line class="grid" x1=${EDGE.left} x2=${width - EDGE.right} y1=${y(step)} y2=${y(step)} /><text x=${EDGE.left - 8} y=${y(step) + 4} text-anchor="end">${show(step)}</text></g>`)}
      ${marks.map((mark) => html`<text key=${mark} x=${x(mark)} y=${HEIGHT - 6} text-anchor=${mark === 0 ? 'start' : mark === last ? 'end' : 'middle'}>${labels[mark]}</text>`)}
      ${series[0] && html`<path class="under" d=${`${path(series[0].values)}L${x(last)} ${ground}L${x(0)} ${ground}Z`} />`}
      ${series.map(({ name, values }, i) => html`<path key=${name} class=${`line s${i + 1}`} d=${path(values)} />`)}
      ${at >= 0 && html`<line class="hair" x1=${x(at)} x2=${x(at)} y1=${EDGE.top} y2=${ground} />${series.map(({ name, values }, i) => html`<circle key=${name} class=${`s${i + 1}`} cx=${x(at)} cy=${y(values[at])} r="3" />`)}`}</svg>
    ${at >= 0 && html`<div class="chart-tip" style=${{ left: `${x(at)}px` }} data-side=${x(at) > width / 2 ? 'left' : 'right'}><b>${labels[at]}</b>${series.map(({ name, values }, i) => html`<span key=${name}><i class=${`s${i + 1}`} />${name} <b>${show(values[at])}</b></span>`)}</div>`}`}</div>`;
}

/** A small line without axes; the number beside it is the message. @param {{values: number[]}} props */
export function Sparkline({ values }) {
  const most = Math.max(...values, 1);
  const points = values.map((value, i) => `${((i / Math.max(1, values.length - 1)) * 88).toFixed(1)} ${(22 - (value / most) * 20).toFixed(1)}`);
  return html`<svg class="spark" width="88" height="24" aria-hidden="true"><path class="under" d=${`M0 24L${points.join('L')}L88 24Z`} /><path class="line s1" d=${`M${points.join('L')}`} /></svg>`;
}
