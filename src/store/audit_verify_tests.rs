//! Every verdict, produced by editing a copy of the database by hand, as somebody with the file would.

use super::*;
use crate::clock::Millis;
use crate::clock::{SystemClock, SystemEntropy};
use crate::events::Bus;
use crate::policy::{Action, Actor, Target, Task};
use crate::store::checkpoints::{Signer, insert};
use crate::store::keys::{KeyRow, insert_first};
use crate::store::open::Synchronous;
use crate::store::{Change, Db, DbOptions, Origin};
use crate::token::keys::{Family, SigningKey};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

const KEY: [u8; 32] = [1; 32];

struct House {
    dir: tempfile::TempDir,
    db: Db,
    signer: Arc<Signer>,
}

fn origin() -> Origin {
    Origin { call_id: "call_1".into(), address: "127.0.0.1".into(), agent: "test".into() }
}

fn open(dir: &Path) -> Db {
    let options = DbOptions {
        path: dir.join("codex-web.db"),
        synchronous: Synchronous::Normal,
        readers: 1,
        audit_key: KEY,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bus: Bus::new("test".into()),
    };
    Db::open(options).unwrap().0
}

/// A database with ten entries; the fifth is signed.
fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let key = SigningKey::generate(Family::Access).unwrap();
    let signer = Arc::new(Signer::new(key.kid().to_owned(), key.pkcs8()).unwrap());
    let row = KeyRow {
        kid: key.kid().to_owned(),
        kind: "audit".into(),
        algorithm: "EdDSA".into(),
        active: true,
        public_jwk: key.public().to_json().unwrap(),
        sealed_private: b"sealed".to_vec(),
        created_at: Millis(0),
        retire_at: None,
    };
    db.write_blocking(origin(), move |tx| insert_first(tx, &row)).unwrap();
    let house = House { dir, db, signer };
    house.entries(5);
    house.sign();
    house.entries(5);
    house
}

impl House {
    fn entries(&self, n: i64) {
        for i in 0..n {
            self.db
                .write_blocking(origin(), move |tx| {
                    let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::RotateKeys, Target::System, None)?;
                    tx.audit(&permit, Change { details: json!({ "n": i }), personal: json!({"name": "Sara"}), ..Change::default() })
                })
                .unwrap();
        }
    }

    fn sign(&self) {
        let signer = Arc::clone(&self.signer);
        self.db.write_blocking(origin(), move |tx| insert(tx, &signer)).unwrap();
    }

    fn check(&self, options: &Options) -> Report {
        self.db.read_blocking(|read| verify(read, &KEY, options)).unwrap()
    }

    fn verdict(&self) -> Option<(Verdict, i64)> {
        self.check(&Options::default()).finding.map(|f| (f.verdict, f.seq))
    }

    /// Edits the file behind the server's back.
    fn edit(&self, sql: &str) -> &Self {
        let connection = super::super::open::writer(&self.dir.path().join("codex-web.db"), Synchronous::Normal).unwrap();
        connection.execute_batch("DROP TRIGGER IF EXISTS audit_event_append_only; DROP TRIGGER IF EXISTS audit_event_kept;").unwrap();
        connection.execute_batch(sql).unwrap();
        self
    }
}

#[test]
fn an_untouched_log_is_clean_and_its_head_is_the_last_entry() {
    let house = house();
    let report = house.check(&Options::default());
    assert_eq!((report.finding, report.entries, report.last_seq, report.checkpoints), (None, 10, 10, 1));
    assert_eq!(house.check(&Options { after: 7, ..Options::default() }).entries, 3);
}

#[test]
fn a_changed_row_is_named() {
    assert_eq!(house().edit("UPDATE audit_event SET details = '{\"n\":7}' WHERE seq = 3").verdict(), Some((Verdict::RowAltered, 3)));
    assert_eq!(house().edit("UPDATE audit_event SET success = 0 WHERE seq = 10").verdict(), Some((Verdict::RowAltered, 10)));
    assert_eq!(house().edit("UPDATE audit_person SET data = '{}' WHERE seq = 4").verdict(), Some((Verdict::RowAltered, 4)));
}

#[test]
fn a_removed_row_leaves_a_gap() {
    assert_eq!(house().edit("DELETE FROM audit_event WHERE seq = 4").verdict(), Some((Verdict::RowMissing, 4)));
}

#[test]
fn a_row_put_between_two_others_is_found() {
    let shift = "UPDATE audit_event SET seq = -seq WHERE seq >= 6; UPDATE audit_event SET seq = 1 - seq WHERE seq < 0; \
         DELETE FROM audit_person; \
         INSERT INTO audit_event SELECT 6, format, ts, 'audit_forged', actor_kind, actor_id, session_id, token_id, 'forged', resource, \
         group_id, org_id, success, error, count, request_id, details, person_hash, hash, x'00' FROM audit_event WHERE seq = 5;";
    assert_eq!(house().edit(shift).verdict(), Some((Verdict::RowInserted, 6)));
    let early = "INSERT INTO audit_event SELECT 0, format, ts, 'audit_early', actor_kind, actor_id, session_id, token_id, action, resource, \
         group_id, org_id, success, error, count, request_id, details, person_hash, prev, hash FROM audit_event WHERE seq = 1;";
    assert_eq!(house().edit(early).verdict(), Some((Verdict::RowInserted, 0)));
}

#[test]
fn a_cut_tail_is_found_by_its_checkpoint_or_by_an_anchor() {
    let house = house();
    let last = house.check(&Options::default());
    house.edit("DELETE FROM audit_event WHERE seq > 7");
    assert_eq!(house.verdict(), None, "the cut lies behind the last checkpoint");
    let anchored = house.check(&Options { anchor: Some((10, last.last_hash)), ..Options::default() });
    assert_eq!(anchored.finding.map(|f| (f.verdict, f.seq)), Some((Verdict::TailCut, 8)));
    house.edit("DELETE FROM audit_event WHERE seq > 3");
    assert_eq!(house.verdict(), Some((Verdict::TailCut, 4)));
}

#[test]
fn a_chain_written_anew_by_somebody_with_the_key_does_not_fit_what_was_signed() {
    let house = house();
    house.edit("DELETE FROM audit_event; DELETE FROM audit_person;");
    house.entries(12);
    assert_eq!(house.verdict(), Some((Verdict::ChainRewritten, 5)));
    let other = self::house();
    let foreign = other.check(&Options { anchor: Some((6, vec![9; 32])), ..Options::default() });
    assert_eq!(foreign.finding.map(|f| (f.verdict, f.seq)), Some((Verdict::ChainRewritten, 6)));
}

#[test]
fn a_checkpoint_that_nobody_signed_is_named() {
    assert_eq!(house().edit("UPDATE audit_checkpoint SET count = 4").verdict(), Some((Verdict::CheckpointSignatureBad, 5)));
}

#[test]
fn a_side_row_that_was_erased_is_counted_and_is_no_fault() {
    let house = house();
    house.edit("DELETE FROM audit_person WHERE seq IN (2, 3)");
    let report = house.check(&Options::default());
    assert_eq!((report.finding, report.erased), (None, 2));
}

#[test]
fn a_checkpoint_is_due_after_a_thousand_entries_or_an_hour() {
    let house = house();
    let due = |house: &House| house.db.read_blocking(crate::store::checkpoints::is_due).unwrap();
    assert!(!due(&house), "five entries, a moment ago");
    house.edit("UPDATE audit_checkpoint SET ts = ts - 3600000");
    assert!(due(&house));
    house.sign();
    assert!(!due(&house));
    let signer = Arc::clone(&house.signer);
    assert_eq!(house.db.write_blocking(origin(), move |tx| insert(tx, &signer)).unwrap(), None, "the head is signed already");
}
