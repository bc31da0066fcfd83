/** The first visit: the one-time code from the terminal makes the first administrator. */
import { html, loadStyle, useEffect, useState } from '../lib/html.js';
import { get, post } from '../lib/api.js';
import { useForm } from '../lib/form.js';
import { navigate } from '../lib/router.js';
import { begin, installation } from '../lib/session.js';
import { emailWrong, loginFrom, loginWrong } from '../lib/checks.js';
import { Button, Icon } from '../components/basics.js';
import { Entry } from '../components/entry.js';
import { PasswordField, TextField } from '../components/fields.js';
import { Callout, FormProblem, usePage } from '../components/places.js';

await loadStyle('/style/steps.css');

export default function SetUp() {
  usePage([{ text: 'Set up' }]);
  const [done, setDone] = useState(false);
  const [known, setKnown] = useState(/** @type {boolean | null} */ (null));
  useEffect(() => { get('/api/auth/providers', { quiet: true }).then((told) => { installation.value = told; setKnown(Boolean(told.setupRequired)); }, () => setKnown(true)); }, []);
  if (done) return html`<${Ready} />`;
  if (known === null) return null;
  if (!known) return html`<${Entry} title="Codex Web is set up"><p class="fg2">It has an administrator already. The one-time code is used up.</p><div style="margin-top:16px"><${Button} kind="primary" size="l" wide href="/sign-in">Sign in<//></div><//>`;
  return html`<${First} done=${() => setDone(true)} />`;
}

/** @param {{done: () => void}} props */
function First({ done }) {
  const least = installation.value.passwordMinLength || 12;
  const [own, setOwn] = useState(false);
  const form = useForm({
    first: { code: decodeURIComponent(location.hash.slice(1)), name: '', email: '', username: '', password: '' },
    check: ({ code, email, username, password }) => ({
      code: !code.trim() && 'Enter the code that the terminal printed.', email: emailWrong(email), username: loginWrong(username),
      password: password.length < least && `Use at least ${least} characters.`,
    }),
    send: async ({ code, name, email, username, password }) => {
      const answer = await post('/api/setup', { code: code.trim(), username, email: email.trim(), ...(name.trim() ? { name: name.trim() } : {}), password, session: 'cookie' }, { quiet: true });
      history.replaceState(null, '', '/setup');
      await begin(answer.user);
      done();
    },
  });
  // The link, opened in a tab that shows this page already, only changes what stands behind the #.
  useEffect(() => {
    const told = () => { if (location.hash) form.set('code', decodeURIComponent(location.hash.slice(1))); };
    addEventListener('hashchange', told);
    return () => removeEventListener('hashchange', told);
  }, []);
  const mail = (/** @type {any} */ event) => form.setAll({ email: event.target.value, ...(own ? {} : { username: loginFrom(event.target.value) }) });
  return html`<${Entry} title="Set up Codex Web" under="Make the first administrator. It takes a minute." wide><form class="stack" onSubmit=${form.submit} novalidate>
    <${TextField} form=${form} name="code" label="One-time code" large mono hint=${location.hash ? 'Taken from the link in the terminal.' : html`The terminal printed it at the start; <code>codex-web setup-code</code> prints a new one.`} autofocus=${!location.hash} />
    <div class="fields2"><${TextField} form=${form} name="name" label="Name" optional large autocomplete="name" autofocus=${Boolean(location.hash)} /><${TextField} form=${form} name="email" label="E-mail" type="email" large autocomplete="email" onInput=${mail} /></div>
    <${TextField} form=${form} name="username" label="User name" large autocomplete="username" autocapitalize="off" hint="Lower-case letters, digits, dots and dashes." onInput=${(/** @type {any} */ event) => { setOwn(true); form.set('username', event.target.value.toLowerCase()); }} />
    <${PasswordField} form=${form} name="password" label="Password" large autocomplete="new-password" hint=${`At least ${least} characters. A sentence is easy to remember.`} />
    <${FormProblem} form=${form} what="Not set up" />
    <${Button} kind="primary" size="l" wide type="submit" busy=${form.busy} busyWord="Setting up">Create administrator<//></form><//>`;
}

/** What was found, and the next step. */
function Ready() {
  const [found, setFound] = useState(/** @type {any} */ (null));
  useEffect(() => { get('/api/health/detailed').then(setFound, () => setFound({})); }, []);
  const cluster = found?.cluster || found?.dependencies?.cluster || {};
  const warnings = /** @type {any[]} */ (cluster.warnings || []);
  return html`<${Entry} title="Codex Web is ready" under="You are its first administrator." wide>
    ${found && html`<${Callout} kind=${warnings.length ? 'warn' : 'ok'} icon=${warnings.length ? 'triangle-alert' : 'circle-check'} lead=${cluster.kind === 'kubernetes' ? 'Connected to Kubernetes.' : 'Workspaces run on this machine.'}>${warnings.length ? warnings.map((warning) => html`<div>${warning.message || warning}</div>`) : cluster.summary ? cluster.summary : 'Each one is kept apart from the others and from the server.'}<//>`}
    <ol class="steps" style="margin:20px 0"><li><span class="m ok"><${Icon} name="circle-check" /></span><span>First administrator</span></li><li class="now"><span class="m"><span class="ring" /></span><span>Create your first group<div class="w">A team with a quota of its own; its members make workspaces in it.</div></span></li><li class="todo"><span class="m"><span class="ring" /></span><span>Add people, and make a workspace</span></li></ol>
    <div class="row wrap"><${Button} kind="primary" size="l" icon="users" onClick=${() => navigate('/groups/new')}>Create your first group<//><${Button} kind="ghost" size="l" onClick=${() => navigate('/')}>Look around first<//></div><//>`;
}
