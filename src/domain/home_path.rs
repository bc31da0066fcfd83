//! A path below the home of a workspace: names of raw bytes, because a Linux name need not be text.
//!
//! Server and agent read an address by this one rule: it is split at its slashes first, each part is percent-decoded
//! exactly once, and a part that then holds a slash, a NUL or a dot segment is refused. So `%2e%2e`, `%2f` and
//! `%252e` can never mean another folder at one end than at the other. Links are the agent's business.

use crate::domain::field::FieldRule;
use crate::domain::text::{Bounds, clean};

/// The longest path in bytes: what the kernel takes, with its closing NUL.
const LONGEST: usize = 4_095;
/// The longest name in bytes, on every file system that homes lie on.
const LONGEST_NAME: usize = 255;

/// A checked path. The empty one is the home itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HomePath {
    /// Names joined by single slashes, without one at either end.
    bytes: Vec<u8>,
}

impl HomePath {
    /// Reads the raw part of an address after `files/`, still percent-encoded. One slash at the end is allowed.
    pub fn of_address(raw: &str) -> Result<Self, FieldRule> {
        let raw = raw.strip_suffix('/').unwrap_or(raw);
        if raw.is_empty() {
            return Ok(Self::default());
        }
        let names: Option<Vec<Vec<u8>>> = raw.split('/').map(decode).collect();
        Self::of_names(names.ok_or_else(|| FieldRule::new("invalid", "The path is not percent-encoded properly."))?)
    }

    /// Reads a path that was written as text, as in `notes/new name.txt`. Characters that nobody sees are refused here:
    /// whoever means them writes the path as an address does.
    pub fn of_text(text: &str) -> Result<Self, FieldRule> {
        let text = text.strip_suffix('/').unwrap_or(text);
        clean(text, Bounds { min: 0, max: LONGEST, lines: false })?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::of_names(text.split('/').map(|name| name.as_bytes().to_vec()).collect())
    }

    fn of_names(names: Vec<Vec<u8>>) -> Result<Self, FieldRule> {
        for name in &names {
            if name.is_empty() {
                return Err(FieldRule::new("invalid", "A path begins with a name, and single slashes stand between its names."));
            }
            if name == b"." || name == b".." {
                return Err(FieldRule::new("invalid", "The names . and .. are not allowed in a path."));
            }
            if name.iter().any(|b| *b == b'/' || *b == 0) {
                return Err(FieldRule::new("characters", "A name cannot hold a slash or a NUL."));
            }
            if name.len() > LONGEST_NAME {
                return Err(FieldRule::new("too_long", format!("A name may have at most {LONGEST_NAME} bytes.")));
            }
        }
        let bytes = names.join(&b'/');
        if bytes.len() > LONGEST {
            return Err(FieldRule::new("too_long", format!("A path may have at most {LONGEST} bytes.")));
        }
        Ok(Self { bytes })
    }

    pub fn is_home(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The folder that it lies in, and its name there; nothing for the home itself.
    pub fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_home() {
            return None;
        }
        Some(match self.bytes.iter().rposition(|b| *b == b'/') {
            Some(at) => (&self.bytes[..at], &self.bytes[at + 1..]),
            None => (&[], &self.bytes),
        })
    }

    /// Reads a path that an address or a body carries in its encoded form, which is plain ASCII.
    pub fn of_encoded(text: &str) -> Result<Self, FieldRule> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&b);
        if text.bytes().all(is_plain) {
            return Self::of_address(text);
        }
        Err(FieldRule::new("invalid", "Write everything but letters, digits and a few signs as %XX."))
    }

    /// As an address writes it.
    pub fn encoded(&self) -> String {
        encode(&self.bytes)
    }

    /// For people: what is not text is shown as a replacement character.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Percent-encodes everything but unreserved characters and slashes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Percent-decodes once; `None` where a `%` is not followed by two hexadecimal digits.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).filter(|d| d.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &rest[2..];
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_mean_another_folder_is_refused() {
        for raw in ["..", "%2e%2e", "a/..", "../a", "a//b", "/a", "a%2fb", "a%2F..", "%00", "a%", "a%zz", "a%f", ".", "a/./b", "//"] {
            assert!(HomePath::of_address(raw).is_err(), "{raw}");
        }
        for text in ["..", "a/../b", "/etc/passwd", "a//b", "a\u{0}b", "a\nb"] {
            assert!(HomePath::of_text(text).is_err(), "{text:?}");
        }
        assert!(HomePath::of_address(&"a".repeat(256)).is_err());
        assert!(HomePath::of_address(&"a/".repeat(2_100)).is_err());
    }

    #[test]
    fn a_path_is_decoded_exactly_once() {
        assert_eq!(HomePath::of_address("%252e%252e").unwrap().as_bytes(), b"%2e%2e");
        assert_eq!(HomePath::of_address("caf%E9/a%20b+c").unwrap().as_bytes(), b"caf\xe9/a b+c");
        assert_eq!(HomePath::of_address("docs/").unwrap().as_bytes(), b"docs");
        assert!(HomePath::of_address("").unwrap().is_home() && HomePath::of_address("/").unwrap().is_home());
    }

    #[test]
    fn a_path_in_a_body_is_text_or_plain_ascii() {
        assert_eq!(HomePath::of_text("Zoë/a b%20").unwrap().as_bytes(), "Zoë/a b%20".as_bytes());
        for text in ["a\u{200b}b", "a\u{202e}b", "\u{feff}a"] {
            assert!(HomePath::of_text(text).is_err(), "{text:?}");
        }
        assert_eq!(HomePath::of_encoded("a%0Ab/%E2%80%8B").unwrap().as_bytes(), "a\nb/\u{200b}".as_bytes());
        for text in ["a b", "é", "<a>", "a\u{0}", "..", "%2e%2e"] {
            assert!(HomePath::of_encoded(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_path_splits_into_its_folder_and_its_name() {
        let split = |raw: &str| HomePath::of_address(raw).unwrap().split().map(|(f, n)| (f.to_vec(), n.to_vec()));
        assert_eq!(split("a/b/c"), Some((b"a/b".to_vec(), b"c".to_vec())));
        assert_eq!(split("c"), Some((Vec::new(), b"c".to_vec())));
        assert_eq!(split(""), None);
    }

    proptest! {
        #[test]
        fn every_name_survives_the_way_through_an_address(name in proptest::collection::vec(1_u8..=255, 1..40)) {
            prop_assume!(!name.contains(&b'/') && name != b"." && name != b"..");
            let path = HomePath::of_address(&encode(&name)).unwrap();
            prop_assert_eq!(path.as_bytes(), &name[..]);
            prop_assert_eq!(path.encoded(), encode(&name));
        }
    }
}
