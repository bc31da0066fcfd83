/** What stands on the home page on the first day: the next steps, and templates at one press. */
import { html, loadStyle, useState } from '../lib/html.js';
import { freshKey, post } from '../lib/api.js';
import { may } from '../lib/can.js';
import { showSize } from '../lib/format.js';
import { fail } from '../lib/overlay.js';
import { refresh, setAnswer } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { me } from '../lib/session.js';
import { Button, Icon } from './basics.js';
import { Card } from './places.js';
import { templateIcon, useTemplates } from './templates.js';

await loadStyle('/style/steps.css');

/** @param {{groups: any[] | undefined}} props what to do on the first day */
export function FirstSteps({ groups }) {
  const admin = may(me.value, 'create_group');
  const steps = [
    { text: admin ? 'Create a group' : 'Join a group', done: Boolean(groups?.length), href: admin ? '/groups/new' : undefined },
    ...(admin ? [{ text: 'Add people', done: groups?.some((group) => group.memberCount > 1), href: '/admin/users/new' }] : []),
    { text: 'Make a workspace', done: false, href: '/workspaces/new' }, { text: 'Type in its terminal', done: false },
  ];
  const next = steps.findIndex((step) => !step.done);
  return html`<${Card} title="First steps" right=${`${steps.filter((step) => step.done).length} of ${steps.length}`}><ol class="steps card-body">${steps.map((step, i) => html`<li class=${step.done ? 'fg2' : i === next ? 'now' : 'todo'}><span class="m ok">${step.done ? html`<${Icon} name="circle-check" label="done" />` : html`<span class="ring fg3" />`}</span><span>${!step.done && step.href ? html`<a href=${step.href}>${step.text}</a>` : step.text}</span></li>`)}</ol><//>`;
}

/** One press with the defaults. @param {{group: import('../lib/types.js').Group}} props */
export function TemplateStrip({ group }) {
  const { list } = useTemplates();
  const [busy, setBusy] = useState('');
  const create = async (/** @type {import('../lib/types.js').Template} */ template) => {
    setBusy(template.id);
    try {
      const name = `${template.name.replace(/[^a-z0-9]+/gi, '-').replace(/^-+|-+$/g, '')}-${freshKey().slice(0, 4)}`;
      const made = await post('/api/workspaces', { name, groupId: group.id, templateId: template.id, start: true }, { key: freshKey() });
      setAnswer(`/api/workspaces/${made.id}`, made);
      refresh('workspace');
      navigate(`/workspaces/${made.id}`);
    } catch (error) { fail('Not created', error); setBusy(''); }
  };
  if (!list?.length) return null;
  return html`<section><div class="section-head"><h2>Start from a template</h2><span class="hint">with the defaults, in ${group.displayName}</span><a class="right t13" href="/workspaces/new">More choices</a></div>
    <div class="cards">${list.filter((template) => !template.deprecated).slice(0, 4).map((template) => html`<div class="card card-body stack" key=${template.id}><div class="row" style="gap:12px;align-items:flex-start"><span class="tile"><${Icon} name=${templateIcon(template.icon, template.kind)} /></span><div><h3>${template.displayName}</h3><p class="t12 fg2">${template.description}</p></div></div>
      <div class="row"><${Button} size="s" busy=${busy === template.id} busyWord="Creating" onClick=${() => create(template)}>Create<//><span class="right t12 fg3">${showSize(template.defaultSize)}</span></div></div>`)}</div></section>`;
}
