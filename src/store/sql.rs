//! What every module of the store shares: errors of SQLite in the product's words, and keyset pages.

use crate::error::{Error, Taken};
use rusqlite::ffi;

/// Turns an error of SQLite into a refusal where it is one, and into a fault of ours where it is not.
pub(super) fn refused(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, Some(text)) = &error else {
        return match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Error::StorageFull,
            _ => Error::internal(error.to_string()),
        };
    };
    match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
            taken(text).map_or_else(|| Error::internal(text.clone()), Error::Taken)
        }
        _ if code.code == rusqlite::ErrorCode::DiskFull || code.extended_code == ffi::SQLITE_IOERR_WRITE => Error::StorageFull,
        _ => Error::internal(text.clone()),
    }
}

fn taken(text: &str) -> Option<Taken> {
    // "UNIQUE constraint failed: user.username"
    let columns = text.rsplit(": ").next().unwrap_or(text);
    [
        ("user.username", Taken::Username),
        ("user.email", Taken::Email),
        ("user_email", Taken::Email),
        ("group.name,", Taken::GroupName),
        ("group.namespace", Taken::Namespace),
        ("group.name", Taken::GroupName),
        ("membership.", Taken::Member),
        ("workspace.owner_id", Taken::WorkspaceName),
        ("request_equal", Taken::Request),
    ]
    .into_iter()
    .find(|(column, _)| columns.contains(column))
    .map(|(_, what)| what)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        refused(error)
    }
}

/// One page of a list, in the order of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// More rows follow the last one.
    pub more: bool,
}

impl<T> Page<T> {
    /// From one row more than was asked for.
    pub(super) fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), more: self.more }
    }
}

/// An FTS5 query that finds objects of one kind by a substring: quoted, so that no operator of the query language works.
///
/// Of the kind only the first trigram is asked: no two kinds share it, and each further one would be one more list as
/// long as the table to be walked.
pub(super) fn fts_query(kind: &str, text: &str) -> String {
    let kind = kind.get(..3).unwrap_or(kind);
    format!("kind : \"{kind}\" AND text : \"{}\"", text.replace('"', "\"\""))
}

/// The first text after all texts with this prefix, for index range scans: `abc` gives `abd`.
pub(super) fn prefix_end(prefix: &str) -> String {
    let mut end = prefix.to_owned();
    end.push('\u{10FFFF}');
    end
}

/// Ids as one JSON parameter for `IN (SELECT value FROM json_each(?))`: one constant statement serves a whole page.
pub(super) fn id_list<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(ids).to_string()
}

/// A `LIKE` pattern that finds the text as a substring, to be used with `ESCAPE '\'`.
pub(super) fn like_substring(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Trigrams match nothing under three characters.
pub(super) fn is_short(search: &str) -> bool {
    search.chars().count() < 3
}
