/** Administration: every setting, what changed and by whom, changes that hold at once, and the way back. */
import { html, loadStyle, useEffect, useRef, useState } from '../lib/html.js';
import { patch } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { plural } from '../lib/format.js';
import { useForm } from '../lib/form.js';
import { toast } from '../lib/overlay.js';
import { refresh, setAnswer, useQuery } from '../lib/query.js';
import { query, setQuery } from '../lib/router.js';
import { me } from '../lib/session.js';
import { Button } from '../components/basics.js';
import { SearchBox } from '../components/fields.js';
import { Card, Empty, FormProblem, Loaded, PageHead, usePage } from '../components/places.js';
import { Segments } from '../components/segments.js';
import { changeable, given, held, SettingRow, shown, titleOf } from '../components/setting-row.js';
import { SaveBar } from '../components/settings-parts.js';

await loadStyle('/style/table.css');
await loadStyle('/style/settings.css');

/** @typedef {import('../components/setting-row.js').Setting} Setting */

const PATH = '/api/admin/settings';
const SECTIONS = /** @type {Record<string, string>} */ ({ server: 'Address and transport', data: 'Data', cluster: 'Cluster', gateway: 'Addresses of apps', workspaces: 'Workspaces', groups: 'Groups', auth: 'Signing in', limits: 'Limits', pricing: 'Prices', log: 'Log', audit: 'Audit', mail: 'Mail', metrics: 'Metrics', oidc: 'OpenID Connect', ldap: 'LDAP' });

/** @param {Setting} setting */
const sectionOf = (setting) => setting.key.slice(0, setting.key.indexOf('.'));

/** @param {Setting} setting @param {string} text @param {string} view */
function fits(setting, text, view) {
  if (view === 'changed' && !['settings', 'file', 'environment', 'flag'].includes(setting.source)) return false;
  if (view === 'here' && !changeable(setting)) return false;
  return `${setting.key} ${titleOf(setting)} ${setting.description} ${SECTIONS[sectionOf(setting)] || ''}`.toLowerCase().includes(text.trim().toLowerCase());
}

export default function Settings() {
  usePage([{ text: 'Administration' }, { text: 'Settings' }]);
  const told = useQuery(PATH, ['setting']);
  return html`<div class="page"><${PageHead} title="Settings" facts="What is changed here holds at once. What a file, a variable or a flag sets is changed there." actions=${html`<${Button} kind="ghost" icon="scroll-text" href="/admin/audit?action=update_system_settings">Who changed what<//>`} />
    <${Loaded} query=${told} what="The settings could not be read" lines=${8}>${(/** @type {any} */ settings) => html`<${Page} told=${settings} />`}<//></div>`;
}

/** Keeps what somebody types when others change settings meanwhile. @param {{told: {items: Setting[], updatedAt: string | null}}} props */
function Page({ told }) {
  const typing = useRef(false);
  const [now, setNow] = useState(told);
  useEffect(() => { if (!typing.current) setNow(told); }, [told]);
  return html`<${All} key=${now.updatedAt || ''} items=${now.items} typing=${typing} saved=${(/** @type {any} */ answer) => { typing.current = false; setAnswer(PATH, answer); setNow(answer); }} />`;
}

/** @param {{items: Setting[], typing: {current: boolean}, saved: (answer: any) => void}} props */
function All({ items, typing, saved }) {
  const text = query.value.get('find') || '';
  const view = query.value.get('view') || 'all';
  const no = refusal(me.value, 'update_system_settings');
  const open = items.filter(changeable);
  const form = useForm({
    first: Object.fromEntries(open.map((setting) => [`items.${setting.key}`, held(setting, setting.value)])),
    send: async (values) => {
      const moved = changed(values);
      const answer = await patch(PATH, { items: Object.fromEntries(moved.map((setting) => [setting.key, given(setting, values[`items.${setting.key}`])])) });
      saved(answer);
      refresh('setting');
      toast({ title: moved.length === 1 ? `${titleOf(moved[0])} is ${shown(answer.items.find((/** @type {Setting} */ item) => item.key === moved[0].key).value)}.` : `${plural(moved.length, 'setting')} saved.`, text: 'They hold from now on.' });
    },
  });
  const changed = (/** @type {Record<string, any>} */ values) => open.filter((setting) => values[`items.${setting.key}`] !== held(setting, setting.value));
  const moved = changed(form.values);
  typing.current = moved.length > 0;
  const found = items.filter((setting) => fits(setting, text, view));
  const sections = [...new Set([...found.filter(changeable), ...found].map(sectionOf))]; // where something can be done comes first
  return html`<div class="toolbar"><${SearchBox} value=${text} label="Find a setting" onText=${(/** @type {string} */ next) => setQuery({ find: next }, { replace: true })} />
      <${Segments} label="Which settings" value=${view} onPick=${(/** @type {string} */ next) => setQuery({ view: next === 'all' ? null : next }, { replace: true })} options=${[['all', 'All'], ['here', 'Changeable here'], ['changed', 'Not the default']]} /></div>
    <div class="with-sections">${sections.length > 1 && html`<${Sections} sections=${sections} />`}<form class="column stack s24" onSubmit=${form.submit} novalidate><fieldset class="stack s24 plain" disabled=${Boolean(no)}>
      ${no && html`<p class="t13 fg2">${no}</p>`}
      ${sections.map((section) => html`<${Card} key=${section} id=${section} title=${SECTIONS[section] || section}><div class="settings">${found.filter((setting) => sectionOf(setting) === section).map((setting) => html`<${SettingRow} key=${setting.key} setting=${setting} form=${form} />`)}</div><//>`)}
      ${found.length === 0 && html`<${Card}><${Empty} icon="settings" title="No setting found" text="Another word, or all of them." action=${html`<${Button} onClick=${() => setQuery({ find: null, view: null })}>Clear the filters<//>`} /><//>`}
    </fieldset><${FormProblem} form=${form} what="Not saved" /><${SaveBar} form=${form} what=${moved.length > 0 && html`${plural(moved.length, 'setting')} not saved: ${moved.map(titleOf).join(', ')}.`} /></form></div>`;
}

/** The way to each section, and an address for it. @param {{sections: string[]}} props */
function Sections({ sections }) {
  const show = (/** @type {string} */ section) => document.getElementById(section)?.scrollIntoView();
  useEffect(() => { if (location.hash) show(location.hash.slice(1)); }, []);
  const go = (/** @type {MouseEvent} */ event, /** @type {string} */ section) => {
    event.preventDefault();
    history.replaceState(history.state, '', `#${section}`);
    show(section);
    /** @type {HTMLElement | null} */ (document.querySelector(`#${section} :is(input, select, textarea, button, a)`))?.focus({ preventScroll: true });
  };
  return html`<nav class="sections" aria-label="Sections"><ul>${sections.map((section) => html`<li key=${section}><a href=${`#${section}`} onClick=${(/** @type {MouseEvent} */ event) => go(event, section)}>${SECTIONS[section] || section}</a></li>`)}</ul></nav>`;
}
