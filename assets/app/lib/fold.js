/** Equal refusals that stand one after the other in the audit, as one row: a program that tries all night is one line. */

/** @typedef {import('./types.js').AuditEntry} AuditEntry */

/** @param {AuditEntry} one @param {AuditEntry} other */
const equal = (one, other) => !one.success && !other.success && one.userId === other.userId && one.action === other.action && one.resource === other.resource && one.error === other.error && one.address === other.address;

/** @param {AuditEntry[]} entries newest first @returns {AuditEntry[]} the newest of each run, with how often it was in all, and the run behind it */
export function fold(entries) {
  /** @type {AuditEntry[]} */
  const rows = [];
  for (const entry of entries) {
    const last = rows[rows.length - 1];
    if (!last || !equal(last, entry)) { rows.push(entry); continue; }
    const run = [...(last.folded || [last]), entry];
    rows[rows.length - 1] = { ...last, folded: run, count: run.reduce((sum, one) => sum + (one.count || 1), 0) };
  }
  return rows;
}
