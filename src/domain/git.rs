//! Git in a workspace: the host of a credential, what a credential may hold, and the repository of a new workspace.
//!
//! All of these end up in line-based protocols and in arguments of programs, so each is a type of its own that cannot
//! hold a line end, an option or a scheme that runs something.

use super::field::FieldRule;
use super::names::names;
use serde::{Deserialize, Serialize};
use std::fmt;

names! {
    /// Whom a git credential is for: a lower-case DNS name, and a port where it is not 443.
    GitHost;
    /// The user name of a git credential: 1-100 letters, digits and `. _ - + ~ @`.
    GitUsername;
    /// What is cloned into a new workspace: `https://host/path`, `ssh://user@host/path` or `user@host:path`.
    Repository;
}

/// What git finds in a workspace when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GitSetup {
    /// The owner's name for commits; empty where they gave none.
    pub name: String,
    /// The owner's address for commits.
    pub email: String,
    /// A [`Repository`] that is cloned at the first start.
    pub repository: Option<String>,
}

/// The longest DNS name.
const HOST_MAX: usize = 253;
const LABEL_MAX: usize = 63;
/// The longest user name, in bytes.
const USERNAME_MAX: usize = 100;
/// The longest token, in bytes.
pub const TOKEN_MAX: usize = 4096;
/// The longest repository, in bytes.
const REPOSITORY_MAX: usize = 500;
const HTTPS: &str = "https://";
const SSH: &str = "ssh://";
const HTTPS_PORT: &str = "443";

impl GitHost {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        let wrong = |why: &'static str| Err(FieldRule::new("invalid", why));
        let (name, port) = split_port(text);
        if port == Some(HTTPS_PORT) {
            return wrong("Leave the port 443 out: it is meant where none is named.");
        }
        // A bare word is a typing mistake more often than a host; one of the own network is named with its port.
        let is_whole = name.contains('.') || name == "localhost" || port.is_some();
        if !is_host(name) || !is_whole || !port.is_none_or(is_port) {
            return wrong(
                "Write the host as in the address of the repository, in lower case and without https://, for example github.com.",
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// As git asks for it: in any case, and with the port if the address names one.
    pub fn asked(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        Self::parse(lower.strip_suffix(":443").unwrap_or(&lower)).ok()
    }
}

impl GitUsername {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        if text.is_empty() {
            return Err(FieldRule::new("required", "Give the user name that belongs to the token."));
        }
        if text.len() > USERNAME_MAX {
            return Err(FieldRule::new("too_long", "It may have at most 100 bytes."));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'~' | b'@')) {
            return Err(FieldRule::new("characters", "Use letters, digits and the signs . _ - + ~ @, for example oauth2."));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Checks a token: visible ASCII, because it is sent in a header and in a protocol of lines.
pub fn check_token(text: &str) -> Result<(), FieldRule> {
    if text.is_empty() {
        return Err(FieldRule::new("required", "Give the token."));
    }
    if text.len() > TOKEN_MAX {
        return Err(FieldRule::new("too_long", "A token has at most 4096 characters."));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(FieldRule::new("characters", "A token is made of letters, digits and signs, without blanks."));
    }
    Ok(())
}

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Https,
    Ssh,
}

impl Repository {
    /// Takes three forms and no other: git knows transports that run programs, and takes what begins with a hyphen for
    /// an option. A secret in the address would be kept and shown, so it is refused.
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        if text.is_empty() {
            return Err(FieldRule::new("required", "Give the address of a repository."));
        }
        if text.len() > REPOSITORY_MAX {
            return Err(FieldRule::new("too_long", "It may have at most 500 characters."));
        }
        if text.strip_prefix(HTTPS).and_then(|rest| rest.split('/').next()).is_some_and(|authority| authority.contains('@')) {
            let words = "Leave the name and the token out of the address: keep them under Git credentials in your profile.";
            return Err(FieldRule::new("secret", words));
        }
        let parts = parts(text).filter(|(_, host, path)| is_host(host) && is_path(path));
        match parts {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(FieldRule::new(
                "invalid",
                "Write https://host/path, ssh://git@host/path or git@host:path, for example https://github.com/octocat/hello-world.git.",
            )),
        }
    }

    pub fn transport(&self) -> Transport {
        if self.0.starts_with(HTTPS) { Transport::Https } else { Transport::Ssh }
    }

    /// The host name, without user and port.
    pub fn host(&self) -> &str {
        parts(&self.0).map_or("", |(_, host, _)| host)
    }

    /// The folder that it is cloned into: the last part of the path, without `.git`.
    pub fn folder(&self) -> &str {
        parts(&self.0).map_or("", |(_, _, path)| folder(path))
    }
}

fn folder(path: &str) -> &str {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.strip_suffix(".git").unwrap_or(last)
}

/// Transport, host and path of an address; `None` where it has none of the three forms.
fn parts(text: &str) -> Option<(Transport, &str, &str)> {
    if let Some(rest) = text.strip_prefix(HTTPS) {
        let (authority, path) = rest.split_once('/')?;
        let (host, port) = split_port(authority);
        return port.is_none_or(is_port).then_some((Transport::Https, host, path));
    }
    let (user, host, path) = if let Some(rest) = text.strip_prefix(SSH) {
        let (authority, path) = rest.split_once('/')?;
        let (user, place) = authority.split_once('@')?;
        let (host, port) = split_port(place);
        port.is_none_or(is_port).then_some((user, host, path))?
    } else {
        let (user, rest) = text.split_once('@')?;
        let (host, path) = rest.split_once(':')?;
        (user, host, path)
    };
    is_user(user).then_some((Transport::Ssh, host, path))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)))
}

fn is_port(text: &str) -> bool {
    !text.starts_with(['0', '+']) && text.parse::<u16>().is_ok()
}

fn is_host(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.len() <= LABEL_MAX
            && bytes.first().zip(bytes.last()).is_some_and(|(a, b)| edge(*a) && edge(*b))
            && bytes.iter().all(|b| edge(*b) || *b == b'-')
    };
    text.len() <= HOST_MAX && text.split('.').all(label)
}

/// The user of an SSH address: nothing that ssh could take for an option.
fn is_user(text: &str) -> bool {
    text.len() <= LABEL_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// A path of plain characters whose last part can be a folder.
fn is_path(path: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~' | b'+' | b'%');
    let name = folder(path);
    path.bytes().all(plain)
        && !path.starts_with('-')
        && !path.split('/').any(|part| part == "..")
        && !name.is_empty()
        && !name.starts_with(['-', '.'])
        && !name.contains('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_lower_case_names_with_a_port_at_most() {
        for good in ["github.com", "git.example.org:8443", "localhost:3000", "127.0.0.1", "forge:3000"] {
            assert!(GitHost::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for bad in
            ["", "GitHub.com", "https://github.com", "github.com/", "a..b", "-a", "a-", "a b", "a:0", "a:", "a:443", "a:070", "a:65536"]
                .into_iter()
                .chain(["a@b", "a", "null", "a.b\n", "é.org", "*.org", "[::1]", "a_b", &long])
        {
            assert!(GitHost::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn git_may_ask_in_capital_letters_and_with_the_usual_port() {
        assert_eq!(GitHost::asked("GitHub.com:443").map(GitHost::into_string).as_deref(), Some("github.com"));
        assert_eq!(GitHost::asked("git.example.org:8443").map(GitHost::into_string).as_deref(), Some("git.example.org:8443"));
        assert_eq!(GitHost::asked("a\nhost=b"), None);
    }

    #[test]
    fn nothing_in_a_credential_can_end_a_line() {
        for bad in ["", "a\nb", "a\rb", "a\0b", "a b", "<b>", "á", &"x".repeat(101)] {
            assert!(GitUsername::parse(bad).is_err(), "{bad:?}");
        }
        assert!(GitUsername::parse("oauth2").is_ok() && GitUsername::parse("ada@example.org").is_ok());
        for bad in ["", "a b", "a\n", "tök", &"x".repeat(TOKEN_MAX + 1)] {
            assert!(check_token(bad).is_err(), "{bad:?}");
        }
        assert!(check_token("ghp_0123456789:/+=").is_ok());
    }

    #[test]
    fn repositories_have_one_of_three_forms() {
        use Transport::{Https, Ssh};
        for (text, transport, host, folder) in [
            ("https://github.com/octocat/hello-world.git", Https, "github.com", "hello-world"),
            ("https://git.example.org:8443/a/b/", Https, "git.example.org", "b"),
            ("git@github.com:octocat/hello-world.git", Ssh, "github.com", "hello-world"),
            ("git@host:repo", Ssh, "host", "repo"),
            ("ssh://git@git.example.org:2222/srv/team/tool.git", Ssh, "git.example.org", "tool"),
        ] {
            let repository = Repository::parse(text).unwrap();
            assert_eq!((repository.transport(), repository.host(), repository.folder()), (transport, host, folder));
        }
    }

    #[test]
    fn addresses_that_run_something_or_hide_something_are_refused() {
        for bad in [
            "",
            "ext::sh -c id",
            "file:///etc",
            "/srv/repo.git",
            "../repo",
            "http://github.com/a/b",
            "git://github.com/a/b",
            "https://github.com",
            "https://github.com/",
            "https://-x/a",
            "https://github.com/a/--upload-pack=x",
            "https://github.com/a/../b",
            "https://github.com/a/..",
            "https://github.com/a/.git",
            "https://github.com/a/b c",
            "https://github.com/a\nb",
            "https://github.com/a?b",
            "https://github.com/a%2f",
            "HTTPS://github.com/a/b",
            "-oProxyCommand=id@host:repo",
            "git@-oProxyCommand=id:repo",
            "git@host:-repo",
            "git@host:",
            "host:repo",
            "ssh://host/repo",
            "ssh://git@host:0/repo",
            "ssh://git:secret@host/repo",
        ] {
            assert_eq!(Repository::parse(bad).err().map(|r| r.code).map(|c| c == "invalid" || c == "required"), Some(true), "{bad:?}");
        }
        assert_eq!(Repository::parse("https://ada:secret@github.com/a/b").err().map(|r| r.code), Some("secret"));
        assert_eq!(Repository::parse(&format!("https://h/{}", "a".repeat(500))).err().map(|r| r.code), Some("too_long"));
    }
}
