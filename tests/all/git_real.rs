//! Git in a real workspace without a git server: keys and tokens of the owner are used inside and never found there, and
//! a repository that cannot be had is told.
//!
//! Needs the walls of tier `full`; where the host cannot make them the tests say so and skip.

use super::real::Real;
use serde_json::json;

#[tokio::test]
async fn git_knows_its_owner_signs_with_their_key_and_finds_no_private_part() {
    let Some(real) = Real::start(&[]).await else { return };
    let key = real.key();
    let id = real.workspace("mine", &json!({})).await;
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("git config user.name").await, "Ada \"the Countess\" Lovelace");
    assert_eq!(shell.good("git config user.email").await, "ada@example.org");
    assert_eq!(shell.good("ssh-add -L").await, key);
    // A commit is signed by the server and verified by git itself.
    shell.good("git init -q work && cd work && echo one > file && git add file").await;
    shell.good("git -c gpg.format=ssh commit -q -S -m first").await;
    shell.good("(printf 'ada@example.org '; ssh-add -L) > ~/signers").await;
    let verified = shell.good("git -c gpg.ssh.allowedSignersFile=$HOME/signers verify-commit -v HEAD 2>&1").await;
    assert!(verified.contains("Good \"git\" signature for ada@example.org"), "{verified}");
    // Anything else is refused.
    let (code, _) = shell.run("echo text > text && ssh-add -L > key.pub && ssh-keygen -Y sign -n file -f key.pub text 2>&1").await;
    assert_ne!(code, 0, "only git objects are signed");
    for line in ["ssh-add -D", "ssh-keygen -q -t ed25519 -N '' -f own && ssh-add own"] {
        assert_ne!(shell.run(&format!("{line} 2>&1")).await.0, 0, "{line}");
    }
    // A person's own files go before.
    shell.good("git config --global user.name Somebody && test \"$(git config user.name)\" = Somebody").await;
    let private =
        shell.run("grep -rlsa 'PRIVATE KEY' /run/ws /tmp /etc /proc/1/environ /proc/1/cmdline 2>/dev/null | grep -v '/etc/ssl'").await.1;
    assert_eq!(private.trim(), "");
    let entries = real.get("/api/admin/audit-logs?action=use_ssh_key");
    assert!(entries.to_string().contains("git_object"), "{entries}");
    assert_eq!(real.server.stop(), 0);
    drop(real.program);
}

#[tokio::test]
async fn a_credential_is_given_to_git_for_its_host_and_is_read_nowhere_else() {
    let Some(real) = Real::start(&[]).await else { return };
    real.call("PUT", "/api/users/me/git-credentials/git.example.org", &json!({"username": "oauth2", "token": "s3cret-t0ken"}), 200);
    let id = real.workspace("mine", &json!({})).await;
    let mut shell = real.shell(&id).await;
    let fill = |host: &str| format!("printf 'protocol=https\\nhost={host}\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1");
    let filled = shell.good(&fill("git.example.org")).await;
    assert!(filled.contains("username=oauth2") && filled.contains("password=s3cret-t0ken"), "{filled}");
    for host in ["example.org", "git.example.org:8443", "git.example.org.evil.example"] {
        assert_ne!(shell.run(&fill(host)).await.0, 0, "{host}");
    }
    let over_http = "printf 'protocol=http\\nhost=git.example.org\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1";
    assert_ne!(shell.run(over_http).await.0, 0);
    // Git offers what worked to the helper; nothing of it is kept.
    shell.good("printf 'protocol=https\\nhost=a.example.org\\nusername=x\\npassword=y\\n\\n' | git credential approve").await;
    assert_ne!(shell.run(&fill("a.example.org")).await.0, 0);
    let found = shell.run("grep -rls s3cret-t0ken ~ /run/ws /tmp /etc 2>/dev/null").await.1;
    assert_eq!(found.trim(), "");
    real.call("DELETE", "/api/users/me/git-credentials/git.example.org", &json!({}), 204);
    assert_ne!(shell.run(&fill("git.example.org")).await.0, 0, "a removed token is gone at once");
    assert_eq!(real.server.stop(), 0);
}

#[tokio::test]
async fn a_repository_that_cannot_be_had_is_told_with_a_remedy_and_the_workspace_runs_all_the_same() {
    let Some(real) = Real::start(&[]).await else { return };
    let id = real.workspace("mine", &json!({"repository": "https://127.0.0.2:9/team/tool.git"})).await;
    assert_eq!(real.told(&id, "cloning", 1).await, "Cloning https://127.0.0.2:9/team/tool.git into ~/tool.");
    let why = real.told(&id, "clone_failed", 1).await;
    assert!(why.starts_with("The rules of this server do not let workspaces reach 127.0.0.2.") && why.contains("Network tab"), "{why}");
    let mut shell = real.shell(&id).await;
    assert_eq!(shell.good("ls -A | grep -c tool || true").await, "0", "nothing is left of it");
    // What a person puts there is theirs: it is not tried again.
    shell.good("mkdir tool && touch tool/mine").await;
    real.act(&id, "restart").await;
    assert_eq!(real.shell(&id).await.good("ls tool").await, "mine");
    assert_eq!(real.lines(&id, "cloning").len(), 1);
    for bad in ["file:///etc", "--upload-pack=x", "https://ada:secret@git.example.org/a"] {
        let new = json!({"name": "other", "groupId": "team", "image": "local:shell", "parameters": {"repository": bad}});
        for path in ["/api/workspaces", "/api/workspaces?dryRun=true"] {
            let refused = real.call("POST", path, &new, 400);
            assert_eq!(refused["error"]["fields"][0]["field"], "parameters.repository", "{refused}");
        }
    }
    assert_eq!(real.server.stop(), 0);
}
