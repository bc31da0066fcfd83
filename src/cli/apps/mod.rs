//! `codex-web apps install|list|remove`: editors and notebooks for workspaces, from a folder that somebody brought.
//!
//! Nothing is fetched. The copy is put together under another name and takes its place in one step, so that a workspace
//! that starts meanwhile finds the old version or the new one. Works whether the server runs or not, and is recorded in
//! the audit log before it takes effect.

mod layout;
mod tree;

use super::arguments::AppsCommand;
use super::context::{Context, Presence};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use crate::clock::{Clock, SystemClock};
use crate::cluster::local::tools::{self, Installed, MANIFEST, Manifest};
use crate::domain::app::is_tool_name;
use layout::Layout;
use serde_json::{Value as Json, json};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;

pub fn run(command: &AppsCommand, context: &Context, output: &mut Output<'_>) -> Outcome {
    let apps = tools::apps_dir(&context.config()?.data.dir);
    match command {
        AppsCommand::Install { name, from_dir, digest } => {
            install(context, &apps, &Wish { name, from_dir, digest: digest.as_deref() }, output)
        }
        AppsCommand::List { verify } => list(&apps, *verify, output),
        AppsCommand::Remove { name, version } => remove(context, &apps, name, version.as_deref(), output),
    }
}

struct Wish<'a> {
    name: &'a str,
    from_dir: &'a Path,
    digest: Option<&'a str>,
}

fn install(context: &Context, apps: &Path, wish: &Wish<'_>, output: &mut Output<'_>) -> Outcome {
    let layout = layout::recognise(wish.name, wish.from_dir).map_err(|unknown| Failure::usage(unknown.0))?;
    if !layout::is_version(&layout.version) {
        return Err(Failure::usage(format!("{:?} is no version that can name a folder.", layout.version)));
    }
    let control = context.application(Presence::MayBeNew)?;
    folder(apps)?;
    folder(&apps.join(wish.name))?;
    output.say(&format!("Copying {} {} …", wish.name, layout.version))?;
    let staged = Staged(apps.join(wish.name).join(format!(".new-{}", std::process::id())));
    let manifest = stage(&staged.0, wish, &layout)?;
    let place = apps.join(wish.name).join(&layout.version);
    if let Some(present) = tools::list(apps).into_iter().find(|app| app.folder == place)
        && present.manifest.digest == manifest.digest
    {
        output.say("This very version is installed already.")?;
        return shown(&present.manifest, output);
    }
    control.post("/control/apps/installed", &json!({"name": manifest.name, "version": manifest.version, "digest": manifest.digest}))?;
    take_place(&staged.0, &place)?;
    output.say("Workspaces find it from their next start.")?;
    shown(&manifest, output)
}

/// Puts an installation together; its manifest.
fn stage(staged: &Path, wish: &Wish<'_>, layout: &Layout) -> Result<Manifest, Failure> {
    let fault = |error: io::Error| Failure::failed(format!("{} cannot be installed: {error}.", wish.from_dir.display()));
    // What an interrupted call left behind.
    let _ = fs::remove_dir_all(staged);
    folder(staged)?;
    let copied = tree::copy(wish.from_dir, &staged.join("files")).map_err(fault)?;
    if let Some(expected) = wish.digest.filter(|digest| !digest.eq_ignore_ascii_case(&copied.digest)) {
        return Err(Failure::new(
            Exit::ProblemFound,
            format!("The files have the digest {}, not {expected}: they are not what was meant. Nothing was installed.", copied.digest),
        ));
    }
    let bin = staged.join("bin");
    folder(&bin)?;
    write(&bin.join(layout.program), layout::launcher(layout).as_bytes(), 0o755).map_err(fault)?;
    let manifest = Manifest {
        name: wish.name.to_owned(),
        version: layout.version.clone(),
        program: layout.program.to_owned(),
        digest: copied.digest,
        files: copied.files,
        bytes: copied.bytes,
        installed_at: SystemClock.now().rfc3339(),
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| Failure::failed(error.to_string()))?;
    write(&staged.join(MANIFEST), &text, 0o644).map_err(fault)?;
    Ok(manifest)
}

/// A folder under another name, removed unless it took its place.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exchanges the folders in one step where the version is there already, so that none is ever missing.
fn take_place(staged: &Path, place: &Path) -> Result<(), Failure> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let flags = if place.exists() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    renameat_with(CWD, staged, CWD, place, flags)
        .map_err(|error| Failure::failed(format!("{} cannot be put in place: {error}.", place.display())))
}

fn folder(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
    // The uids of workspaces must be able to read it, whatever the umask.
    let made = made.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)));
    made.map_err(|error| Failure::failed(format!("{} cannot be made: {error}.", path.display())))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = File::options().create_new(true).write(true).mode(mode).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)
}

fn shown(manifest: &Manifest, output: &mut Output<'_>) -> Outcome {
    let facts = [
        ("App", manifest.name.clone()),
        ("Version", manifest.version.clone()),
        ("Size", format!("{} files, {} MiB", manifest.files, manifest.bytes / MIB)),
        ("SHA-256", manifest.digest.clone()),
    ];
    output.facts(&facts, &json!(manifest))?;
    Ok(Exit::Done)
}

fn list(apps: &Path, verify: bool, output: &mut Output<'_>) -> Outcome {
    let all = tools::list(apps);
    let words: Vec<&str> = all.iter().map(|app| if verify { verdict(app) } else { "not checked" }).collect();
    let row = |(app, word): (&Installed, &&str)| {
        let Manifest { name, version, bytes, digest, installed_at, .. } = &app.manifest;
        let mut row = vec![name.clone(), version.clone(), format!("{} MiB", bytes / MIB), installed_at.clone(), digest.clone()];
        row.extend(verify.then(|| (*word).to_owned()));
        row
    };
    let rows: Vec<Vec<String>> = all.iter().zip(&words).map(row).collect();
    let json: Vec<Json> = all.iter().zip(&words).map(|(app, word)| entry(app, verify.then_some(*word))).collect();
    let headings = ["APP", "VERSION", "SIZE", "INSTALLED", "SHA-256", "FILES"];
    output.table(&headings[..if verify { 6 } else { 5 }], &rows, &Json::Array(json))?;
    Ok(if verify && words.iter().any(|word| *word != GOOD) { Exit::ProblemFound } else { Exit::Done })
}

const GOOD: &str = "as installed";

fn verdict(app: &Installed) -> &'static str {
    match tree::digest(&app.folder.join("files")) {
        Ok(found) if found.digest == app.manifest.digest => GOOD,
        Ok(_) => "CHANGED",
        Err(_) => "UNREADABLE",
    }
}

fn entry(app: &Installed, word: Option<&str>) -> Json {
    let mut entry = json!(app.manifest);
    entry["folder"] = json!(app.folder);
    if let Some(word) = word {
        entry["check"] = json!(word);
    }
    entry
}

fn remove(context: &Context, apps: &Path, name: &str, version: Option<&str>, output: &mut Output<'_>) -> Outcome {
    let wanted: Vec<Installed> = tools::list(apps)
        .into_iter()
        .filter(|app| app.manifest.name == name && version.is_none_or(|version| app.manifest.version == version))
        .collect();
    if !is_tool_name(name) || wanted.is_empty() {
        return Err(Failure::failed(format!("{name} {}is not installed.", version.map_or(String::new(), |v| format!("{v} ")))));
    }
    let control = context.application(Presence::MustExist)?;
    for app in &wanted {
        let Manifest { version, digest, .. } = &app.manifest;
        control.post("/control/apps/removed", &json!({"name": name, "version": version, "digest": digest}))?;
        // Out of sight in one step: a workspace that starts meanwhile finds all of it or nothing.
        let aside = Staged(apps.join(name).join(format!(".old-{}-{version}", std::process::id())));
        fs::rename(&app.folder, &aside.0)
            .map_err(|error| Failure::failed(format!("{} cannot be removed: {error}.", app.folder.display())))?;
        output.say(&format!("{name} {version} is removed. Workspaces that run keep it until their next start."))?;
    }
    Ok(Exit::Done)
}

/// The line of `codex-web doctor`: what is installed.
pub fn summary(data_dir: &Path) -> Vec<String> {
    let broken = |app: &Installed| !app.folder.join("bin").join(&app.manifest.program).exists();
    let line = |app: &Installed| {
        let Manifest { name, version, digest, .. } = &app.manifest;
        format!("{name} {version} (SHA-256 {}…){}", digest.get(..12).unwrap_or_default(), if broken(app) { ", damaged" } else { "" })
    };
    tools::list(&tools::apps_dir(data_dir)).iter().map(line).collect()
}
