/** Parts of settings pages: the bar that says what changed, and the place for what cannot be undone. */
import { html, loadStyle, useEffect } from '../lib/html.js';
import { guard } from '../lib/router.js';
import { Button } from './basics.js';
import { Card } from './places.js';

await loadStyle('/style/forms.css');

/** @param {{form: import('../lib/form.js').Form, word?: string, what?: any}} props what: says what changed */
export function SaveBar({ form, word = 'Save', what }) {
  useEffect(() => {
    if (!form.changed) return undefined;
    guard.ask = () => window.confirm('Leave without saving? What you changed here is lost.');
    return () => { guard.ask = null; };
  }, [form.changed]);
  if (!form.changed) return null;
  return html`<div class="save-bar" role="region" aria-label="Unsaved changes"><span class="fg2">${what || 'Not saved yet.'}</span><span class="right row"><${Button} kind="ghost" onClick=${form.reset}>Undo<//><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Saving">${word}<//></span></div>`;
}

/** @param {{title: string, text: any, action: any, refused?: string}} props */
export const Danger = ({ title, text, action, refused }) => html`<${Card} class="danger-zone"><div class="card-body row wrap" style="gap:12px"><div style="flex:1 1 240px"><h2>${title}</h2><p class="t13 fg2">${text}</p>${refused && html`<p class="t12 fg2" style="margin-top:4px">${refused}</p>`}</div>${action}</div><//>`;
