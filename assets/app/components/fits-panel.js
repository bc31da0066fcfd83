/** The panel that says whether it fits: one sentence, ways out, then each level in the order of the check. */
import { html, loadStyle } from '../lib/html.js';
import { levels, sentence } from '../lib/fits.js';
import { plural, show, showSize } from '../lib/format.js';
import { Icon, Id } from './basics.js';
import { Gauge } from './gauge.js';

await loadStyle('/style/forms.css');

/** @param {{fits: import('../lib/fits.js').Fits, group: any, invalid: boolean, size: any, button: any, ways?: any, title?: string}} props */
export function FitsPanel({ fits, group, invalid, size, button, ways }) {
  const { answer, error } = fits;
  const list = answer ? levels(answer.checks) : [];
  const failing = answer?.checks.find((check) => !check.ok);
  const at = list.findIndex((level) => !level.ok);
  return html`<section class="card fits" aria-label="Whether it fits"><div aria-live="polite">
    ${error ? html`<div class="fits-head bad-box"><span class="m"><${Icon} name="circle-alert" /></span><div><h3>It could not be checked</h3><p>${error.message}</p>${error.callid && html`<${Id} id=${error.callid} label="Copy the call id" />`}</div></div>`
    : !answer ? html`<div class="fits-head"><span class="m fg3"><${Icon} name="circle-dashed" /></span><div><h3>${invalid ? 'Not checked yet' : 'Checking'}</h3><p>${invalid ? 'Complete the form to see whether it fits.' : '\u00a0'}</p></div></div>`
    : failing ? html`<div class="fits-head bad-box"><span class="m bad"><${Icon} name="circle-x" /></span><div><h3>Does not fit${failing.level === 'group' ? ` in ${group?.displayName}` : ''}</h3><p>${sentence(failing)}</p>${ways && html`<div class="row wrap" style="margin-top:10px">${ways}</div>`}</div></div>`
    : html`<div class="fits-head ok-box"><span class="m ok"><${Icon} name="circle-check" /></span><div><h3>Fits in ${group?.displayName}</h3><p>${size?.cpu ? `${showSize(size)}, ${show('storage', size.storage)} disk.` : ''}</p></div></div>`}</div>
    ${list.map((level, i) => html`<${Level} key=${level.level + level.id} level=${level} group=${group} skipped=${at >= 0 && i > at} />`)}
    <div class="fits-foot">${button}${invalid && html`<p class="t12 fg2" style="text-align:center">Complete the form first.</p>`}</div></section>`;
}

/** @param {{level: ReturnType<typeof levels>[number], group: any, skipped: boolean}} props */
function Level({ level, group, skipped }) {
  const gauges = level.checks.filter((check) => check.total !== null && check.total !== undefined && check.used !== null && check.used !== undefined && check.level !== 'workspace');
  const show = (level.level === 'group' || !level.ok) && gauges.length > 0 && !skipped;
  const name = level.level === 'group' && group ? `Quota of ${group.displayName}` : level.name;
  return html`<div class="fits-level"><span class=${`m ${skipped ? 'fg3' : level.ok ? 'ok' : 'bad'}`}><${Icon} name=${skipped ? 'circle-dashed' : level.ok ? 'circle-check' : 'circle-x'} label=${skipped ? 'not reached' : level.ok ? 'fits' : 'does not fit'} /></span><div><h4>${name}</h4><p>${words(level, skipped)}</p>
    ${show && html`<div class="gauges">${gauges.map((check) => html`<${Gauge} key=${check.resource} resource=${check.resource === 'count' ? 'pods' : check.resource} used=${check.used} add=${check.requested} total=${check.total} />`)}</div>`}</div></div>`;
}

/** @param {ReturnType<typeof levels>[number]} level @param {boolean} skipped */
function words(level, skipped) {
  if (skipped) return 'Checked once the level above fits';
  const limited = level.checks.filter((check) => check.total !== null && check.total !== undefined);
  if (level.ok) {
    if (limited.length === 0) return 'No limit is set';
    if (level.level === 'workspace') return `Up to ${limited.map((check) => show(check.resource === 'count' ? 'pods' : check.resource, check.total)).join(', ')}`;
    return level.level === 'group' ? 'Everything fits' : `${plural(limited.length, 'limit')} kept`;
  }
  const over = level.checks.filter((check) => !check.ok);
  return over.length === 1 ? 'One thing does not fit' : `${over.length} things do not fit`;
}
