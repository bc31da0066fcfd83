//! Git over ssh from a real workspace to OpenSSH's own server: the key stays on the Codex Web server, and whatever is
//! wrong is said where a person sees it.
//!
//! Needs the walls of tier `full`, `sshd`, and root to start it; without them the tests say so and skip.

use super::git_host::SshHost;
use super::real::{Real, until};
use serde_json::json;

/// A server whose workspaces may reach the git server.
async fn beside(host: &SshHost) -> Option<Real> {
    Real::start(&[("CODEX_WEB_WORKSPACES__EGRESS_ALLOW", &host.place())]).await
}

#[tokio::test]
async fn a_private_repository_is_cloned_over_ssh_once_its_host_knows_the_key_and_commits_are_pushed() {
    let Some(host) = SshHost::start() else { return };
    let Some(real) = beside(&host).await else { return };
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    let why = real.told(&id, "clone_failed", 1).await;
    assert!(why.contains("did not accept your SSH key") && why.contains("Make an SSH key in your profile"), "{why}");
    host.admit(&real.key());
    real.act(&id, "restart").await;
    assert!(real.told(&id, "cloned", 2).await.ends_with("is in ~/tool."));
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("cat tool/README").await, "hello");
    // The ssh of the person themselves goes the same way, by the configuration of the system alone.
    shell.good("cd tool && echo more >> README && git commit -qam second && git push -q 2>&1").await;
    assert_eq!(host.last(), "Ada \"the Countess\" Lovelace <ada@example.org> second");
    assert_eq!(shell.run("ls ~/.ssh/id_* 2>/dev/null").await.1.trim(), "", "there is no key in the workspace");
    let private = shell.run("grep -rlsa 'PRIVATE KEY' ~ /run/ws /tmp /proc/1/environ 2>/dev/null").await.1;
    assert_eq!(private.trim(), "");
    let entries = real.get("/api/admin/audit-logs?action=use_ssh_key");
    assert!(entries.to_string().contains("sign_in"), "{entries}");
    // What the rules of egress do not name is not reached, and ssh says so.
    let said = shell.fails("ssh -o BatchMode=yes -p 9 root@127.0.0.2 true 2>&1").await;
    assert!(said.contains("codex-web: "), "{said}");
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn a_replaced_key_opens_nothing_until_its_host_knows_it_and_the_old_one_opens_nothing_any_more() {
    let Some(host) = SshHost::start() else { return };
    let Some(real) = beside(&host).await else { return };
    let id = real.workspace("mine", &json!({})).await;
    let mut shell = real.shell(&id).await;
    let look = format!("git ls-remote {} main 2>&1", host.repository());
    assert_eq!(shell.fails("ssh-add -L").await, "The agent has no identities.", "nobody made a key yet");
    let said = shell.fails(&look).await;
    assert!(said.contains("Permission denied (publickey)"), "{said}");
    let first = real.key();
    host.admit(&first);
    assert!(shell.good(&look).await.contains("refs/heads/main"), "the key is there without a restart");
    let second = real.key();
    assert_ne!(first, second);
    assert_eq!(shell.good("ssh-add -L").await, second);
    let said = shell.fails(&look).await;
    assert!(said.contains("Permission denied (publickey)"), "the host still knows the old key only: {said}");
    // A program that kept the old public part cannot have it used.
    shell.good(&format!("printf '%s\\n' '{first}' > old.pub")).await;
    let with_old = look.replace("git ls-remote", "GIT_SSH_COMMAND='ssh -o IdentitiesOnly=yes -i ~/old.pub' git ls-remote");
    assert!(shell.fails(&with_old).await.contains("Permission denied (publickey)"));
    host.admit(&second);
    assert!(shell.good(&look).await.contains("refs/heads/main"));
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn a_host_that_shows_another_key_than_before_is_refused_and_the_remedy_is_named() {
    let Some(mut host) = SshHost::start() else { return };
    let Some(real) = beside(&host).await else { return };
    host.admit(&real.key());
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    real.told(&id, "cloned", 1).await;
    host.replace();
    let mut shell = real.shell(&id).await;
    let said = shell.fails("git -C tool fetch 2>&1").await;
    assert!(said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") && said.contains("Host key verification failed"), "{said}");
    let said =
        shell.fails("cd tool && git -c user.name=a commit -q --allow-empty -m third && git push -q 2>&1; R=$?; cd ..; (exit $R)").await;
    assert!(said.contains("Host key verification failed"), "{said}");
    assert!(host.last().ends_with("first"), "nothing was pushed");
    shell.good("rm -rf tool").await;
    real.act(&id, "restart").await;
    let why = real.told(&id, "clone_failed", 2).await;
    assert!(why.starts_with("The key of 127.0.0.2 is not the one that was known before.") && why.contains("~/.ssh/known_hosts"), "{why}");
    // Whoever expected the change follows the remedy.
    let mut shell = real.shell(&id).await;
    shell.good(&format!("ssh-keygen -q -R '[127.0.0.2]:{}' 2>&1", host.port)).await;
    shell.good(&format!("git clone -q {} 2>&1", host.repository())).await;
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn a_stop_cuts_what_is_signed_in_by_the_key_and_the_next_start_brings_the_agent_back() {
    let Some(host) = SshHost::start() else { return };
    let Some(real) = beside(&host).await else { return };
    let key = real.key();
    host.admit(&key);
    let id = real.workspace("mine", &json!({})).await;
    let mut shell = real.shell(&id).await;
    let far = tempfile::tempdir().unwrap();
    let (began, ended) = (far.path().join("began"), far.path().join("ended"));
    let remote = format!("touch {}; cat >/dev/null; touch {}", began.display(), ended.display());
    let line = format!("(sleep 600 | ssh -p {} root@127.0.0.2 '{remote}' >/dev/null 2>&1 &)", host.port);
    shell.good(&line).await;
    until(|| began.exists(), &began).await;
    assert!(!ended.exists());
    real.act(&id, "stop").await;
    until(|| ended.exists(), &ended).await;
    real.act(&id, "start").await;
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("ssh-add -L").await, key);
    assert!(shell.good(&format!("git ls-remote {} main 2>&1", host.repository())).await.contains("refs/heads/main"));
    // Without the agent's socket there is no key to sign with: nothing of it was kept in the workspace.
    let said = shell.fails(&format!("SSH_AUTH_SOCK= git ls-remote {} main 2>&1", host.repository())).await;
    assert!(said.contains("Permission denied (publickey)"), "{said}");
    assert_eq!(real.server.stop(), 0);
}
