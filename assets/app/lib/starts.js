/** Reads a timeline: its entries by run, and a start as steps with how long each took. */

/** @typedef {import('./types.js').TimelineEntry} Entry */
/** @typedef {{mark: 'done' | 'now' | 'todo' | 'failed', title: string, detail?: string, took?: number, raw?: string[]}} Step */

const LATER = /** @type {[string, string][]} */ ([['accepted', 'Accepted'], ['started', 'Start'], ['ready', 'Ready']]);

/** @param {Entry[]} entries newest or oldest first */
export const inOrder = (entries) => [...entries].sort((a, b) => new Date(a.at).getTime() - new Date(b.at).getTime() || (Number(a.id) || 0) - (Number(b.id) || 0));

/** The words before a colon are the step, what follows is its detail. @param {string} message */
function split(message) {
  const at = message.indexOf(': ');
  return at > 0 && at < 40 ? { title: message.slice(0, at), detail: message.slice(at + 2) } : { title: message, detail: undefined };
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
    if (entry.kind === 'step') { steps.push({ mark: 'done', ...split(entry.message), took: at - before }); before = at; }
    if (entry.kind === 'error') { steps.push({ mark: 'failed', ...split(entry.message), took: at - before, raw: (entry.count || 1) > 1 ? [`${entry.count} tries`] : undefined }); before = at; }
  }
  const done = new Set(list.filter(({ kind }) => kind === 'step').map(({ code }) => code));
  const ready = [...done].some((code) => /ready|running/.test(code));
  const moving = current && (workspace.status === 'starting' || workspace.status === 'pending');
  if (moving && !ready) {
    steps.push({ mark: 'now', title: workspace.reason?.message || 'Getting ready', took: Date.now() - before });
    for (const [code, word] of LATER) if (!done.has(code) && code === 'ready') steps.push({ mark: 'todo', title: word });
  }
  const end = list.filter(({ kind }) => kind === 'step' || kind === 'error').at(-1);
  return { steps, begin, ready, failed: steps.some(({ mark }) => mark === 'failed') && !ready, total: end ? new Date(end.at).getTime() - from : 0 };
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
