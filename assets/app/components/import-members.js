/** Adding many people to a group at once, from pasted names or a CSV file: each line says what becomes of it first. */
import { html, loadStyle, useState } from '../lib/html.js';
import { ApiError, post } from '../lib/api.js';
import { useFits } from '../lib/fits.js';
import { called, plural } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { Button, Icon } from './basics.js';
import { Dialog } from './dialog.js';
import { Callout } from './places.js';

await loadStyle('/style/notices.css');

/** @param {{group: import('../lib/types.js').Group, done: (answer: any) => void}} props */
export function ImportMembers({ group, done }) {
  const [list, setList] = useState('');
  const [why, setWhy] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const path = `/api/groups/${group.id}/members/import`;
  const { answer, error: refused } = useFits(`${path}?dryRun=true`, list.trim() ? { list } : null);
  const rows = /** @type {any[]} */ (list.trim() && !refused ? answer || [] : []);
  const joining = rows.filter(({ joins }) => joins).length;
  const pick = async (/** @type {any} */ event) => { const file = event.target.files?.[0]; if (file) setList(await file.text()); };
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy || joining === 0) return;
    setBusy(true);
    setError(null);
    try {
      const made = /** @type {any[]} */ (await post(path, { list, ...(why.trim() ? { reason: why.trim() } : {}) }));
      const left = made.filter(({ joins }) => !joins);
      refresh('membership', 'group', 'user');
      toast({ title: `${plural(made.length - left.length, 'person', 'people')} joined ${group.displayName}.`, lines: left.map(({ line, who, message }) => `Line ${line}, ${who}: ${message}`) });
      done(true);
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      setBusy(false);
    }
  };
  return html`<${Dialog} wide title=${`Add several people to ${group.displayName}`} lead="One user name or e-mail address a line, or CSV with columns such as email and role." onClose=${() => done(undefined)}><form onSubmit=${send}><div class="body">
    <div class="field"><label for="import-list">People</label><textarea id="import-list" class="input mono" rows="6" spellcheck=${false} autofocus value=${list} onInput=${(/** @type {any} */ event) => setList(event.target.value)} /></div>
    <div class="field"><label for="import-file">or a file</label><input id="import-file" class="input" type="file" accept=".csv,.txt,text/csv,text/plain" onChange=${pick} /></div>
    ${refused && html`<${Callout} kind="bad" lead="Not a list.">${refused.fields[0]?.message || refused.message}<//>`}
    ${rows.length > 0 && html`<div role="status" class="t13">${joining} of ${rows.length} can join.</div><ul class="lines steps-left import-rows" aria-label="What becomes of each line" tabindex="0">${rows.map((row) => html`<li key=${row.line}><${Icon} name=${row.joins ? 'circle-check' : 'ban'} class=${row.joins ? 'ok' : 'warn'} label=${row.joins ? 'joins' : 'left out'} /><span class="told">${row.username ? called({ name: row.name, username: row.username }) : row.who}${row.joins ? (row.role === 'admin' ? html` <span class="fg2">as group admin</span>` : '') : html`<span class="fg2 t12 block">${row.message}</span>`}</span><span class="at">line ${row.line}</span></li>`)}</ul>`}
    <div class="field"><label for="import-why">Reason <span class="optional">(kept in the audit)</span></label><input id="import-why" class="input" maxlength="500" autocomplete="off" value=${why} onInput=${(/** @type {any} */ event) => setWhy(event.target.value)} /></div>
    ${error && html`<${Callout} kind="bad" alert lead="Nobody was added.">${error.message}<//>`}</div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Cancel<//><${Button} kind="primary" type="submit" busy=${busy} disabled=${joining === 0}>${joining ? `Add ${joining}` : 'Add'}<//></div></form><//>`;
}
