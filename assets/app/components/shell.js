/** The frame around every page: side bar (a rail when narrower, a drawer when narrow), top bar, and what floats. */
import { html, useState } from '../lib/html.js';
import { may } from '../lib/can.js';
import { connection } from '../lib/events.js';
import { called, showClock } from '../lib/format.js';
import { openDialog } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { here, navigate } from '../lib/router.js';
import { installation, me, signOut } from '../lib/session.js';
import { stateOf } from '../lib/words.js';
import { setTheme, theme } from '../theme.js';
import { Avatar, Icon, Mark } from './basics.js';
import { Late } from './late.js';
import { Menu } from './menu.js';
import { crumbs } from './places.js';

/** @param {{href: string, icon?: string, mark?: any, text: string, exact?: boolean, tip?: string}} props */
function Item({ href, icon, mark, text, exact, tip }) {
  const path = here.value.path;
  const current = path === href || (!exact && path.startsWith(`${href}/`));
  return html`<a class="side-item" href=${href} aria-current=${current ? 'page' : undefined} data-tip=${tip}><span class="mark">${mark || html`<${Icon} name=${icon} />`}</span><span class="cut">${text}</span></a>`;
}

function Connection() {
  const { state, since } = connection.value;
  const words = { live: 'Live', connecting: 'Connecting', offline: `Offline since ${showClock(since)}` }[state];
  return html`<div class="side-foot" role="status" data-tip=${words}><span class=${`dot ${{ live: 'running', connecting: 'starting', offline: 'offline' }[state]}`} aria-hidden="true" /><span class="cut">${words}</span><span class="right">${installation.value.version}</span></div>`;
}

const bell = () => import('./bell.js');
const help = () => import('./help-link.js');

/** What the caller may administer, in the order of the side bar. */
export function adminPages() {
  const user = me.value;
  return [
    may(user, 'view_platform_stats') && { href: '/admin', icon: 'activity', text: 'Overview', exact: true },
    may(user, 'list_users') && { href: '/admin/users', icon: 'user-round', text: 'Users' },
    may(user, 'list_all_groups') && { href: '/admin/groups', icon: 'boxes', text: 'All groups' },
    may(user, 'list_all_workspaces') && { href: '/admin/workspaces', icon: 'square-terminal', text: 'All workspaces' },
    may(user, 'access_admin_panel') && { href: '/admin/access', icon: 'shield-check', text: 'Access' },
    may(user, 'list_all_tokens') && { href: '/admin/tokens', icon: 'key-round', text: 'API tokens' },
    may(user, 'view_audit_log') && { href: '/admin/audit', icon: 'scroll-text', text: 'Audit' },
    may(user, 'view_system_settings') && { href: '/admin/settings', icon: 'settings', text: 'Settings' },
  ].filter((page) => page !== false);
}

export function Side() {
  const { data } = useQuery('/api/workspaces?mine=true&limit=8', ['workspace']);
  const admin = adminPages();
  const rail = matchMedia('(min-width: 768px) and (max-width: 1199px)').matches;
  const tip = (/** @type {string} */ text) => (rail ? text : undefined);
  return html`<aside class="side" aria-label="Codex Web"><a class="side-head" href="/"><${Mark} /><span>Codex Web</span></a>
    <nav aria-label="Main"><${Item} href="/" icon="house" text="Home" exact tip=${tip('Home')} /><${Item} href="/groups" icon="users" text="Groups" tip=${tip('Groups')} />
      ${data?.length > 0 && html`<div class="side-title">My workspaces</div>${data.map((/** @type {any} */ workspace) => html`<${Item} key=${workspace.id} href=${`/workspaces/${workspace.id}`} text=${workspace.name} tip=${tip(`${workspace.name}, ${stateOf(workspace).word}`)}
        mark=${html`<span class=${`dot ${stateOf(workspace).shape}`} role="img" aria-label=${`${stateOf(workspace).word}:`} />`} />`)}`}
      ${admin.length > 0 && html`<div class="side-title">Administration</div>${admin.map((page) => html`<${Item} key=${page.href} ...${page} tip=${tip(page.text)} />`)}`}
    </nav><${Connection} /></aside>`;
}

function Crumbs() {
  const way = crumbs.value;
  return html`<nav class="crumbs" aria-label="Breadcrumb"><ol>${way.map((step, i) => html`<li key=${step.href || step.text}>${i > 0 && html`<${Icon} name="chevron-right" size="s14" />`}${i < way.length - 1 && step.href ? html`<a href=${step.href}>${step.text}</a>` : html`<span aria-current=${i === way.length - 1 ? 'page' : undefined}>${step.text}</span>`}</li>`)}</ol></nav>`;
}

function Account() {
  const [chosen, setChosen] = useState(theme());
  const user = me.value;
  if (!user) return null;
  const pick = (/** @type {import('../theme.js').Theme} */ next) => ({ current: chosen === next, run: () => { setTheme(next); setChosen(next); } });
  return html`<${Menu} label="Account" button=${{ class: 'iconbtn l', inside: html`<${Avatar} of=${user} />` }} head=${html`<div class="strong cut">${called(user)}</div><div class="t12 fg3 cut">${user.email}</div>`} items=${[
    { text: 'Profile', icon: 'user-round', href: '/profile' }, { text: 'Activity', icon: 'history', href: '/activity' }, { text: 'Help', icon: 'book-open', href: '/help' }, { text: 'Keyboard', icon: 'circle-question-mark', run: openKeys },
    { text: 'System theme', icon: 'sun-moon', line: true, ...pick('system') }, { text: 'Light', icon: 'sun', ...pick('light') }, { text: 'Dark', icon: 'moon', ...pick('dark') },
    { text: 'Sign out', icon: 'log-out', line: true, run: () => { signOut(); } }]} />`;
}

let opening = false;

/** What is typed while the palette is on its way is kept for it. */
export async function openPalette() {
  if (opening || document.querySelector('dialog.palette')) return;
  opening = true;
  const typed = keep();
  try { openDialog((await import('./palette.js')).Palette, { typed }); } catch (error) { typed.take(); throw error; } finally { opening = false; }
}

/** Keeps the keys until somebody takes them. */
function keep() {
  let text = '';
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key.length === 1) text += event.key;
    else if (event.key === 'Backspace') text = text.slice(0, -1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  document.addEventListener('keydown', key, true);
  return { take: () => { document.removeEventListener('keydown', key, true); return text; } };
}

export const openKeys = async () => { openDialog((await import('./shell-dialogs.js')).Keys); };
const openDrawer = async () => { openDialog((await import('./shell-dialogs.js')).Drawer); };

/** Whoever is faster than the table of sections waits for it. @param {MouseEvent} event */
const toHelp = async (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  navigate((await help()).helpHere());
};
const HELP = { class: 'iconbtn l', 'aria-label': 'Help for this page', 'data-tip': 'Help for this page' };

/** @param {{children: any}} props */
export function Shell({ children }) {
  return html`<a class="skip" href="#main">To the content</a><div class="shell"><${Side} /><div>
    <header class="top"><button type="button" class="iconbtn menu-button" aria-label="Open the menu" onClick=${openDrawer}><${Icon} name="menu" /></button><${Crumbs} />
      <button type="button" class="search-open" aria-keyshortcuts="Control+K Meta+K" onClick=${openPalette}><${Icon} name="search" /><span>Search or jump to </span><kbd>${/Mac|iP/.test(navigator.platform) ? '⌘ K' : 'Ctrl K'}</kbd></button><${Late} calm load=${help} part="HelpLink" ...${HELP} meanwhile=${html`<a ...${HELP} href="/help" onClick=${toHelp}><${Icon} name="circle-question-mark" /></a>`}><${Icon} name="circle-question-mark" /><//><${Late} calm load=${bell} part="Bell" /><${Account} /></header>
    <main id="main" tabindex="-1">${children}</main></div></div>`;
}
