//! Identifiers: a prefix that names the kind, and the 32 lower-case hexadecimal digits of a UUIDv7.
//!
//! An id is opaque, immutable and never reused. The time in front makes new rows land at the end of every index.
//! Each kind is its own type, so that a group's id cannot be handed to a function that wants a user's.

use crate::clock::{Entropy, Millis};
use std::fmt;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId {
    /// The prefix that was expected, for example `usr_`.
    pub prefix: &'static str,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "is not an id: expected {} and 32 lower-case hexadecimal digits", self.prefix)
    }
}

fn is_hex_part(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn fresh(prefix: &str, now: Millis, entropy: &dyn Entropy) -> String {
    let mut random = [0_u8; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(now.0).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("{prefix}{}", uuid.simple())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The prefix of this kind, underscore included.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, ordered by `now`.
            pub fn fresh(now: Millis, entropy: &dyn Entropy) -> Self {
                Self(fresh($prefix, now, entropy))
            }

            /// Reads an id that came from outside; the form is checked, its existence is not.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix($prefix) {
                    Some(rest) if is_hex_part(rest) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId { prefix: $prefix }),
                }
            }

            /// An id as the database holds it. Only for values that were ids when they were written.
            pub fn trusted(text: String) -> Self {
                Self(text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The 32 hexadecimal digits without the prefix.
            pub fn hex(&self) -> &str {
                self.0.strip_prefix($prefix).unwrap_or(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person or a service account.
    UserId = "usr_";
    /// A node of the organization tree.
    OrganizationId = "org_";
    /// A team inside one organization.
    GroupId = "grp_";
    /// A workspace recipe.
    TemplateId = "tpl_";
    /// One immutable version of a template.
    TemplateVersionId = "tpv_";
    /// One person's environment in one group.
    WorkspaceId = "ws_";
    /// Somebody asks, somebody else decides.
    RequestId = "req_";
    /// One sign-in.
    SessionId = "ses_";
    /// One API token.
    TokenId = "tok_";
    /// One entry of the audit log.
    AuditId = "audit_";
    /// One HTTP request, shown to people as `callid`.
    CallId = "call_";
    /// One entry of a person's inbox.
    NoticeId = "ntc_";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_fresh_id_parses_as_its_own_kind_only() {
        let id = UserId::fresh(Millis(1_700_000_000_000), &SystemEntropy);
        assert_eq!(UserId::parse(id.as_str()), Ok(id.clone()));
        assert!(GroupId::parse(id.as_str()).is_err());
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let a = UserId::fresh(Millis(1_000), &SystemEntropy);
        let b = UserId::fresh(Millis(2_000), &SystemEntropy);
        assert!(a < b);
    }

    #[test]
    fn upper_case_short_and_foreign_texts_are_refused() {
        for text in ["", "usr_", "usr_0123", "usr_0123456789ABCDEF0123456789ABCDEF", "ws_x"] {
            assert!(UserId::parse(text).is_err(), "{text}");
        }
    }
}
