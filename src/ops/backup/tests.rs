//! Backups on a real disk: made, listed, damaged, restored.

use super::manifest::{MANIFEST, entry};
use super::*;
use crate::clock::{ManualClock, Millis, SystemClock, SystemEntropy};
use crate::events::Bus;
use crate::policy::Actor;
use crate::store::open::Synchronous;
use crate::store::{Db, DbOptions, Origin};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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
