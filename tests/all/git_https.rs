//! Git over https from a real workspace to a git server behind TLS: the certificate comes from an authority that the
//! operator added, the credential from the profile, and the token is found nowhere in the workspace.
//!
//! Needs the walls of tier `full`; where the host cannot make them the tests say so and skip.

use super::git_host::HttpsHost;
use super::real::Real;
use serde_json::json;
use std::path::{Path, PathBuf};

const TOKEN: &str = "glpat-s3cretT0ken-4711";

/// A server whose workspaces may reach the git server and trust its authority.
async fn beside(host: &HttpsHost) -> Option<Real> {
    let authority = host.authority().display().to_string();
    Real::start(&[("CODEX_WEB_WORKSPACES__EGRESS_ALLOW", &host.place()), ("CODEX_WEB_SERVER__EXTRA_CA", &authority)]).await
}

/// Keeps a token for the host in ada's profile.
fn keep(real: &Real, host: &HttpsHost, token: &str) {
    real.call("PUT", &format!("/api/users/me/git-credentials/{}", host.place()), &json!({"username": "ada", "token": token}), 200);
}

/// Files below a folder that hold the token.
fn holding(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            holding(&path, found);
        } else if kind.is_file() && std::fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(TOKEN)) {
            found.push(path);
        }
    }
}

/// The processes of a user, as the host sees them.
fn processes_of(uid: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let of = |path: &PathBuf| {
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(1) == Some(uid))
    };
    entries.filter(of).collect()
}

#[tokio::test]
async fn a_private_repository_is_cloned_and_pushed_to_with_a_token_that_is_found_nowhere_inside() {
    let host = HttpsHost::start();
    let Some(real) = beside(&host).await else { return };
    host.admit("ada", TOKEN);
    keep(&real, &host, TOKEN);
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    assert!(real.told(&id, "cloned", 1).await.ends_with("is in ~/tool."));
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("cat tool/README").await, "hello");
    // While git pushes, everything that programs could read of each other is written down.
    let look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>~/watched 2>/dev/null";
    shell.good(&format!("touch watch; ((while test -e ~/watch; do {look}; sleep 0.02; done) &)")).await;
    shell.good("cd tool && echo more >> README && git commit -qam second && git push -q 2>&1; R=$?; cd ..; (exit $R)").await;
    shell.good("git clone -q $(git -C tool remote get-url origin) again 2>&1 && git -C again log --oneline -1").await;
    shell.good("rm watch").await;
    assert_eq!(host.last(), "Ada \"the Countess\" Lovelace <ada@example.org> second");
    assert!(host.shown().contains(&Some(format!("ada:{TOKEN}"))), "the host saw it");
    let watched = std::fs::read(real.home(&id).join("watched")).unwrap();
    assert!(String::from_utf8_lossy(&watched).contains("push"), "the push was watched");
    let mut found = Vec::new();
    holding(&real.home(&id), &mut found);
    let uid = shell.good("id -u").await;
    let processes = processes_of(&uid);
    assert!(!processes.is_empty());
    if rustix::process::geteuid().is_root() {
        for process in &processes {
            let text =
                [std::fs::read(process.join("cmdline")), std::fs::read(process.join("environ"))].map(Result::unwrap_or_default).concat();
            assert!(!String::from_utf8_lossy(&text).contains(TOKEN), "{}", process.display());
        }
        // Its own root, as its programs see it.
        for folder in ["run", "tmp", "etc"] {
            holding(&processes[0].join("root").join(folder), &mut found);
        }
    }
    assert_eq!(found, Vec::<PathBuf>::new());
    // Nor in what git says, if it is asked to say everything.
    let traced = shell.good("GIT_TRACE=1 GIT_CURL_VERBOSE=1 GIT_TRACE_CURL=1 git -C tool ls-remote origin main 2>&1").await;
    assert!(!traced.contains(TOKEN), "{traced}");
    let entries = real.get("/api/admin/audit-logs?action=use_git_credential");
    assert!(entries.to_string().contains(&host.place()) && !entries.to_string().contains(TOKEN), "{entries}");
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn without_a_credential_or_with_a_wrong_one_the_reason_and_the_remedy_are_told() {
    let host = HttpsHost::start();
    let Some(real) = beside(&host).await else { return };
    host.admit("ada", TOKEN);
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    let why = real.told(&id, "clone_failed", 1).await;
    assert!(why.starts_with("127.0.0.2 asks who you are: the repository is private. Add a token for 127.0.0.2"), "{why}");
    keep(&real, &host, "glpat-a-wrong-one");
    real.act(&id, "restart").await;
    let why = real.told(&id, "clone_failed", 2).await;
    assert!(why.starts_with("127.0.0.2 did not accept your credential") && why.contains("under Git credentials"), "{why}");
    assert!(!why.contains("glpat"), "{why}");
    let mut shell = real.shell(&id).await;
    let look = format!("GIT_TERMINAL_PROMPT=0 git ls-remote {} main 2>&1", host.repository());
    let said = shell.fails(&look).await;
    assert!(said.contains("Authentication failed"), "{said}");
    // A corrected token is used at once.
    keep(&real, &host, TOKEN);
    assert!(shell.good(&look).await.contains("refs/heads/main"));
    // A removed one is gone at once, and nothing of it was kept by git.
    real.call("DELETE", &format!("/api/users/me/git-credentials/{}", host.place()), &json!({}), 204);
    let said = shell.fails(&look).await;
    assert!(said.contains("could not read Username"), "{said}");
    host.shown();
    shell.fails(&look).await;
    assert_eq!(host.shown().into_iter().flatten().count(), 0, "nothing is shown to the host any more");
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_nobody_added_is_refused_and_the_setting_is_named() {
    let host = HttpsHost::start();
    let Some(real) = Real::start(&[("CODEX_WEB_WORKSPACES__EGRESS_ALLOW", &host.place())]).await else { return };
    keep(&real, &host, TOKEN);
    let id = real.workspace("mine", &json!({"repository": host.repository()})).await;
    let why = real.told(&id, "clone_failed", 1).await;
    assert!(why.starts_with("The certificate of 127.0.0.2 is not trusted here.") && why.contains("server.extra_ca"), "{why}");
    assert!(host.shown().is_empty(), "no request was sent, and so no token");
    assert_eq!(real.server.stop(), 0);
}
