//! What programs of a workspace trust by TLS, where the operator added certificate authorities of the site: files with
//! them, and the variables by which programs find them.
//!
//! Most programs take one file in place of the system's, so that file holds both: the system's own as it is found here,
//! and the added ones. What a template sets by itself stays as it is.

use crate::agent::init::log;
use crate::agent::machine;
use crate::domain::agent::AgentOrder;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The system's own bundle, by distribution; the first that is there is taken.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The added authorities alone, and with the system's.
const ADDED: &str = "extra-ca.pem";
const WHOLE: &str = "ca-bundle.pem";

/// Read in place of the system's bundle: OpenSSL and what is built on it, git, curl, pip, Python's requests, cargo, and npm,
/// which through a proxy does not look at node's own variable.
const REPLACES: &[&str] =
    &["SSL_CERT_FILE", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "NPM_CONFIG_CAFILE"];
/// Read beside it: node.
const ADDS: &[&str] = &["NODE_EXTRA_CA_CERTS"];

/// Writes the files and names them in the order's environment, before any program starts. Does nothing where no
/// authorities were added; where the files cannot be written the log of the workspace says so.
pub fn install(order: &mut AgentOrder) {
    let Some(added) = order.extra_ca.take() else { return };
    let system = SYSTEM.iter().map(Path::new).find(|path| path.is_file());
    match write(&machine::folder(order), &added, system) {
        Ok((alone, whole)) => name(order, &alone, &whole),
        Err(error) => log(&format!("the certificate authorities of this site could not be written: {error}")),
    }
}

fn write(folder: &Path, added: &str, system: Option<&Path>) -> io::Result<(PathBuf, PathBuf)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (alone, whole) = (folder.join(ADDED), folder.join(WHOLE));
    fs::write(&alone, added)?;
    let mut bundle = system.map(fs::read).transpose()?.unwrap_or_default();
    if !bundle.is_empty() && !bundle.ends_with(b"\n") {
        bundle.push(b'\n');
    }
    bundle.extend_from_slice(added.as_bytes());
    fs::write(&whole, bundle)?;
    Ok((alone, whole))
}

fn name(order: &mut AgentOrder, alone: &Path, whole: &Path) {
    let pairs = REPLACES.iter().map(|name| (name, whole)).chain(ADDS.iter().map(|name| (name, alone)));
    for (name, path) in pairs {
        order.env.entry((*name).to_owned()).or_insert_with(|| path.to_string_lossy().into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock, SystemEntropy};
    use crate::domain::id::WorkspaceId;

    fn order(dir: &Path) -> AgentOrder {
        let mut order = AgentOrder::bare(WorkspaceId::fresh(SystemClock.now(), &SystemEntropy), 1, "/home/dev".to_owned());
        order.env.insert("XDG_RUNTIME_DIR".to_owned(), dir.to_string_lossy().into_owned());
        order
    }

    #[test]
    fn what_replaces_the_systems_bundle_holds_it_and_what_adds_to_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let system = dir.path().join("system.crt");
        fs::write(&system, "system").unwrap();
        let (alone, whole) = write(&dir.path().join("codex-web"), "added\n", Some(&system)).unwrap();
        assert_eq!(fs::read_to_string(alone).unwrap(), "added\n");
        assert_eq!(fs::read_to_string(whole).unwrap(), "system\nadded\n");
        let (_, whole) = write(&dir.path().join("bare"), "added\n", None).unwrap();
        assert_eq!(fs::read_to_string(whole).unwrap(), "added\n");
    }

    #[test]
    fn every_program_finds_the_files_and_a_template_has_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let mut order = order(dir.path());
        order.extra_ca = Some("added\n".to_owned());
        order.env.insert("PIP_CERT".to_owned(), "/own.pem".to_owned());
        install(&mut order);
        for name in REPLACES.iter().filter(|name| **name != "PIP_CERT") {
            assert!(fs::read_to_string(&order.env[*name]).unwrap().ends_with("added\n"), "{name}");
        }
        assert_eq!(fs::read_to_string(&order.env["NODE_EXTRA_CA_CERTS"]).unwrap(), "added\n");
        assert_eq!(order.env["PIP_CERT"], "/own.pem");
    }

    #[test]
    fn without_added_authorities_nothing_is_set() {
        let dir = tempfile::tempdir().unwrap();
        let mut order = order(dir.path());
        let before = order.clone();
        install(&mut order);
        assert_eq!(order, before);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
