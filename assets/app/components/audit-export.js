/** Taking the audit log out: which days, and as what. The download is an ordinary one, however long it is. */
import { html, useState } from '../lib/html.js';
import { withParams } from '../lib/api.js';
import { refresh } from '../lib/query.js';
import { Button, Icon } from './basics.js';
import { Dialog } from './dialog.js';
import { Field } from './fields.js';
import { Segments } from './segments.js';

const FORMS = /** @type {Record<string, any>} */ ({ jsonl: html`The record: each entry with its place in the chain. <code style="white-space:nowrap">audit verify --export</code> checks it.`, csv: 'For spreadsheets. The signature at its end holds the file; no cell is run as a formula.' });

/** @param {{done: () => void}} props */
export function ExportDialog({ done }) {
  const [form, setForm] = useState('jsonl');
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const wrong = Boolean(from && to && from > to);
  const address = withParams('/api/admin/audit-logs/export', { format: form, startDate: from, endDate: to });
  // The export is an entry itself.
  const begun = () => { setTimeout(() => refresh('audit'), 500); done(); };
  const date = (/** @type {string} */ id, /** @type {string} */ label, /** @type {string} */ value, /** @type {(text: string) => void} */ set, /** @type {string | undefined} */ error) => html`<${Field} id=${id} label=${label} optional error=${error}><input class="input" type="date" id=${id} value=${value} aria-invalid=${error ? 'true' : undefined} aria-describedby=${error ? `${id}-hint` : undefined} onInput=${(/** @type {any} */ event) => set(event.target.value)} /><//>`;
  return html`<${Dialog} title="Export the audit log" lead="Entries hold ids, never names or addresses. That you took it out becomes an entry." onClose=${done}><div class="body stack">
      <div><${Segments} label="As" value=${form} onPick=${setForm} options=${[['jsonl', 'JSON lines'], ['csv', 'CSV']]} /><p class="hint t12 fg2" style="margin-top:8px">${FORMS[form]}</p></div>
      <div class="fields2">${date('export-from', 'First day', from, setFrom, undefined)}${date('export-to', 'Last day', to, setTo, wrong ? 'This is before the first day.' : undefined)}</div></div>
    <div class="buttons"><${Button} onClick=${done}>Cancel<//>${wrong ? html`<${Button} kind="primary" icon="download" refused="The last day is before the first.">Export<//>` : html`<a class="btn primary" href=${address} download="" onClick=${begun}><${Icon} name="download" />Export</a>`}</div><//>`;
}
