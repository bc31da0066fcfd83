/** Numbers, sizes and times as people read them. Quantities come as the server prints them: "0.5", "500m", "40Gi". */
import { signal } from './html.js';

const GAP = '\u00a0'; // keeps a number and its unit on one line
const UNITS = /** @type {Record<string, number>} */ ({ '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50 });
const plain = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 2 });

/** @param {number} value */
export const number = (value) => plain.format(value);

/** Cores, or NaN. @param {string | number | null | undefined} text */
export function cores(text) {
  if (typeof text === 'number') return text;
  const found = /^(\d+(?:\.\d+)?)(m?)$/.exec(text ?? '');
  return found ? Number(found[1]) / (found[2] ? 1000 : 1) : NaN;
}

/** Bytes, or NaN. @param {string | number | null | undefined} text */
export function bytes(text) {
  if (typeof text === 'number') return text;
  const found = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P|)$/.exec(text ?? '');
  return found ? Number(found[1]) * UNITS[found[2]] : NaN;
}

/** @param {string} resource @param {string | number | null | undefined} text */
export const amount = (resource, text) => (resource === 'cpu' ? cores(text) : resource === 'memory' || resource === 'storage' ? bytes(text) : Number(text));

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${number(count)}${GAP}${count === 1 ? one : many}`;

/** @param {string | number | null | undefined} text */
export function showCores(text) {
  const value = cores(text);
  return Number.isNaN(value) ? '–' : plural(value, 'core');
}

/** @param {string | number | null | undefined} text */
export function showBytes(text) {
  const value = bytes(text);
  if (Number.isNaN(value)) return '–';
  const rounded = (/** @type {number} */ size) => { const shown = size / unitFor(size).unit; return shown < 10 ? Math.round(shown * 100) / 100 : Math.round(shown * 10) / 10; };
  // 1,023.99 MiB are 1 GiB, not 1,024 MiB.
  const size = rounded(value) >= 1024 ? rounded(value) * unitFor(value).unit : value;
  return `${number(rounded(size))}${GAP}${unitFor(size).name}`;
}

/** The unit a size is best read in. @param {number} value */
export function unitFor(value) {
  if (value === 0 || value >= 2 ** 30) return value >= 2 ** 40 ? { unit: 2 ** 40, name: 'TiB' } : { unit: 2 ** 30, name: 'GiB' };
  if (value >= 2 ** 20) return { unit: 2 ** 20, name: 'MiB' };
  return value >= 2 ** 10 ? { unit: 2 ** 10, name: 'KiB' } : { unit: 1, name: 'B' };
}

/** @param {string} resource @param {string | number | null | undefined} text */
export function show(resource, text) {
  if (resource === 'cpu') return showCores(text);
  if (resource === 'memory' || resource === 'storage') return showBytes(text);
  return plural(Number(text), 'workspace');
}

/** "2 cores, 4 GiB". @param {{cpu: string, memory: string}} size */
export const showSize = (size) => `${showCores(size.cpu)},${GAP}${showBytes(size.memory)}`;

/** An amount of money; whole units where it is large. @param {number} value @param {string} currency three letters */
export function money(value, currency) {
  try { return new Intl.NumberFormat('en-GB', { style: 'currency', currency, currencyDisplay: 'narrowSymbol', maximumFractionDigits: value >= 1000 ? 0 : 2 }).format(value); } catch { return `${number(value)}${GAP}${currency}`; }
}

/** @param {number} value */
export const percent = (value) => `${number(Math.round(value))}${GAP}%`;

/** The moment that relative times are counted from; moves on every 15 seconds. */
export const now = signal(Date.now());
setInterval(() => { now.value = Date.now(); }, 15_000);

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const exactly = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const clockSeconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** @param {string | number | Date} at */
export const showDate = (at) => day.format(new Date(at));
/** @param {string | number | Date} at */
export const showExact = (at) => exactly.format(new Date(at));
/** @param {string | number | Date} at */
export const showClock = (at) => clock.format(new Date(at));
/** @param {string | number | Date} at */
export const showSeconds = (at) => clockSeconds.format(new Date(at));

/** "4 min ago". @param {string | number | Date} at @param {number} [from] */
export function ago(at, from = now.value) {
  const seconds = (from - new Date(at).getTime()) / 1000;
  if (seconds < 0) return ahead(-seconds, at);
  if (seconds < 45) return 'just now';
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))}${GAP}min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)}${GAP}h ago`;
  const days = Math.round(seconds / 86_400);
  return days === 1 ? 'yesterday' : days < 30 ? `${days}${GAP}days ago` : showDate(at);
}

/** @param {number} seconds @param {string | number | Date} at */
function ahead(seconds, at) {
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `in ${Math.round(seconds / 60)}${GAP}min`;
  if (seconds < 86_400) return `in ${Math.round(seconds / 3600)}${GAP}h`;
  const days = Math.round(seconds / 86_400);
  return days < 30 ? `in ${days}${GAP}${days === 1 ? 'day' : 'days'}` : showDate(at);
}

/** "23 s", "2 min 4 s", "380 ms". @param {number} milliseconds */
export function showDuration(milliseconds) {
  if (milliseconds < 1000) return milliseconds < 50 ? `0${GAP}s` : `${number(Math.round(milliseconds / 100) / 10)}${GAP}s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds}${GAP}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes}${GAP}min${GAP}${seconds % 60}${GAP}s` : `${minutes}${GAP}min`;
  return `${Math.floor(minutes / 60)}${GAP}h${GAP}${minutes % 60}${GAP}min`;
}

/** What a person or thing is called. @param {{name?: string | null, displayName?: string, username?: string, email?: string}} who */
export const called = (who) => who.name || who.displayName || who.username || who.email || 'somebody';
