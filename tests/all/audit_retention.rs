//! How old entries leave the database: written out, read back, removed; and every reason for which they stay.

use super::harness::Harness;
use codex_web::clock::{Clock, DAY, Millis};
use codex_web::ops::audit_watch::Kept;
use codex_web::upkeep::{Retention, Upkeep, purge_audit_log};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The upkeep of a server that started now, by both clocks.
fn upkeep(harness: &Harness) -> Upkeep {
    let app = &harness.app;
    Upkeep {
        ops: app.ops.clone(),
        keys: Arc::clone(&app.keys),
        clock: harness.clock.clone(),
        audit_dir: app.config.audit_export_dir.clone(),
        started: (harness.clock.now(), Instant::now()),
        forget_idle_callers: Arc::new(|| {}),
        work: app.meters.work.clone(),
    }
}

fn run(upkeep: Upkeep) -> Result<Retention, codex_web::error::Error> {
    std::thread::spawn(move || purge_audit_log(&upkeep)).join().unwrap()
}

fn oldest(harness: &Harness) -> i64 {
    harness.rows("SELECT min(seq) AS n FROM audit_event")[0]["n"].as_i64().unwrap()
}

fn files(harness: &Harness) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(&harness.app.config.audit_export_dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// A log whose beginning is older than a year by more than a day.
fn old_log() -> (Harness, i64) {
    let harness = Harness::new();
    for n in 0..20 {
        harness.create_user(&format!("early-{n}"), false);
    }
    let old = harness.rows("SELECT max(seq) AS n FROM audit_event")[0]["n"].as_i64().unwrap();
    harness.clock.advance(367 * DAY);
    harness.create_user("late", false);
    (harness, old)
}

#[tokio::test]
async fn old_entries_are_written_out_and_removed_and_the_chain_goes_on() {
    let (harness, old) = old_log();
    assert_eq!(run(upkeep(&harness)).unwrap(), Retention::Purged { entries: usize::try_from(old).unwrap(), up_to: old });
    assert_eq!(oldest(&harness), old + 1);
    assert!(harness.rows("SELECT seq FROM audit_person").iter().all(|row| row["seq"].as_i64().unwrap() > old), "personal data goes too");
    let [file]: [PathBuf; 1] = files(&harness).try_into().unwrap();
    assert_eq!(file.file_name().unwrap().to_string_lossy(), format!("audit-0000000001-{old:010}.jsonl"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let purged = harness.audit("purge_audit_log").pop().unwrap();
    assert_eq!((&purged["details"]["from"], &purged["details"]["to"], &purged["actor_id"]), (&json!(1), &json!(old), &json!("upkeep")));
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body(&std::fs::read(&file).unwrap()));
    assert_eq!(purged["details"]["sha256"], codex_web::domain::hex::encode(sum.as_ref()), "the log says what the file must be");

    let admin = harness.admin();
    assert_eq!(admin.get("/api/admin/audit-logs/verify").await.expect(200).json["ok"], true);
    let status = admin.get("/api/admin/audit-logs/status").await.expect(200).json;
    assert_eq!((&status["retention"]["purgedUpTo"], &status["retention"]["days"]), (&json!(old), &json!(365)));
    assert_eq!(run(upkeep(&harness)).unwrap(), Retention::NothingDue);
}

/// All but the last line.
fn body(file: &[u8]) -> &[u8] {
    let end = file[..file.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    &file[..=end]
}

#[tokio::test]
async fn nothing_younger_than_ninety_days_can_be_purged_by_anybody() {
    let harness = Harness::new();
    let admin = harness.admin();
    let refused = admin.patch("/api/admin/settings", json!({"items": {"audit.retention_days": 89}})).await;
    assert_eq!((refused.status, refused.code()), (400, "VALIDATION_ERROR"));
    admin.patch("/api/admin/settings", json!({"items": {"audit.retention_days": 90}})).await.expect(200);
    harness.clock.advance(89 * DAY);
    assert_eq!(run(upkeep(&harness)).unwrap(), Retention::NothingDue);
    harness.clock.advance(3 * DAY);
    assert!(matches!(run(upkeep(&harness)).unwrap(), Retention::Purged { .. }));
}

#[tokio::test]
async fn a_hold_a_jump_of_the_clock_and_a_broken_chain_keep_every_entry() {
    let (harness, _) = old_log();
    let admin = harness.admin();
    admin.patch("/api/admin/settings", json!({"items": {"audit.hold": true}})).await.expect(200);
    assert_eq!(run(upkeep(&harness)).unwrap(), Retention::Kept(Kept::Hold));
    assert_eq!(admin.get("/api/admin/audit-logs/status").await.expect(200).json["retention"]["kept"], "hold");
    admin.patch("/api/admin/settings", json!({"items": {"audit.hold": false}})).await.expect(200);

    let jumped = Upkeep { started: (harness.clock.now().plus(-2 * DAY), Instant::now()), ..upkeep(&harness) };
    assert_eq!(run(jumped).unwrap(), Retention::Kept(Kept::Clock));
    let late = Upkeep { clock: Arc::new(Still(harness.clock.now().plus(-DAY / 2))), ..upkeep(&harness) };
    assert_eq!(run(late).unwrap(), Retention::Kept(Kept::Clock), "less than the newest entry");

    let file = rusqlite::Connection::open(harness.dir.path().join("codex-web.db")).unwrap();
    file.execute_batch("DROP TRIGGER audit_event_append_only; UPDATE audit_event SET action = 'nothing' WHERE seq = 2;").unwrap();
    assert_eq!(run(upkeep(&harness)).unwrap(), Retention::Kept(Kept::Broken));
    assert_eq!((oldest(&harness), files(&harness)), (1, Vec::new()));
    let found = harness.audit("verify_audit_log").pop().unwrap();
    assert_eq!((&found["success"], &found["error"], &found["details"]["entry"]), (&json!(0), &json!("row altered"), &json!(2)));
    let checked = harness.admin().get("/api/admin/audit-logs/status").await.expect(200).json["checked"].clone();
    assert_eq!((&checked["ok"], &checked["entry"]), (&json!(false), &json!(2)));
}

struct Still(Millis);

impl Clock for Still {
    fn now(&self) -> Millis {
        self.0
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_every_entry_and_is_told() {
    let (harness, _) = old_log();
    let taken = harness.dir.path().join("taken");
    std::fs::write(&taken, "no folder").unwrap();
    assert!(run(Upkeep { audit_dir: taken, ..upkeep(&harness) }).is_err());
    assert_eq!(oldest(&harness), 1);
    assert_eq!(harness.admin().get("/api/admin/audit-logs/status").await.expect(200).json["retention"]["kept"], "file");
}

#[tokio::test]
async fn a_server_that_was_killed_between_the_file_and_the_purge_begins_again() {
    let (harness, old) = old_log();
    let dir = &harness.app.config.audit_export_dir;
    std::fs::create_dir_all(dir).unwrap();
    for name in ["audit-0000000001-0000000007.jsonl", "audit-0000000008-0000000009.jsonl.part"] {
        std::fs::write(dir.join(name), "half").unwrap();
    }
    std::fs::write(dir.join("notes.txt"), "somebody's own").unwrap();
    assert!(matches!(run(upkeep(&harness)).unwrap(), Retention::Purged { .. }));
    let names: Vec<String> = files(&harness).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, [format!("audit-0000000001-{old:010}.jsonl"), "notes.txt".to_owned()]);
}
