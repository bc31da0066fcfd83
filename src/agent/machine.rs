//! What programs inside a workspace know the server by: a machine token that is always the current one, and an address
//! on loopback where it is good.
//!
//! The server sends the token over its own connection, and each one that follows it. It is kept in two places that only
//! the workspace's user can read: a file for programs that run for long, and the environment of programs that start
//! later (`CHE_MACHINE_TOKEN`, where programs written for Eclipse Che look for it): it opens the workspace's own routes
//! only, to whoever has the workspace anyway. It is never part of a command line, and never logged.

pub mod api;

use crate::agent::http::body;
use crate::agent::uplink::Uplink;
use crate::domain::agent::AgentOrder;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// The folder below `XDG_RUNTIME_DIR`, and the files in it.
const FOLDER: &str = "codex-web";
const TOKEN_FILE: &str = "machine-token";
const ENVIRONMENT_FILE: &str = "environment";
/// The longest line that the server sends, in bytes.
const LONGEST_LINE: usize = 32 * 1024;
/// Before asking again where the answer ended although the server is connected.
const PAUSE: Duration = Duration::from_secs(5);

/// What the environment of programs that start from now on holds beyond that of the order. Cheap to clone.
#[derive(Clone, Default)]
pub struct Environment(Arc<RwLock<BTreeMap<String, String>>>);

impl Environment {
    fn set(&self, name: &str, value: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value.to_owned());
    }

    /// The order's environment with what was learned since.
    pub fn over(&self, env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut all = env.clone();
        all.extend(self.0.read().unwrap_or_else(PoisonError::into_inner).clone());
        all
    }

    /// As lines that a shell can read in.
    fn exports(&self) -> String {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(name, value)| format!("export {name}='{}'\n", value.replace('\'', "'\\''"))).collect()
    }
}

/// Where the files lie, by the order's environment.
pub fn folder(order: &AgentOrder) -> PathBuf {
    let base = order.env.get("XDG_RUNTIME_DIR").or_else(|| order.env.get("TMPDIR")).map_or("/tmp", String::as_str);
    Path::new(base).join(FOLDER)
}

/// Says where things are, before the first program starts; `api` is the port of [`api::serve`].
pub fn describe(environment: &Environment, order: &AgentOrder, folder: &Path, api: Option<u16>) {
    environment.set("CHE_WORKSPACE_ID", order.workspace.as_str());
    environment.set("CODEX_WEB_MACHINE_TOKEN_FILE", &folder.join(TOKEN_FILE).to_string_lossy());
    environment.set("CODEX_WEB_ENVIRONMENT", &folder.join(ENVIRONMENT_FILE).to_string_lossy());
    if let Some(port) = api {
        environment.set("CODEX_WEB_API", &format!("http://127.0.0.1:{port}/api"));
        environment.set("CHE_API", &format!("http://127.0.0.1:{port}/api"));
    }
}

/// One line of the server.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    token: String,
    public_key: String,
}

/// Follows the tokens of this workspace for as long as it runs.
pub async fn follow(uplink: Uplink, folder: PathBuf, environment: Environment) {
    let mut connections = uplink.connections();
    loop {
        connections.next().await;
        while uplink.is_connected() {
            // A connection that broke is followed by another.
            let _ = listen(&uplink, &folder, &environment).await;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn listen(uplink: &Uplink, folder: &Path, environment: &Environment) -> io::Result<()> {
    let mut request = Request::new(body(Bytes::new()));
    *request.uri_mut() = hyper::Uri::from_static("/machine/token");
    let response = uplink.request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(io::Error::other("the server has no token for this workspace"));
    }
    let (mut incoming, mut read) = (response.into_body(), BytesMut::new());
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(io::Error::other)?.into_data() else { continue };
        read.extend_from_slice(&data);
        while let Some(end) = read.iter().position(|b| *b == b'\n') {
            let line = read.split_to(end + 1);
            keep(&serde_json::from_slice(&line)?, folder, environment)?;
        }
        if read.len() > LONGEST_LINE {
            return Err(io::Error::other("a line of the server is too long"));
        }
    }
    Ok(())
}

fn keep(told: &Told, folder: &Path, environment: &Environment) -> io::Result<()> {
    environment.set("CHE_MACHINE_TOKEN", &told.token);
    environment.set("CHE_MACHINE_AUTH_SIGNATURE__ALGORITHM", "RSA");
    environment.set("CHE_MACHINE_AUTH_SIGNATURE__PUBLIC__KEY", &told.public_key);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    replace(&folder.join(TOKEN_FILE), &told.token)?;
    replace(&folder.join(ENVIRONMENT_FILE), &environment.exports())
}

/// Whole, or as it was: a program that reads meanwhile sees one or the other.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(0o400).open(&new)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_current_token_lies_in_a_file_that_nobody_else_reads_and_in_what_starts_later() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, environment) = (dir.path().join("codex-web"), Environment::default());
        let before = environment.over(&BTreeMap::from([("HOME".to_owned(), "/home/dev".to_owned())]));
        for token in ["first", "sec'ond"] {
            keep(&Told { token: token.to_owned(), public_key: "key".to_owned() }, &folder, &environment).unwrap();
            let file = folder.join(TOKEN_FILE);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), token);
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o400);
            assert_eq!(environment.over(&before)["CHE_MACHINE_TOKEN"], token);
        }
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(!before.contains_key("CHE_MACHINE_TOKEN"));
        let script = format!(". {}; printf %s \"$CHE_MACHINE_TOKEN\"", folder.join(ENVIRONMENT_FILE).display());
        let shell = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), "sec'ond");
    }
}
