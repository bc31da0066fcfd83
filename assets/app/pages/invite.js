/** An invitation: the link carries a one-use code; whoever opens it chooses a password and is signed in. */
import { html, useEffect, useState } from '../lib/html.js';
import { ApiError, post } from '../lib/api.js';
import { useForm } from '../lib/form.js';
import { navigate } from '../lib/router.js';
import { begin, installation } from '../lib/session.js';
import { Button } from '../components/basics.js';
import { Entry } from '../components/entry.js';
import { PasswordField } from '../components/fields.js';
import { FormProblem, usePage } from '../components/places.js';

export default function Invite() {
  const [code, setCode] = useState(location.hash.slice(1));
  // Another link, opened in a tab that shows this page already, only changes what stands behind the #.
  useEffect(() => {
    const told = () => setCode(location.hash.slice(1));
    addEventListener('hashchange', told);
    return () => removeEventListener('hashchange', told);
  }, []);
  return code ? html`<${Choose} key=${code} code=${code} />` : html`<${Useless} title="This invitation is cut off">The end of the link is missing. Open it again from where you got it, whole.<//>`;
}

/** @param {{code: string}} props */
function Choose({ code }) {
  usePage([{ text: 'Invitation' }]);
  const [refused, setRefused] = useState('');
  const least = installation.value.passwordMinLength || 12;
  const form = useForm({
    first: { password: '', again: '' },
    check: ({ password, again }) => ({ password: password.length < least && `Use at least ${least} characters.`, again: again !== password && 'This differs from the line above.' }),
    send: async ({ password }) => {
      try {
        const answer = await post('/api/auth/invite', { code, password, session: 'cookie' }, { quiet: true });
        await begin(answer.user);
        navigate('/', { replace: true });
      } catch (cause) {
        // No password helps a link that is used up, so the form goes.
        const told = cause instanceof ApiError && cause.fields.find(({ field }) => field === 'code');
        if (!told) throw cause;
        setRefused(told.message);
      }
    },
  });
  if (refused) return html`<${Useless} title="This invitation does not work">${refused} If you chose a password with it before, sign in with that.<//>`;
  return html`<${Entry} title="Welcome to Codex Web" under="Choose a password; then you are in." below="The link works once."><form class="stack" onSubmit=${form.submit} novalidate>
    <${PasswordField} form=${form} name="password" label="Password" large autocomplete="new-password" hint=${`At least ${least} characters. A sentence is easy to remember.`} autofocus /><${PasswordField} form=${form} name="again" label="Password again" large autocomplete="new-password" />
    <${FormProblem} form=${form} what="Not accepted" /><${Button} kind="primary" size="l" wide type="submit" busy=${form.busy} busyWord="Signing in">Set password and sign in<//></form><//>`;
}

/** A link that opens nothing: why, and the way on. @param {{title: string, children?: any}} props */
function Useless({ title, children }) {
  usePage([{ text: 'Invitation' }]);
  return html`<${Entry} title=${title}><p class="fg2" role="alert">${children}</p><div style="margin-top:16px"><${Button} kind="primary" size="l" wide href="/sign-in">Sign in<//></div><//>`;
}
