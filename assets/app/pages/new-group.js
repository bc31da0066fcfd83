/** New group: a name, the namespace that follows from it, and a quota with presets from the sizing guide. */
import { html, useRef } from '../lib/html.js';
import { freshKey, post } from '../lib/api.js';
import { labelWrong, slug } from '../lib/checks.js';
import { may } from '../lib/can.js';
import { useForm } from '../lib/form.js';
import { toast } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { me } from '../lib/session.js';
import { Button } from '../components/basics.js';
import { TextField } from '../components/fields.js';
import { FormProblem, PageHead, usePage } from '../components/places.js';
import { Late } from '../components/late.js';
import { PRESETS, QuotaFields, quotaOf, quotaWrong } from '../components/quota-fields.js';

/** What namespaces begin with where nobody said otherwise. */
const USUAL = 'codex-platform';
const overcommit = () => import('../components/quota-overcommit.js');
const sizing = () => import('../components/sizing.js');

export default function NewGroup() {
  usePage([{ text: 'Groups', href: '/groups' }, { text: 'New group' }]);
  const own = useRef(false);
  const key = useRef(freshKey());
  const settings = useQuery(may(me.value, 'view_system_settings') ? '/api/admin/settings' : null);
  const prefix = `${settings.data?.items.find((/** @type {any} */ item) => item.key === 'cluster.namespace_prefix')?.value || USUAL}-`;
  const form = useForm({
    first: { displayName: '', name: '', description: '', preset: PRESETS[0].name, ...PRESETS[0].quota },
    check: (values) => ({ displayName: !values.displayName.trim() && 'Give it a name.', name: labelWrong(values.name) || (`${prefix}${values.name}`.length > 63 && `Use at most ${63 - prefix.length} characters, so that the namespace has at most 63.`), ...quotaWrong(values) }),
    send: async (values) => {
      const group = await post('/api/groups', { name: values.name, displayName: values.displayName.trim(), ...(values.description.trim() ? { description: values.description.trim() } : {}), ...(settings.data ? { namespace: prefix + values.name } : {}), resourceQuota: quotaOf(values) }, { key: key.current });
      refresh('group');
      toast({ title: `${values.displayName.trim()} is there.`, text: 'Add its members next.' });
      navigate(`/groups/${group.id}/members`);
    },
  });
  const title = (/** @type {any} */ event) => form.setAll({ displayName: event.target.value, ...(own.current ? {} : { name: slug(event.target.value) }) });
  return html`<div class="page narrow"><${PageHead} title="New group" facts="A team with a namespace and a quota of its own." /><form class="stack s24" onSubmit=${form.submit} novalidate>
    <div class="stack"><${TextField} form=${form} name="displayName" label="Display name" maxlength="100" hint="What people see, for example Payments." autofocus onInput=${title} />
      <${TextField} form=${form} name="name" label="Name" mono maxlength="63" hint="For addresses and the API; it cannot be changed." onInput=${(/** @type {any} */ event) => { own.current = true; form.set('name', event.target.value.toLowerCase()); }} />
      <div class="field"><span class="label">Namespace</span><div class="row" style="min-height:32px"><code class="idchip" style="padding-right:8px">${prefix}${form.values.name || '…'}</code></div><span class="hint">Where its workspaces live; made from the name.</span></div>
      <${TextField} form=${form} name="description" label="Description" optional maxlength="500" lines=${2} /></div>
    <section class="stack"><div><h2>Quota</h2><p class="t13 fg2">What all workspaces of the group may use together. It can be changed later.</p></div><${QuotaFields} form=${form} presets /><${Late} load=${sizing} part="Sizing" form=${form} path="/api/admin/sizing" /><${Late} load=${overcommit} part="QuotaOvercommit" values=${form.values} /></section>
    <div class="stack s8"><${FormProblem} form=${form} what="Not created" /><div class="row"><${Button} kind="primary" type="submit" busy=${form.busy} busyWord="Creating">Create group<//><${Button} kind="ghost" href="/groups">Cancel<//></div></div></form></div>`;
}
