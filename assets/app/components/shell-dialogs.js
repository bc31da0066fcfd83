/** The frame's own dialogs: the side bar as a drawer, and the list of keys. */
import { html, useEffect, useState } from '../lib/html.js';
import { here } from '../lib/router.js';
import { Dialog } from './dialog.js';
import { Side } from './shell.js';

/** @param {{done: () => void}} props */
export function Drawer({ done }) {
  const { path } = here.value;
  const [first] = useState(path);
  useEffect(() => { if (path !== first) done(); }, [path]);
  return html`<${Dialog} kind="drawer" label="Menu" onClose=${done}><${Side} /><//>`;
}

/** @param {{done: () => void}} props */
export function Keys({ done }) {
  const all = [['Search or jump to', 'Ctrl K'], ['New workspace', 'N'], ['Home', 'G H'], ['Groups', 'G G'], ['Leave the terminal', 'Ctrl Shift Esc'], ['Close what is open', 'Esc'], ['This list', '?']];
  return html`<${Dialog} title="Keyboard" onClose=${done}><dl class="facts-list" style="margin-top:12px">${all.map(([what, keys]) => html`<div><dt>${what}</dt><dd class="row">${keys.split(' ').map((key) => html`<kbd>${key}</kbd>`)}</dd></div>`)}</dl><div class="buttons"><button type="button" class="btn" autofocus onClick=${done}>Close</button></div><//>`;
}
