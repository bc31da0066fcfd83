/** Administration: what administrators did, week by week. */
import { html } from '../lib/html.js';
import { AdminDigest } from '../components/audit-digest.js';
import { AuditHead } from '../components/audit-head.js';
import { BrokenChain, useAuditStatus } from '../components/audit-chain.js';
import { usePage } from '../components/places.js';

export default function Administrators() {
  usePage([{ text: 'Administration' }, { text: 'Audit', href: '/admin/audit' }, { text: 'Administrators' }]);
  const status = useAuditStatus();
  return html`<div class="page"><${AuditHead} now="administrators" /><${BrokenChain} checked=${status.data?.checked} /><${AdminDigest} /></div>`;
}
