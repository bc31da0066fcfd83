/** One setting: what it does, its value in a control of its kind, where the value comes from, and the way back to the default. */
import { html } from '../lib/html.js';
import { Badge, Button, Icon, Time } from './basics.js';
import { CheckField, SelectField, TextField } from './fields.js';

/**
 * @typedef {object} Setting
 * @property {string} key
 * @property {any} value null when it is unset or secret
 * @property {boolean} isSet
 * @property {any} default
 * @property {string} type
 * @property {string} rule
 * @property {string[]} [choices]
 * @property {string} description
 * @property {'start' | 'runtime'} when
 * @property {string} source
 * @property {string} place
 * @property {boolean} pinned
 * @property {boolean} secret
 * @property {string} [updatedAt]
 * @property {string} [updatedBy]
 * @property {string} [updatedByName]
 */

/** Where the key says too little, or says it in the words of the program. */
const TITLES = /** @type {Record<string, string>} */ ({
  'server.listen': 'Address to listen on', 'server.cert': 'Certificate', 'server.key': 'Private key of the certificate', 'server.extra_ca': 'Further certificate authorities', 'server.workers': 'Worker threads', 'server.body_limit': 'Largest request', 'data.dir': 'Data directory',
  'data.synchronous': 'When the disk has it', 'data.readers': 'Connections that read', 'data.min_free': 'Disk kept free', 'cluster.kind': 'Where workspaces run', 'cluster.connect': 'How workspaces connect', 'gateway.mode': 'How apps are shown', 'workspaces.break_glass': 'Administrators enter with a reason',
  'workspaces.idle_after_hours': 'Idle after (hours)', 'workspaces.abandoned_after_days': 'Abandoned after (days)', 'workspaces.allow_unconfined': 'Run without a sandbox', 'workspaces.egress': 'What workspaces may reach', 'workspaces.egress_allow': 'Also allowed', 'workspaces.egress_proxy': 'Proxy on the way out', 'workspaces.egress_direct': 'Not through the proxy',
  'auth.password_min_length': 'Shortest password', 'limits.rate': 'Limit requests', 'metrics.listen': 'Address of the metrics', 'audit.retention_days': 'Entries are kept for (days)', 'audit.hold': 'Keep everything', 'audit.export_dir': 'Where old entries are written', 'log.level': 'How much is logged', 'log.format': 'Form of the log',
});
/** What a bare number counts. */
const UNITS = /** @type {Record<string, string>} */ ({ 'server.body_limit': 'bytes', 'data.min_free': 'MiB' });

/** "password_min_length" as people read it. @param {Setting} setting */
export function titleOf({ key }) {
  if (TITLES[key]) return TITLES[key];
  const words = key.slice(key.indexOf('.') + 1).replaceAll('_', ' ').replace(/\b(?:url|tls|cpu|ca|dns|cidr|ip|ttl|oidc|ssh)\b/g, (word) => word.toUpperCase()).replace(/\bjupyterlab\b/g, 'JupyterLab').replace(/\bgib\b/g, 'GiB');
  return words[0].toUpperCase() + words.slice(1);
}

/** @param {Setting} setting */
export const changeable = (setting) => setting.when === 'runtime' && !setting.pinned;

/** A value as its control holds it. @param {Setting} setting @param {any} value */
export function held(setting, value) {
  if (setting.type === 'boolean') return value === true;
  if (Array.isArray(value)) return value.join('\n');
  return value === null || value === undefined ? '' : String(value);
}

/** What the control holds as the server takes it; null puts the setting back to its default. @param {Setting} setting @param {any} control */
export function given(setting, control) {
  if (control === held(setting, setting.default) || (typeof control === 'string' && control.trim() === '')) return null;
  if (setting.type === 'integer' || setting.type === 'decimal') return Number.isNaN(Number(control)) ? control : Number(control);
  if (setting.type === 'list') return control.split(/[\n,]+/).map((/** @type {string} */ one) => one.trim()).filter(Boolean);
  return typeof control === 'string' ? control.trim() : control;
}

/** A value as people read it. @param {any} value */
export const shown = (value) => (value === null || value === undefined || value === '' ? 'not set' : value === true ? 'on' : value === false ? 'off' : Array.isArray(value) ? value.join(', ') : String(value));

/** @param {{setting: Setting, form: import('../lib/form.js').Form}} props */
function Control({ setting, form }) {
  const name = `items.${setting.key}`;
  const label = titleOf(setting);
  if (setting.type === 'boolean') return html`<${CheckField} form=${form} name=${name} label=${label} />`;
  if (setting.choices) return html`<${SelectField} form=${form} name=${name} label=${label} options=${setting.choices.map((word) => [word, word])} />`;
  if (setting.type === 'list') return html`<${TextField} form=${form} name=${name} label=${label} lines=${3} mono hint="One in each line." />`;
  const number = setting.type === 'integer' || setting.type === 'decimal';
  return html`<${TextField} form=${form} name=${name} label=${label} inputmode=${number ? 'decimal' : undefined} placeholder=${setting.default === null ? 'not set' : undefined} />`;
}

/** @param {{setting: Setting}} props a value that is not changed here */
function Fixed({ setting }) {
  const text = setting.secret ? (setting.isSet ? 'set, and never shown' : 'not set') : shown(setting.value);
  return html`<div><div class="t13 strong">${titleOf(setting)}</div><div class=${`setting-value ${text === 'not set' ? 'fg3' : 'mono'}`}>${text}${UNITS[setting.key] && ` ${UNITS[setting.key]}`}</div></div>`;
}

/** Where the value comes from, and what a change takes. @param {{setting: Setting}} props */
function Origin({ setting }) {
  const { pinned, when, place, source, updatedAt, updatedByName, updatedBy } = setting;
  const cli = updatedBy?.startsWith('cli:') ? updatedBy.slice(4) : '';
  return html`<span class="row wrap t12 fg3"><span class="mono">${setting.key}</span>
    ${pinned ? html`<${Badge} icon="lock" tip="The settings page cannot change what is set there">${place}<//>` : when === 'start' && html`<${Badge} tip="Set it in the file, a variable or a flag">set at the start<//>`}
    ${source === 'settings' && !pinned && html`<${Badge} kind="accent">changed<//>`}
    ${updatedAt && html`<span>${source === 'settings' ? 'set' : 'put back'} by ${updatedByName || cli || 'somebody who is gone'}, <${Time} at=${updatedAt} /></span>`}</span>`;
}

/** @param {{setting: Setting, form: import('../lib/form.js').Form}} props */
export function SettingRow({ setting, form }) {
  const open = changeable(setting);
  const name = `items.${setting.key}`;
  const differs = open && form.values[name] !== held(setting, setting.default);
  return html`<div class="setting" id=${setting.key}>
    ${open ? html`<${Control} setting=${setting} form=${form} />` : html`<${Fixed} setting=${setting} />`}
    <p class="t12 fg2">${setting.description}${setting.default !== null && html` <span class="fg3">Default: ${shown(setting.default)}.</span>`}</p>
    <div class="row wrap"><${Origin} setting=${setting} />${differs && html`<span class="right"><${Button} kind="ghost" size="s" icon="history" onClick=${() => form.set(name, held(setting, setting.default))}>Back to the default<span class="sr"> of ${titleOf(setting)}</span><//></span>`}
      ${form.values[name] !== undefined && form.values[name] !== held(setting, setting.value) && html`<span class="t12 warn row"><${Icon} name="pencil" size="s12" />not saved yet</span>`}</div></div>`;
}
