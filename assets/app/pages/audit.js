/** Administration: every change and every refusal, and whether all of it is still there. */
import { html } from '../lib/html.js';
import { AuditEntries } from '../components/audit-entries.js';
import { AuditHead } from '../components/audit-head.js';
import { ChainTiles } from '../components/audit-chain.js';
import { usePage } from '../components/places.js';

export default function Audit() {
  usePage([{ text: 'Administration' }, { text: 'Audit' }]);
  return html`<div class="page"><${AuditHead} now="" /><${ChainTiles} /><${AuditEntries} /></div>`;
}
