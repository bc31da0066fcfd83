/** Reads a timeline: its entries by run, and a start as steps with how long each took. */

/** @typedef {import('./types.js').TimelineEntry} Entry */
/** @typedef {{mark: 'done' | 'now' | 'todo' | 'failed', title: string, detail?: string, took?: number, amount?: string, raw?: string[]}} Step amount: how far it is */

/** Steps by their code, in our words; others are shown in the server's. */
const STEPS = /** @type {Record<string, string>} */ ({ accepted: 'Accepted', disk_attached: 'Disk attached', sandbox_made: 'Sandbox made', agent_answers: 'Started', placed: 'Placed on a node', image_pulled: 'Image pulled', ready: 'Ready' });
const PLAIN = new Set(['accepted', 'agent_answers', 'ready', 'disk_attached']); // their message says no more than the words above
const AFTER = new Set(['stopping', 'ended']); // the end of a run is no step of its start
const CLONE = new Set(['cloning', 'cloned', 'clone_failed']); // goes on after the workspace is ready

/** @param {Entry[]} entries newest or oldest first */
export const inOrder = (entries) => [...entries].sort((a, b) => new Date(a.at).getTime() - new Date(b.at).getTime() || (Number(a.id) || 0) - (Number(b.id) || 0));

/** @param {Entry} entry */
const step = (entry) => (STEPS[entry.code] ? { title: STEPS[entry.code], detail: PLAIN.has(entry.code) ? undefined : entry.message } : split(entry.message));

/** The words before a colon are the step, what follows is its detail. @param {string} message */
function split(message) {
  const at = message.indexOf(': ');
  return at > 0 && at < 40 ? { title: message.slice(0, at), detail: message.slice(at + 2) } : { title: message, detail: undefined };
}

/**
 * The clone of a repository: one line, whatever is told of it.
 * @param {Entry[]} list in order @param {boolean} goesOn whether the run does @returns {Step[]}
 */
function cloneOf(list, goesOn) {
  const told = list.filter(({ code }) => CLONE.has(code));
  const last = told.at(-1);
  if (!last) return [];
  const took = new Date(last.at).getTime() - new Date(told[0].at).getTime();
  if (last.code === 'cloned') return [{ mark: 'done', title: 'Repository cloned', detail: last.message, took }];
  if (last.code === 'clone_failed') return [{ mark: 'failed', title: 'Repository not cloned', detail: last.message, took }];
  if (!goesOn) return [{ mark: 'failed', title: 'Repository not cloned', detail: 'The workspace ended meanwhile. The next start tries again.' }];
  const percent = / (\d+) %/.exec(last.message)?.[1];
  return [{ mark: 'now', title: 'Cloning the repository', detail: last.message, amount: percent && `${percent} %` }];
}

/**
 * @param {Entry[]} entries of one run
 * @param {import('./types.js').Workspace} workspace
 * @param {boolean} current whether this run is the one the workspace is in
 */
export function stepsOf(entries, workspace, current) {
  const list = inOrder(entries);
  const begin = list.find(({ kind, code }) => kind === 'action' && /start|restart|create/.test(code)) || list[0];
  const from = begin ? new Date(begin.at).getTime() : 0;
  let before = from;
  /** @type {Step[]} */
  const steps = [];
  for (const entry of list) {
    const at = new Date(entry.at).getTime();
    if (CLONE.has(entry.code)) continue;
    if (entry.kind === 'step' && !AFTER.has(entry.code)) { steps.push({ mark: 'done', ...step(entry), took: at - before }); before = at; }
    if (entry.kind === 'error') { steps.push({ mark: 'failed', ...split(entry.message), took: at - before, raw: (entry.count || 1) > 1 ? [`${entry.count} tries`] : undefined }); before = at; }
  }
  const done = new Set(list.filter(({ kind }) => kind === 'step').map(({ code }) => code));
  const ready = [...done].some((code) => /ready|running/.test(code));
  const moving = current && (workspace.status === 'starting' || workspace.status === 'pending');
  if (moving && !ready) {
    steps.push({ mark: 'now', title: workspace.reason?.message || 'Getting ready', took: Date.now() - before });
    steps.push({ mark: 'todo', title: 'Ready' });
  }
  steps.push(...cloneOf(list, current && workspace.status === 'running'));
  const { reason } = workspace;
  if (current && workspace.status === 'error' && reason && !steps.some(({ mark }) => mark === 'failed')) steps.push({ mark: 'failed', title: reason.message, detail: reason.remedy || undefined });
  const end = list.filter(({ kind, code }) => !CLONE.has(code) && (kind === 'error' || (kind === 'step' && !AFTER.has(code)))).at(-1);
  return { steps, begin, ready, failed: steps.some(({ mark }) => mark === 'failed') && !ready, total: end ? new Date(end.at).getTime() - from : 0 };
}

/**
 * The entries with what is wrong now, where the cluster has written down nothing about it itself.
 * @param {Entry[]} entries @param {import('./types.js').Workspace} workspace @returns {Entry[]}
 */
export function withReason(entries, workspace) {
  const { reason, run, status } = workspace;
  if (status !== 'error' || !reason || entries.some((entry) => entry.run === run && entry.kind === 'error')) return entries;
  return [...entries, { id: 'reason', at: reason.since || workspace.updatedAt, run: run ?? 0, kind: 'error', code: reason.code, message: reason.message }];
}

/** Entries by run, the latest run first. @param {Entry[]} entries */
export function byRun(entries) {
  /** @type {Map<number, Entry[]>} */
  const runs = new Map();
  for (const entry of entries) runs.set(entry.run, [...(runs.get(entry.run) || []), entry]);
  return [...runs].sort(([a], [b]) => b - a).map(([run, list]) => ({ run, list: inOrder(list) }));
}

/** @param {any} actor */
export const actorName = (actor) => (!actor ? '' : typeof actor === 'string' ? actor : actor.name || actor.username || actor.email || '');
