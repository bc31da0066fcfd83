/** The guides as pages: all of them, one book, one chapter, or a whole book at once for paper. They work offline, from the server itself. */
import { html, loadStyle, useEffect, useLayoutEffect, useRef, useState } from '../lib/html.js';
import { BOOKS, chaptersOf, textOf } from '../lib/guide.js';
import { plain } from '../lib/markdown.js';
import { here } from '../lib/router.js';
import { Button, Icon } from '../components/basics.js';
import { GuideFrame } from '../components/guide-frame.js';
import { Card, Failed, FailedPage, PageHead, Skeleton, usePage } from '../components/places.js';
import { Prose } from '../components/prose.js';

await Promise.all(['/style/table.css', '/style/work.css', '/style/guide.css'].map(loadStyle));

/** @typedef {import('../lib/guide.js').Book} Book @typedef {import('../lib/guide.js').Text} Text */

/** @param {{params: {book?: string, chapter?: string}}} props */
export default function Help({ params }) {
  const book = BOOKS.find(({ slug }) => slug === params.book);
  if (!params.book) return html`<${Shelf} />`;
  if (!book) return html`<${FailedPage} what="No such guide" error=${{ status: 404, message: 'There is no guide of this name.' }} />`;
  if (!params.chapter) return html`<${Cover} book=${book} />`;
  if (params.chapter === 'all') return html`<${Whole} key=${book.slug} book=${book} />`;
  const chapter = chaptersOf(book).find(({ slug }) => slug === params.chapter);
  if (!chapter) return html`<${FailedPage} what="No such chapter" error=${{ status: 404, message: 'The guide has no chapter of this name. Look it up in its contents.' }} />`;
  return html`<${Chapter} book=${book} chapter=${chapter} />`;
}

function Shelf() {
  usePage([{ text: 'Help' }]);
  const cards = [...BOOKS.map(({ slug, ...book }) => ({ href: `/help/${slug}`, ...book })), { href: '/help/api', title: 'API reference', about: 'Every call of the HTTP API, to read and to try.', icon: 'code' }];
  const tasks = [['Make a workspace', 'user/workspaces#make-a-workspace'], ['Create a group', 'user/groups#create-a-group'], ['Onboard a user', 'user/people#onboard-a-user'], ['Someone cannot open a workspace', 'user/cannot-open'], ['Back up and restore', 'operator/backup'], ['Find out what is wrong', 'operator/troubleshooting']];
  return html`<div class="page"><${PageHead} title="Help" facts="What this server does and how; it needs no connection to anywhere else." /><${GuideFrame} now="">
    <div class="cards three">${cards.map((one) => html`<a class="card card-body guide-card" key=${one.href} href=${one.href}><span class="tile"><${Icon} name=${one.icon} /></span><span class="strong">${one.title}</span><span class="t13 fg2">${one.about}</span></a>`)}</div>
    <${Card} title="Often looked for"><ul class="lines">${tasks.map(([text, place]) => html`<li key=${place}><a href=${`/help/${place}`}>${text}</a></li>`)}</ul><//><//></div>`;
}

/** @param {{book: Book}} props */
function Cover({ book }) {
  usePage([{ text: 'Help', href: '/help' }, { text: book.title }]);
  return html`<div class="page"><${PageHead} title=${book.title} facts=${book.about} actions=${html`<${Button} href=${`/help/${book.slug}/all`} icon="file-text">All on one page<//>`} /><${GuideFrame} now=${book.slug}>
    ${book.parts.map((part) => html`<${Card} key=${part.title} title=${part.title}><ul class="lines">${part.chapters.map((one) => html`<li key=${one.slug}><a href=${`/help/${book.slug}/${one.slug}`}>${one.title}</a></li>`)}</ul><//>`)}<//></div>`;
}

/** A chapter's text, or why there is none. @param {Book} book @param {string} slug */
function useText(book, slug) {
  const [state, setState] = useState(/** @type {{slug: string, text?: Text, error?: any}} */ ({ slug: '' }));
  const read = () => { textOf(book.slug, slug).then((text) => setState({ slug, text }), (error) => setState({ slug, error })); };
  useEffect(read, [book.slug, slug]);
  return { ...(state.slug === slug ? state : { slug: '' }), again: read };
}

/** To the heading of the address, once it is there. */
const toHeading = () => { if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView(); };

/** @param {{book: Book, chapter: import('../lib/guide.js').Chapter}} props */
function Chapter({ book, chapter }) {
  usePage([{ text: 'Help', href: '/help' }, { text: book.title, href: `/help/${book.slug}` }, { text: chapter.title }]);
  const { text, error, again } = useText(book, chapter.slug);
  const title = useRef(/** @type {HTMLElement | null} */ (null));
  const first = useRef(true);
  useLayoutEffect(() => { if (text) toHeading(); }, [text, here.value]);
  // From one chapter to the next the frame stays, so the heading says aloud that the text is another one.
  useEffect(() => { if (!first.current && !location.hash) title.current?.focus({ preventScroll: true }); first.current = false; }, [chapter.slug]);
  const all = chaptersOf(book);
  const at = all.indexOf(chapter);
  const headings = text?.blocks.flatMap((block) => (block.kind === 'heading' && block.level === 2 ? [{ id: block.id, text: plain(block.text) }] : [])) || [];
  return html`<div class="page"><${GuideFrame} now=${`${book.slug}/${chapter.slug}`} headings=${headings}><article class="prose" data-chapter=${chapter.slug}><h1 tabindex="-1" ref=${title}>${chapter.title}</h1>
    ${text ? html`<${Prose} blocks=${text.blocks} book=${book.slug} />` : error ? html`<div class="card"><${Failed} what="The chapter could not be read" error=${{ status: 0, message: error.message }} again=${again} /></div>` : html`<${Skeleton} lines=${8} />`}</article>
    ${(text || error) && html`<nav class="guide-next" aria-label="Chapters">${at > 0 && html`<${Button} icon="chevron-left" href=${`/help/${book.slug}/${all[at - 1].slug}`}>${all[at - 1].title}<//>`}<span class="right">${at < all.length - 1 && html`<${Button} href=${`/help/${book.slug}/${all[at + 1].slug}`}>${all[at + 1].title}<${Icon} name="chevron-right" /><//>`}</span></nav>`}<//></div>`;
}

/** A whole book, one chapter after the other: to print, or to search with the browser. @param {{book: Book}} props */
function Whole({ book }) {
  usePage([{ text: 'Help', href: '/help' }, { text: book.title, href: `/help/${book.slug}` }, { text: 'All on one page' }]);
  const [texts, setTexts] = useState(/** @type {{slug: string, title: string, blocks: any[]}[] | null} */ (null));
  const [lost, setLost] = useState(false);
  const read = () => { setLost(false); Promise.all(chaptersOf(book).map(async (one) => ({ ...one, blocks: (await textOf(book.slug, one.slug)).blocks }))).then(setTexts, () => setLost(true)); };
  useEffect(read, []);
  return html`<div class="page"><${PageHead} title=${book.title} facts="Every chapter, one after the other." actions=${html`<${Button} icon="file-text" onClick=${() => print()}>Print<//>`} />
    ${texts ? texts.map((one) => html`<article class="prose whole" key=${one.slug}><h2 class="chapter">${one.title}</h2><${Prose} blocks=${one.blocks.map((block) => (block.kind === 'heading' ? { ...block, level: block.level + 1, id: `${one.slug}-${block.id}` } : block))} book=${book.slug} /></article>`) : lost ? html`<div class="card"><${Failed} what="The guide could not be read" error=${{ status: 0, message: 'The server did not answer.' }} again=${read} /></div>` : html`<${Skeleton} lines=${10} />`}</div>`;
}
