/** Before somebody else's workspace is entered: whose it is, what is written down about it, and the reason where one is needed. */
import { html, loadStyle, useState } from '../lib/html.js';
import { isReason, keepConsent } from '../lib/entering.js';
import { Avatar, Button, Icon } from './basics.js';

/** @typedef {import('../lib/types.js').Workspace} Workspace */

await loadStyle('/style/work.css');

/**
 * @param {{workspace: Workspace, what: string, word: string, must: boolean, leave: string, agree: (reason: string) => void}} props
 * what: completes "That you … is written into the audit log"; word: of the button; leave: where who thinks better of it goes
 */
export function AskEntry({ workspace, what, word, must, leave, agree }) {
  const owner = workspace.userDisplayName || workspace.userName || 'somebody else';
  const [reason, setReason] = useState('');
  const [tried, setTried] = useState(false);
  const wrong = must && tried && !isReason(reason);
  const go = (/** @type {Event} */ event) => {
    event.preventDefault();
    setTried(true);
    if (must && !isReason(reason)) { /** @type {HTMLElement | null} */ (document.getElementById('open-reason'))?.focus(); return; }
    keepConsent(workspace.id, reason.trim());
    agree(reason.trim());
  };
  return html`<form class="stack" onSubmit=${go} novalidate><div class="row" style="gap:12px"><${Avatar} of=${{ id: workspace.userId, name: owner }} size="s40" /><div><div class="strong">${owner} owns ${workspace.name}</div><p class="t13 fg2">Its programs and pages are what ${owner} put there. Open it only if you expected to.</p></div></div>
    <p class="t13 fg2 row" style="align-items:flex-start"><${Icon} name="scroll-text" /><span>That you ${what} is written into the audit log${must ? `, with your reason, and ${owner} is told` : ''}.${workspace.status === 'stopped' ? ' It is stopped; opening starts it.' : ''}</span></p>
    ${must && html`<div class="field"><label for="open-reason">Reason</label><input class="input" id="open-reason" maxlength="500" autocomplete="off" value=${reason} aria-invalid=${wrong ? 'true' : undefined} aria-describedby="open-reason-hint" onInput=${(/** @type {any} */ event) => setReason(event.target.value)} />${wrong ? html`<span class="error-line" id="open-reason-hint" role="alert"><${Icon} name="circle-alert" size="s12" /><span>Write why you need to; ${owner} reads it.</span></span>` : html`<span class="hint" id="open-reason-hint">${owner} reads it.</span>`}</div>`}
    <div class="row wrap open-buttons"><${Button} href=${leave}>Leave it<//><${Button} kind="primary" type="submit">${word}<//></div></form>`;
}

/** The same in the place of a part of the workspace's page. @param {{workspace: Workspace, what: string, word: string, agree: () => void}} props */
export const AskPart = ({ workspace, what, word, agree }) => html`<section class="card" style="max-width:560px" aria-label="Somebody else’s workspace"><div class="card-body"><${AskEntry} workspace=${workspace} what=${what} word=${word} must leave=${`/workspaces/${workspace.id}`} agree=${agree} /></div></section>`;
