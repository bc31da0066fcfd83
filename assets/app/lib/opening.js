/**
 * What has to happen before an app or a port of a workspace can be opened, as one stage at a time: the answer of its
 * owner's guest, the start of the workspace, the start of the app, and the address to go to. The page only shows it.
 *
 * The same page is reached in two ways. A link or bookmark has the target in its query. The origin of the app sends
 * the browser here with the target and the hash of a number it gave that browser behind the `#`; only that hash makes a
 * hand-off, so that a link alone never signs anybody in there.
 */
import { useEffect, useRef, useState } from './html.js';
import { ApiError, post } from './api.js';
import { refusal } from './can.js';
import { consentOf } from './entering.js';
import { useQuery } from './query.js';
import { me } from './session.js';

/** @typedef {import('./types.js').Workspace} Workspace */
/** @typedef {import('./types.js').App} App */
/** @typedef {{workspace: string, app: string, port: number, to: string, nonce: string}} Target */
/** @typedef {'reading' | 'lost' | 'refused' | 'ask' | 'wrong' | 'starting' | 'stopped' | 'failed' | 'no-app' | 'missing' | 'app-failed' | 'waiting' | 'going'} Stage */

/** @param {{search: string, hash: string}} address @returns {Target} */
export function readTarget({ search, hash }) {
  const behind = new URLSearchParams(hash.slice(1));
  const from = behind.get('workspace') ? behind : new URLSearchParams(search);
  const port = Number(from.get('port'));
  return { workspace: from.get('workspace') || '', app: from.get('app') || '', port: Number.isInteger(port) && port > 0 && port < 65536 ? port : 0, to: from.get('to') || '', nonce: from === behind ? behind.get('nonce') || '' : '' };
}

/** Why it cannot be opened at all; what a start or a reason mends is none. @param {Workspace} workspace */
export function hindrance(workspace) {
  const told = !Array.isArray(workspace.can) && workspace.can?.open_app;
  if (!told || told === true || told.code === 'WRONG_STATE' || told.code === 'REASON_REQUIRED') return undefined;
  return told.message;
}

/** @param {Target} target @param {App | undefined} app @param {any} ports @param {any} apps @returns {Stage} */
function stageInside(target, app, ports, apps) {
  if (target.port) return ports.error || ports.data?.some((/** @type {any} */ one) => one.port === target.port) ? 'going' : 'waiting';
  if (!app) return 'no-app';
  if (apps.error) return 'going'; // the gateway says more on a page of its own
  if (app.status === 'missing') return 'missing';
  if (app.status === 'failed') return 'app-failed';
  return app.status === 'running' ? 'going' : 'waiting';
}

/** @param {Target} target */
export function useOpening(target) {
  const base = `/api/workspaces/${encodeURIComponent(target.workspace)}`;
  const well = Boolean(target.workspace && (target.app || target.port));
  const query = useQuery(well ? base : null, ['workspace', 'membership']);
  const workspace = /** @type {Workspace | undefined} */ (query.data);
  const running = workspace?.status === 'running';
  const shown = workspace?.apps?.find(({ slug }) => slug === target.app);
  const apps = useQuery(running && target.app && shown?.status !== 'running' ? `${base}/apps` : null, ['workspace']);
  const ports = useQuery(running && target.port ? `${base}/ports` : null, ['workspace']);
  const app = /** @type {App | undefined} */ (apps.data?.find((/** @type {App} */ one) => one.slug === target.app)) || shown;
  const [consent, setConsent] = useState(() => consentOf(target.workspace));
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const [turn, setTurn] = useState(0);
  const [unwoken, setUnwoken] = useState(false);
  const asked = useRef('');

  /** @returns {Stage} */
  function stage() {
    if (!well) return 'wrong';
    if (!workspace) return query.error ? 'lost' : 'reading';
    if (hindrance(workspace)) return 'refused';
    if (workspace.userId !== me.peek()?.id && !consent) return 'ask';
    const { status } = workspace;
    if (status === 'error') return 'failed';
    if (status === 'stopped') return refusal(workspace, 'start_workspace') ? 'stopped' : 'starting';
    if (status !== 'running') return status === 'deleting' ? 'refused' : 'starting';
    return unwoken && app?.status === 'stopped' ? 'going' : stageInside(target, app, ports, apps);
  }
  const now = stage();

  /** @param {() => Promise<void>} run */
  const attempt = async (run) => {
    setError(null);
    try { await run(); } catch (cause) { setError(cause instanceof ApiError ? cause : new ApiError(0, { message: 'Something in this page went wrong. Reload it.' })); }
  };

  const wish = () => ({ ...(target.app ? { app: target.app } : { port: target.port }), ...(target.to ? { to: target.to } : {}), ...(target.nonce ? { nonceHash: target.nonce } : {}), ...(consent?.reason ? { reason: consent.reason } : {}) });

  useEffect(() => {
    const step = `${now === 'starting' && workspace?.status === 'stopped' ? 'start' : now} ${workspace?.run} ${turn}`;
    if (error || asked.current === step) return;
    if (step.startsWith('start ')) { asked.current = step; attempt(async () => { await post(`${base}/actions`, { type: 'start' }); query.reload(); }); }
    if (now === 'going') {
      asked.current = step;
      attempt(async () => {
        const { url } = await post(`${base}/open`, wish());
        if (!/^https?:$/.test(new URL(url, location.href).protocol)) throw new ApiError(0, { message: 'The server named an address that cannot be opened.' });
        location.replace(url);
      });
    }
  }, [now, workspace?.status, workspace?.run, turn, error]);

  // Nobody opened it since the start: it is started here, so that what is missing or fails is said on this page. Who may
  // open it but not start it goes on; the gateway starts it, too.
  const asleep = now === 'waiting' && app?.status === 'stopped';
  const wake = () => post(`${base}/apps/${target.app}/restart`, consent?.reason ? { reason: consent.reason } : {}).then(() => { apps.reload(); query.reload(); });
  useEffect(() => { if (asleep) wake().catch(() => setUnwoken(true)); }, [asleep, turn]);

  useEffect(() => {
    if (!['starting', 'waiting', 'missing', 'failed'].includes(now) || error) return undefined;
    const timer = setInterval(() => { query.reload(); apps.reload(); ports.reload(); }, target.app && now === 'waiting' ? 400 : 1000);
    return () => clearInterval(timer);
  }, [now, running, Boolean(error)]);

  const again = () => { setError(null); setTurn(turn + 1); query.reload(); if (now === 'missing') wake().catch(() => {}); else apps.reload(); };
  return {
    stage: now, workspace, app, error: error || (now === 'lost' ? query.error : null), again,
    agree: (/** @type {string} */ reason) => setConsent({ reason }),
    start: () => attempt(async () => { await post(`${base}/actions`, { type: 'start' }); query.reload(); }),
    restartApp: () => attempt(wake),
    anyway: () => attempt(async () => { const { url } = await post(`${base}/open`, wish()); location.replace(url); }),
  };
}
