/** Saves a whole list as CSV: every page of it, with the columns of the table. */
import { call, withParams } from './api.js';
import { showDate } from './format.js';

const MOST = 10_000; // rows; more belongs to the API

/** A cell that no spreadsheet runs as a formula. @param {unknown} value */
function cell(value) {
  const text = value === null || value === undefined ? '' : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** @param {{path: string, wanted: Record<string, any>, items?: boolean, columns: import('../components/table.js').Column[], name: string}} what */
export async function downloadCsv({ path, wanted, items, columns, name }) {
  const used = columns.filter((column) => column.csv);
  const lines = [used.map((column) => cell(column.title)).join(',')];
  let cursor = '';
  do {
    const answer = await call('GET', withParams(path, { ...wanted, limit: 100, [items ? 'nextToken' : 'cursor']: cursor }));
    const rows = /** @type {any[]} */ (items ? answer.data.items : answer.data);
    for (const row of rows) lines.push(used.map((column) => cell(column.csv?.(row))).join(','));
    cursor = (items ? answer.data.nextToken : answer.next) || '';
  } while (cursor && lines.length <= MOST);
  saveText(`${lines.join('\r\n')}\r\n`, `${name}s ${showDate(Date.now())}.csv`, 'text/csv');
}

/** @param {string} text @param {string} name @param {string} type */
export function saveText(text, name, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
