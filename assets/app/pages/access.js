/** Administration: who may do what, the whole matrix as the server holds it. */
import { html, loadStyle } from '../lib/html.js';
import { plural } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { query as address, setQuery } from '../lib/router.js';
import { Icon } from '../components/basics.js';
import { SearchBox } from '../components/fields.js';
import { Card, Loaded, PageHead, usePage } from '../components/places.js';

await loadStyle('/style/table.css');

/** What a cell of the policy means for somebody who reads it. */
const CELLS = /** @type {Record<string, string>} */ ({
  'yes (own groups)': 'yes, in their groups', 'yes (any group)': 'yes, in every group', 'limited: own workspaces': 'only their own',
  'limited: groups where role is admin': 'only in groups where they are admin', 'limited: own + groups where role is admin': 'their own, and in groups where they are admin',
  'limited: users who share a group where the caller is group admin': 'only people of groups where they are admin',
});

/** @param {{value: string, role: string}} props */
function Cell({ value, role }) {
  const text = CELLS[value] || value;
  if (text === 'no') return html`<td class="second" data-role=${role}><span class="fg3">no</span></td>`;
  if (text === 'yes') return html`<td class="second" data-role=${role}><span class="row ok"><${Icon} name="check" />yes</span></td>`;
  const whole = text.startsWith('yes');
  return html`<td class="second wide" data-role=${role}><span class="row high"><${Icon} name=${whole ? 'check' : 'circle-dashed'} class=${whole ? 'ok' : 'warn'} /><span class="fg2">${text}</span></span></td>`;
}

export default function Access() {
  usePage([{ text: 'Administration' }, { text: 'Access' }]);
  const query = useQuery('/api/access/matrix', ['setting']);
  const text = address.value.get('find') || '';
  return html`<div class="page"><${PageHead} title="Access" facts="Who may do what, worked out from the rules that this server decides by. A changed role holds from the next request on." />
    <div class="toolbar"><${SearchBox} value=${text} label="Find an action" onText=${(/** @type {string} */ next) => setQuery({ find: next || null }, { replace: true })} /></div>
    <${Card} class="table-card"><${Loaded} query=${query} what="The matrix could not be read" lines=${8}>${(/** @type {any} */ told) => { const rows = told.rows.filter((/** @type {any} */ row) => `${row.name} ${row.action}`.toLowerCase().includes(text.toLowerCase())); return html`<div class="table-scroll" tabindex="0" role="region" aria-label="Access matrix"><table class="table list compact access"><thead><tr><th scope="col" class="num" style="width:52px">Rule</th><th scope="col">What</th><th scope="col">Member</th><th scope="col">Group admin</th><th scope="col">Platform admin</th></tr></thead>
      <tbody>${rows.map((/** @type {any} */ row) => html`<tr key=${row.number}><td class="num fg3 minor">${row.number}</td><th scope="row"><span class="stack" style="gap:0"><span>${row.name}</span>${row.action && html`<span class="mono fg3" style="font-size:11px;font-weight:400">${row.action}</span>`}</span></th><${Cell} role="Member" value=${row.member} /><${Cell} role="Group admin" value=${row.groupAdmin} /><${Cell} role="Platform admin" value=${row.platformAdmin} /></tr>`)}</tbody>
      <tfoot><tr><td colspan="5">${rows.length ? plural(rows.length, 'rule') : 'No rule is called so. Try another word.'}</td></tr></tfoot></table></div>`; }}<//><//></div>`;
}
