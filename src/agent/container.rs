//! The agent as the main program of a container, whose image, user and file system are somebody else's choice.
//!
//! What a launcher of the server does on a host is done here by the agent itself, with no right that a plain user lacks:
//! the home and the folder of sockets are made, the image's environment is taken over, a shell is looked for. It needs
//! no entry in a password file, no writable root, and no program of the image but those that people start.
//!
//! The order lies in a mounted file. What it says of a run never changes, except for the keys: when the server's keys are
//! rotated the file is written anew, and the agent trusts what is in it ([`follow_keys`]).

use crate::agent::init::{self, Door};
use crate::agent::voice::Voice;
use crate::agent::{Agent, home, pty};
use crate::clock::SystemClock;
use crate::domain::agent::{AgentOrder, HOME_UNUSABLE, ORDER_UNUSABLE};
use rustix::fs::Mode;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Where the container runtime looks for why a container ended.
const LAST_WORDS: &str = "/dev/termination-log";
/// The longest order, in bytes.
const LONGEST_ORDER: u64 = 1024 * 1024;
/// How often the order's file is looked at. The container runtime itself takes a minute to renew it.
const LOOK: Duration = Duration::from_secs(10);

/// What programs find where neither the image nor the order says otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("LANG", "C.UTF-8"),
    ("TERM", "xterm-256color"),
    ("COLORTERM", "truecolor"),
];
/// The user's name where the image has none for its number.
const USER: &str = "dev";
/// Names that stand where a user has no shell.
const NO_SHELLS: [&str; 2] = ["nologin", "false"];

/// Why there is no workspace.
struct Unready {
    code: &'static str,
    message: String,
    remedy: &'static str,
}

/// Runs until the workspace ends. `environment` is that of the container.
pub fn run(file: PathBuf, port: u16, environment: BTreeMap<String, String>) -> ExitCode {
    let voice = Voice::kept(Some(LAST_WORDS.into()), Arc::new(SystemClock));
    match prepare(&file, environment) {
        Ok(order) => init::run(order, Door::Network { port, order: file }, &voice),
        Err(Unready { code, message, remedy }) => init::fail(&voice, code, &message, Some(remedy)),
    }
}

fn prepare(file: &Path, environment: BTreeMap<String, String>) -> Result<AgentOrder, Unready> {
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let unusable = |message| Unready { code: ORDER_UNUSABLE, message, remedy: "A platform admin can look at the Secret of the workspace." };
    let order = read(file).map_err(unusable)?;
    let is_first = rustix::process::getpid() == Pid::INIT;
    if !is_first {
        // Where the container's processes are shared, orphans would go to somebody else.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
    let order = AgentOrder { is_alone: is_first, ..complete(order, environment) };
    let remedy = "The volume must be writable for the user of the container; a platform admin can look at its storage class.";
    let unready = |message| Unready { code: HOME_UNUSABLE, message, remedy };
    home::make(Path::new(&order.home)).map_err(unready)?;
    if let Some(folder) = order.env.get("XDG_RUNTIME_DIR") {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| unready(format!("The folder {folder} cannot be made: {error}.")))?;
    }
    Ok(order)
}

/// Reads an order. The error is a sentence for people.
fn read(file: &Path) -> Result<AgentOrder, String> {
    let told = |error: &dyn std::fmt::Display| format!("The order {} cannot be read: {error}.", file.display());
    let mut text = String::new();
    File::open(file).and_then(|file| file.take(LONGEST_ORDER).read_to_string(&mut text)).map_err(|error| told(&error))?;
    serde_json::from_str(&text).map_err(|error| told(&error))
}

/// Lays the order's environment over that of the image, and finds the shell.
fn complete(mut order: AgentOrder, image: BTreeMap<String, String>) -> AgentOrder {
    let mut env: BTreeMap<String, String> = DEFAULTS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    env.extend(image);
    env.extend(std::mem::take(&mut order.env));
    let user = std::fs::read_to_string("/etc/passwd").ok().and_then(|users| name_of(&users, rustix::process::getuid().as_raw()));
    let user = user.unwrap_or_else(|| USER.to_owned());
    env.insert("USER".to_owned(), user.clone());
    env.insert("LOGNAME".to_owned(), user);
    if order.argv.is_empty()
        && let Some(shell) = shell(&env, Path::new(&order.home))
    {
        env.insert("SHELL".to_owned(), shell.clone());
        order.argv = vec![shell];
    }
    order.env = env;
    order
}

/// The name that a password file has for this number.
fn name_of(users: &str, uid: u32) -> Option<String> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields
        .filter(|fields| fields.get(2).is_some_and(|number| *number == uid.to_string()))
        .find_map(|fields| Some((*fields.first()?).to_owned()))
}

/// `$SHELL`, bash or sh, whichever is there first.
fn shell(env: &BTreeMap<String, String>, home: &Path) -> Option<String> {
    let path = env.get("PATH").map_or("", String::as_str);
    let chosen = env.get("SHELL").map(String::as_str).filter(|shell| !NO_SHELLS.iter().any(|none| shell.ends_with(none)));
    let found = chosen.into_iter().chain(["bash", "sh"]).find_map(|name| pty::find(name, path, home));
    found.and_then(|file| file.into_os_string().into_string().ok())
}

/// Trusts the keys of the file whenever they are others than before. Never ends by itself.
pub async fn follow_keys(file: PathBuf, order: AgentOrder, agent: Arc<Agent>) {
    let mut known = order.jwks;
    loop {
        tokio::time::sleep(LOOK).await;
        // Half a file, or none, is one that is being renewed.
        let Ok(now) = read(&file) else { continue };
        if now.workspace != order.workspace || now.run != order.run || now.jwks == known {
            continue;
        }
        match agent.trust(&now.jwks) {
            Ok(()) => init::log("the server has new keys"),
            Err(error) => init::log(&format!("the keys in the order were not taken: {error}")),
        }
        known = now.jwks;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::id::WorkspaceId;
    use std::os::unix::fs::PermissionsExt;

    fn order(home: &Path) -> AgentOrder {
        AgentOrder::bare(WorkspaceId::trusted(format!("ws_{:032}", 1)), 1, home.to_string_lossy().into_owned())
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn program(path: &Path) {
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn the_order_goes_before_the_image_and_the_image_before_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let mut own = order(dir.path());
        own.env = map(&[("EDITOR", "vi"), ("HOME", "/home/dev")]);
        let image = map(&[("EDITOR", "nano"), ("HOME", "/root"), ("LANG", "de_DE.UTF-8"), ("NODE_VERSION", "24"), ("PATH", "/nowhere")]);
        let env = complete(own, image).env;
        let value = |name: &str| env.get(name).map(String::as_str);
        assert_eq!((value("EDITOR"), value("HOME"), value("LANG")), (Some("vi"), Some("/home/dev"), Some("de_DE.UTF-8")));
        assert_eq!((value("NODE_VERSION"), value("TERM")), (Some("24"), Some("xterm-256color")));
        assert!(value("USER").is_some_and(|user| !user.is_empty()));
    }

    #[test]
    fn the_shell_is_the_one_the_image_names_then_bash_then_sh() {
        let dir = tempfile::tempdir().unwrap();
        let (bin, home) = (dir.path().join("bin"), dir.path());
        std::fs::create_dir(&bin).unwrap();
        let path = bin.to_str().unwrap();
        let at = |name: &str| Some(bin.join(name).to_string_lossy().into_owned());
        assert_eq!(shell(&map(&[("PATH", path)]), home), None, "an image without any");
        program(&bin.join("sh"));
        assert_eq!(shell(&map(&[("PATH", path)]), home), at("sh"));
        program(&bin.join("bash"));
        assert_eq!(shell(&map(&[("PATH", path), ("SHELL", "/sbin/nologin")]), home), at("bash"));
        program(&bin.join("fish"));
        assert_eq!(shell(&map(&[("PATH", path), ("SHELL", &at("fish").unwrap())]), home), at("fish"));
        assert_eq!(shell(&map(&[("PATH", path), ("SHELL", "/not/here")]), home), at("bash"));
    }

    #[test]
    fn a_user_without_a_name_is_no_trouble() {
        let users = "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/bash\nbroken\n";
        assert_eq!(name_of(users, 1_000).as_deref(), Some("node"));
        assert_eq!(name_of(users, 54_321), None);
    }

    #[test]
    fn an_order_that_cannot_be_used_is_told_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("order.json");
        assert!(read(&file).unwrap_err().contains("cannot be read"));
        std::fs::write(&file, "{").unwrap();
        assert!(read(&file).unwrap_err().contains("cannot be read"));
        std::fs::write(&file, serde_json::to_vec(&order(dir.path())).unwrap()).unwrap();
        assert_eq!(read(&file).unwrap().run, 1);
    }
}
