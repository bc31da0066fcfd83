/** Administration: who may do what, the whole matrix as the server holds it. */
import { html, loadStyle, useState } from '../lib/html.js';
import { plural } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { Icon } from '../components/basics.js';
import { SearchBox } from '../components/fields.js';
import { Card, Loaded, PageHead, usePage } from '../components/places.js';

await loadStyle('/style/table.css');

/** @param {{value: any, role: string}} props */
function Cell({ value, role }) {
  const text = typeof value === 'object' && value ? value.text || value.scope || value.when || '' : String(value);
  const word = text.toLowerCase();
  if (value === true || word === 'yes' || word === 'true' || word === 'always') return html`<td class="second" data-role=${role}><span class="row ok"><${Icon} name="check" />yes</span></td>`;
  if (/^yes\b/.test(word)) return html`<td class="second wide" data-role=${role}><span class="row high"><${Icon} name="check" class="ok" /><span class="fg2">${text.replace(/^yes\s*\((.*)\)$/i, 'yes, $1')}</span></span></td>`;
  if (value === false || word === 'no' || word === 'false' || word === 'never') return html`<td class="second" data-role=${role}><span class="fg3">no</span></td>`;
  return html`<td class="second wide" data-role=${role}><span class="row high"><${Icon} name="circle-dashed" class="warn" /><span class="fg2">${text}</span></span></td>`;
}

export default function Access() {
  usePage([{ text: 'Administration' }, { text: 'Access' }]);
  const query = useQuery('/api/access/matrix', ['setting']);
  const [text, setText] = useState('');
  return html`<div class="page"><${PageHead} title="Access" facts="Who may do what. It is looked up at every request; a changed role holds at once." />
    <div class="toolbar"><${SearchBox} value=${text} label="Find an action" onText=${setText} /></div>
    <${Card} class="table-card"><${Loaded} query=${query} what="The matrix could not be read" lines=${8}>${(/** @type {any} */ told) => { const rows = told.rows.filter((/** @type {any} */ row) => `${row.name} ${row.action}`.toLowerCase().includes(text.toLowerCase())); return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Access matrix"><table class="table list compact access"><thead><tr><th scope="col" class="num" style="width:52px">Rule</th><th scope="col">What</th><th scope="col">Member</th><th scope="col">Group admin</th><th scope="col">Platform admin</th></tr></thead>
      <tbody>${rows.map((/** @type {any} */ row) => html`<tr key=${row.number}><td class="num fg3 minor">${row.number}</td><th scope="row"><span class="stack" style="gap:0"><span>${row.name}</span>${row.action && html`<span class="mono fg3" style="font-size:11px;font-weight:400">${row.action}</span>`}</span></th><${Cell} role="Member" value=${row.member} /><${Cell} role="Group admin" value=${row.groupAdmin} /><${Cell} role="Platform admin" value=${row.platformAdmin} /></tr>`)}</tbody>
      <tfoot><tr><td colspan="5">${plural(rows.length, 'rule')}</td></tr></tfoot></table></div>`; }}<//><//></div>`;
}
