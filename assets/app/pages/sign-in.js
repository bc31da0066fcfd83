/** Signing in with a password, and the form for a password that must be changed first. */
import { html, useEffect, useState } from '../lib/html.js';
import { ApiError, get, post } from '../lib/api.js';
import { useForm } from '../lib/form.js';
import { toast } from '../lib/overlay.js';
import { navigate, query, safeNext } from '../lib/router.js';
import { begin, installation, me, recognise, signOut } from '../lib/session.js';
import { Button } from '../components/basics.js';
import { Entry } from '../components/entry.js';
import { PasswordField, TextField } from '../components/fields.js';
import { Callout, FormProblem, usePage } from '../components/places.js';

export default function SignIn() {
  const [change, setChange] = useState(/** @type {{current: string} | null} */ (null));
  const next = safeNext(query.value.get('next')) + location.hash;
  useEffect(() => {
    if (me.value && !me.value.mustChangePassword && !change) navigate(next, { replace: true });
  }, [me.value]);
  if (change || query.value.get('change') || me.value?.mustChangePassword) return html`<${ChangePassword} known=${change?.current} next=${next} />`;
  return html`<${Password} next=${next} mustChange=${(/** @type {string} */ current) => setChange({ current })} />`;
}

/** What went wrong, in the words of the sign-in page. @param {ApiError} error */
function words(error) {
  if (error.status === 429) return { lead: 'Too many tries.', text: error.retryAfter ? `Try again in ${wait(error.retryAfter)}.` : 'Wait a minute, then try again.' };
  if (error.code === 'AUTHENTICATION_ERROR') return { lead: 'Wrong user name or password.', text: 'Check the spelling and Caps Lock, then try again.' };
  return { lead: 'Not signed in.', text: error.message };
}

/** @param {number} seconds */
const wait = (seconds) => (seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`);

/** @param {{next: string, mustChange: (current: string) => void}} props */
function Password({ next, mustChange }) {
  usePage([{ text: 'Sign in' }]);
  const [error, setError] = useState(/** @type {ApiError | null} */ (null));
  const form = useForm({
    first: { username: '', password: '' },
    check: ({ username, password }) => ({ username: !username.trim() && 'Enter your user name or e-mail.', password: !password && 'Enter your password.' }),
    send: async ({ username, password }) => {
      setError(null);
      try {
        const answer = await post('/api/auth/login', { username: username.trim(), password, session: 'cookie' }, { quiet: true });
        if (answer.mustChangePassword || answer.user?.mustChangePassword) { mustChange(password); return; }
        await begin(answer.user);
        navigate(next, { replace: true });
      } catch (cause) {
        if (!(cause instanceof ApiError)) throw cause;
        setError(cause);
        form.set('password', '');
        setTimeout(() => /** @type {HTMLElement | null} */ (document.querySelector('input[name="password"]'))?.focus(), 0);
      }
    },
  });
  const told = error && words(error);
  return html`<${Entry} title="Sign in to Codex Web" below="No account? An administrator can make one for you."><form class="stack" onSubmit=${form.submit} novalidate>
    ${told && html`<${Callout} kind="bad" icon="circle-alert" alert lead=${told.lead}>${told.text}<//>`}
    <${TextField} form=${form} name="username" label="User name or e-mail" large autocomplete="username" autocapitalize="off" autofocus />
    <${PasswordField} form=${form} name="password" label="Password" large autocomplete="current-password" />
    <${Button} kind="primary" size="l" wide type="submit" busy=${form.busy} busyWord="Signing in">Sign in<//></form><//>`;
}

/** @param {{known?: string, next: string}} props known: the password just signed in with, so that it need not be typed twice */
function ChangePassword({ known, next }) {
  usePage([{ text: 'New password' }]);
  const least = installation.value.passwordMinLength || 12;
  const form = useForm({
    first: { currentPassword: known || '', newPassword: '', again: '' },
    check: ({ currentPassword, newPassword, again }) => ({
      currentPassword: !currentPassword && 'Enter the password you signed in with.',
      newPassword: newPassword.length < least ? `Use at least ${least} characters.` : newPassword === currentPassword && 'Choose one that differs from the one before.',
      again: again !== newPassword && 'This differs from the line above.',
    }),
    send: async ({ currentPassword, newPassword }) => {
      await post('/api/auth/change-password', { currentPassword, newPassword });
      if (await recognise()) {
        if (me.value) await begin((await get('/api/auth/me')).user);
        toast({ title: 'Password changed.', text: 'Every other session has ended.' });
        navigate(next, { replace: true });
      } else navigate('/sign-in', { replace: true });
    },
  });
  return html`<${Entry} title="Choose a new password" under="Yours was set by an administrator. Only you should know it."><form class="stack" onSubmit=${form.submit} novalidate>
    ${!known && html`<${PasswordField} form=${form} name="currentPassword" label="Password you signed in with" large autocomplete="current-password" />`}
    <${PasswordField} form=${form} name="newPassword" label="New password" large autocomplete="new-password" hint=${`At least ${least} characters. A sentence is easy to remember.`} autofocus />
    <${PasswordField} form=${form} name="again" label="New password again" large autocomplete="new-password" />
    <${FormProblem} form=${form} what="Not changed" />
    <${Button} kind="primary" size="l" wide type="submit" busy=${form.busy} busyWord="Changing">Change and continue<//><${Button} kind="ghost" wide onClick=${() => signOut()}>Sign out<//></form><//>`;
}
