/** The uploads of a workspace: how far they are, what went wrong with which, and what can be done about it. */
import { html, useState } from '../lib/html.js';
import { nameOf, parentOf, shown } from '../lib/files.js';
import { plural, showBytes } from '../lib/format.js';
import { again, drop, uploads } from '../lib/uploads.js';
import { Button, Icon } from './basics.js';

/** @typedef {import('../lib/uploads.js').Upload} Upload */

const SHOWN = 5;

/** @param {{workspace: import('../lib/types.js').Workspace}} props */
export function UploadPanel({ workspace }) {
  const [open, setOpen] = useState(false);
  const list = uploads.value.filter((item) => item.workspace === workspace.id);
  if (list.length === 0) return null;
  const of = (/** @type {string[]} */ ...states) => list.filter(({ state }) => states.includes(state));
  const [going, done, failed, same] = [of('waiting', 'sending', 'again'), of('done'), of('failed'), of('exists')];
  const size = list.reduce((sum, { file }) => sum + file.size, 0);
  const sent = list.reduce((sum, item) => sum + item.sent, 0);
  const lost = going.length > 0 && going.every(({ state }) => state !== 'sending') && going.some(({ state }) => state === 'again');
  const title = going.length ? (lost ? 'The connection was cut. It goes on by itself.' : `Uploading ${list.length === 1 ? nameOf(list[0].path) : `${done.length + 1} of ${list.length} files`}`)
    : failed.length || same.length ? `${plural(done.length, 'file')} uploaded, ${failed.length + same.length} not` : `${done.length === 1 ? nameOf(done[0].path) : plural(done.length, 'file')} uploaded`;
  const detail = [...of('failed', 'exists'), ...of('again', 'sending'), ...of('waiting'), ...done];
  const lines = open ? detail : detail.filter(({ state }) => state !== 'done' && state !== 'waiting').slice(0, SHOWN);
  const icon = going.length ? (lost ? 'wifi-off' : 'upload') : failed.length || same.length ? 'triangle-alert' : 'circle-check';
  return html`<section class="card uploads" aria-label="Uploads"><div class="uploads-head"><${Icon} name=${icon} class=${going.length && !lost ? 'fg2' : icon === 'circle-check' ? 'ok' : 'warn'} /><span class="strong cut" role="status">${title}</span><span class="t12 fg2 name">${showBytes(sent)} of ${showBytes(size)}</span>
    <span class="right row">${same.length > 1 && html`<${Button} size="s" onClick=${() => again(same)}>Replace all<//>`}${failed.length > 1 && html`<${Button} size="s" icon="rotate-cw" onClick=${() => again(failed)}>Try all again<//>`}${list.length > 1 && html`<${Button} size="s" kind="ghost" aria-expanded=${open ? 'true' : 'false'} onClick=${() => setOpen(!open)}>${open ? 'Less' : 'All files'}<//>`}${going.length ? html`<${Button} size="s" onClick=${() => drop(going)}>Cancel<//>` : html`<button type="button" class="iconbtn" aria-label="Close" onClick=${() => drop(list)}><${Icon} name="x" /></button>`}</span></div>
    ${going.length > 0 && html`<div class=${`track ${lost ? 'warn' : ''}`} role="progressbar" aria-label="Uploading" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${size ? Math.floor((sent / size) * 100) : 100}><i style=${{ width: `${size ? (sent / size) * 100 : 100}%` }} /></div>`}
    ${lines.length > 0 && (list.length > 1 || lines.some(({ state }) => state === 'failed' || state === 'exists')) && html`<ul class="uploads-list">${lines.map((item) => html`<${Line} key=${item.id} item=${item} />`)}</ul>`}</section>`;
}

/** @param {{item: Upload}} props */
function Line({ item }) {
  const { file, path, sent, state, error } = item;
  const icons = /** @type {Record<string, [string, string]>} */ ({ done: ['circle-check', 'ok'], failed: ['circle-x', 'bad'], exists: ['triangle-alert', 'warn'], again: ['wifi-off', 'warn'] });
  const [icon, colour] = icons[state] || ['file', 'fg3'];
  const words = state === 'failed' ? error?.message : state === 'exists' ? `There is one of that name in ${shown(parentOf(path))}.` : state === 'again' ? 'Waiting for the connection' : state === 'waiting' ? 'Waiting' : state === 'done' ? showBytes(file.size) : `${showBytes(sent)} of ${showBytes(file.size)}`;
  return html`<li><${Icon} name=${icon} class=${colour} /><span class="cut mono" data-tip-cut>${shown(path).slice(2)}</span><span class="t12 fg2 what">${words}</span><span class="right row">${state === 'failed' && html`<${Button} size="s" onClick=${() => again([item])}>Try again<//>`}${state === 'exists' && html`<${Button} size="s" onClick=${() => again([item])}>Replace<//><${Button} size="s" kind="ghost" onClick=${() => drop([item])}>Keep<//>`}</span></li>`;
}
