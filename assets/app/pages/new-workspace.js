/** New workspace: a template, a name, a group and a size, with the server's answer on whether it fits as one chooses. */
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { freshKey, post } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { cpuWrong, repositoryWrong, sizeWrong, slug, workspaceNameWrong } from '../lib/checks.js';
import { useFits } from '../lib/fits.js';
import { useForm } from '../lib/form.js';
import { showBytes, showCores } from '../lib/format.js';
import { refresh, setAnswer, useQuery } from '../lib/query.js';
import { navigate, query } from '../lib/router.js';
import { me } from '../lib/session.js';
import { sizeWord } from '../lib/words.js';
import { Badge, Button, Icon } from '../components/basics.js';
import { SearchBox, SelectField, TextField } from '../components/fields.js';
import { FitsPanel } from '../components/fits-panel.js';
import { Hint } from '../components/command.js';
import { Callout, Empty, Failed, FormProblem, PageHead, Skeleton, usePage } from '../components/places.js';
import { notInstalled, templateIcon, useTemplates } from '../components/templates.js';

/** @typedef {import('../lib/types.js').Template} Template */

/** The server's name of the field. */
const REPOSITORY = 'parameters.repository';

export default function NewWorkspace() {
  usePage([{ text: 'Home', href: '/' }, { text: 'New workspace' }]);
  const templates = useTemplates();
  const groups = useQuery('/api/groups?limit=200', ['group', 'membership']);
  const all = /** @type {any[] | undefined} */ (groups.data);
  const own = all?.filter((group) => !refusal(group, 'create_workspace'));
  const head = html`<${PageHead} title="New workspace" facts="Choose a template; everything else has a default." />`;
  if (templates.error || groups.error) return html`<div class="page">${head}<div class="card"><${Failed} what="The choices could not be read" error=${templates.error || groups.error} again=${() => { templates.reload(); groups.reload(); }} /></div></div>`;
  if (!templates.list || !own) return html`<div class="page">${head}<${Skeleton} lines=${5} /></div>`;
  if (own.length === 0) return html`<div class="page">${head}<div class="card"><${Empty} icon="users" title="No group to make it in" text="A workspace belongs to a group, and its quota pays for it. Ask an administrator to add you to one." action=${html`<${Button} href="/groups">Groups<//>`} /></div></div>`;
  return html`<div class="page">${head}<${Choose} templates=${templates.list} groups=${own} /></div>`;
}

/** What is asked of the server, from what was chosen. @param {Record<string, any>} values @param {Template | undefined} template */
function bodyOf(values, template) {
  const size = template?.sizes.find(({ name }) => name === values.size);
  const resources = size ? { cpu: size.cpu, memory: size.memory, storage: size.storage } : { cpu: values.cpu.trim(), memory: values.memory.trim(), storage: values.storage.trim() };
  return {
    name: values.name.trim(), groupId: values.groupId, resources, start: true, ...(values[REPOSITORY].trim() && template?.kind !== 'image' ? { parameters: { repository: values[REPOSITORY].trim() } } : {}), ...(values.description.trim() ? { description: values.description.trim() } : {}),
    ...(template?.kind === 'image' ? { image: values.image.trim() } : { templateId: template?.id }),
  };
}

/** @param {{templates: Template[], groups: import('../lib/types.js').Group[]}} props */
function Choose({ templates, groups }) {
  const first = templates.find((template) => !template.deprecated) || templates[0];
  const asked = query.value.get('group');
  const own = useRef(false);
  const key = useRef(freshKey());
  const wrong = (/** @type {Record<string, any>} */ values) => ({
    name: workspaceNameWrong(values.name), [REPOSITORY]: repositoryWrong(values[REPOSITORY]), image: templates.find(({ id }) => id === values.templateId)?.kind === 'image' && !/^[A-Za-z0-9][\w.\-/:@]{0,254}$/.test(values.image.trim()) && 'Write it like registry.example.com/team/image:tag.',
    ...(values.size === 'own' ? { cpu: cpuWrong(values.cpu), memory: sizeWrong(values.memory), storage: sizeWrong(values.storage) } : {}),
  });
  const form = useForm({
    first: { templateId: first?.id, name: suggestion(first), groupId: (groups.find((group) => group.id === asked || group.name === asked) || groups.find((group) => group.role) || groups[0]).id, size: middle(first), image: '', [REPOSITORY]: '', description: '', cpu: first?.defaultSize.cpu, memory: first?.defaultSize.memory, storage: first?.defaultSize.storage },
    check: wrong,
    send: async (values) => {
      const made = await post('/api/workspaces', bodyOf(values, template), { key: key.current });
      setAnswer(`/api/workspaces/${made.id}`, made);
      refresh('workspace', 'group');
      navigate(`/workspaces/${made.id}`);
    },
  });
  const template = templates.find(({ id }) => id === form.values.templateId);
  const group = groups.find(({ id }) => id === form.values.groupId);
  const invalid = Object.values(wrong(form.values)).some(Boolean);
  const body = bodyOf(form.values, template);
  const fits = useFits('/api/workspaces?dryRun=true', invalid || form.busy ? null : body);
  useEffect(() => { key.current = freshKey(); }, [JSON.stringify(body)]);
  const choose = (/** @type {Template} */ next) => form.setAll({ templateId: next.id, size: middle(next), ...(own.current ? {} : { name: suggestion(next) }) });

  return html`<form class="cols form" onSubmit=${form.submit} novalidate><div class="stack s24">
    <div class="stack"><${Gallery} templates=${templates} chosen=${form.values.templateId} choose=${choose} /><${Missing} template=${template} /></div>
    <div class="fields2"><${TextField} form=${form} name="name" label="Name" maxlength="63" hint="Letters, digits and dashes. Yours alone: no two of your workspaces share one." onInput=${(/** @type {any} */ event) => { own.current = true; form.set('name', event.target.value); }} />
      <${SelectField} form=${form} name="groupId" label="Group" hint="Its quota pays for the workspace." options=${groups.map((item) => [item.id, item.displayName])} /></div>
    ${template?.kind === 'image' && html`<${TextField} form=${form} name="image" label="Image" mono hint="Its name in a registry that the cluster can reach." />`}
    <${Sizes} form=${form} template=${template} group=${group} />
    ${template?.kind !== 'image' && html`<${TextField} form=${form} name=${REPOSITORY} label="Repository" optional mono maxlength="500" hint=${html`Cloned at the first start, for example https://git.example.org/team/project.git. A private one needs <a class="link" href="/profile">your SSH key or a token</a>.`} />`}
    <${TextField} form=${form} name="description" label="Description" optional maxlength="500" />
    <div class="stack s8"><${FormProblem} form=${form} what="Not created" /></div></div>
    <aside><${FitsPanel} fits=${fits} group=${group} invalid=${invalid} size=${body.resources}
      button=${html`<${Button} kind="primary" size="l" wide type="submit" icon="plus" busy=${form.busy} busyWord="Creating" refused=${fits.answer && !fits.answer.allowed ? 'It does not fit. Choose a size that fits.' : undefined}>Create workspace<//>`}
      ways=${fits.answer && !fits.answer.allowed && template && html`<${Smaller} template=${template} form=${form} />`} /></aside></form>`;
}

/** @param {Template | undefined} template */
const suggestion = (template) => (template ? `my-${slug(template.displayName)}`.slice(0, 40) : '');
/** @param {Template | undefined} template the size that is its default */
const middle = (template) => template?.sizes.find((size) => size.cpu === template.defaultSize.cpu && size.memory === template.defaultSize.memory && size.storage === template.defaultSize.storage)?.name || template?.sizes[0]?.name || 'own';

/** @param {{template: Template, form: import('../lib/form.js').Form}} props a size below the chosen one */
function Smaller({ template, form }) {
  const at = template.sizes.findIndex(({ name }) => name === form.values.size);
  const smaller = template.sizes[at < 0 ? 0 : at - 1];
  return smaller ? html`<${Button} size="s" onClick=${() => form.set('size', smaller.name)}>Use ${sizeWord(smaller.name)}<//>` : null;
}

/** @param {{templates: Template[], chosen: string, choose: (template: Template) => void}} props */
function Gallery({ templates, chosen, choose }) {
  const [text, setText] = useState('');
  const shown = templates.filter((template) => `${template.displayName} ${template.description}`.toLowerCase().includes(text.toLowerCase()));
  return html`<section aria-label="Template"><div class="section-head"><h2 id="templates">Template</h2>${templates.length > 6 && html`<span class="right"><${SearchBox} value=${text} label="Find a template" onText=${setText} /></span>`}</div>
    <div class="choices c3" role="radiogroup" aria-labelledby="templates">${shown.map((template) => html`<label class="choice" key=${template.id}><span class="tile"><${Icon} name=${templateIcon(template.icon, template.kind)} /></span><span><span class="t row">${template.displayName}${template.deprecated && html`<${Badge} kind="warn">old<//>`}</span><span class="d" style="display:block">${template.description}</span><${Inside} template=${template} /></span><input type="radio" name="template" checked=${template.id === chosen} onChange=${() => choose(template)} /></label>`)}</div>${shown.length === 0 && html`<p class="fg2 t13">No template is called that.</p>`}</section>`;
}

/** What can be opened in it, where its name does not say so, and whether that is there. @param {{template: Template}} props */
function Inside({ template }) {
  const apps = template.apps?.some(({ name }) => !template.displayName.startsWith(name)) ? template.apps : [];
  const missing = notInstalled(template).length > 0;
  return apps.length || missing ? html`<span class="row wrap" style="margin-top:6px">${apps.map(({ slug: key, name }) => html`<${Badge} key=${key} kind="line">${name}<//>`)}${missing && html`<${Badge} kind="warn">not installed<//>`}</span>` : null;
}

/** What a workspace of this template would look for in vain: said before it is made. @param {{template: Template | undefined}} props */
function Missing({ template }) {
  const missing = notInstalled(template);
  if (missing.length === 0) return null;
  const names = missing.map(({ name }) => name).join(' and ');
  const lead = `${names} ${missing.length === 1 ? 'is' : 'are'} not installed on this server.`;
  if (!me.value?.isAdmin) return html`<${Callout} kind="warn" lead=${lead}>An administrator can install ${missing.length === 1 ? 'it' : 'them'}. Until then a workspace has its terminal and its files.<//>`;
  return html`<${Callout} kind="warn" lead=${lead}>Until then a workspace has its terminal and its files. ${missing.map((app) => app.hint && html`<div class="stack s4" style="margin-top:8px" key=${app.slug}><${Hint} text=${app.hint} /></div>`)}<//>`;
}

/** Sizes of the same numbers are shown once. @param {Template['sizes']} sizes */
const different = (sizes) => sizes.filter((size, i) => sizes.findIndex((one) => one.cpu === size.cpu && one.memory === size.memory && one.storage === size.storage) === i);

/** @param {{form: import('../lib/form.js').Form, template: Template | undefined, group: import('../lib/types.js').Group | undefined}} props */
function Sizes({ form, template, group }) {
  const sizes = different(template?.sizes || []);
  const option = (/** @type {string} */ name, /** @type {any} */ inside) => html`<label class="choice" key=${name}><input type="radio" name="size" checked=${form.values.size === name} onChange=${() => form.set('size', name)} /><span class="t">${name === 'own' ? 'Other' : sizeWord(name)}</span><span />${inside}</label>`;
  return html`<section aria-label="Size"><div class="section-head"><h2 id="sizes">Size</h2><span class="hint">checked against your limits and the group's quota</span></div>
    <div class="choices fit" role="radiogroup" aria-labelledby="sizes">${sizes.map((size) => option(size.name, html`<span class="d span">${showCores(size.cpu)}, ${showBytes(size.memory)}</span><span class="d span">${showBytes(size.storage)} disk</span><${Fit} size=${size} form=${form} template=${template} group=${group} />`))}
      ${option('own', html`<span class="d span">Your own numbers</span>`)}</div>
    ${form.values.size === 'own' && html`<div class="fields3" style="margin-top:16px"><${TextField} form=${form} name="cpu" label="CPU" unit="cores" hint="For example 2 or 0.5." /><${TextField} form=${form} name="memory" label="Memory" hint="For example 4Gi." /><${TextField} form=${form} name="storage" label="Disk" hint="For example 20Gi." /></div>`}</section>`;
}

/** Whether one of the sizes fits, asked for each. @param {{size: any, form: import('../lib/form.js').Form, template: Template | undefined, group: any}} props */
function Fit({ size, form, template, group }) {
  const { name, ...resources } = size;
  const { answer } = useFits('/api/workspaces?dryRun=true', group && template ? { name: 'size-check', groupId: group.id, resources, start: true, ...(template.kind === 'image' ? { image: 'example' } : { templateId: template.id }) } : null);
  if (!answer) return html`<span class="fit span" />`;
  return answer.allowed ? html`<span class="fit span ok"><${Icon} name="check" size="s14" />Fits</span>` : html`<span class="fit span bad"><${Icon} name="x" size="s14" />Does not fit</span>`;
}
