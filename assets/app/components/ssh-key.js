/** The SSH key that stands for a person at git servers: its public part to copy, and a new one in its place. */
import { html, loadStyle, useState } from '../lib/html.js';
import { post } from '../lib/api.js';
import { fail, toast } from '../lib/overlay.js';
import { useQuery } from '../lib/query.js';
import { Button, Copy, Time } from './basics.js';
import { confirm } from './dialog.js';
import { Card, Empty, Facts, Loaded } from './places.js';

await loadStyle('/style/work.css');

const PATH = '/api/users/me/ssh-key';

/** @typedef {{publicKey: string | null, fingerprint: string | null, createdAt: string | null}} Key all null before one was made */

export function SshKey() {
  const query = useQuery(PATH, ['user']);
  const [busy, setBusy] = useState(false);
  const make = async () => {
    setBusy(true);
    try { await post(PATH); query.reload(); toast({ title: 'The SSH key is made.', text: 'Add its public part at your git servers.' }); } catch (error) { fail('No key was made', error); }
    setBusy(false);
  };
  const replace = async () => {
    const done = await confirm({
      title: 'Replace the SSH key?', danger: true, word: 'Replace the key', failed: 'Not replaced',
      lead: 'Every git server that knows the key you have now refuses you until you add the new one there. Running workspaces use the new one at once. Nobody can bring the old one back.',
      run: async () => { await post(PATH); query.reload(); },
    });
    if (done) toast({ title: 'The SSH key is new.', text: 'Add its public part at your git servers.' });
  };
  return html`<${Card} title="SSH key" right=${query.data?.publicKey && html`<${Button} size="s" icon="rotate-cw" onClick=${replace}>Replace<//>`}><${Loaded} query=${query} what="The SSH key could not be read" lines=${3} height=${61}>${(/** @type {Key} */ key) => (key.publicKey ? html`<div class="card-body stack s8"><p class="t13 fg2">Git in your workspaces uses this key over SSH. Add the public part to your account at each git server. The private part never enters a workspace: the server signs for it.</p>
    <div class="command"><pre class="public-key" tabindex="0" role="region" aria-label="Public key">${key.publicKey}</pre><${Copy} text=${key.publicKey} label="Copy the public key" /></div>
    <${Facts} rows=${[['Fingerprint', html`<span class="mono t12">${key.fingerprint}</span>`], ['Made', html`<${Time} at=${key.createdAt} />`]]} /></div>`
    : html`<${Empty} icon="key-round" title="No SSH key yet" text="With one, git in your workspaces reaches your repositories over SSH. Its private part never enters a workspace." action=${html`<${Button} icon="key-round" busy=${busy} busyWord="Making" onClick=${make}>Make a key<//>`} />`)}<//><//>`;
}
