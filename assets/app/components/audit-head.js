/** The head of the audit's pages: what can be done with the whole log, and the way between its parts. */
import { html, useState } from '../lib/html.js';
import { get } from '../lib/api.js';
import { fail, openDialog } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { Button } from './basics.js';
import { PageHead } from './places.js';
import { Tabs } from './tabs.js';

const openExport = async () => openDialog((await import('./audit-export.js')).ExportDialog);

/** @param {{now: '' | 'administrators'}} props */
export const AuditHead = ({ now }) => html`<${PageHead} tabbed title="Audit" facts="Every change and every refusal, linked by hashes so that nothing can be taken out unseen." actions=${html`<${Verify} /><${Button} icon="download" onClick=${openExport}>Export<//>`} />
  <${Tabs} label="Audit" now=${now} items=${[['', 'Entries', '/admin/audit'], ['administrators', 'Administrators', '/admin/audit/administrators']]} />`;

function Verify() {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try { await get('/api/admin/audit-logs/verify'); refresh('audit-status'); } catch (error) { fail('Not verified', error); }
    setBusy(false);
  };
  return html`<${Button} icon="shield-check" busy=${busy} busyWord="Verifying" onClick=${run}>Verify now<//>`;
}
