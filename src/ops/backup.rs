//! Backups: one folder each, holding a consistent copy of the database and a manifest with checksums, and the master
//! key only when it was asked for.
//!
//! A folder gets its name when everything in it is written, flushed and verified, so a backup that is listed is whole.
//! Restoring keeps the files it replaces aside, and ends every sign-in.

use super::{Caller, Ops};
use crate::clock::{Clock, Millis};
use crate::domain::hex;
use crate::error::{Error, Result};
use crate::policy::{Action, Target};
use crate::store::backup::{self, Content};
use crate::store::{Change, Tx, actors};
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The database, in the data directory and in a backup.
pub const DATABASE: &str = "codex-web.db";
/// The master key's copy in a backup.
const KEY: &str = "master";
const MANIFEST: &str = "manifest.json";
/// The number of the manifest's format.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub format: u32,
    /// RFC 3339.
    pub created_at: String,
    /// The version of the program that wrote it.
    pub program: String,
    pub schema: i64,
    pub installation: String,
    pub audit_head: AuditHead,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    pub files: Vec<FileEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    pub seq: i64,
    pub hash: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

impl Manifest {
    /// Whether the master key is in it.
    pub fn has_key(&self) -> bool {
        self.files.iter().any(|file| file.name == KEY)
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Where things lie in a data directory.
#[derive(Debug, Clone)]
pub struct Places {
    pub data_dir: PathBuf,
}

impl Places {
    pub fn database(&self) -> PathBuf {
        self.data_dir.join(DATABASE)
    }

    pub fn master_key(&self) -> PathBuf {
        self.data_dir.join("keys").join(KEY)
    }

    pub fn backups(&self) -> PathBuf {
        self.data_dir.join("backups")
    }

    /// The folder of a backup: a name in `backups/`, or a path.
    pub fn backup(&self, name: &str) -> PathBuf {
        if name.contains('/') { PathBuf::from(name) } else { self.backups().join(name) }
    }
}

/// Makes a backup, audited: that a copy of everything is taken is known before it is made, and so is its failure.
pub async fn take(ops: &Ops, caller: &Caller, places: Places, with_keys: bool, clock: Arc<dyn Clock>) -> Result<(String, Manifest)> {
    note(ops, caller, json!({"withKeys": with_keys, "step": "begun"}), None).await?;
    let made = tokio::task::spawn_blocking(move || create(&places, with_keys, clock.as_ref())).await;
    let made = made.map_err(|_| Error::internal("making the backup panicked")).and_then(|made| made);
    let (details, failed) = match &made {
        Ok((name, manifest)) => (json!({"withKeys": with_keys, "name": name, "upTo": manifest.audit_head.seq}), None),
        Err(_) => (json!({"withKeys": with_keys}), Some("failed:backup")),
    };
    note(ops, caller, details, failed).await?;
    made
}

/// The first act in a restored database: every sign-in ends, and the audit log says what happened to its past. The
/// answer is how many sessions ended.
pub async fn restored(ops: &Ops, caller: &Caller, made_at: String, up_to: i64) -> Result<usize> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::RestoreBackup, Target::System, None)?;
        let ended = backup::end_sign_ins(tx, &permit)?;
        tx.audit(&permit, Change::of(json!({"madeAt": made_at, "upTo": up_to, "endedSessions": ended})))?;
        Ok(ended)
    };
    ops.db.write(caller.origin.clone(), job).await
}

async fn note(ops: &Ops, caller: &Caller, details: Value, failed: Option<&'static str>) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::CreateBackup, Target::System, None)?;
        match failed {
            None => tx.audit(&permit, Change::of(details)),
            Some(error) => tx.audit_failure(&permit, error, Change::of(details)),
        }
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Makes a backup and answers its name and manifest. Takes as long as copying takes; call it on a thread that may wait.
pub fn create(places: &Places, with_keys: bool, clock: &dyn Clock) -> Result<(String, Manifest)> {
    let now = clock.now();
    let backups = places.backups();
    make_private_folder(&backups)?;
    let name = free_name(&backups, now);
    let unfinished = backups.join(format!(".{name}.unfinished"));
    let made = fill(places, &unfinished, with_keys, now).and_then(|manifest| {
        fs::rename(&unfinished, backups.join(&name)).and_then(|()| sync_folder(&backups)).map_err(|error| io_fault(&backups, &error))?;
        Ok(manifest)
    });
    if made.is_err() {
        // What is left of a failed backup is no backup; the first error is the one to tell.
        let _ = fs::remove_dir_all(&unfinished);
    }
    made.map(|manifest| (name, manifest))
}

fn fill(places: &Places, folder: &Path, with_keys: bool, now: Millis) -> Result<Manifest> {
    let _ = fs::remove_dir_all(folder);
    make_private_folder(folder)?;
    let copy = folder.join(DATABASE);
    // SQLite makes files by the umask; this one is made before it opens it.
    private_file(&copy).map_err(|error| io_fault(&copy, &error))?;
    backup::copy(&places.database(), &copy)?;
    let content = backup::check(&copy)?.map_err(|problem| Error::internal(format!("the copy is not good: {problem}")))?;
    let mut files = vec![entry(folder, DATABASE)?];
    if with_keys {
        let mut key = private_file(&folder.join(KEY)).map_err(|error| io_fault(folder, &error))?;
        let copied = File::open(places.master_key()).and_then(|mut from| io::copy(&mut from, &mut key)).and_then(|_| key.sync_all());
        copied.map_err(|error| io_fault(&places.master_key(), &error))?;
        files.push(entry(folder, KEY)?);
    }
    let manifest = manifest(content, files, now);
    write_manifest(folder, &manifest)?;
    sync_folder(folder).map_err(|error| io_fault(folder, &error))?;
    Ok(manifest)
}

fn manifest(content: Content, files: Vec<FileEntry>, now: Millis) -> Manifest {
    let (seq, hash) = content.audit_head;
    Manifest {
        format: FORMAT,
        created_at: now.rfc3339(),
        program: env!("CARGO_PKG_VERSION").into(),
        schema: content.schema,
        installation: content.installation,
        audit_head: AuditHead { seq, hash },
        rows: content.rows,
        files,
    }
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<()> {
    let path = folder.join(MANIFEST);
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| Error::internal(error.to_string()))?;
    let written = private_file(&path).and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()));
    written.map_err(|error| io_fault(&path, &error))
}

/// The manifest of a backup, if it is one.
pub fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|error| io_fault(&path, &error))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| Error::internal(format!("{} is damaged: {error}", path.display())))?;
    if manifest.format == FORMAT {
        Ok(manifest)
    } else {
        Err(Error::internal(format!("{} has format {}, this program knows {FORMAT}", path.display(), manifest.format)))
    }
}

/// All backups in the data directory, oldest first. Folders that are no backups are passed over.
pub fn list(places: &Places) -> Result<Vec<(String, Manifest)>> {
    let entries = match fs::read_dir(places.backups()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_fault(&places.backups(), &error)),
    };
    let mut found: Vec<(String, Manifest)> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter_map(|name| read_manifest(&places.backup(&name)).ok().map(|manifest| (name, manifest)))
        .collect();
    found.sort_by(|a, b| a.1.created_at.cmp(&b.1.created_at).then_with(|| a.0.cmp(&b.0)));
    Ok(found)
}

/// Checks a backup: every file against the manifest, then the database by opening it. The inner error says what is
/// wrong. The audit chain needs the key and is checked by the caller.
pub fn verify(folder: &Path) -> Result<std::result::Result<Manifest, String>> {
    let manifest = read_manifest(folder)?;
    for file in &manifest.files {
        if file.name.contains('/') {
            return Ok(Err(format!("the manifest names a file outside the backup: {}", file.name)));
        }
        match entry(folder, &file.name) {
            Ok(found) if found == *file => {}
            Ok(found) => return Ok(Err(format!("{} was changed: {} bytes, SHA-256 {}", file.name, found.bytes, found.sha256))),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Ok(match backup::check(&folder.join(DATABASE))? {
        Err(problem) => Err(problem),
        Ok(content) if content.rows != manifest.rows => Err("the tables do not hold what the manifest says".into()),
        Ok(_) => Ok(manifest),
    })
}

/// Where the key to a backup lies: in it, or in the data directory.
pub fn key_of(places: &Places, folder: &Path, manifest: &Manifest) -> PathBuf {
    if manifest.has_key() { folder.join(KEY) } else { places.master_key() }
}

/// Puts a verified backup in the place of the database and answers the folder where the old files lie now. The lock
/// must be held. Ending the sign-ins is the caller's next step, with the database open.
pub fn put_in_place(places: &Places, folder: &Path, manifest: &Manifest, now: Millis) -> Result<PathBuf> {
    let database = places.database();
    // The copy is complete on the same disk before anything is moved.
    let fresh = places.data_dir.join(format!("{DATABASE}.restoring"));
    copy_private(&folder.join(DATABASE), &fresh)?;
    let aside = places.data_dir.join(format!("before-restore-{}", stamp(now)));
    make_private_folder(&aside)?;
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal"), format!("{DATABASE}-shm")] {
        move_if_there(&places.data_dir.join(&name), &aside.join(&name))?;
    }
    if manifest.has_key() {
        move_if_there(&places.master_key(), &aside.join(KEY))?;
        make_private_folder(&places.data_dir.join("keys"))?;
        copy_private(&folder.join(KEY), &places.master_key())?;
    }
    fs::rename(&fresh, &database).map_err(|error| io_fault(&database, &error))?;
    sync_folder(&places.data_dir).map_err(|error| io_fault(&places.data_dir, &error))?;
    Ok(aside)
}

fn move_if_there(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_fault(from, &error)),
        _ => Ok(()),
    }
}

fn copy_private(from: &Path, to: &Path) -> Result<()> {
    let _ = fs::remove_file(to);
    let copied = private_file(to).and_then(|mut target| io::copy(&mut File::open(from)?, &mut target).and_then(|_| target.sync_all()));
    copied.map_err(|error| io_fault(to, &error))
}

fn entry(folder: &Path, name: &str) -> Result<FileEntry> {
    let path = folder.join(name);
    let hashed = || -> io::Result<(u64, String)> {
        let mut file = File::open(&path)?;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut buffer = vec![0; 1 << 16];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            context.update(&buffer[..read]);
            bytes += read as u64;
        }
        Ok((bytes, hex::encode(context.finish().as_ref())))
    };
    let (bytes, sha256) = hashed().map_err(|error| io_fault(&path, &error))?;
    Ok(FileEntry { name: name.to_owned(), bytes, sha256 })
}

/// `20260312T102030Z`, and a number after it when that is taken.
fn free_name(backups: &Path, now: Millis) -> String {
    let stamp = stamp(now);
    let mut name = stamp.clone();
    let mut number = 2;
    while backups.join(&name).exists() {
        name = format!("{stamp}-{number}");
        number += 1;
    }
    name
}

fn stamp(now: Millis) -> String {
    let time = now.rfc3339();
    let seconds = time.split('.').next().unwrap_or(&time);
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn make_private_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| io_fault(path, &error))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn io_fault(path: &Path, error: &io::Error) -> Error {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Error::StorageFull;
    }
    Error::internal(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SystemClock, SystemEntropy};
    use crate::events::Bus;
    use crate::policy::{Action, Actor, Target};
    use crate::store::open::Synchronous;
    use crate::store::{Change, Db, DbOptions, Origin};
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;

    fn open(dir: &Path) -> Db {
        let options = DbOptions {
            path: dir.join(DATABASE),
            synchronous: Synchronous::Normal,
            readers: 1,
            audit_key: [1; 32],
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: Bus::new("test".into()),
        };
        Db::open(options).unwrap().0
    }

    /// One audited entry more.
    fn write(db: &Db) {
        db.write_blocking(Origin::default(), |tx| {
            let actor = Actor::CommandLine { system_user: "root".into() };
            let permit = tx.authorize(&actor, Action::CreateBackup, Target::System, None)?;
            tx.audit(&permit, Change::default())
        })
        .unwrap();
    }

    fn installation() -> (tempfile::TempDir, Places, Db) {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        write(&db);
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::write(dir.path().join("keys/master"), "11".repeat(32)).unwrap();
        let places = Places { data_dir: dir.path().to_owned() };
        (dir, places, db)
    }

    #[test]
    fn a_backup_of_a_running_database_is_whole_private_and_verified() {
        let (_dir, places, db) = installation();
        let clock = ManualClock::starting_at(Millis(1_773_310_830_123));
        let (name, manifest) = create(&places, false, &clock).unwrap();
        assert_eq!(name, "20260312T102030Z");
        assert_eq!((manifest.audit_head.seq, manifest.rows["audit_event"], manifest.has_key()), (1, 1, false));
        let folder = places.backup(&name);
        assert_eq!(verify(&folder).unwrap(), Ok(manifest));
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        for file in fs::read_dir(&folder).unwrap() {
            assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o777, 0o600);
        }
        write(&db);
        let (second, manifest) = create(&places, false, &clock).unwrap();
        assert_eq!((second.as_str(), manifest.audit_head.seq), ("20260312T102030Z-2", 2));
        let names: Vec<String> = list(&places).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [name, second]);
    }

    #[test]
    fn the_master_key_is_copied_only_when_asked_for() {
        let (_dir, places, _db) = installation();
        let (name, manifest) = create(&places, true, &SystemClock).unwrap();
        assert!(manifest.has_key());
        assert_eq!(fs::read(key_of(&places, &places.backup(&name), &manifest)).unwrap(), fs::read(places.master_key()).unwrap());
    }

    #[test]
    fn every_changed_byte_is_found() {
        let (_dir, places, _db) = installation();
        let (name, _) = create(&places, false, &SystemClock).unwrap();
        let file = places.backup(&name).join(DATABASE);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(verify(&places.backup(&name)).unwrap().unwrap_err().contains("was changed"));
        fs::remove_file(&file).unwrap();
        assert!(verify(&places.backup(&name)).unwrap().is_err());
    }

    #[test]
    fn a_manifest_that_was_made_to_fit_does_not_hide_a_damaged_database() {
        let (_dir, places, _db) = installation();
        let (name, mut manifest) = create(&places, false, &SystemClock).unwrap();
        let folder = places.backup(&name);
        let file = folder.join(DATABASE);
        let length = fs::metadata(&file).unwrap().len();
        // The second half of the pages become zeros.
        let mut bytes = fs::read(&file).unwrap();
        bytes[usize::try_from(length).unwrap() / 2..].fill(0);
        fs::write(&file, bytes).unwrap();
        manifest.files = vec![entry(&folder, DATABASE).unwrap()];
        fs::write(folder.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
        assert!(!matches!(verify(&folder), Ok(Ok(_))));
    }

    #[test]
    fn a_restored_database_is_the_backup_and_the_old_one_is_kept_aside() {
        let (_dir, places, db) = installation();
        let (name, manifest) = create(&places, true, &SystemClock).unwrap();
        write(&db);
        db.close();
        fs::write(places.master_key(), "22".repeat(32)).unwrap();
        let aside = put_in_place(&places, &places.backup(&name), &manifest, SystemClock.now()).unwrap();
        assert_eq!(backup::check(&places.database()).unwrap().unwrap().audit_head.0, 1);
        assert_eq!(backup::check(&aside.join(DATABASE)).unwrap().unwrap().audit_head.0, 2);
        assert_eq!(fs::read_to_string(places.master_key()).unwrap(), "11".repeat(32));
        assert_eq!(fs::read_to_string(aside.join(KEY)).unwrap(), "22".repeat(32));
        let db = open(&places.data_dir);
        let ended = db.write_blocking(Origin::default(), |tx| {
            let actor = Actor::CommandLine { system_user: "root".into() };
            let permit = tx.authorize(&actor, Action::RestoreBackup, Target::System, None)?;
            tx.audit(&permit, Change::default())?;
            backup::end_sign_ins(tx, &permit)
        });
        assert_eq!(ended, Ok(0));
    }

    #[test]
    fn an_unfinished_backup_is_no_backup() {
        let (_dir, places, _db) = installation();
        fs::create_dir_all(places.backups().join(".x.unfinished")).unwrap();
        fs::create_dir_all(places.backups().join("holiday-photos")).unwrap();
        assert_eq!(list(&places).unwrap(), vec![]);
    }
}
