/** The frame of the pages before a session: mark, title, one card, and the theme at the foot. */
import { html, loadStyle, useState } from '../lib/html.js';
import { installation } from '../lib/session.js';
import { setTheme, theme } from '../theme.js';
import { Icon, Mark } from './basics.js';
import { Late } from './late.js';

await loadStyle('/style/entry.css');

const help = () => import('./help-link.js');
const HELP = { class: 'btn ghost', target: '_blank', rel: 'noopener' };

/** @param {{title: string, under?: any, below?: any, wide?: boolean, children?: any}} props */
export function Entry({ title, under, below, wide, children }) {
  const [chosen, setChosen] = useState(theme());
  const order = /** @type {const} */ (['system', 'light', 'dark']);
  const turn = () => { const next = order[(order.indexOf(chosen) + 1) % 3]; setTheme(next); setChosen(next); };
  const { icon, word } = { system: { icon: 'sun-moon', word: 'System theme' }, light: { icon: 'sun', word: 'Light theme' }, dark: { icon: 'moon', word: 'Dark theme' } }[chosen];
  return html`<div class="entry"><main class=${`entry-box ${wide ? 'wide' : ''}`} tabindex="-1">
    <header class="row" style="gap:12px;margin-bottom:24px"><${Mark} size=${32} /><div><h1>${title}</h1>${under && html`<p class="t13 fg2">${under}</p>`}</div></header>
    <div class="card entry-card">${children}</div>${below && html`<p class="t13 fg2" style="text-align:center;margin:16px auto 0">${below}</p>`}</main>
    <footer class="entry-foot"><span>Codex Web ${installation.value.version || ''}</span><span class="row"><${Late} calm load=${help} part="HelpLink" ...${HELP} meanwhile=${html`<a ...${HELP} href="/help"><${Icon} name="circle-question-mark" />Help</a>`}><${Icon} name="circle-question-mark" />Help<//><button type="button" class="btn ghost" onClick=${turn}><${Icon} name=${icon} />${word}</button></span></footer></div>`;
}
