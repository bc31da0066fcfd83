/** The frame of the help pages: what there is to read on the left, the search above it, the chapter in the middle. */
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { BOOKS, MOST, search, sections } from '../lib/guide.js';
import { plural } from '../lib/format.js';
import { query, setQuery } from '../lib/router.js';
import { Icon } from './basics.js';
import { SearchBox } from './fields.js';
import { Empty, Failed, Skeleton } from './places.js';

/** @param {{now: string, headings?: {id: string, text: string}[], children: any}} props now: book/chapter, or api */
export function GuideFrame({ now, headings = [], children }) {
  const text = query.value.get('q') || '';
  const wide = matchMedia('(min-width: 1100px)').matches;
  const contents = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  useEffect(() => { if (!wide && contents.current) contents.current.open = false; }, [now]);
  return html`<div class="guide"><aside class="guide-side"><${SearchBox} value=${text} label="Search the guides" onText=${(/** @type {string} */ next) => setQuery({ q: next }, { replace: true })} />
      <details ref=${contents} open=${wide}><summary>Contents</summary><nav aria-label="Guides">${BOOKS.map((book) => html`<section key=${book.slug}><a class="guide-book" href=${`/help/${book.slug}`} aria-current=${now === book.slug ? 'page' : undefined}>${book.title}</a>
        ${(now.startsWith(`${book.slug}/`) || now === book.slug || !now) && book.parts.map((part) => html`<div key=${part.title}><div class="guide-part">${part.title}</div><ul>${part.chapters.map((one) => html`<li key=${one.slug}><a href=${`/help/${book.slug}/${one.slug}`} aria-current=${now === `${book.slug}/${one.slug}` ? 'page' : undefined}>${one.title}</a>
          ${now === `${book.slug}/${one.slug}` && headings.length > 1 && html`<ul>${headings.map(({ id, text: words }) => html`<li key=${id}><a href=${`#${id}`}>${words}</a></li>`)}</ul>`}</li>`)}</ul></div>`)}</section>`)}
        <section><a class="guide-book" href="/help/api" aria-current=${now === 'api' ? 'page' : undefined}>API reference</a>${now.startsWith('api') && headings.length > 0 && html`<ul>${headings.map(({ id, text: words }) => html`<li key=${id}><a href=${`/help/api/${id}`} aria-current=${now === `api/${id}` ? 'page' : undefined}>${words}</a></li>`)}</ul>`}</section></nav></details></aside>
    <div class="guide-main">${text.trim() ? html`<${Results} text=${text} />` : children}</div></div>`;
}

/** @param {{text: string}} props */
function Results({ text }) {
  const [all, setAll] = useState(/** @type {import('../lib/guide.js').Section[] | null} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const read = () => { setError(null); sections().then(setAll, setError); };
  useEffect(read, []);
  if (error) return html`<div class="card"><${Failed} what="The guides could not be read" error=${{ status: 0, message: 'The server did not answer.' }} again=${read} /></div>`;
  if (!all) return html`<${Skeleton} lines=${6} />`;
  const found = search(all, text);
  if (!found.length) return html`<div class="card"><${Empty} icon="search" title=${`Nothing about “${text.trim()}”`} text="Try one word of it, or the word that stands on the button." /></div>`;
  return html`<section aria-label="Found"><p class="t13 fg2" role="status">${found.length < MOST ? '' : 'The first '}${plural(found.length, 'section')}</p><ul class="guide-found">${found.map(({ section, before, hit, after }) => html`<li key=${section.href}><a href=${section.href}><span class="strong">${section.heading}</span><span class="t12 fg3"><${Icon} name="chevron-right" size="s12" />${section.book.title}, ${section.chapter.title}</span></a><p class="t13 fg2">${before}<mark>${hit}</mark>${after}</p></li>`)}</ul></section>`;
}
