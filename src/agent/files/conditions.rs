//! `If-Match`, `If-None-Match` and `If-Range`: whether the file is still the one that the client means.

use crate::agent::files::entry::Facts;
use crate::agent::files::refusal::Refusal;
use hyper::HeaderMap;

/// What a write is bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Conditions {
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Self { if_match: text("if-match"), if_none_match: text("if-none-match") }
    }

    /// Whether the file may be written that is there now, or is not.
    pub fn check(&self, now: Option<&Facts>) -> Result<(), Refusal> {
        let etag = now.map(Facts::etag);
        let fits = |list: &str| etag.as_deref().is_some_and(|etag| names(list, etag));
        let good = self.if_match.as_deref().is_none_or(fits) && !self.if_none_match.as_deref().is_some_and(fits);
        if good { Ok(()) } else { Err(Refusal::stale()) }
    }

    /// Whether only a new file is wanted.
    pub fn only_new(&self) -> bool {
        self.if_none_match.as_deref().is_some_and(|list| list.trim() == "*")
    }
}

fn names(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one == etag)
}

/// Whether a part may be sent: the client has the beginning of this very file, or did not ask.
pub fn may_send_part(headers: &HeaderMap, now: &Facts) -> bool {
    // A date cannot tell two writes within one second apart, so it never fits.
    headers.get("if-range").is_none_or(|v| v.to_str().is_ok_and(|text| text.trim() == now.etag()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::file::FileKind;

    fn facts(size: u64) -> Facts {
        Facts { kind: FileKind::File, size, inode: 7, modified: (1, 2), mode: 0o644 }
    }

    fn check(name: &'static str, value: &str, now: Option<&Facts>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Conditions::of(&headers).check(now).is_ok()
    }

    #[test]
    fn a_write_is_bound_to_the_file_that_was_read() {
        let (now, other) = (facts(1), facts(2));
        let list = format!("\"x\", {}", now.etag());
        assert!(check("if-match", &now.etag(), Some(&now)) && check("if-match", &list, Some(&now)) && check("if-match", "*", Some(&now)));
        assert!(!check("if-match", &other.etag(), Some(&now)) && !check("if-match", &now.etag(), None) && !check("if-match", "*", None));
        assert!(check("if-none-match", "*", None) && !check("if-none-match", "*", Some(&now)));
        assert!(check("if-none-match", &other.etag(), Some(&now)) && !check("if-none-match", &now.etag(), Some(&now)));
    }

    #[test]
    fn a_part_belongs_to_the_same_file_only() {
        let now = facts(1);
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("if-range", value.parse().unwrap());
            may_send_part(&headers, &now)
        };
        assert!(with(&now.etag()) && may_send_part(&HeaderMap::new(), &now));
        assert!(!with(&facts(2).etag()) && !with("Wed, 21 Oct 2015 07:28:00 GMT") && !with(&format!("W/{}", now.etag())));
    }
}
