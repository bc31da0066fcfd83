/** Templates: the strip on an empty home page, and the icon of one. */
import { html, useState } from '../lib/html.js';
import { freshKey, post } from '../lib/api.js';
import { showSize } from '../lib/format.js';
import { fail } from '../lib/overlay.js';
import { refresh, useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { Button, Icon } from './basics.js';

const SHIPPED = new Set(['square-terminal', 'terminal', 'box', 'container', 'database', 'coffee', 'hexagon', 'notebook-pen', 'book-open', 'cpu', 'layers']);

/** @param {string | undefined} name the template's own word for its icon @param {string} [kind] */
export const templateIcon = (name, kind) => (name && SHIPPED.has(name) ? name : kind === 'image' ? 'container' : 'square-terminal');

/** The templates by their id; an empty map until they are there. @returns {{list: import('../lib/types.js').Template[] | undefined, by: Map<string, import('../lib/types.js').Template>, error: any, reload: () => void}} */
export function useTemplates() {
  const { data, error, reload } = useQuery('/api/templates', ['template']);
  return { list: data, by: new Map(data?.map((/** @type {any} */ template) => [template.id, template])), error, reload };
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
      refresh('workspace');
      navigate(`/workspaces/${made.id}`);
    } catch (error) { fail('Not created', error); setBusy(''); }
  };
  if (!list?.length) return null;
  return html`<section><div class="section-head"><h2>Start from a template</h2><span class="hint">with the defaults, in ${group.displayName}</span><a class="right t13" href="/workspaces/new">More choices</a></div>
    <div class="cards">${list.filter((template) => !template.deprecated).slice(0, 4).map((template) => html`<div class="card card-body stack" key=${template.id}><div class="row" style="gap:12px;align-items:flex-start"><span class="tile"><${Icon} name=${templateIcon(template.icon, template.kind)} /></span><div><h3>${template.displayName}</h3><p class="t12 fg2">${template.description}</p></div></div>
      <div class="row"><${Button} size="s" busy=${busy === template.id} busyWord="Creating" onClick=${() => create(template)}>Create<//><span class="right t12 fg3">${showSize(template.defaultSize)}</span></div></div>`)}</div></section>`;
}
