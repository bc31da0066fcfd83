/** An invitation: the link carries a one-use code; whoever opens it chooses a password and is signed in. */
import { html } from '../lib/html.js';
import { post } from '../lib/api.js';
import { useForm } from '../lib/form.js';
import { navigate } from '../lib/router.js';
import { begin, installation } from '../lib/session.js';
import { Button } from '../components/basics.js';
import { Entry } from '../components/entry.js';
import { PasswordField } from '../components/fields.js';
import { FormProblem, usePage } from '../components/places.js';

export default function Invite() {
  usePage([{ text: 'Invitation' }]);
  const least = installation.value.passwordMinLength || 12;
  const form = useForm({
    first: { password: '', again: '' },
    check: ({ password, again }) => ({ password: password.length < least && `Use at least ${least} characters.`, again: again !== password && 'This differs from the line above.' }),
    send: async ({ password }) => {
      const answer = await post('/api/auth/invite', { code: decodeURIComponent(location.hash.slice(1)), password, session: 'cookie' }, { quiet: true });
      await begin(answer.user);
      navigate('/', { replace: true });
    },
  });
  if (!location.hash) return html`<${Entry} title="This invitation is cut off"><p class="fg2">The end of the link is missing. Open it again from where you got it, whole.</p><div style="margin-top:16px"><${Button} size="l" wide href="/sign-in">Sign in<//></div><//>`;
  return html`<${Entry} title="Welcome to Codex Web" under="Choose a password; then you are in." below="The link works once."><form class="stack" onSubmit=${form.submit} novalidate>
    <${PasswordField} form=${form} name="password" label="Password" large autocomplete="new-password" hint=${`At least ${least} characters. A sentence is easy to remember.`} autofocus /><${PasswordField} form=${form} name="again" label="Password again" large autocomplete="new-password" />
    <${FormProblem} form=${form} what="Not accepted" /><${Button} kind="primary" size="l" wide type="submit" busy=${form.busy} busyWord="Signing in">Set password and sign in<//></form><//>`;
}
