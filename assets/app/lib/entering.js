/**
 * Entering somebody else's workspace: whether that needs a written reason, and what was written in this tab. The reason
 * goes along with everything that is done there; the server writes it into the audit log and tells the owner.
 */
import { refusal } from './can.js';

/** @typedef {import('./types.js').Workspace} Workspace */

const CONSENT = 'codex-open:';
const CONSENT_MS = 60 * 60_000; // since its last use
const LEAST = 3; // characters of a reason

/** What this tab was told about somebody else's workspace. @param {string} id @returns {{reason: string} | null} */
export function consentOf(id) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(CONSENT + id) || 'null');
    return kept && Date.now() - kept.at < CONSENT_MS ? kept : null;
  } catch { return null; }
}

/** @param {string} id @param {string} reason */
export function keepConsent(id, reason) {
  try { sessionStorage.setItem(CONSENT + id, JSON.stringify({ reason, at: Date.now() })); } catch { /* it is asked again */ }
}

/** The reason to send along, where one was written. Using it keeps it. @param {string} id @returns {string | undefined} */
export function reasonOf(id) {
  const kept = consentOf(id);
  if (!kept?.reason) return undefined;
  keepConsent(id, kept.reason);
  return kept.reason;
}

/** @param {Workspace} workspace @param {string} [action] */
export function needsReason(workspace, action = 'open_app') {
  const told = !Array.isArray(workspace.can) && workspace.can?.[action];
  return Boolean(told && told !== true && told.code === 'REASON_REQUIRED');
}

/** Whether the reason has still to be asked for. @param {Workspace} workspace @param {string} action */
export const asksReason = (workspace, action) => needsReason(workspace, action) && !consentOf(workspace.id)?.reason;

/** Why an action is off; a missing reason is none, it is asked for on the way. @param {Workspace} workspace @param {string} action */
export const barred = (workspace, action) => (needsReason(workspace, action) ? undefined : refusal(workspace, action));

/** @param {string} reason */
export const isReason = (reason) => reason.trim().length >= LEAST;
