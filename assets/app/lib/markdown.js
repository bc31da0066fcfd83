/**
 * Reads the part of Markdown that the guides are written in, into plain objects: headings, paragraphs, lists, tables,
 * code, notes; and in their text bold words, code and links. No HTML: what looks like markup stays text, because the
 * objects are drawn as a tree and never as a string.
 */

/**
 * @typedef {{kind: 'heading', level: number, text: string, id: string}} Heading
 * @typedef {{kind: 'p', text: string}} Paragraph
 * @typedef {{kind: 'list', ordered: boolean, start: number, items: Block[][]}} List
 * @typedef {{kind: 'table', head: string[], rows: string[][]}} Table
 * @typedef {{kind: 'code', lang: string, text: string}} Code
 * @typedef {{kind: 'note', blocks: Block[]}} Note
 * @typedef {Heading | Paragraph | List | Table | Code | Note} Block
 * @typedef {{kind: 'text' | 'bold' | 'code', text: string} | {kind: 'link', text: string, href: string}} Piece
 */

const ITEM = /^(\s*)([-*]|\d{1,3}\.)\s+/;
const BEGINS = /^(#{1,4} |```|> |\|)/;

/** The id of a heading, as source hosts make it: so that a link works there and here. @param {string} text */
export const slugOf = (text) => plain(text).toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');

/** The words of a text without its marks. @param {string} text */
export const plain = (text) => pieces(text).map((piece) => piece.text).join('');

/** @param {string} text @returns {Block[]} */
export const parse = (text) => blocks(text.replace(/\r/g, '').split('\n'));

/** @param {string[]} lines @returns {Block[]} */
function blocks(lines) {
  /** @type {Block[]} */
  const found = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    if (!line.trim()) { at += 1; continue; }
    const [block, next] = fenced(lines, at) || heading(lines, at) || note(lines, at) || table(lines, at) || list(lines, at) || paragraph(lines, at);
    found.push(block);
    at = next;
  }
  return found;
}

/** @param {string[]} lines @param {number} at @returns {[Block, number] | null} */
function fenced(lines, at) {
  if (!lines[at].startsWith('```')) return null;
  let end = at + 1;
  while (end < lines.length && !lines[end].startsWith('```')) end += 1;
  return [{ kind: 'code', lang: lines[at].slice(3).trim(), text: lines.slice(at + 1, end).join('\n') }, end + 1];
}

/** @param {string[]} lines @param {number} at @returns {[Block, number] | null} */
function heading(lines, at) {
  const found = /^(#{1,4}) (.+)$/.exec(lines[at]);
  return found && [{ kind: 'heading', level: found[1].length, text: found[2].trim(), id: slugOf(found[2]) }, at + 1];
}

/** @param {string[]} lines @param {number} at @returns {[Block, number] | null} */
function note(lines, at) {
  let end = at;
  while (end < lines.length && lines[end].startsWith('>')) end += 1;
  return end > at ? [{ kind: 'note', blocks: blocks(lines.slice(at, end).map((line) => line.replace(/^> ?/, ''))) }, end] : null;
}

/** The cells of a row; a bar in code is written \|. @param {string} line */
const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));

/** @param {string[]} lines @param {number} at @returns {[Block, number] | null} */
function table(lines, at) {
  if (!lines[at].startsWith('|') || !/^\|[\s:|-]+$/.test(lines[at + 1] || '')) return null;
  let end = at + 2;
  while (end < lines.length && lines[end].startsWith('|')) end += 1;
  return [{ kind: 'table', head: cells(lines[at]), rows: lines.slice(at + 2, end).map(cells) }, end];
}

/** @param {string[]} lines @param {number} at @returns {[Block, number] | null} */
function list(lines, at) {
  const first = ITEM.exec(lines[at]);
  if (!first) return null;
  const ordered = /\d/.test(first[2]);
  /** @type {Block[][]} */
  const items = [];
  let now = at;
  while (now < lines.length) {
    const mark = ITEM.exec(lines[now]);
    if (!mark || mark[1].length !== first[1].length || /\d/.test(mark[2]) !== ordered) break;
    const indent = mark[0].length;
    let end = now + 1;
    while (end < lines.length && (belongs(lines[end], first[1].length + 2) || (!lines[end].trim() && belongs(lines[end + 1] || '', first[1].length + 2)))) end += 1;
    items.push(blocks([lines[now].slice(indent), ...lines.slice(now + 1, end).map((line) => dedent(line, indent))]));
    now = end;
    let gap = now;
    while (gap < lines.length && !lines[gap].trim()) gap += 1;
    if (gap > now && ITEM.exec(lines[gap] || '')?.[1].length === first[1].length) now = gap;
  }
  return [{ kind: 'list', ordered, start: Number.parseInt(first[2], 10) || 1, items }, now];
}

/** @param {string} line @param {number} indent */
const belongs = (line, indent) => line.startsWith(' '.repeat(indent)) && Boolean(line.trim());
/** @param {string} line @param {number} most */
const dedent = (line, most) => line.slice(Math.min(most, line.length - line.trimStart().length));

/** @param {string[]} lines @param {number} at @returns {[Block, number]} */
function paragraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !BEGINS.test(lines[end]) && !ITEM.test(lines[end])) end += 1;
  return [{ kind: 'p', text: lines.slice(at, end).map((line) => line.trim()).join(' ') }, end];
}

/** What a text is made of. @param {string} text @returns {Piece[]} */
export function pieces(text) {
  /** @type {Piece[]} */
  const found = [];
  let from = 0;
  for (const mark of text.matchAll(/`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g)) {
    if (mark.index > from) found.push({ kind: 'text', text: text.slice(from, mark.index) });
    if (mark[1]) found.push({ kind: 'code', text: mark[1] });
    else if (mark[2]) found.push({ kind: 'bold', text: mark[2] });
    else found.push({ kind: 'link', text: mark[3].replaceAll('`', ''), href: mark[4] });
    from = mark.index + mark[0].length;
  }
  if (from < text.length) found.push({ kind: 'text', text: text.slice(from) });
  return found;
}
