/** In the place of what is only seen while a workspace runs. */
import { html } from '../lib/html.js';
import { act, reasons } from '../lib/workspace-actions.js';
import { Button } from './basics.js';
import { Empty } from './places.js';

/** @param {{workspace: import('../lib/types.js').Workspace, icon: string, text: string, soon: string}} props soon: while it starts */
export function NotRunning({ workspace, icon, text, soon }) {
  const moving = workspace.status === 'starting';
  return html`<div class="card"><${Empty} icon=${icon} title=${moving ? 'Starting' : 'The workspace is stopped'} text=${moving ? soon : text} action=${moving ? html`<span class="spin" style="margin-top:12px" />` : html`<${Button} icon="play" refused=${reasons(workspace).start} onClick=${() => act(workspace, 'start')}>Start<//>`} /></div>`;
}
