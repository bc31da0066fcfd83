/**
 * The guides: what they hold, where their text comes from, and how they are searched. The text is Markdown below
 * guide/, fetched when it is read; a test holds this list and the files together.
 */
import { FILES } from './html.js';
import { parse, plain } from './markdown.js';

/**
 * @typedef {{slug: string, title: string}} Chapter
 * @typedef {{slug: string, title: string, about: string, icon: string, parts: {title: string, chapters: Chapter[]}[]}} Book
 */

const chapter = (/** @type {string} */ slug, /** @type {string} */ title) => ({ slug, title });

/** @type {Book[]} */
export const BOOKS = [
  { slug: 'user', title: 'User’s guide', about: 'Working in workspaces, leading a group, administering the platform.', icon: 'book-open', parts: [
    { title: 'Work', chapters: [chapter('start', 'First steps'), chapter('workspaces', 'Workspaces'), chapter('inside', 'Working in a workspace'), chapter('apps', 'Editors and other apps'), chapter('git', 'Git'), chapter('account', 'Your account')] },
    { title: 'Lead and administer', chapters: [chapter('groups', 'Groups'), chapter('people', 'People'), chapter('roles', 'Roles and access'), chapter('cannot-open', 'Someone cannot open a workspace'), chapter('platform', 'The platform at a glance'), chapter('audit', 'Audit')] },
    { title: 'Automate', chapters: [chapter('automation', 'The API'), chapter('machine', 'From inside a workspace')] },
  ] },
  { slug: 'operator', title: 'Operator’s guide', about: 'Installing, configuring, securing, backing up and repairing the server.', icon: 'database', parts: [
    { title: 'Set up', chapters: [chapter('install', 'Install and first start'), chapter('configuration', 'Configuration'), chapter('addresses', 'Addresses and TLS'), chapter('apps-origins', 'Where apps are shown'), chapter('editors', 'Installing editors')] },
    { title: 'Where workspaces run', chapters: [chapter('local', 'On this machine'), chapter('network', 'What workspaces may reach'), chapter('kubernetes', 'On Kubernetes')] },
    { title: 'Keep it running', chapters: [chapter('backup', 'Backup, restore, upgrade'), chapter('monitoring', 'Metrics and alerts'), chapter('troubleshooting', 'Doctor and troubleshooting'), chapter('security', 'Security model')] },
    { title: 'Look up', chapters: [chapter('settings', 'Every setting'), chapter('commands', 'Every command')] },
  ] },
];

/** @param {Book} book */
export const chaptersOf = (book) => book.parts.flatMap(({ chapters }) => chapters);

/** @typedef {{title: string, blocks: import('./markdown.js').Block[]}} Text */
/** @type {Map<string, Promise<Text>>} */
const texts = new Map();

/** A chapter, read once. @param {string} book @param {string} slug @returns {Promise<Text>} */
export function textOf(book, slug) {
  const address = `${FILES}guide/${book}/${slug}.md`;
  const known = texts.get(address);
  if (known) return known;
  const asked = fetch(address).then(async (answer) => {
    if (!answer.ok) throw new Error('The server did not give this chapter.');
    const [first, ...blocks] = parse(await answer.text());
    return { title: first?.kind === 'heading' ? first.text : '', blocks };
  });
  asked.catch(() => texts.delete(address));
  texts.set(address, asked);
  return asked;
}

/** @typedef {{book: {title: string}, chapter: {title: string}, heading: string, href: string, text: string}} Section a heading with what stands below it */

/** The calls of the API as sections; without its description the guides are searched alone. @returns {Promise<Section[]>} */
async function calls() {
  const { theApi } = await import('./openapi.js');
  const { nouns } = await theApi();
  return nouns.flatMap((noun) => noun.operations.map((one) => ({ book: { title: 'API reference' }, chapter: { title: noun.name }, heading: `${one.method} ${one.path}`, href: `/help/api/${noun.slug}#${one.id}`, text: one.summary })));
}

/** Every section of every guide, and every call of the API, for the search. @returns {Promise<Section[]>} */
export async function sections() {
  const all = BOOKS.flatMap((book) => chaptersOf(book).map(async (one) => ({ book, chapter: one, blocks: (await textOf(book.slug, one.slug)).blocks })));
  const api = calls().catch(() => []);
  const guides = (await Promise.all(all)).flatMap(({ book, chapter: one, blocks }) => {
    const address = `/help/${book.slug}/${one.slug}`;
    /** @type {Section[]} */
    const found = [{ book, chapter: one, heading: one.title, href: address, text: '' }];
    for (const block of blocks) {
      if (block.kind === 'heading') found.push({ book, chapter: one, heading: plain(block.text), href: `${address}#${block.id}`, text: '' });
      else found[found.length - 1].text += ` ${wordsOf(block)}`;
    }
    return found;
  });
  return [...guides, ...(await api)];
}

/** @param {import('./markdown.js').Block} block @returns {string} */
function wordsOf(block) {
  switch (block.kind) {
    case 'code': return block.text;
    case 'list': return block.items.flat().map(wordsOf).join(' ');
    case 'note': return block.blocks.map(wordsOf).join(' ');
    case 'table': return `${block.rows.map((row) => row.map(plain).filter(Boolean).join(' · ')).join('. ')}.`;
    default: return plain(block.text);
  }
}

/** How many sections a search shows. */
export const MOST = 30;

/**
 * The sections that have every word, those with them in the heading first.
 * @param {Section[]} all @param {string} text
 * @returns {{section: Section, before: string, hit: string, after: string}[]}
 */
export function search(all, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const score = (/** @type {Section} */ { heading, text: body, chapter: one }) => {
    const [title, rest] = [heading.toLowerCase(), `${one.title} ${heading} ${body}`.toLowerCase()];
    if (!words.every((word) => rest.includes(word))) return 0;
    return 1 + words.filter((word) => title.includes(word)).length * 4 + (title.includes(words.join(' ')) ? 8 : 0) + (body.toLowerCase().includes(words.join(' ')) ? 2 : 0);
  };
  return all.map((section) => ({ section, score: score(section) })).filter((one) => one.score > 0).sort((a, b) => b.score - a.score).slice(0, MOST).map(({ section }) => ({ section, ...around(section.text.trim(), words) }));
}

/** The place of the first word with a little of what stands around it. @param {string} text @param {string[]} words */
function around(text, words) {
  const lower = text.toLowerCase();
  const [at, word] = words.map((one) => /** @type {[number, string]} */ ([lower.indexOf(one), one])).filter(([place]) => place >= 0).sort((a, b) => a[0] - b[0])[0] || [0, ''];
  const begin = Math.max(0, at > 60 ? text.lastIndexOf(' ', at - 50) + 1 : 0);
  const rest = text.slice(at + word.length, at + word.length + 90);
  return { before: (begin ? '… ' : '') + text.slice(begin, at), hit: text.slice(at, at + word.length), after: rest.length < 90 ? rest : `${rest.slice(0, rest.lastIndexOf(' '))} …` };
}
