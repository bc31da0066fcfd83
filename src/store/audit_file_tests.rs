//! What was purged lives on in files: they and the database are one history, and every hole in it shows.

use super::*;
use crate::clock::{SystemClock, SystemEntropy};
use crate::domain::hex;
use crate::events::Bus;
use crate::policy::{Action, Actor, Target, Task};
use crate::store::audit_export::{Export, Range};
use crate::store::audit_purge;
use crate::store::audit_verify::{Options, check as check_chain};
use crate::store::checkpoints::{Signer, insert};
use crate::store::keys::{KeyRow, insert_first};
use crate::store::open::Synchronous;
use crate::store::{Change, DbOptions, Origin};
use crate::token::keys::{Family, SigningKey};
use serde_json::json;
use std::sync::Arc;

struct House {
    dir: tempfile::TempDir,
    db: Db,
    signer: Arc<Signer>,
}

fn origin() -> Origin {
    Origin { call_id: "call_1".into(), address: "127.0.0.1".into(), agent: "test".into() }
}

/// Twelve entries; the sixth is signed.
fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let options = DbOptions {
        path: dir.path().join("codex-web.db"),
        synchronous: Synchronous::Normal,
        readers: 1,
        audit_key: [1; 32],
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        bus: Bus::new("test".into()),
    };
    let db = Db::open(options).unwrap().0;
    let key = SigningKey::generate(Family::Access).unwrap();
    let signer = Arc::new(Signer::new(key.kid().to_owned(), key.pkcs8()).unwrap());
    let row = KeyRow {
        kid: key.kid().to_owned(),
        kind: "audit".into(),
        algorithm: "EdDSA".into(),
        active: true,
        public_jwk: key.public().to_json().unwrap(),
        sealed_private: b"sealed".to_vec(),
        created_at: crate::clock::Millis(0),
        retire_at: None,
    };
    db.write_blocking(origin(), move |tx| insert_first(tx, &row)).unwrap();
    let house = House { dir, db, signer };
    house.entries(6);
    let signer = Arc::clone(&house.signer);
    house.db.write_blocking(origin(), move |tx| insert(tx, &signer)).unwrap();
    house.entries(6);
    house
}

impl House {
    fn entries(&self, n: i64) {
        for i in 0..n {
            self.db
                .write_blocking(origin(), move |tx| {
                    let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::RotateKeys, Target::System, None)?;
                    tx.audit(
                        &permit,
                        Change { details: json!({ "n": i, "cell": "=1+1\n" }), personal: json!({"name": "Sara"}), ..Change::default() },
                    )
                })
                .unwrap();
        }
    }

    fn export(&self, form: Form, range: Range) -> String {
        let mut out = Vec::new();
        let mut export = self.db.read_blocking(|read| Export::begin(read, form, range, &self.signer, &mut out)).unwrap();
        while self.db.read_blocking(|read| export.more(read, &mut out)).unwrap() {}
        export.end(&self.signer, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn check(&self, text: &str) -> FileReport {
        check(&self.db, text.as_bytes()).unwrap()
    }

    fn verdict(&self, text: &str) -> Option<(Verdict, i64)> {
        self.check(text).report.finding.map(|f| (f.verdict, f.seq))
    }

    fn purge(&self, found: &FileReport) {
        let footer = found.footer.clone().unwrap();
        self.db
            .write_blocking(origin(), move |tx| {
                let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::PurgeAuditLog, Target::System, None)?;
                audit_purge::remove(tx, &permit, footer.last, &hex::decode(&footer.last_hash).unwrap())?;
                tx.audit(&permit, Change::of(json!({"to": footer.last, "lastHash": footer.last_hash})))
            })
            .unwrap();
    }

    fn chain(&self) -> Option<(Verdict, i64)> {
        let report = self.db.read_blocking(|read| check_chain(&self.db, read, &Options::default())).unwrap();
        report.finding.map(|f| (f.verdict, f.seq))
    }

    fn history(&self, files: &[&str]) -> Option<(Verdict, i64)> {
        let mut seam = self.db.read_blocking(Seam::genesis).unwrap();
        let broken = files.iter().find_map(|text| seam.follow(&self.check(text)));
        broken.or_else(|| self.db.read_blocking(|read| seam.meets(read)).unwrap()).map(|f| (f.verdict, f.seq))
    }

    /// Edits the file behind the server's back.
    fn edit(&self, sql: &str) {
        let connection = super::super::open::writer(&self.dir.path().join("codex-web.db"), Synchronous::Normal).unwrap();
        connection.execute_batch("DROP TRIGGER IF EXISTS audit_event_append_only; DROP TRIGGER IF EXISTS audit_event_kept;").unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

fn up_to(after: i64, up_to: i64) -> Range {
    Range { after, up_to: Some(up_to), ..Range::default() }
}

fn without(text: &str, n: usize) -> String {
    text.split_inclusive('\n').enumerate().filter(|(i, _)| *i != n).map(|(_, line)| line).collect()
}

#[test]
fn a_file_of_either_form_verifies_and_every_edit_of_it_shows() {
    let house = house();
    for (form, head) in [(Form::JsonLines, 1), (Form::Csv, 2)] {
        let text = house.export(form, Range::default());
        assert!(!text.contains("Sara"), "an export holds no names");
        let found = house.check(&text);
        assert_eq!((found.report.finding, found.report.entries, found.report.last_seq), (None, 12, 12), "{form:?}");
        assert_eq!((found.header.unwrap().first, found.footer.unwrap().count), (1, 12));
        assert_ne!(house.verdict(&text.replacen("rotate_keys", "rotate_kegs", 1)), None, "{form:?}: an entry was changed");
        assert_ne!(house.verdict(&text.replacen("\"first", "\"farst", 1)), None, "{form:?}: the header was changed");
        assert_eq!(house.verdict(&without(&text, head + 4)).map(|v| v.0), Some(Verdict::ExportDiffers), "{form:?}: a line less");
        assert_eq!(house.verdict(&without(&text, head + 12)).map(|v| v.0), Some(Verdict::TailCut), "{form:?}: the footer is gone");
        assert_eq!(house.verdict(&without(&text, head - 1)).map(|v| v.0), Some(Verdict::ExportDiffers), "{form:?}: the header is gone");
        assert_ne!(house.verdict(&format!("{text}{text}")), None, "{form:?}: something follows");
    }
}

#[test]
fn a_line_that_never_ends_is_no_part_of_an_export() {
    let house = house();
    let long = format!("{{{}", "x".repeat(2 * LINE_MAX));
    assert_eq!(house.verdict(&long).map(|v| v.0), Some(Verdict::ExportDiffers));
    assert_eq!(house.verdict("").map(|v| v.0), Some(Verdict::TailCut));
}

#[test]
fn a_file_is_compared_with_what_the_database_holds_and_with_what_was_signed() {
    let house = house();
    let text = house.export(Form::JsonLines, Range::default());
    house.edit("UPDATE audit_event SET hash = x'00' WHERE seq = 8");
    assert_eq!(house.verdict(&text), Some((Verdict::ExportDiffers, 8)));
    house.edit("UPDATE audit_checkpoint SET hash = x'00'");
    assert_eq!(house.verdict(&text), Some((Verdict::ChainRewritten, 6)));
}

#[test]
fn a_range_goes_on_where_another_ended_and_an_empty_one_is_a_file_too() {
    let house = house();
    let (first, rest) = (house.export(Form::JsonLines, up_to(0, 5)), house.export(Form::JsonLines, Range { after: 5, ..Range::default() }));
    assert_eq!(house.history(&[&first, &rest]), None);
    assert_eq!(house.check(&rest).report.entries, 7);
    let nothing = Range { after: 12, ..Range::default() };
    for form in [Form::JsonLines, Form::Csv] {
        let found = house.check(&house.export(form, nothing));
        assert_eq!((found.report.finding, found.report.entries), (None, 0));
    }
}

#[test]
fn purged_entries_and_the_rest_are_one_history() {
    let house = house();
    let first = house.export(Form::JsonLines, up_to(0, 4));
    house.purge(&house.check(&first));
    let second = house.export(Form::JsonLines, up_to(4, 9));
    house.purge(&house.check(&second));
    assert_eq!(house.chain(), None, "the chain goes on from the floor");
    assert_eq!(house.history(&[&first, &second]), None);
    assert_eq!(house.history(&[&first]), Some((Verdict::RowMissing, 5)), "a file is missing at the end");
    assert_eq!(house.history(&[&second]), Some((Verdict::RowMissing, 1)), "a file is missing at the beginning");
    assert_eq!(house.verdict(&first), None, "a file verifies by itself when its entries are gone");
}

#[test]
fn what_was_written_out_wrongly_is_not_purged() {
    let house = house();
    let mut found = house.check(&house.export(Form::JsonLines, up_to(0, 4)));
    found.footer.as_mut().unwrap().last = 5;
    let footer = found.footer.unwrap();
    let refused = house.db.write_blocking(origin(), move |tx| {
        let permit = tx.authorize(&Actor::System(Task::Upkeep), Action::PurgeAuditLog, Target::System, None)?;
        audit_purge::remove(tx, &permit, footer.last, &hex::decode(&footer.last_hash).unwrap())?;
        tx.audit(&permit, Change::default())
    });
    assert!(refused.is_err());
    assert_eq!(house.chain(), None);
}

#[test]
fn entries_that_somebody_took_away_below_a_floor_of_their_own_are_missed() {
    let house = house();
    house.edit("INSERT INTO audit_floor (seq, hash, ts) SELECT seq, hash, 0 FROM audit_event WHERE seq = 5; DELETE FROM audit_event WHERE seq <= 5;");
    assert_eq!(house.chain(), Some((Verdict::RowMissing, 5)), "no purge is on record");
    house.edit("DELETE FROM audit_floor");
    assert_eq!(house.chain(), Some((Verdict::RowMissing, 1)));
}

#[test]
fn a_purge_in_the_middle_of_an_export_ends_it_without_a_footer() {
    let house = house();
    house.entries(1_000);
    let first = house.check(&house.export(Form::JsonLines, up_to(0, 800)));
    let mut out = Vec::new();
    let mut export =
        house.db.read_blocking(|read| Export::begin(read, Form::JsonLines, Range::default(), &house.signer, &mut out)).unwrap();
    assert!(house.db.read_blocking(|read| export.more(read, &mut out)).unwrap(), "one batch of several");
    house.purge(&first);
    assert!(house.db.read_blocking(|read| export.more(read, &mut out)).is_err());
}
