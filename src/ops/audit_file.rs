//! The audit log as a file, written out for keeping: the act itself is audited before the first line leaves.

use super::{Caller, Ops};
use crate::error::Result;
use crate::identity::signing::Keys;
use crate::policy::{Action, Target};
pub use crate::store::audit_export::Range;
use crate::store::audit_export::{csv, jsonl};
use crate::store::checkpoints::Signer;
use crate::store::{Change, Tx, actors};
use serde_json::json;
use std::io::Write;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The record: it carries the chain and a signature, and can be verified.
    JsonLines,
    /// For people and spreadsheets.
    Csv,
}

impl Format {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "jsonl" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// Asks for permission and records that the log is being taken out.
pub async fn permit(ops: &Ops, caller: &Caller, format: Format, range: Range) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        let (from, until) = (range.from.map(crate::clock::Millis::rfc3339), range.until.map(crate::clock::Millis::rfc3339));
        tx.audit(&permit, Change::of(json!({"export": format.as_str(), "from": from, "to": until})))
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Writes the file from one consistent view; the answer is how many entries it holds. Takes as long as writing takes:
/// call it on a thread that may wait, after [`permit`].
pub fn write(ops: &Ops, signing: &Keys, format: Format, range: Range, out: &mut dyn Write) -> Result<i64> {
    let key = signing.audit();
    let signer = Signer::new(key.kid().to_owned(), key.pkcs8())?;
    ops.db.read_blocking(|read| match format {
        Format::JsonLines => jsonl(read, range, &signer, out),
        Format::Csv => csv(read, range, out),
    })
}
