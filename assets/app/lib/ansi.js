/** Turns a line with ANSI colours into pieces: text with class names and, for 256 and 24-bit colours, a style. */

/** @typedef {{text: string, class: string, style?: Record<string, string>}} Piece */

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** @param {number} index of the 256 colours */
function indexed(index) {
  if (index < 16) return `var(--term-${index > 7 ? 'bright-' : ''}${NAMES[index % 8]})`;
  if (index > 231) { const grey = 8 + (index - 232) * 10; return `rgb(${grey} ${grey} ${grey})`; }
  const level = (/** @type {number} */ n) => (n ? 55 + n * 40 : 0);
  const n = index - 16;
  return `rgb(${level(Math.floor(n / 36))} ${level(Math.floor(n / 6) % 6)} ${level(n % 6)})`;
}

/** @param {{bold: boolean, dim: boolean, line: boolean, fg: string, bg: string}} look @param {number[]} codes */
function apply(look, codes) {
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i];
    const side = code === 38 || (code >= 30 && code < 38) || (code >= 90 && code < 98) ? 'fg' : 'bg';
    if (code === 0) Object.assign(look, { bold: false, dim: false, line: false, fg: '', bg: '' });
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 22) { look.bold = false; look.dim = false; } else if (code === 4) look.line = true;
    else if (code === 24) look.line = false;
    else if (code === 39) look.fg = '';
    else if (code === 49) look.bg = '';
    else if (code === 38 || code === 48) {
      if (codes[i + 1] === 5) { look[side] = indexed(codes[i + 2] || 0); i += 2; } else if (codes[i + 1] === 2) { look[side] = `rgb(${codes[i + 2] || 0} ${codes[i + 3] || 0} ${codes[i + 4] || 0})`; i += 4; }
    } else if ((code >= 30 && code < 38) || (code >= 40 && code < 48)) look[side] = indexed(code % 10);
    else if ((code >= 90 && code < 98) || (code >= 100 && code < 108)) look[side] = indexed(8 + (code % 10));
  }
}

/** @param {string} line @returns {Piece[]} */
export function pieces(line) {
  const look = { bold: false, dim: false, line: false, fg: '', bg: '' };
  /** @type {Piece[]} */
  const out = [];
  // Everything else a terminal would obey is left out: cursor moves and titles mean nothing in a log.
  const clean = line.replace(/\x1b\][^\x07\x1b]*(\x07|\x1b\\)/g, '').replace(/\x1b\[[0-9;?]*[A-LN-Za-ln-z]/g, '');
  for (const part of clean.split(/(\x1b\[[0-9;]*m)/)) {
    const codes = /^\x1b\[([0-9;]*)m$/.exec(part);
    if (codes) apply(look, (codes[1] || '0').split(';').map(Number));
    else if (part) {
      const style = /** @type {Record<string, string>} */ ({});
      if (look.fg) style.color = look.fg;
      if (look.bg) style.background = look.bg;
      out.push({ text: part.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, ''), class: `${look.bold ? 'b' : ''} ${look.dim ? 'dim' : ''} ${look.line ? 'u' : ''}`.trim(), ...(look.fg || look.bg ? { style } : {}) });
    }
  }
  return out;
}

/** @param {string} line */
export const withoutColours = (line) => pieces(line).map(({ text }) => text).join('');
