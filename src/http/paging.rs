//! Cursors: opaque to clients, the place after the last row of a page, bound to the list, its sort and its filter.

use crate::domain::field::FieldRule;
use crate::error::{Error, Result};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How many entries a bare list answers when no `limit` is given (D11), and the most that may be asked for.
pub const LIST_MAX: i64 = 1_000;

/// Names a list with its sort and filter, so that a cursor of one cannot be used with another.
pub struct ListShape(String);

impl ListShape {
    pub fn new(list: &str, parts: &[&str]) -> Self {
        let mut text = list.to_owned();
        for part in parts {
            text.push('\u{1f}');
            text.push_str(part);
        }
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        Self(URL_SAFE_NO_PAD.encode(&hash.as_ref()[..9]))
    }

    /// The cursor after the row with these keys.
    pub fn cursor(&self, keys: &[&str]) -> String {
        let mut all = vec![self.0.as_str()];
        all.extend_from_slice(keys);
        URL_SAFE_NO_PAD.encode(serde_json::json!(all).to_string())
    }

    /// The keys in a cursor, which must be of this list and have this many.
    pub fn keys(&self, parameter: &'static str, cursor: &str, count: usize) -> Result<Vec<String>> {
        let refused = || -> Error {
            FieldRule::new("invalid", "This cursor belongs to another list, sort or filter. Begin at the first page.").error(parameter)
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor.get(..4_096.min(cursor.len())).unwrap_or_default()).map_err(|_| refused())?;
        let mut keys: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        if keys.len() != count + 1 || keys[0] != self.0 {
            return Err(refused());
        }
        keys.remove(0);
        Ok(keys)
    }
}

/// The `Link` header to the next page: the same query with another cursor.
pub fn next_link(path: &str, query: &str, cursor: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|p| !p.is_empty() && !p.starts_with("cursor=")).collect();
    let mut target = format!("{path}?");
    for pair in kept {
        target.push_str(pair);
        target.push('&');
    }
    format!("<{target}cursor={cursor}>; rel=\"next\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_works_with_its_own_list_only() {
        let groups = ListShape::new("groups", &["name", ""]);
        let cursor = groups.cursor(&["payments", "grp_1"]);
        assert_eq!(groups.keys("cursor", &cursor, 2).unwrap(), ["payments", "grp_1"]);
        assert!(ListShape::new("groups", &["-name", ""]).keys("cursor", &cursor, 2).is_err());
        assert!(groups.keys("cursor", "garbage", 2).is_err());
        assert!(groups.keys("cursor", "", 2).is_err());
    }
}
