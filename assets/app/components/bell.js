/** The bell in the top bar: how much one was told that one has not read. It leads to the notices. */
import { html, loadStyle } from '../lib/html.js';
import { plural } from '../lib/format.js';
import { useQuery } from '../lib/query.js';
import { here } from '../lib/router.js';
import { Icon } from './basics.js';

await loadStyle('/style/notices.css');

const MOST = 9; // more are "9+"

export function Bell() {
  const { data } = useQuery(`/api/notices?unread=true&limit=${MOST + 1}`, ['notice']);
  const count = data?.length || 0;
  const shown = count > MOST ? `${MOST}+` : String(count);
  const words = count ? `Notices, ${count > MOST ? `more than ${MOST} new` : plural(count, 'new one')}` : 'Notices';
  return html`<a class="iconbtn l bell" href="/notices" aria-label=${words} data-tip=${words} aria-current=${here.value.path === '/notices' ? 'page' : undefined}><${Icon} name="bell" />${count > 0 && html`<span class="count" aria-hidden="true">${shown}</span>`}</a>`;
}
