//! One transaction: what a job of the store can do with it.
//!
//! A [`Tx`] demands a permit for every audited table and an audit entry for every permit that was used; without the
//! entry the commit is refused (I1, I2). Tables that are written without audit are a closed list, [`Unaudited`].

use super::audit;
use super::effects::Effect;
pub use super::unaudited::Unaudited;
use crate::clock::{Entropy, Millis};
use crate::error::{Denied, Error, Result};
use crate::events::Event;
use crate::policy::{Action, Actor, Context, Credential, Permit, Target, authorize, refuse_at_gate, scarcity};
use rusqlite::{CachedStatement, Connection, Params, Row};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where a call came from; it goes into the personal side row of audit entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The id of the request, `call_…`.
    pub call_id: String,
    pub address: String,
    pub agent: String,
}

/// What an audit entry says beyond who, what and when.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Before and after of listed fields, and ids; no personal data.
    pub details: Value,
    /// Whose personal data the side row holds.
    pub subject: Option<String>,
    /// Typed names and addresses: goes into the side row.
    pub personal: Value,
}

impl Change {
    pub fn of(details: Value) -> Self {
        Self { details, ..Self::default() }
    }
}

/// What was attempted under this transaction, for the entry of a refusal.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub action: &'static str,
    pub actor_kind: &'static str,
    pub actor_id: Option<String>,
    pub session_id: Option<String>,
    pub token_id: Option<String>,
    pub resource: String,
    pub group_id: Option<String>,
}

impl Attempt {
    pub(super) fn of(actor: &Actor, action: &'static str, resource: String, group_id: Option<String>) -> Self {
        let credential = actor.user().map(|user| &user.credential);
        let session_id = credential.and_then(Credential::session).map(ToString::to_string);
        let token_id = match actor {
            Actor::Machine(machine) => Some(machine.token.to_string()),
            _ => credential.and_then(Credential::token).map(ToString::to_string),
        };
        Self { action, actor_kind: actor.kind(), actor_id: actor.audit_id(), session_id, token_id, resource, group_id }
    }

    fn denied(actor: &Actor, denied: &Denied) -> Self {
        Self::of(actor, denied.action, denied.resource.clone(), denied.group_id.clone())
    }
}

/// A consistent view of the database.
pub struct Read<'c> {
    connection: &'c Connection,
    now: Millis,
    attempt: RefCell<Option<Attempt>>,
    /// Where statements are counted.
    statements: Option<&'c AtomicU64>,
    /// The disk is nearly full, and what is asked for here would be written.
    sparing: bool,
}

impl<'c> Read<'c> {
    pub(super) fn new(connection: &'c Connection, now: Millis) -> Self {
        Self { connection, now, attempt: RefCell::default(), statements: None, sparing: false }
    }

    /// Counts each statement here.
    pub(super) fn counted(self, statements: &'c AtomicU64) -> Self {
        Self { statements: Some(statements), ..self }
    }

    /// Refuses what would write more, if the disk is nearly full.
    pub(super) fn sparing(self, sparing: bool) -> Self {
        Self { sparing, ..self }
    }

    /// The time of the job: one moment for everything in it.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Asks policy. Remembers what was asked, so that a refusal can be audited when the job ends.
    pub fn authorize(&self, actor: &Actor, action: Action, target: Target<'_>, reason: Option<&str>) -> Result<Permit> {
        self.authorize_with(actor, action, target, Context { now: self.now, reason, break_glass: false })
    }

    /// As [`Read::authorize`], with the facts of the context given.
    pub fn authorize_with(&self, actor: &Actor, action: Action, target: Target<'_>, context: Context<'_>) -> Result<Permit> {
        let context = Context { now: self.now, ..context };
        let answer = authorize(actor, action, target, context);
        let attempt = match &answer {
            Ok(permit) => Attempt::of(actor, action.code(), permit.resource().to_owned(), permit.group_id().map(ToString::to_string)),
            Err(Error::Denied(denied)) => Attempt::denied(actor, denied),
            Err(_) => return answer,
        };
        self.attempt.replace(Some(attempt));
        if self.sparing && answer.is_ok() && !scarcity::goes_on(actor, action) {
            return Err(Error::StorageShort);
        }
        answer
    }

    /// Refuses at the door an action that no relation could permit; remembers it for the audit log like any other refusal.
    pub fn refuse(&self, actor: &Actor, action: Action, resource: String) -> Error {
        let error = refuse_at_gate(actor, action, resource);
        if let Error::Denied(denied) = &error {
            self.attempt.replace(Some(Attempt::denied(actor, denied)));
        }
        error
    }

    pub(super) fn take_attempt(&self) -> Option<Attempt> {
        self.attempt.borrow_mut().take()
    }

    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'c>> {
        if let Some(statements) = self.statements {
            statements.fetch_add(1, Ordering::Relaxed);
        }
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// All rows.
    pub(super) fn rows<T>(&self, sql: &str, params: impl Params, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
        let mut statement = self.statement(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<Vec<T>>>()?)
    }

    /// The first row, if there is one.
    pub(super) fn row<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<Option<T>> {
        use rusqlite::OptionalExtension;
        Ok(self.statement(sql)?.query_row(params, read).optional()?)
    }

    /// The one row that must be there.
    pub(super) fn one<T>(&self, sql: &str, params: impl Params, read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>) -> Result<T> {
        Ok(self.statement(sql)?.query_row(params, read)?)
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }
}

/// A write transaction.
pub struct Tx<'c> {
    read: Read<'c>,
    entropy: &'c dyn Entropy,
    audit_key: &'c [u8; 32],
    origin: Origin,
    effects: RefCell<Vec<Effect>>,
    /// Audited tables were changed.
    touched: Cell<bool>,
    entries: Cell<u32>,
}

impl<'c> Deref for Tx<'c> {
    type Target = Read<'c>;

    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

impl<'c> Tx<'c> {
    pub(super) fn new(read: Read<'c>, entropy: &'c dyn Entropy, audit_key: &'c [u8; 32], origin: Origin) -> Self {
        Self { read, entropy, audit_key, origin, effects: RefCell::default(), touched: Cell::new(false), entries: Cell::new(0) }
    }

    pub fn entropy(&self) -> &'c dyn Entropy {
        self.entropy
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Writes the audit entry of a change, or of an act that changes nothing but must be known (a sign-in).
    pub fn audit(&self, permit: &Permit, change: Change) -> Result<()> {
        audit::append(self, audit::Entry::done(permit, change))?;
        self.entries.set(self.entries.get() + 1);
        Ok(())
    }

    /// As [`Tx::audit`], for an act that did not succeed but whose traces (a counter, a revoked family) are kept.
    pub fn audit_failure(&self, permit: &Permit, error: &str, change: Change) -> Result<()> {
        audit::append(self, audit::Entry::failed(permit, error, change))?;
        self.entries.set(self.entries.get() + 1);
        Ok(())
    }

    /// What follows when the change is committed.
    pub fn after_commit(&self, effect: Effect) {
        self.effects.borrow_mut().push(effect);
    }

    /// Tells the pages, after the commit.
    pub fn publish(&self, event: Event) {
        self.after_commit(Effect::Publish(event));
    }

    /// Changes audited tables. The permit shows that policy said yes; the entry is demanded at commit.
    pub(super) fn change(&self, _permit: &Permit, sql: &str, params: impl Params) -> Result<usize> {
        self.touched.set(true);
        Ok(self.read.statement(sql)?.execute(params)?)
    }

    /// Changes a table of the closed list.
    pub(super) fn note(&self, table: Unaudited, sql: &str, params: impl Params) -> Result<usize> {
        debug_assert!(table.covers(sql), "{table:?} does not stand for: {sql}");
        Ok(self.read.statement(sql)?.execute(params)?)
    }

    pub(super) fn audit_key(&self) -> &'c [u8; 32] {
        self.audit_key
    }

    /// Whether the transaction may be committed: what was changed has its entry.
    pub(super) fn settle(self) -> Result<Vec<Effect>> {
        if self.touched.get() && self.entries.get() == 0 {
            return Err(Error::internal("a change without its audit entry was rolled back"));
        }
        Ok(self.effects.into_inner())
    }
}
