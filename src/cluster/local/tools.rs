//! Installed apps on the disk: `<data dir>/apps/<name>/<version>/`, put there by `codex-web apps install`.
//!
//! Each folder holds `manifest.json` (what it is, and the digest of its files), `bin/` (a launcher by the program's
//! usual name) and `files/` (what was installed). The newest version of each is bound read-only into every workspace
//! at its start; workspaces that run keep the one they started with. Read anew at each start, so that an installation
//! needs no restart of the server.

use crate::cluster::local::order::PATH;
use crate::domain::app::{App, is_tool_name};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The name of the file that says what a folder holds.
pub const MANIFEST: &str = "manifest.json";
/// Where workspaces of tier `full` find installed apps: the same place whatever the data directory is called.
pub const INSIDE: &str = "/apps";

/// What an installed app is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub name: String,
    pub version: String,
    /// The program in `bin/`.
    pub program: String,
    /// SHA-256 over the files, in hexadecimal.
    pub digest: String,
    pub files: u64,
    pub bytes: u64,
    /// RFC 3339.
    pub installed_at: String,
}

/// One installed version of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    pub manifest: Manifest,
    pub folder: PathBuf,
}

/// Where the apps of a data directory lie.
pub fn apps_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("apps")
}

/// Everything that is installed, by name and the newest version first. What is no installation is passed over.
pub fn list(apps: &Path) -> Vec<Installed> {
    let mut found: Vec<Installed> = folders(apps).flat_map(|(name, folder)| versions(&name, &folder)).collect();
    found.sort_by(|a, b| a.manifest.name.cmp(&b.manifest.name).then_with(|| by_version(&b.manifest.version, &a.manifest.version)));
    found
}

/// The newest version of each.
pub fn newest(apps: &Path) -> Vec<Installed> {
    let mut found = list(apps);
    found.dedup_by(|later, earlier| later.manifest.name == earlier.manifest.name);
    found
}

/// Whether a workspace that starts now would find the program of this app: among what is installed, or on the host.
pub fn offers(apps: &Path, app: &App) -> bool {
    let installed = newest(apps);
    if app.requires.as_ref().is_some_and(|name| installed.iter().any(|found| found.manifest.name == *name)) {
        return true;
    }
    let Some(program) = app.argv.first() else { return false };
    match program.split_once('/') {
        // Where the workspace itself puts it is not known before it runs.
        _ if program.contains('{') => app.requires.is_none(),
        Some(_) => is_program(Path::new(program)),
        None => {
            let own = installed.iter().map(|found| found.folder.join("bin"));
            own.chain(PATH.split(':').map(PathBuf::from)).any(|folder| is_program(&folder.join(program)))
        }
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn versions(name: &str, folder: &Path) -> Vec<Installed> {
    if !is_tool_name(name) {
        return Vec::new();
    }
    let read = |(version, folder): (String, PathBuf)| {
        let manifest: Manifest = serde_json::from_slice(&fs::read(folder.join(MANIFEST)).ok()?).ok()?;
        // A folder that was renamed by hand would be bound under another app's name.
        (manifest.name == name && manifest.version == version).then_some(Installed { manifest, folder })
    };
    folders(folder).filter_map(read).collect()
}

/// The folders in a folder, links left out: an installation is never somewhere else.
fn folders(path: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
}

/// Numbers by their size, anything else as text: `4.9.1` comes before `4.139.1`, and `4.0-rc1` before `4.0`.
pub fn by_version(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| text.split(['.', '-', '+']).map(str::to_owned).collect::<Vec<_>>();
    let (left, right) = (parts(a), parts(b));
    for (x, y) in left.iter().zip(&right) {
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => Ordering::Greater,
            (Err(_), Ok(_)) => Ordering::Less,
            (Err(_), Err(_)) => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    // More numbers are a later version; a word after the numbers is an earlier one.
    let is_number = |rest: &[String]| rest.first().is_some_and(|part| part.parse::<u64>().is_ok());
    match left.len().cmp(&right.len()) {
        Ordering::Greater if !is_number(&left[right.len()..]) => Ordering::Less,
        Ordering::Less if !is_number(&right[left.len()..]) => Ordering::Greater,
        order => order,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn install(apps: &Path, folder: &str, name: &str, version: &str) {
        let manifest = Manifest {
            name: name.to_owned(),
            version: version.to_owned(),
            program: name.to_owned(),
            digest: String::new(),
            files: 0,
            bytes: 0,
            installed_at: String::new(),
        };
        let place = apps.join(folder);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    fn app(program: &str, requires: Option<&str>) -> App {
        serde_json::from_value(serde_json::json!({
            "slug": "a", "name": "A", "icon": "code", "argv": [program], "listen": { "kind": "unix" }, "healthPath": "/", "requires": requires,
        }))
        .unwrap()
    }

    #[test]
    fn an_app_is_there_when_it_is_installed_or_a_program_of_the_host() {
        let apps = tempfile::tempdir().unwrap();
        let there = |program: &str, requires: Option<&str>| offers(apps.path(), &app(program, requires));
        assert!(!there("a-rare-editor", Some("editor")) && !there("a-rare-editor", None));
        assert!(there("sh", None) && there("sh", Some("editor")) && there("/bin/sh", None));
        assert!(!there("/etc/passwd", None), "a file that nobody may start is no program");
        install(apps.path(), "editor/1.0", "editor", "1.0");
        assert!(there("a-rare-editor", Some("editor")) && !there("a-rare-editor", Some("notebook")));
        let bin = apps.path().join("editor/1.0/bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("beside"), "").unwrap();
        assert!(!there("beside", None));
        fs::set_permissions(bin.join("beside"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(there("beside", None), "what one app brings, another may use");
    }

    #[test]
    fn versions_are_ordered_as_people_count() {
        for (earlier, later) in [("4.9.1", "4.139.1"), ("4.0-rc1", "4.0"), ("4.0", "4.0.1"), ("4.0.0", "10.0"), ("1.2-a", "1.2-b")] {
            assert_eq!(by_version(earlier, later), Ordering::Less, "{earlier} {later}");
            assert_eq!(by_version(later, earlier), Ordering::Greater, "{later} {earlier}");
        }
        assert_eq!(by_version("1.2.3", "1.2.3"), Ordering::Equal);
    }

    #[test]
    fn the_newest_of_each_is_used_and_what_is_no_installation_is_passed_over() {
        let apps = tempfile::tempdir().unwrap();
        install(apps.path(), "editor/4.9.1", "editor", "4.9.1");
        install(apps.path(), "editor/4.139.1", "editor", "4.139.1");
        install(apps.path(), "notebook/4.6", "notebook", "4.6");
        install(apps.path(), "notebook/9.9", "editor", "9.9");
        install(apps.path(), "notebook/.new-1", "notebook", "10.0");
        fs::create_dir_all(apps.path().join("empty/1.0")).unwrap();
        let found: Vec<String> = newest(apps.path()).iter().map(|i| format!("{} {}", i.manifest.name, i.manifest.version)).collect();
        assert_eq!(found, ["editor 4.139.1", "notebook 4.6"]);
        assert_eq!(list(apps.path()).len(), 3);
        assert!(list(&apps.path().join("nowhere")).is_empty());
    }
}
