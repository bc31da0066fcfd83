/** Starts the interface: the routes, who is signed in, and the page that belongs to the address. */
import { Component, h, html, render, signal, useEffect, useState } from './lib/html.js';
import { refusal } from './lib/can.js';
import { here, match, navigate, setRoutes, signInAddress, startRouter } from './lib/router.js';
import { hasSession, installation, me, recognise } from './lib/session.js';
import { Mark } from './components/basics.js';
import { openKeys, openPalette, Shell } from './components/shell.js';
import { afterFirstPaint, Late } from './components/late.js';
import { Callout, FailedPage, Skeleton } from './components/places.js';
import { loadIcons } from './icons.js';
import { get, onlyReading } from './lib/api.js';
import { may } from './lib/can.js';
import { connection } from './lib/events.js';
import { showClock } from './lib/format.js';
import { hasFace, loadFace } from './theme.js';

setRoutes([
  { pattern: '/setup', load: () => import('./pages/setup.js'), bare: true },
  { pattern: '/invite', load: () => import('./pages/invite.js'), bare: true },
  { pattern: '/sign-in', load: () => import('./pages/sign-in.js'), bare: true },
  { pattern: '/open', load: () => import('./pages/open.js'), bare: true, signedIn: true },
  { pattern: '/', load: () => import('./pages/home.js') },
  { pattern: '/workspaces/new', load: () => import('./pages/new-workspace.js') },
  { pattern: '/workspaces/:id/:tab?', load: () => import('./pages/workspace.js') },
  { pattern: '/groups', load: () => import('./pages/groups.js') },
  { pattern: '/groups/new', load: () => import('./pages/new-group.js'), needs: 'create_group' },
  { pattern: '/groups/:id/:tab?', load: () => import('./pages/group.js') },
  { pattern: '/notices', load: () => import('./pages/notices.js') },
  { pattern: '/profile', load: () => import('./pages/profile.js') },
  { pattern: '/activity', load: () => import('./pages/activity.js') },
  { pattern: '/admin/users', load: () => import('./pages/users.js'), needs: 'list_users' },
  { pattern: '/admin/users/new', load: () => import('./pages/new-user.js'), needs: 'create_user' },
  { pattern: '/admin/users/import', load: () => import('./pages/import-users.js'), needs: 'create_user' },
  { pattern: '/admin/users/:id/offboard', load: () => import('./pages/offboard.js') },
  { pattern: '/admin/users/:id', load: () => import('./pages/user.js') },
  { pattern: '/admin/tokens', load: () => import('./pages/tokens.js'), needs: 'list_all_tokens' },
  { pattern: '/admin/groups', load: () => import('./pages/groups-all.js'), needs: 'list_all_groups' },
  { pattern: '/admin/workspaces', load: () => import('./pages/workspaces-all.js'), needs: 'list_all_workspaces' },
  { pattern: '/admin/audit', load: () => import('./pages/audit.js'), needs: 'view_audit_log' },
  { pattern: '/admin/audit/administrators', load: () => import('./pages/audit-administrators.js'), needs: 'view_audit_log' },
  { pattern: '/admin', load: () => import('./pages/overview.js'), needs: 'view_platform_stats' },
  { pattern: '/admin/settings', load: () => import('./pages/settings.js'), needs: 'view_system_settings' },
  { pattern: '/admin/access', load: () => import('./pages/access.js') },
  { pattern: '/help/api/:noun?', load: () => import('./pages/api-reference.js'), open: true },
  { pattern: '/help/:book?/:chapter?', load: () => import('./pages/help.js'), open: true },
]);

/** What could not be started. @type {import('../vendor/signals.mjs').Signal<any>} */
const trouble = signal(/** @type {any} */ (null));
const ready = signal(false);

/** Keeps a fault in one page from taking the frame with it. */
class Fence extends Component {
  constructor() { super(); this.state = { error: null, path: '' }; }
  /** @param {any} error */
  componentDidCatch(error) {
    console.error(error);
    this.setState({ error, path: here.peek().path });
  }
  render() {
    const { error, path } = this.state;
    if (error && path === here.value.path) return html`<${FailedPage} what="This page could not be shown" error=${{ message: 'Something in it went wrong. Reload it; what you saved is safe.' }} again=${() => location.reload()} />`;
    return this.props.children;
  }
}

/** Pages that were fetched already, so that they are there at once. @type {Map<any, any>} */
const pages = new Map();
/** @param {import('./lib/router.js').Route} route */
const fetchPage = (route) => route.load().then((page) => { pages.set(route, page.default); });

function Page() {
  const { path } = here.value;
  const found = match(path);
  const [, setLoaded] = useState(0);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    setLost(false);
    // Pages that stand alone come first in a browser's life: theirs wait for the first paint, as home's do.
    if (found && found.route.pattern !== '/' && !found.route.bare) loadIcons('icons-more');
    if (found && !pages.has(found.route)) fetchPage(found.route).then(() => setLoaded((count) => count + 1), () => setLost(true));
  }, [found?.route]);
  if (!found) return html`<${FailedPage} what="No such page" error=${{ status: 404, message: 'The address leads nowhere. It may have been cut off when it was copied.' }} />`;
  const no = found.route.needs && me.value ? refusal(me.value, found.route.needs) : undefined;
  if (no) return html`<${FailedPage} what="This page is not yours to open" error=${{ status: 403, message: no }} />`;
  if (lost) return html`<${FailedPage} what="The page could not be loaded" error=${{ status: 0, message: 'The server did not answer.' }} again=${() => location.reload()} />`;
  const page = pages.get(found.route);
  if (!page) return html`<div class="page"><${Skeleton} lines=${4} /></div>`;
  return h(page, { key: found.params.id || found.route.pattern, params: found.params });
}

function Offline() {
  const { state, since } = connection.value;
  if (state !== 'offline') return null;
  return html`<div class="page" style="padding-block:16px 0"><${Callout} kind="warn" icon="wifi-off" alert lead="You are offline.">This is from ${showClock(since)}. We try again every few seconds.<//></div>`;
}

/** Asks again while it is shown, so that it goes by itself. */
function OnlyReading() {
  const shown = onlyReading.value;
  useEffect(() => {
    if (!shown) return undefined;
    const asking = setInterval(() => { get('/api/health', { quiet: true }).catch(() => {}); }, 10_000);
    return () => clearInterval(asking);
  }, [shown]);
  if (!shown) return null;
  return html`<div class="page" style="padding-block:16px 0"><${Callout} kind="warn" alert lead="The server’s disk is nearly full.">Nothing new is saved and no workspace starts. Reading, stopping and deleting work. ${may(me.value, 'access_admin_panel') ? html`Free space on the disk of the data directory: <code>codex-web doctor</code> says which.` : 'Your administrator can see this too.'} It goes on by itself.<//></div>`;
}

const floating = () => import('./components/floats.js');

function App() {
  // What the first page can do without comes after it.
  useEffect(() => { if (ready.value) afterFirstPaint(() => { loadIcons('icons-more'); if (!hasFace()) loadFace(); }); }, [ready.value]);
  const { bare = false, open = false, signedIn = !bare && !open } = match(here.value.path)?.route || {};
  if (trouble.value) return html`<main><${FailedPage} what="Codex Web could not be reached" error=${trouble.value} again=${start} /></main>`;
  if (!ready.value) return null;
  const floats = html`<${Late} calm load=${floating} part="Floats" />`;
  if (signedIn && !me.value) return null;
  if (bare) return html`<${Fence}><${Page} /><//>${floats}`;
  if (!me.value) return html`<header class="top"><a class="row strong" href="/"><${Mark} />Codex Web</a><a class="btn right" href=${signInAddress()}>Sign in</a></header><main id="main" tabindex="-1"><${Fence}><${Page} /><//></main>${floats}`;
  return html`<${Shell}><${Fence}><${Offline} /><${OnlyReading} /><${Page} /><//><//>${floats}`;
}

/** The first page is drawn with its frame, not after it; one that is slow to come does not hold the frame back. */
async function firstPage() {
  const route = match(here.peek().path)?.route;
  if (route) await Promise.race([fetchPage(route).catch(() => {}), new Promise((done) => { setTimeout(done, 300); })]);
}

async function start() {
  trouble.value = null;
  try {
    if (hasSession) firstPage();
    const known = location.pathname === '/setup' ? false : await recognise();
    const { bare = false, open = false, signedIn = !bare && !open } = match(location.pathname)?.route || {};
    if (!known && installation.value.setupRequired && location.pathname !== '/setup' && !open) navigate('/setup', { replace: true });
    else if (!known && signedIn) navigate(signInAddress(), { replace: true });
    else if (me.value?.mustChangePassword && signedIn) navigate('/sign-in?change=1', { replace: true });
    await firstPage();
    ready.value = true;
  } catch (error) {
    trouble.value = error;
    setTimeout(start, 3000);
  }
}

let before = '';
document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k' && me.value && !(event.target instanceof Element && event.target.closest('.xterm'))) { event.preventDefault(); openPalette(); return; }
  const typing = event.target instanceof Element && event.target.closest('input, textarea, select, dialog, .xterm, [contenteditable]');
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !me.value) return;
  const key = before + event.key;
  before = event.key === 'g' ? 'g' : '';
  const go = /** @type {Record<string, string>} */ ({ n: '/workspaces/new', gh: '/', gg: '/groups' })[key];
  if (go) { before = ''; navigate(go); } else if (event.key === '?') openKeys();
});

startRouter();
render(h(App, {}), /** @type {HTMLElement} */ (document.getElementById('app')));
start();
