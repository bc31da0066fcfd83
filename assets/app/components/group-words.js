/** What a group says to its members: what it is for, notes, and a welcome for whoever joins. Its admins write it here. */
import { html, loadStyle } from '../lib/html.js';
import { patch } from '../lib/api.js';
import { may } from '../lib/can.js';
import { useForm } from '../lib/form.js';
import { openDialog, toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { Button } from './basics.js';
import { Dialog } from './dialog.js';
import { TextField } from './fields.js';
import { Card, FormProblem, Loaded } from './places.js';

await loadStyle('/style/notices.css');

/** @typedef {import('../lib/types.js').Group} Group @typedef {{purpose: string, notes: string, welcome: string}} Words */

/** @param {{group: Group}} props */
export function GroupWords({ group }) {
  const query = useQuery(`/api/groups/${group.id}/page`, ['group']);
  const writes = may(group, 'edit_group_page');
  const words = /** @type {Words | undefined} */ (query.data);
  if (words && !writes && !words.purpose && !words.notes) return null;
  const edit = () => openDialog(Edit, { group, words });
  return html`<${Card} title="About" right=${writes && words && html`<${Button} size="s" kind="ghost" icon="pencil" onClick=${edit}>Edit<//>`}><${Loaded} query=${query} what="The notes could not be read" lines=${1} height=${72}>${(/** @type {Words} */ { purpose, notes, welcome }) => html`<div class="card-body stack s8">
    ${purpose && html`<p class="strong">${purpose}</p>`}${notes && html`<p class="t13 written">${notes}</p>`}
    ${!purpose && !notes && html`<p class="t13 fg2">Say what the group is for and what its members should know.</p>`}
    ${writes && welcome && html`<p class="t12 fg2">Who joins reads: <span class="written">${welcome}</span></p>`}</div>`}<//><//>`;
}

/** @param {{group: Group, words: Words, done: (answer: any) => void}} props */
function Edit({ group, words, done }) {
  const form = useForm({
    first: { purpose: words.purpose, notes: words.notes, welcome: words.welcome },
    send: async ({ purpose, notes, welcome }) => {
      await patch(`/api/groups/${group.id}/page`, { purpose: purpose.trim(), notes: notes.trim(), welcome: welcome.trim() });
      refresh('group');
      toast({ title: `The notes of ${group.displayName} are saved.` });
      done(true);
    },
  });
  return html`<${Dialog} wide title=${`About ${group.displayName}`} lead="Every member reads the purpose and the notes." onClose=${() => done(undefined)}><form onSubmit=${form.submit}><div class="body">
    <${TextField} form=${form} name="purpose" label="Purpose" optional maxlength="500" hint="What the group is for, in a sentence." autofocus />
    <${TextField} form=${form} name="notes" label="Notes" optional maxlength="4000" lines=${6} hint="Who to ask, what to mind, where things are." />
    <${TextField} form=${form} name="welcome" label="Welcome" optional maxlength="4000" lines=${3} hint="Told to whoever joins from now on." />
    <${FormProblem} form=${form} what="Not saved" /></div>
    <div class="buttons"><${Button} onClick=${() => done(undefined)}>Cancel<//><${Button} kind="primary" type="submit" busy=${form.busy}>Save<//></div></form><//>`;
}
