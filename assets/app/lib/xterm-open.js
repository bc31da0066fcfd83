/**
 * Opens xterm.js under a policy without inline styles. It makes style elements, which the policy would empty; while it
 * opens it is given stand-ins that write to constructed style sheets, which the policy allows.
 */

/** @param {Document} doc */
function standIn(doc) {
  const element = doc.createElement('span');
  element.hidden = true;
  const sheet = new CSSStyleSheet();
  doc.adoptedStyleSheets = [...doc.adoptedStyleSheets, sheet];
  Object.defineProperty(element, 'textContent', { set: (text) => sheet.replaceSync(text ?? ''), get: () => '' });
  const remove = element.remove.bind(element);
  element.remove = () => {
    doc.adoptedStyleSheets = doc.adoptedStyleSheets.filter((one) => one !== sheet);
    remove();
  };
  return element;
}

/** @param {import('../../vendor/xterm.mjs').Terminal} term @param {HTMLElement} parent */
export function openTerminal(term, parent) {
  const doc = /** @type {any} */ (document);
  const original = Document.prototype.createElement;
  const hook = (/** @type {string} */ name, /** @type {any} */ options) => {
    if (name !== 'style') return original.call(doc, name, options);
    doc.createElement = original.bind(doc);
    try { return standIn(doc); } finally { doc.createElement = hook; }
  };
  doc.createElement = hook;
  try { term.open(parent); } finally { delete doc.createElement; }
}

/** The terminal's colours, from the token file. */
export function terminalTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (/** @type {string} */ name) => style.getPropertyValue(`--term-${name}`).trim();
  const names = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
  const resolve = document.createElement('span');
  resolve.className = 'term-probe';
  document.body.append(resolve);
  const background = getComputedStyle(resolve).backgroundColor;
  resolve.remove();
  /** @type {Record<string, string>} */
  const theme = { background, foreground: read('fg'), cursor: read('cursor'), cursorAccent: background, selectionBackground: read('selection') };
  for (const name of names) {
    theme[name] = read(name);
    theme[`bright${name[0].toUpperCase()}${name.slice(1)}`] = read(`bright-${name}`);
  }
  return theme;
}
