/** Accounts from a list: paste or choose a file, see what each row comes to, then make them all with an invitation each. */
import { html, useRef, useState } from '../lib/html.js';
import { ApiError, post } from '../lib/api.js';
import { saveText } from '../lib/csv.js';
import { plural, showDate } from '../lib/format.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { Badge, Button, Copy, Icon } from '../components/basics.js';
import { Callout, Card, PageHead, usePage } from '../components/places.js';

/**
 * @typedef {{line: number, email: string, username: string | null, name: string | null, groups: string[], expiresAt: string | null, manager: string | null,
 *   problems: {field: string, message: string}[], userId?: string, invitation?: {link: string, expiresAt: string}}} Line
 * @typedef {{dryRun: boolean, wrong: number, made: number, lines: Line[]}} Answer
 */

const EXAMPLE = 'email,name,groups,ends,manager\nsara.lind@example.org,Sara Lind,payments;ledger,,\n';

export default function ImportUsers() {
  usePage([{ text: 'Users', href: '/admin/users' }, { text: 'Import' }]);
  const [csv, setCsv] = useState('');
  const [answer, setAnswer] = useState(/** @type {Answer | null} */ (null));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [busy, setBusy] = useState('');
  const send = async (/** @type {boolean} */ dryRun) => {
    setBusy(dryRun ? 'check' : 'make');
    setError(null);
    try {
      const told = /** @type {Answer} */ (await post(`/api/admin/user-imports${dryRun ? '?dryRun=true' : ''}`, { csv }));
      setAnswer(told);
      if (!dryRun) { refresh('user', 'membership', 'group'); toast({ title: `${plural(told.made, 'account')} made.` }); }
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause;
      setError(cause);
      if (!dryRun) setAnswer(null);
    }
    setBusy('');
  };
  const change = (/** @type {string} */ text) => { setCsv(text); setAnswer(null); setError(null); };
  const made = answer && !answer.dryRun;
  return html`<div class="page"><${PageHead} title=${made ? 'The accounts are there' : 'Import users'} facts=${made ? 'Hand over the links now; they are not shown again.' : 'From a list in CSV, at most 500 at once. Nothing is made before you have seen what each row comes to.'} />
    <div class="stack">${!made && html`<${Ask} csv=${csv} change=${change} error=${error} busy=${busy === 'check'} check=${() => send(true)} />`}
    ${answer && html`<${Lines} answer=${answer} busy=${busy === 'make'} make=${() => send(false)} />`}</div></div>`;
}

/** @param {{csv: string, change: (text: string) => void, error: ApiError | null, busy: boolean, check: () => void}} props */
function Ask({ csv, change, error, busy, check }) {
  const file = useRef(/** @type {HTMLInputElement | null} */ (null));
  const choose = async (/** @type {any} */ event) => { const file = event.target.files?.[0]; if (file) change(await file.text()); event.target.value = ''; };
  const submit = (/** @type {Event} */ event) => { event.preventDefault(); check(); };
  return html`<${Card} title="The list" right=${html`<${Button} size="s" icon="upload" onClick=${() => file.current?.click()}>Choose a file<//><input ref=${file} type="file" hidden accept=".csv,text/csv,text/plain" onChange=${choose} />`}><form class="card-body stack" onSubmit=${submit}>
    <p class="t13 fg2">The first line names the columns: <code>email</code>, and where wanted <code>username</code>, <code>name</code>, <code>groups</code> (names, separated by semicolons), <code>ends</code> (a date) and <code>manager</code> (a user name).</p>
    <div class="field"><label for="import-csv">Rows</label><textarea id="import-csv" class="input mono" rows="8" spellcheck=${false} placeholder=${EXAMPLE} value=${csv} aria-describedby=${error ? 'import-error' : undefined} onInput=${(/** @type {any} */ event) => change(event.target.value)} /></div>
    ${error && html`<div id="import-error"><${Callout} kind="bad" alert lead="The list was not taken.">${error.fields[0]?.message || error.message}<//></div>`}
    <div><${Button} kind="primary" type="submit" busy=${busy} busyWord="Checking" disabled=${!csv.trim()}>Check the list<//></div></form><//>`;
}

/** @param {{answer: Answer, busy: boolean, make: () => void}} props */
function Lines({ answer, busy, make }) {
  const { lines, wrong, dryRun } = answer;
  const links = () => saveText(`email,username,link\r\n${lines.map((line) => `${line.email},${line.username},${line.invitation?.link}`).join('\r\n')}\r\n`, 'invitations.csv', 'text/csv');
  const right = dryRun ? html`<${Button} kind="primary" size="s" icon="user-plus" busy=${busy} busyWord="Making" refused=${wrong ? `Correct ${plural(wrong, 'row')} first; all are made together or none.` : undefined} onClick=${make}>Make ${plural(lines.length, 'account')}<//>` : html`<${Button} size="s" icon="download" onClick=${links}>All links<//>`;
  return html`<${Card} title=${dryRun ? 'What it comes to' : 'Invitations'} right=${right}>${dryRun && html`<div class="card-part" role="status">${wrong ? html`<span class="row"><${Icon} name="circle-alert" class="bad" />${plural(wrong, 'row')} of ${lines.length} cannot be made.</span>` : html`<span class="row"><${Icon} name="circle-check" class="ok" />Every row can be made.</span>`}</div>`}
    <ul class="lines">${lines.map((line) => html`<li key=${line.line} style="align-items:flex-start"><span class="t12 fg3 num" style="min-width:28px">${line.line}</span><div class="stack" style="gap:2px;min-width:0;overflow-wrap:anywhere"><div class="row wrap"><span class="strong">${line.name || line.username || line.email || 'No address'}</span><span class="fg2 t12">${line.email}</span>${line.username && html`<span class="mono t12 fg3">${line.username}</span>`}</div>
      ${line.problems.map((one) => html`<span class="error-line" key=${one.field + one.message}><${Icon} name="circle-alert" size="s12" /><span><b>${one.field}</b>: ${one.message}</span></span>`)}
      ${(line.groups.length > 0 || line.expiresAt || line.manager) && html`<div class="row wrap t12">${line.groups.map((group) => html`<${Badge} key=${group}>${group}<//>`)}${line.expiresAt && html`<span class="fg2">until ${showDate(line.expiresAt)}</span>`}${line.manager && html`<span class="fg2">manager ${line.manager}</span>`}</div>`}
      ${line.invitation && html`<span class="row"><span class="mono t12 cut">${line.invitation.link}</span><${Copy} text=${line.invitation.link} label=${`Copy the link of ${line.email}`} /></span>`}</div></li>`)}</ul><//>`;
}
