/** The command palette: go to any group, workspace, person, page or action by typing. */
import { html, useEffect, useRef, useState } from '../lib/html.js';
import { get, withParams } from '../lib/api.js';
import { refusal } from '../lib/can.js';
import { useQuery } from '../lib/query.js';
import { navigate } from '../lib/router.js';
import { me, signOut } from '../lib/session.js';
import { setTheme } from '../theme.js';
import { Avatar, Icon } from './basics.js';
import { Dialog } from './dialog.js';
import { adminPages } from './shell.js';

/** @typedef {{kind: string, title: string, fact?: string, mark: any, href?: string, run?: () => void, refused?: string, keyName?: string}} Option */

const icon = (/** @type {string} */ name) => html`<${Icon} name=${name} />`;

/** Pages and actions; the refused ones stay, with the reason. @returns {Option[]} */
function fixed() {
  const user = me.value;
  const page = (/** @type {string} */ title, /** @type {string} */ href, /** @type {string} */ name) => ({ kind: 'Pages', title, href, mark: icon(name) });
  const action = (/** @type {string} */ title, /** @type {string} */ href, /** @type {string} */ name, /** @type {string | undefined} */ refused, keyName = '') => ({ kind: 'Actions', title, href, mark: icon(name), refused, keyName });
  return [
    page('Home', '/', 'house'), page('Groups', '/groups', 'users'), page('Profile', '/profile', 'user-round'), page('Help', '/help', 'book-open'), page('API reference', '/help/api', 'code'),
    ...adminPages().map((item) => page(item.text, item.href, item.icon)),
    action('New workspace', '/workspaces/new', 'plus', undefined, 'N'),
    action('New group', '/groups/new', 'users', refusal(user, 'create_group')),
    action('New user', '/admin/users/new', 'user-plus', refusal(user, 'create_user')),
    { kind: 'Actions', title: 'Dark theme', mark: icon('moon'), run: () => setTheme('dark') }, { kind: 'Actions', title: 'Light theme', mark: icon('sun'), run: () => setTheme('light') },
    { kind: 'Actions', title: 'System theme', mark: icon('sun-moon'), run: () => setTheme('system') }, { kind: 'Actions', title: 'Sign out', mark: icon('log-out'), run: () => { signOut(); } },
  ];
}

const KINDS = /** @type {Record<string, string>} */ ({ group: 'Groups', workspace: 'Workspaces', user: 'People' });

/** @param {any} hit @returns {Option} */
function found(hit) {
  const href = { group: `/groups/${hit.id}`, workspace: `/workspaces/${hit.id}`, user: `/admin/users/${hit.id}` }[/** @type {'group' | 'workspace' | 'user'} */ (hit.kind)];
  const mark = hit.kind === 'workspace' ? (hit.status ? html`<span class=${`dot ${hit.status}`} />` : icon('square-terminal')) : html`<${Avatar} of=${{ id: hit.id, name: hit.title }} group=${hit.kind === 'group'} />`;
  return { kind: KINDS[hit.kind] || 'More', title: hit.title, fact: hit.subtitle, mark, href };
}

/** The letters that matched, in the accent. @param {{text: string, part: string}} props */
function Matched({ text, part }) {
  const at = part ? text.toLowerCase().indexOf(part.toLowerCase()) : -1;
  return at < 0 ? html`<span class="name">${text}</span>` : html`<span class="name">${text.slice(0, at)}<em>${text.slice(at, at + part.length)}</em>${text.slice(at + part.length)}</span>`;
}

/** @param {{typed?: {take: () => string}, done: () => void}} props typed: the keys that were pressed before it was there */
export function Palette({ typed, done }) {
  const [text, setText] = useState('');
  const [{ hits, asked }, setFound] = useState(/** @type {{hits: any[], asked: string}} */ ({ hits: [], asked: '' }));
  const waiting = useRef(false); // Enter was pressed before the answer came
  const [at, setAt] = useState(0);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const recent = useQuery('/api/workspaces?mine=true&limit=8', ['workspace']).data || [];
  const onlyActions = text.startsWith('>');
  const part = (onlyActions ? text.slice(1) : text).trim();

  useEffect(() => { if (typed) setText(typed.take()); }, []);

  useEffect(() => {
    waiting.current = false;
    if (!part || onlyActions) { setFound({ hits: [], asked: part }); return undefined; }
    const stop = new AbortController();
    const timer = setTimeout(() => get(withParams('/api/search', { q: part, limit: 12 }), { signal: stop.signal }).then((found) => setFound({ hits: found, asked: part }), () => { if (!stop.signal.aborted) setFound({ hits: [], asked: part }); }), 90);
    return () => { clearTimeout(timer); stop.abort(); };
  }, [part, onlyActions]);

  const own = fixed().filter((option) => (!onlyActions || option.kind === 'Actions') && (part ? option.title.toLowerCase().includes(part.toLowerCase()) : onlyActions || option.title === 'New workspace' || option.kind === 'Pages'));
  // My own workspaces are at hand; the server's answer adds to them.
  const mine = onlyActions ? [] : recent.filter((/** @type {any} */ item) => item.name.toLowerCase().includes(part.toLowerCase())).map((/** @type {any} */ item) => ({ kind: 'workspace', id: item.id, title: item.name, subtitle: item.groupDisplayName, status: item.status }));
  const places = [...mine, ...(part ? hits.filter((hit) => !mine.some((/** @type {any} */ one) => one.id === hit.id)) : [])].map(found);
  const inGroups = hits.filter(({ kind }) => kind === 'group').slice(0, 2).map((hit) => ({ kind: 'Actions', title: `New workspace in ${hit.title}`, mark: icon('plus'), href: `/workspaces/new?group=${hit.id}` }));
  const order = ['Groups', 'Workspaces', 'People', 'More', 'Pages', 'Actions'];
  /** @type {Option[]} */
  const options = [...places, ...inGroups, ...own].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  const chosen = Math.min(at, options.length - 1);

  /** @param {Option | undefined} option @param {boolean} [newTab] */
  function take(option, newTab) {
    if (!option || option.refused) return;
    if (option.href && newTab) { open(option.href, '_blank', 'noopener'); return; }
    done();
    if (option.href) navigate(option.href);
    else option.run?.();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const to = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, Home: event.ctrlKey ? 0 : undefined, End: event.ctrlKey ? options.length - 1 : undefined }[event.key];
    if (to !== undefined) { event.preventDefault(); setAt((to + options.length) % Math.max(1, options.length)); }
    else if (event.key === 'Enter') { event.preventDefault(); if (options.length === 0 && asked !== part) waiting.current = true; else take(options[chosen], event.ctrlKey || event.metaKey); }
  }

  useEffect(() => { list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }); }, [chosen, options.length]);

  useEffect(() => { if (waiting.current && asked === part) { waiting.current = false; take(options[0]); } }, [asked, part]);

  return html`<${Dialog} kind="palette" label="Search or jump to" onClose=${done}>
    <div class="ask"><${Icon} name="search" /><input autofocus role="combobox" aria-expanded="true" aria-controls="palette-list" aria-activedescendant=${options.length ? `palette-${chosen}` : undefined} aria-label="Search or jump to" placeholder="Search or jump to" autocomplete="off" spellcheck=${false} value=${text} onKeyDown=${key} onInput=${(/** @type {any} */ event) => { setText(event.target.value); setAt(0); }} /><kbd>Esc</kbd></div>
    <div class="found" id="palette-list" role="listbox" aria-label="Found" ref=${list}>${options.map((option, i) => html`
      ${(i === 0 || options[i - 1].kind !== option.kind) && html`<div class="kind" role="presentation">${option.kind === 'Workspaces' && !part ? 'My workspaces' : option.kind}</div>`}
      <div class="opt" role="option" id=${`palette-${i}`} aria-selected=${i === chosen ? 'true' : 'false'} aria-disabled=${option.refused ? 'true' : undefined} onPointerMove=${() => i !== chosen && setAt(i)} onClick=${(/** @type {MouseEvent} */ event) => take(option, event.ctrlKey || event.metaKey)}>
        <span class="mark">${option.mark}</span><${Matched} text=${option.title} part=${part} /><span class="fact">${option.refused || option.fact}</span>${option.keyName && html`<kbd>${option.keyName}</kbd>`}${i === chosen && !option.refused && html`<kbd>↵</kbd>`}</div>`)}</div>${options.length === 0 && html`<p class="none fg2" role="status">${asked === part ? `Nothing is called “${part}”.` : '\u00a0'}</p>`}
    <div class="keys" aria-hidden="true"><span><kbd>↑</kbd><kbd>↓</kbd> move</span><span><kbd>↵</kbd> open</span><span><kbd>Ctrl</kbd><kbd>↵</kbd> in a new tab</span><span class="right"><kbd>></kbd> only actions</span></div><//>`;
}
