//! How git and ssh in a workspace find what its owner keeps on the server: the system's `gitconfig` and `ssh_config`.
//!
//! They are the system's files and not the person's, so that what a person writes into their own goes before them. Both
//! name this program, which every workspace can run.

use crate::cluster::local::spec::Tier;
use crate::domain::agent::AgentGit;
use crate::domain::git::GitSetup;
use std::path::Path;

/// Where this program is inside, in tier `full`.
pub const PROGRAM: &str = "/run/codex-web/codex-web";

/// Sockets of the agent, below the runtime directory. Short: the path of a socket has room for 107 bytes.
pub const SSH_SOCKET: &str = "codex-ssh.sock";
const CREDENTIAL_SOCKET: &str = "codex-git.sock";

/// Git's configuration below the runtime directory, where there is no private `/etc`.
pub const GIT_CONFIG: &str = "gitconfig";

/// Where there is no private `/etc`, the user of a workspace has a number but no name, and ssh runs for nobody without one.
/// Git starts this in its place, which says so; where the operator gave the number a name, ssh itself runs.
const SSH_IF_NAMED: &str = "sh -c 'id -un >/dev/null 2>&1 && exec ssh \"$@\"; echo \"codex-web: this workspace cannot sign in over ssh, \
     because its user has no name here. Use the https address of the repository, with a token under Git credentials in \
     your profile.\" >&2; exit 255' ssh";

/// The allocator of the shipped program must not set memory aside that counts as used: see the launcher.
const RESERVE_ONLY: &str = "env MIMALLOC_ARENA_EAGER_COMMIT=0";

/// What only the private `/etc` of tier `full` can hold.
pub fn etc(setup: &GitSetup, runtime: &str, tier: Tier) -> Vec<(String, String)> {
    if tier != Tier::Full {
        return Vec::new();
    }
    let gitconfig = gitconfig(setup, Path::new(PROGRAM), &format!("{runtime}/{CREDENTIAL_SOCKET}"));
    vec![("gitconfig".to_owned(), gitconfig), ("ssh/ssh_config".to_owned(), ssh_config())]
}

/// Without a private `/etc` the agent writes git's configuration, where the environment leads git.
pub fn agent_git(setup: &GitSetup, runtime: &str, tier: Tier, program: Option<&Path>) -> AgentGit {
    let socket = format!("{runtime}/{CREDENTIAL_SOCKET}");
    let text = |program: &Path| {
        let ssh = format!("[core]\n\tsshCommand = {}\n[ssh]\n\tvariant = ssh\n", quoted(SSH_IF_NAMED));
        gitconfig(setup, program, &socket) + &ssh
    };
    let config = program.filter(|_| tier != Tier::Full).map(|program| (format!("{runtime}/{GIT_CONFIG}"), text(program)));
    AgentGit { credential_socket: Some(socket), repository: setup.repository.clone(), config }
}

/// The system's git configuration.
fn gitconfig(setup: &GitSetup, program: &Path, socket: &str) -> String {
    let (name, email) = (quoted(&setup.name), quoted(&setup.email));
    let helper = format!("!{RESERVE_ONLY} {} agent credential --socket {}", shell_quoted(&program.to_string_lossy()), shell_quoted(socket));
    let mut text = String::from("# Written at each start; ~/.gitconfig and the configuration of a repository go before it.\n[user]\n");
    if !setup.name.is_empty() {
        text.push_str(&format!("\tname = {name}\n"));
    }
    text.push_str(&format!("\temail = {email}\n[credential]\n\thelper = {}\n", quoted(&helper)));
    // Commits are signed with the key of the SSH agent where a person asks for signatures of the format ssh.
    text.push_str("[gpg \"ssh\"]\n\tdefaultKeyCommand = ssh-add -L\n");
    text
}

/// The system's ssh configuration where the way out leads through the agent's proxy.
fn ssh_config() -> String {
    format!(
        "# Written at each start; ~/.ssh/config goes before it.\n\
         Host * !localhost !127.0.0.1 !::1\n    ProxyCommand {RESERVE_ONLY} {PROGRAM} agent connect %h %p\n\
         Host *\n    StrictHostKeyChecking accept-new\n"
    )
}

/// A value of a git configuration file.
fn quoted(value: &str) -> String {
    let escaped: String = value.chars().filter(|c| !c.is_control()).flat_map(escape).collect();
    format!("\"{escaped}\"")
}

fn escape(c: char) -> impl Iterator<Item = char> {
    matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c])
}

/// A word for a shell.
fn shell_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What git reads from the file.
    fn read(text: &str, key: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gitconfig");
        std::fs::write(&file, text).unwrap();
        let told = Command::new("git").args(["config", "--file"]).arg(&file).args(["--get", key]).output().unwrap();
        String::from_utf8(told.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    #[test]
    fn git_reads_every_name_back_as_it_was_given() {
        for name in ["Ada Lovelace", r#"Ada "the Countess" \o/ ; # x"#, "Ädä Ōta", "  spaces  "] {
            let setup = GitSetup { name: name.to_owned(), email: "ada@example.org".to_owned(), repository: None };
            let text = gitconfig(&setup, Path::new(PROGRAM), "/run/ws/s");
            assert_eq!((read(&text, "user.name").as_str(), read(&text, "user.email").as_str()), (name, "ada@example.org"));
        }
    }

    #[test]
    fn a_name_cannot_bring_another_setting() {
        let setup = GitSetup { name: "x\"\n[core]\n\tpager = id".to_owned(), email: "a\n[x]\ny=1".to_owned(), repository: None };
        let text = gitconfig(&setup, Path::new(PROGRAM), "/run/ws/s");
        assert_eq!(read(&text, "core.pager"), "");
        assert_eq!(read(&text, "x.y"), "");
    }

    #[test]
    fn ssh_runs_for_a_user_with_a_name_and_says_why_not_for_one_without() {
        let (_, text) = agent_git(&GitSetup::default(), "/run/ws", Tier::UidLandlock, Some(Path::new(PROGRAM))).config.unwrap();
        let command = read(&text, "core.sshCommand");
        assert_eq!(read(&text, "ssh.variant"), "ssh");
        let dir = tempfile::tempdir().unwrap();
        let program = |name: &str, body: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        program("ssh", "echo \"ssh: $*\"");
        // As git starts it: with the arguments behind.
        let run = || {
            let path = format!("{}:/usr/bin:/bin", dir.path().display());
            let ran = Command::new("/bin/sh").args(["-c", &format!("{command} git@host 'it is'")]).env("PATH", path).output().unwrap();
            (ran.status.code(), String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap())
        };
        program("id", "exit 0");
        assert_eq!(run(), (Some(0), "ssh: git@host it is\n".to_owned(), String::new()));
        program("id", "exit 1");
        let (code, out, said) = run();
        assert_eq!((code, out.as_str()), (Some(255), ""));
        assert!(said.starts_with("codex-web: this workspace cannot sign in over ssh, because"), "{said}");
        assert!(agent_git(&GitSetup::default(), "/run/ws", Tier::Full, Some(Path::new(PROGRAM))).config.is_none());
    }

    #[test]
    fn the_helper_is_this_program_whatever_its_path_looks_like() {
        let text = gitconfig(&GitSetup::default(), Path::new("/opt/it's here/codex-web"), "/run/ws/s");
        let helper = read(&text, "credential.helper");
        assert_eq!(helper, r"!env MIMALLOC_ARENA_EAGER_COMMIT=0 '/opt/it'\''s here/codex-web' agent credential --socket '/run/ws/s'");
        assert_eq!(read(&text, "user.name"), "", "no name is better than an empty one");
    }
}
