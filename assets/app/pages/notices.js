/** What one was told: what others did to one's things, and what became of one's rights. Seen here, it counts as read. */
import { html, loadStyle, useEffect, useRef } from '../lib/html.js';
import { post } from '../lib/api.js';
import { refresh, useQuery } from '../lib/query.js';
import { query, setQuery } from '../lib/router.js';
import { Button, Time } from '../components/basics.js';
import { Card, Empty, Loaded, PageHead, usePage } from '../components/places.js';

await loadStyle('/style/notices.css');

/** @typedef {{id: string, at: string, code: string, message: string, link?: string, readAt: string | null}} Notice */

export default function Notices() {
  usePage([{ text: 'Home', href: '/' }, { text: 'Notices' }]);
  const cursor = query.value.get('after') || '';
  const told = useQuery(`/api/notices?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`, ['notice']);
  // What was new when it was shown stays marked until one leaves.
  const fresh = useRef(/** @type {Set<string>} */ (new Set()));
  const list = /** @type {Notice[] | undefined} */ (told.data);
  for (const { id, readAt } of list || []) if (!readAt) fresh.current.add(id);
  const newest = list?.find(({ readAt }) => !readAt)?.id;
  useEffect(() => { if (newest) post('/api/notices/read', { until: newest }).then(() => refresh('notice'), () => {}); }, [newest]);
  return html`<div class="page"><${PageHead} title="Notices" facts="What others did to your things, and what became of your rights. Kept for 90 days." />
    <div class="column"><${Card}><${Loaded} query=${told} what="Your notices could not be read">${(/** @type {Notice[]} */ notices) => (notices.length === 0
      ? html`<${Empty} icon="bell" title="Nothing to tell" text="Who stops, resizes or deletes something of yours is named here, with the reason." />`
      : html`<ul class="lines notices">${notices.map((notice) => html`<li key=${notice.id}><span class=${`mark ${fresh.current.has(notice.id) ? '' : 'read'}`} role="img" aria-label=${fresh.current.has(notice.id) ? 'new' : undefined} aria-hidden=${fresh.current.has(notice.id) ? undefined : 'true'} /><span class="told">${notice.link ? html`<a href=${notice.link}>${notice.message}</a>` : notice.message}</span><span class="at"><${Time} at=${notice.at} /></span></li>`)}</ul>`)}<//><//>
      ${(cursor || told.next) && html`<div class="table-foot"><span class="right row">${cursor && html`<${Button} size="s" onClick=${() => setQuery({ after: null })}>Newest<//>`}${told.next && html`<${Button} size="s" onClick=${() => setQuery({ after: told.next })}>Older<//>`}</span></div>`}</div></div>`;
}
