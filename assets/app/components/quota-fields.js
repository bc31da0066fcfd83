/** The four numbers of a quota, with presets by the size of a team. */
import { html, loadStyle } from '../lib/html.js';
import { countWrong, cpuWrong, sizeWrong } from '../lib/checks.js';
import { TextField } from './fields.js';

await loadStyle('/style/forms.css');

const preset = (/** @type {string} */ name, /** @type {string} */ cpu, /** @type {string} */ memory, /** @type {string} */ storage, /** @type {string} */ pods) => ({ name, quota: { 'resourceQuota.cpu': cpu, 'resourceQuota.memory': memory, 'resourceQuota.storage': storage, 'resourceQuota.pods': pods } });
export const PRESETS = [preset('Up to 5', '10', '20Gi', '200Gi', '20'), preset('Up to 15', '20', '40Gi', '500Gi', '50'), preset('Up to 30', '50', '100Gi', '1Ti', '100'), preset('Over 30', '100', '200Gi', '2Ti', '200')];

/** @param {Record<string, any>} values */
export const quotaWrong = (values) => ({
  'resourceQuota.cpu': cpuWrong(values['resourceQuota.cpu']), 'resourceQuota.memory': sizeWrong(values['resourceQuota.memory']),
  'resourceQuota.storage': sizeWrong(values['resourceQuota.storage']), 'resourceQuota.pods': countWrong(values['resourceQuota.pods']),
});

/** @param {Record<string, any>} values as the server takes it */
export const quotaOf = (values) => ({ cpu: String(values['resourceQuota.cpu']).trim(), memory: values['resourceQuota.memory'].trim(), storage: values['resourceQuota.storage'].trim(), pods: Number(values['resourceQuota.pods']) });

/** @param {import('../lib/types.js').Quota} quota as a form holds it */
export const quotaValues = (quota) => preset('', String(quota.cpu), quota.memory, quota.storage, String(quota.pods)).quota;

/** @param {{form: import('../lib/form.js').Form, presets?: boolean, readonly?: boolean}} props */
export function QuotaFields({ form, presets, readonly }) {
  const now = PRESETS.find(({ quota }) => Object.entries(quota).every(([name, value]) => form.values[name] === value));
  return html`${presets && html`<div class="stack s4"><p class="t13 strong" id="team-size">For a team of</p><div class="choices c4" role="radiogroup" aria-labelledby="team-size">${PRESETS.map(({ name, quota }) => html`<label class="choice" key=${name}><input type="radio" name="preset" checked=${now?.name === name} onChange=${() => form.setAll(quota)} /><span class="t">${name}</span><span /><span class="d span">${quota['resourceQuota.cpu']} cores, ${quota['resourceQuota.memory'].replace('Gi', ' GiB')}</span><span class="d span">${quota['resourceQuota.storage'].replace('Gi', ' GiB').replace('Ti', ' TiB')} of disk</span><span class="d span">${quota['resourceQuota.pods']} workspaces</span></label>`)}</div></div>`}
    <div class="fields2"><${TextField} form=${form} name="resourceQuota.cpu" label="CPU" unit="cores" hint="Cores of running workspaces." readonly=${readonly} /><${TextField} form=${form} name="resourceQuota.memory" label="Memory" hint="Of running workspaces, for example 32Gi." readonly=${readonly} />
      <${TextField} form=${form} name="resourceQuota.storage" label="Storage" hint="Disks of all workspaces, for example 500Gi." readonly=${readonly} /><${TextField} form=${form} name="resourceQuota.pods" label="Workspaces" hint="How many there may be, stopped ones too." inputmode="numeric" readonly=${readonly} /></div>`;
}
