//! Reads what `git clone --progress` says: how far it is, and in the end why it failed, in words with a remedy.

use crate::domain::git::Repository;

/// The last lines that are kept, to tell why it failed.
const KEPT: usize = 8;
/// The longest line, in bytes; what is longer is cut.
const LINE_MAX: usize = 512;

/// What git is at while it clones, in its own order: its words, and ours.
const PARTS: &[(&str, &str)] = &[
    ("remote: Counting objects:", "counting objects"),
    ("remote: Compressing objects:", "compressing objects"),
    ("Receiving objects:", "receiving objects"),
    ("Resolving deltas:", "resolving deltas"),
    ("Updating files:", "writing files"),
    ("Checking out files:", "writing files"),
];

/// How far a clone is: what it is at, and percent of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    pub part: &'static str,
    pub percent: u32,
}

/// Follows the output of one clone.
#[derive(Debug, Default)]
pub struct Progress {
    line: Vec<u8>,
    last: Vec<String>,
    stage: Option<Stage>,
}

impl Progress {
    /// Takes output; gives how far the clone is when it has come further.
    pub fn take(&mut self, output: &[u8]) -> Option<Stage> {
        let before = self.stage;
        for byte in output {
            if matches!(byte, b'\r' | b'\n') {
                self.end_of_line();
            } else if self.line.len() < LINE_MAX {
                self.line.push(*byte);
            }
        }
        self.stage.filter(|_| self.stage != before)
    }

    fn end_of_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
        if let Some(stage) = stage(&line) {
            // What goes on at both ends at once is told in one order, and never backwards.
            if self.stage.is_none_or(|now| place(stage) > place(now)) {
                self.stage = Some(stage);
            }
        } else if !line.is_empty() && !line.contains("% (") {
            self.last.push(line);
            let surplus = self.last.len().saturating_sub(KEPT);
            self.last.drain(..surplus);
        }
    }

    /// Why it failed and what to do, from the last lines.
    pub fn failure(&mut self, repository: &Repository) -> String {
        self.end_of_line();
        let (words, remedy) = explain(&self.last.join("\n"), repository);
        let said = self.last.iter().rev().find(|line| line.starts_with("fatal: ") || line.contains("codex-web: "));
        let said = said.or(self.last.last()).map(|line| format!(" Git said: {}", plain(line))).unwrap_or_default();
        format!("{words} {remedy}{said}")
    }
}

/// `Receiving objects:  40% (4/10), 1.20 MiB`.
fn stage(line: &str) -> Option<Stage> {
    let (part, rest) = PARTS.iter().find_map(|(said, part)| line.strip_prefix(said).map(|rest| (*part, rest)))?;
    let percent = rest.trim_start().split_once('%')?.0.parse().ok().filter(|percent| *percent <= 100)?;
    Some(Stage { part, percent })
}

fn place(stage: Stage) -> (Option<usize>, u32) {
    (PARTS.iter().position(|(_, part)| *part == stage.part), stage.percent)
}

fn plain(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The sentence and the remedy for what git said; the first that fits holds.
fn explain(said: &str, repository: &Repository) -> (String, String) {
    let host = repository.host();
    let has = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    let credential = format!("Add a token for {host} under Git credentials in your profile and start the workspace again.");
    if has(&["CONNECT tunnel failed, response 403", "HTTP code 403 from proxy", "codex-web: refused"]) {
        let remedy = "The Network tab of the workspace shows the rule; ask your platform admin to allow it.".to_owned();
        return (format!("The rules of this server do not let workspaces reach {host}."), remedy);
    }
    if has(&["Permission denied (publickey", "no mutual signature"]) {
        let remedy = format!("Make an SSH key in your profile, tell {host} its public part, and start the workspace again.");
        return (format!("{host} did not accept your SSH key."), remedy);
    }
    if has(&["Host key verification failed"]) {
        let remedy = "Remove the old line from ~/.ssh/known_hosts if the change is expected.".to_owned();
        return (format!("The key of {host} is not the one that was known before."), remedy);
    }
    if has(&["certificate verification failed", "SSL certificate problem", "certificate verify failed"]) {
        let remedy = "If the site has a certificate authority of its own, your platform admin names it in server.extra_ca.".to_owned();
        return (format!("The certificate of {host} is not trusted here."), remedy);
    }
    if has(&["cannot sign in over ssh", "No user exists for uid"]) {
        let remedy = format!("Use the https address of the repository, with a token for {host} under Git credentials in your profile.");
        return ("On this server workspaces cannot use git over ssh.".to_owned(), remedy);
    }
    if has(&["Authentication failed", "HTTP Basic: Access denied", "returned error: 403"]) {
        return (format!("{host} did not accept your credential, or the repository is not yours to read."), credential);
    }
    if has(&["could not read Username", "could not read Password", "terminal prompts disabled"]) {
        return (format!("{host} asks who you are: the repository is private."), credential);
    }
    if has(&["not found", "does not exist", "does not appear to be a git repository"]) {
        let remedy = format!("Check its address. If it is private: {}{}", credential[..1].to_lowercase(), &credential[1..]);
        return ("There is no such repository, or it is private.".to_owned(), remedy);
    }
    if has(&["Could not resolve", "Connection refused", "timed out", "Failed to connect", "codex-web: "]) {
        return (format!("{host} could not be reached."), "Try `git clone` in a terminal in a while.".to_owned());
    }
    ("The repository could not be cloned.".to_owned(), "Try `git clone` in a terminal to see more.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> Repository {
        Repository::parse("https://git.example.org/team/tool.git").unwrap()
    }

    #[test]
    fn each_part_is_told_in_order_and_never_goes_back() {
        let at = |part, percent| Some(Stage { part, percent });
        let mut progress = Progress::default();
        assert_eq!(progress.take(b"Cloning into '.tool'...\nremote: Enumerating objects: 9, done.\n"), None);
        assert_eq!(progress.take(b"remote: Counting objects: 100% (9/9), done.\n"), at("counting objects", 100));
        assert_eq!(progress.take(b"Receiving objects:   0% (0/9)\rReceiving obj"), at("receiving objects", 0));
        assert_eq!(progress.take(b"ects:  40% (4/9), 1.20 MiB | 3.00 MiB/s\r"), at("receiving objects", 40));
        assert_eq!(progress.take(b"Receiving objects:  30% (3/9)\rReceiving objects: 999% \r"), None);
        assert_eq!(progress.take(b"remote: Compressing objects: 100% (9/9), done.\n"), None);
        assert_eq!(progress.take(b"Receiving objects: 100% (9/9), done.\nResolving deltas: 10% (1/9)\r"), at("resolving deltas", 10));
        assert_eq!(progress.take(b"Updating files: 50% (1/2)\r"), at("writing files", 50));
    }

    #[test]
    fn each_failure_names_the_cause_and_the_remedy() {
        for (said, words, remedy) in [
            ("fatal: could not read Username for 'https://git.example.org': terminal prompts disabled", "private", "Add a token"),
            ("fatal: Authentication failed for 'https://git.example.org/'", "did not accept your credential", "Add a token"),
            ("git@git.example.org: Permission denied (publickey).\nfatal: Could not read from remote", "SSH key", "Make an SSH key"),
            ("fatal: unable to access: CONNECT tunnel failed, response 403", "do not let workspaces reach", "Network tab"),
            ("remote: Repository not found.\nfatal: repository 'x' not found", "no such repository", "If it is private: add a token"),
            ("fatal: unable to access 'x': Could not resolve host: git.example.org", "could not be reached", "Try"),
            (
                "fatal: unable to access 'https://git.example.org/': server certificate verification failed. CAfile: none",
                "certificate of git.example.org is not trusted",
                "server.extra_ca",
            ),
            ("fatal: unable to access 'x': SSL certificate problem: self-signed certificate", "is not trusted here", "server.extra_ca"),
            (
                "No user exists for uid 20001\nfatal: Could not read from remote repository.",
                "cannot use git over ssh",
                "Use the https address",
            ),
            ("fatal: something new", "could not be cloned", "Try"),
        ] {
            let mut progress = Progress::default();
            progress.take(said.as_bytes());
            let told = progress.failure(&repository());
            assert!(told.contains(words) && told.contains(remedy), "{said}: {told}");
        }
    }

    #[test]
    fn what_git_said_comes_without_control_characters_and_cut() {
        let mut progress = Progress::default();
        progress.take(format!("fatal: \x1b[31m{}\n", "x".repeat(1000)).as_bytes());
        let told = progress.failure(&repository());
        assert!(!told.contains('\x1b') && told.len() < 500, "{told}");
    }
}
