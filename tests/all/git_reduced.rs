//! Git in a real workspace behind the walls of tier `uid+landlock`, as root in an ordinary container has them: https works
//! as everywhere, and ssh, which runs for nobody without a name, is refused with words that help.
//!
//! Needs root and `setpriv`; without them the tests say so and skip.

use super::git_host::{HttpsHost, SshHost};
use super::real::{Real, Walls};
use serde_json::json;

const TOKEN: &str = "glpat-s3cretT0ken-0815";

#[tokio::test]
async fn a_repository_is_cloned_and_pushed_to_over_https_with_the_token_of_the_owner() {
    let host = HttpsHost::start();
    let authority = host.authority().display().to_string();
    let Some(real) = Real::start_behind(Walls::Reduced, &[("CODEX_WEB_SERVER__EXTRA_CA", &authority)]).await else { return };
    host.admit("ada", TOKEN);
    let credential = format!("/api/users/me/git-credentials/{}", host.place());
    real.call("PUT", &credential, &json!({"username": "ada", "token": TOKEN}), 200);
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    assert!(real.told(&id, "cloned", 1).await.ends_with("is in ~/tool."));
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("git config user.name").await, "Ada \"the Countess\" Lovelace");
    shell.good("cd tool && echo more >> README && git commit -qam second && git push -q 2>&1; R=$?; cd ..; (exit $R)").await;
    assert_eq!(host.last(), "Ada \"the Countess\" Lovelace <ada@example.org> second");
    let found = shell.run("grep -rls glpat-s3cret ~ $TMPDIR $XDG_RUNTIME_DIR 2>/dev/null | grep -v history").await.1;
    assert_eq!(found.trim(), "");
    real.call("DELETE", &credential, &json!({}), 204);
    let said = shell.fails("GIT_TERMINAL_PROMPT=0 git -C tool fetch 2>&1").await;
    assert!(said.contains("could not read Username"), "{said}");
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn git_over_ssh_is_refused_with_the_reason_and_with_what_works_instead() {
    let Some(host) = SshHost::start() else { return };
    let Some(real) = Real::start_behind(Walls::Reduced, &[]).await else { return };
    let key = real.key();
    host.admit(&key);
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    let why = real.told(&id, "clone_failed", 1).await;
    assert!(why.starts_with("On this server workspaces cannot use git over ssh. Use the https address of the repository"), "{why}");
    let mut shell = real.shell(&id).await;
    let said = shell.fails(&format!("git clone {} 2>&1", host.repository())).await;
    assert!(said.contains("codex-web: this workspace cannot sign in over ssh") && said.contains("Use the https address"), "{said}");
    // The operator who gives the number of this user a name needs nothing else: the key is there.
    assert_eq!(shell.good("ssh-add -L").await, key);
    assert_eq!(real.server.stop(), 0);
}
