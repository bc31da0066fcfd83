//! The audit log as a file, written out for keeping: the act itself is audited before the first line leaves.

use super::{Caller, Ops};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::identity::signing::Keys;
use crate::policy::{Action, Target};
use crate::store::audit_export::Export;
pub use crate::store::audit_export::{Footer, Form, Range};
use crate::store::checkpoints::Signer;
use crate::store::{Change, Tx, actors};
use serde_json::json;
use std::io::Write;

/// The word of a form, and the end of a file's name.
pub fn word(form: Form) -> &'static str {
    match form {
        Form::JsonLines => "jsonl",
        Form::Csv => "csv",
    }
}

/// The form of a word.
pub fn form(text: &str) -> Option<Form> {
    [Form::JsonLines, Form::Csv].into_iter().find(|form| word(*form) == text)
}

/// Asks for permission and records that the log is being taken out.
pub async fn permit(ops: &Ops, caller: &Caller, form: Form, range: Range) -> Result<()> {
    let principal = caller.principal.clone();
    let job = move |tx: &Tx<'_>| {
        let actor = actors::load(tx, &principal)?;
        let permit = tx.authorize(&actor, Action::ViewAuditLog, Target::System, None)?;
        let (from, until) = (range.from.map(Millis::rfc3339), range.until.map(Millis::rfc3339));
        tx.audit(&permit, Change::of(json!({"export": word(form), "after": range.after, "from": from, "to": until})))
    };
    ops.db.write(caller.origin.clone(), job).await
}

/// Writes the file, a batch of entries at a time: memory and the database are free while `out` waits. Takes as long as
/// writing takes: call it on a thread that may wait, for a person after [`permit`].
pub fn write(ops: &Ops, signing: &Keys, form: Form, range: Range, out: &mut dyn Write) -> Result<Footer> {
    let key = signing.audit();
    let signer = Signer::new(key.kid().to_owned(), key.pkcs8())?;
    let mut piece = Vec::new();
    let mut send = |piece: &mut Vec<u8>| {
        let sent = out.write_all(piece).map_err(|error| Error::internal(format!("the export cannot be written: {error}")));
        piece.clear();
        sent
    };
    let mut export = ops.db.read_blocking(|read| Export::begin(read, form, range, &signer, &mut piece))?;
    while ops.db.read_blocking(|read| export.more(read, &mut piece))? {
        send(&mut piece)?;
    }
    let footer = export.end(&signer, &mut piece)?;
    send(&mut piece)?;
    Ok(footer)
}
