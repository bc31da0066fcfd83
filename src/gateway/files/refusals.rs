//! What an agent refused, in the server's own words: its word is looked up, its sentence is for the log.

use super::pass::Pass;
use crate::domain::file::FileRefusal;
use crate::domain::quantity::print_bytes;
use crate::error::{Error, Missing, QuotaExceeded};
use crate::gateway::unreachable;
use bytes::Bytes;
use hyper::StatusCode;

/// An answer that no agent of ours gives.
pub(super) fn not_understood(why: &str) -> Error {
    tracing::warn!(why = %why.escape_debug(), "an agent's answer about files was not understood");
    unreachable()
}

/// The refusal as it is told.
pub(super) fn of(status: StatusCode, body: Option<Bytes>, pass: &Pass) -> Error {
    let told = body.and_then(|body| serde_json::from_slice::<FileRefusal>(&body).ok());
    let Some(FileRefusal { code, message, number }) = told else { return not_understood(&format!("a refusal without a word: {status}")) };
    let state = |words: &str| Error::WrongState(words.to_owned());
    match code.as_str() {
        "not_found" => Error::NotFound(Missing::File),
        "exists" => Error::Conflict("There is something of this name already.".to_owned()),
        "is_directory" => state("It is a folder."),
        "not_directory" => state("It is not a folder."),
        "special_file" => state("It is a device, a pipe or a socket: it can be listed, renamed and deleted, but not read or written."),
        "outside" => state("It leads out of the home directory, and only what lies below that can be reached here."),
        "link_refused" => state("The link cannot be followed: it leads in a circle, or out of the files."),
        "not_permitted" => state("Its permissions do not allow this. They can be changed in a terminal, with chmod."),
        "not_empty" => state("The folder is not empty."),
        "other_disk" => state("It lies on another disk, and nothing is moved or deleted across disks here."),
        "into_itself" => state("A folder cannot be moved into itself."),
        "busy" => state("Something else is using it at this moment. Try again."),
        "wrong_offset" => {
            let offset = number.unwrap_or(0);
            Error::Conflict(format!("Of this upload {offset} bytes have arrived. Go on there, or begin again at 0."))
        }
        "stale" => Error::Stale,
        "range" => Error::RangeNotSatisfiable { length: number.unwrap_or(0) },
        "disk_full" | "no_room" => full(pass, 0, None, number.and_then(|n| i64::try_from(n).ok())),
        "bad_path" => Error::field("path", "invalid", "This is no path that files can have."),
        "bad_query" => Error::field("total", "invalid", "What came does not fit to offset and total."),
        "broken_body" => Error::Syntax("The body broke off.".to_owned()),
        _ => not_understood(&format!("{status} {code}: {message}")),
    }
}

/// The disk of the workspace has no room. Numbers in bytes; what is not known is not told.
pub(super) fn full(pass: &Pass, requested: i64, used: Option<i64>, free: Option<i64>) -> Error {
    let total = pass.disk_bytes;
    let available = match (used, free) {
        (Some(used), _) => total.saturating_sub(used).max(0),
        (None, Some(free)) => free,
        (None, None) => 0,
    };
    let print = |bytes: i64| print_bytes(bytes.max(0));
    let message = if requested > 0 {
        format!(
            "The disk of the workspace has {} left, and this needs {}. Delete something, or make the disk larger.",
            people(available),
            people(requested)
        )
    } else {
        "The disk of the workspace is full. Delete something, or make the disk larger.".to_owned()
    };
    Error::Quota(Box::new(QuotaExceeded {
        level: "workspace",
        id: pass.place.id.to_string(),
        resource: "storage",
        requested: print(requested),
        used: print(used.unwrap_or_else(|| total.saturating_sub(available))),
        total: print(total),
        available: print(available),
        message,
    }))
}

/// A number of bytes as people read it: `1.5 GiB`.
fn people(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (i128::from(bytes.max(0)) * 10, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    if unit == 0 || tenths % 10 == 0 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_short_numbers() {
        for (bytes, text) in [(0, "0 bytes"), (1_023, "1023 bytes"), (1_536, "1.5 KiB"), (1 << 30, "1 GiB"), (-5, "0 bytes")] {
            assert_eq!(people(bytes), text);
        }
    }
}
