/** The settings of a group: its words, its quota, and deleting it. */
import { html } from '../lib/html.js';
import { del, patch } from '../lib/api.js';
import { may, refusal } from '../lib/can.js';
import { amount, show } from '../lib/format.js';
import { useForm } from '../lib/form.js';
import { toast } from '../lib/overlay.js';
import { refresh } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { resourceWord } from '../lib/words.js';
import { Button } from './basics.js';
import { confirm } from './dialog.js';
import { TextField } from './fields.js';
import { Callout, Card, FormProblem } from './places.js';
import { QuotaFields, quotaOf, quotaValues, quotaWrong } from './quota-fields.js';
import { Late } from './late.js';
import { Danger, SaveBar } from './settings-parts.js';

const overcommit = () => import('./quota-overcommit.js');
const sizing = () => import('./sizing.js');
const history = () => import('./quota-history.js');

/** @param {{group: import('../lib/types.js').Group}} props */
export function GroupSettings({ group }) {
  const no = { words: refusal(group, 'update_group'), quota: refusal(group, 'set_group_quota'), remove: refusal(group, 'delete_group') };
  const form = useForm({
    first: { displayName: group.displayName, description: group.description || '', reason: '', ...quotaValues(group.resourceQuota) },
    check: (values) => ({ displayName: !values.displayName.trim() && 'Give it a name.', ...quotaWrong(values) }),
    send: async (values) => {
      const moved = differs(group, values);
      await patch(`/api/groups/${group.id}`, { ...(values.displayName !== group.displayName ? { displayName: values.displayName.trim() } : {}), ...(values.description !== (group.description || '') ? { description: values.description.trim() } : {}), ...(moved ? { resourceQuota: quotaOf(values), ...(values.reason.trim() ? { reason: values.reason.trim() } : {}) } : {}) });
      refresh('group');
      toast({ title: `${values.displayName.trim()} saved.` });
    },
  });
  const below = under(group, form.values);
  const remove = async () => {
    const done = await confirm({
      title: `Delete ${group.displayName}?`, danger: true, type: group.name, word: 'Delete group', failed: 'Not deleted',
      lead: `Its ${group.memberCount} ${group.memberCount === 1 ? 'membership ends' : 'memberships end'} and its namespace ${group.namespace} is removed. This cannot be undone; the audit keeps its name.`,
      run: async () => { await del(`/api/groups/${group.id}`); refresh('group', 'membership'); },
    });
    if (done) { toast({ title: `${group.displayName} is deleted.` }); navigate('/groups'); }
  };
  return html`<div class="column stack s24"><form class="stack s24" onSubmit=${form.submit} novalidate>
    <${Card} title="Details"><div class="card-body stack"><${TextField} form=${form} name="displayName" label="Display name" maxlength="100" readonly=${Boolean(no.words)} /><${TextField} form=${form} name="description" label="Description" optional maxlength="500" lines=${2} readonly=${Boolean(no.words)} />${no.words && html`<p class="hint">Only platform admins change a group.</p>`}</div><//>
    <${Card} title="Quota"><div class="card-body stack"><${QuotaFields} form=${form} presets=${!no.quota} readonly=${Boolean(no.quota)} />${no.quota && html`<p class="hint">Only platform admins change quotas.</p>`}
      ${below.length > 0 && html`<${Callout} kind="warn" lead="Below what is in use.">${below.join(' ')} Nothing that runs is stopped; nothing more can start until it fits.<//>`}
      ${!no.quota && html`<${Late} load=${sizing} part="Sizing" form=${form} path=${`/api/groups/${group.id}/sizing`} />`}
      ${!no.quota && html`<${Late} load=${overcommit} part="QuotaOvercommit" before=${group.resourceQuota} values=${form.values} />`}
      ${!no.quota && differs(group, form.values) && html`<${TextField} form=${form} name="reason" label="Reason for a new quota" optional maxlength="500" hint="Kept in its history and in the audit." />`}</div><//>
    <${FormProblem} form=${form} what="Not saved" /><${SaveBar} form=${form} /></form>
    ${may(group, 'view_group_usage') && html`<${Late} load=${history} part="QuotaHistory" group=${group} move=${!no.quota} />`}
    <${Danger} title="Delete this group" text=${`Its members keep their accounts.${no.remove ? '' : ' A group with workspaces cannot be deleted.'}`} action=${html`<${Button} kind="danger" icon="trash-2" refused=${no.remove} onClick=${remove}>Delete group<//>`} refused=${no.remove} /></div>`;
}

/** Whether the quota of the form is another one. @param {import('../lib/types.js').Group} group @param {Record<string, any>} values */
const differs = (group, values) => Object.entries(quotaValues(group.resourceQuota)).some(([name, value]) => values[name] !== value);

/** What a new quota would be below. @param {import('../lib/types.js').Group} group @param {Record<string, any>} values */
function under(group, values) {
  return ['cpu', 'memory', 'storage', 'pods'].flatMap((resource) => {
    const used = /** @type {any} */ (group.usage)[resource].used;
    return amount(resource, values[`resourceQuota.${resource}`]) < amount(resource, used) ? [`${resourceWord(resource)}: ${show(resource, used)} in use.`] : [];
  });
}
