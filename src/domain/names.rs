//! The names of things, each its own type with its own rule, so that what was never checked cannot be stored.
//!
//! Names that occur in addresses and in the cluster are ASCII, which leaves no look-alikes; text for people goes through
//! [`super::text`], and of that what names somebody or something keeps to one alphabet in each word. E-mail addresses have a file of their own. What is not here: whether a name is free; only the store
//! knows that.

use super::field::FieldRule;
use super::text::{Bounds, clean, one_alphabet_per_word};
use std::fmt;

/// What every group's namespace begins with, unless the operator configures another prefix.
pub const DEFAULT_NAMESPACE_PREFIX: &str = "codex-platform-";

/// The longest DNS label, and with it the longest name of a namespace, group, workspace or user.
pub const LABEL_MAX: usize = 63;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A value as the database holds it: it was checked when it was written.
            pub fn trusted(text: String) -> Self {
                Self(text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}
pub(super) use names;

names! {
    /// What a person signs in with: `^[a-z0-9][a-z0-9._-]{0,62}$`.
    Username;
    /// A group's name in addresses: a DNS label, unique in the installation, never changed.
    GroupName;
    /// A group's place in the cluster: a DNS label that begins with a letter and with the platform's prefix.
    Namespace;
    /// A workspace's name: 1-63 letters, digits, hyphens and blanks, unique among its owner's.
    WorkspaceName;
    /// A title for people, 1-100 characters.
    DisplayName;
    /// What something is for, 0-500 characters, lines allowed.
    Description;
    /// Notes of people for people, 0-4000 characters, lines allowed.
    LongText;
    /// A person's name as they write it, 1-100 characters.
    PersonName;
    /// Why something was done, 1-500 characters, for the audit and for the person it was done to.
    Reason;
}

fn required(what: &'static str) -> FieldRule {
    FieldRule::new("required", what)
}

fn label_too_long() -> FieldRule {
    FieldRule::new("too_long", "It may have at most 63 characters.")
}

fn is_lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`, 1-63.
fn dns_label(text: &str) -> Result<(), FieldRule> {
    if text.is_empty() {
        return Err(required("Give a name."));
    }
    if text.len() > LABEL_MAX {
        return Err(label_too_long());
    }
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last()).is_some_and(|(a, b)| is_lower_or_digit(*a) && is_lower_or_digit(*b));
    if !ends || !bytes.iter().all(|b| is_lower_or_digit(*b) || *b == b'-') {
        return Err(FieldRule::new(
            "invalid",
            "Use lower-case letters, digits and hyphens, with a letter or digit at both ends, for example ml-research.",
        ));
    }
    Ok(())
}

impl Username {
    /// Refuses capital letters rather than changing them: a name is stored as it was written.
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        if text.is_empty() {
            return Err(required("Give a user name."));
        }
        if text.len() > LABEL_MAX {
            return Err(label_too_long());
        }
        let rest_is_fine = text.bytes().all(|b| is_lower_or_digit(b) || matches!(b, b'.' | b'_' | b'-'));
        if !rest_is_fine || !text.bytes().next().is_some_and(is_lower_or_digit) {
            return Err(FieldRule::new(
                "invalid",
                "Use lower-case letters, digits, dots, hyphens and underscores, with a letter or digit first, for example sara.lind.",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// The user name that an e-mail address suggests: its local part, lower-cased, with every other character as a
    /// hyphen. `None` when nothing usable is left. It may be taken; that is for the store to say.
    pub fn suggested_by(local_part: &str) -> Option<Self> {
        let mapped: String = local_part
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-') { c } else { '-' })
            .collect();
        let start = mapped.trim_start_matches(['.', '_', '-']);
        let cut = start.get(..LABEL_MAX).unwrap_or(start);
        Self::parse(cut.trim_end_matches('-')).ok()
    }
}

impl GroupName {
    /// Words that are routes below `/api/groups` and so cannot be names.
    pub const RESERVED: [&'static str; 2] = ["names", "member"];

    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        dns_label(text)?;
        if Self::RESERVED.contains(&text) {
            return Err(FieldRule::new("reserved", format!("The name {text} is reserved for the API.")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Namespace {
    /// `prefix` ends with its hyphen; something must remain after it.
    pub fn parse(text: &str, prefix: &str) -> Result<Self, FieldRule> {
        dns_label(text)?;
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(FieldRule::new("invalid", "A namespace begins with a letter."));
        }
        match text.strip_prefix(prefix) {
            Some(rest) if !rest.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(FieldRule::new("prefix", format!("A namespace begins with {prefix}, for example {prefix}ml-research."))),
        }
    }

    /// The namespace of a group that names none: the prefix and the group's name, cut to the length of a label.
    pub fn derive(name: &GroupName, prefix: &str) -> Self {
        let whole = format!("{prefix}{name}");
        let cut = whole.get(..LABEL_MAX).unwrap_or(&whole);
        Self(cut.trim_end_matches('-').to_owned())
    }
}

impl WorkspaceName {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        if text.is_empty() {
            return Err(required("Give a name."));
        }
        if text.len() > LABEL_MAX {
            return Err(label_too_long());
        }
        let bytes = text.as_bytes();
        let ends = bytes.first().zip(bytes.last()).is_some_and(|(a, b)| a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric());
        if !ends || !bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b' ')) {
            return Err(FieldRule::new(
                "invalid",
                "Use letters, digits, hyphens and blanks, with a letter or digit at both ends, for example checkout-service.",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A name for people, by which one thing or person is told from another.
fn shown_name(text: &str) -> Result<String, FieldRule> {
    let name = clean(text, Bounds { min: 1, max: 100, lines: false })?;
    one_alphabet_per_word(&name)?;
    Ok(name)
}

impl DisplayName {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        shown_name(text).map(Self)
    }
}

impl PersonName {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        shown_name(text).map(Self)
    }
}

impl Description {
    /// An empty description is one: it says that there is none.
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        clean(text, Bounds { min: 0, max: 500, lines: true }).map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl LongText {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        clean(text, Bounds { min: 0, max: 4_000, lines: true }).map(Self)
    }
}

impl Reason {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        clean(text, Bounds { min: 1, max: 500, lines: true }).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code<T>(result: Result<T, FieldRule>) -> &'static str {
        result.err().map_or("ok", |rule| rule.code)
    }

    #[test]
    fn user_names_are_lower_case_ascii_with_a_letter_or_digit_first() {
        for good in ["a", "sara.lind", "0x", "a_b-c.d", &"a".repeat(63)] {
            assert_eq!(code(Username::parse(good)), "ok", "{good}");
        }
        for bad in [".a", "-a", "_a", "Sara", "sara lind", "sara@home", "sаra", "a\n", " a", "a\0"] {
            assert_eq!(code(Username::parse(bad)), "invalid", "{bad:?}");
        }
        assert_eq!(code(Username::parse("")), "required");
        assert_eq!(code(Username::parse(&"a".repeat(64))), "too_long");
    }

    #[test]
    fn an_address_suggests_a_user_name() {
        let suggested = |part: &str| Username::suggested_by(part).map(Username::into_string);
        assert_eq!(suggested("Sara.Lind+codex"), Some("sara.lind-codex".into()));
        assert_eq!(suggested("_.x"), Some("x".into()));
        assert_eq!(suggested("+"), None);
        assert_eq!(suggested(&"a".repeat(64)), Some("a".repeat(63)));
    }

    #[test]
    fn group_names_are_dns_labels_and_no_routes() {
        for good in ["a", "ml-research", "0", "a--b"] {
            assert_eq!(code(GroupName::parse(good)), "ok", "{good}");
        }
        for bad in ["-a", "a-", "A", "a_b", "a.b", "a b", "é"] {
            assert_eq!(code(GroupName::parse(bad)), "invalid", "{bad}");
        }
        assert_eq!(code(GroupName::parse("names")), "reserved");
        assert_eq!(code(GroupName::parse("member")), "reserved");
    }

    #[test]
    fn a_namespace_begins_with_the_prefix_and_goes_on_after_it() {
        let parse = |text: &str| code(Namespace::parse(text, DEFAULT_NAMESPACE_PREFIX));
        assert_eq!(parse("codex-platform-ml"), "ok");
        assert_eq!(parse("my-namespace"), "prefix");
        assert_eq!(parse("codex-platform"), "prefix");
        assert_eq!(parse("codex-platform-"), "invalid");
        assert_eq!(parse("Codex-platform-x"), "invalid");
        assert_eq!(parse("codex-platform-under_score"), "invalid");
        assert_eq!(parse(&format!("codex-platform-{}", "a".repeat(49))), "too_long");
        assert_eq!(code(Namespace::parse("1-x", "1-")), "invalid");
    }

    #[test]
    fn a_derived_namespace_keeps_the_rules_however_long_the_name() {
        let name = GroupName::parse(&format!("{}-b", "a".repeat(47))).unwrap();
        let namespace = Namespace::derive(&name, DEFAULT_NAMESPACE_PREFIX);
        assert_eq!(code(Namespace::parse(namespace.as_str(), DEFAULT_NAMESPACE_PREFIX)), "ok", "{namespace}");
    }

    #[test]
    fn workspace_names_may_hold_blanks_inside_and_one_character_is_enough() {
        for good in ["a", "My first workspace", "refund-load-test-2", "A1"] {
            assert_eq!(code(WorkspaceName::parse(good)), "ok", "{good}");
        }
        for bad in [" a", "a ", "-a", "a-", "a_b", "a/b", "Zoë"] {
            assert_eq!(code(WorkspaceName::parse(bad)), "invalid", "{bad:?}");
        }
    }

    #[test]
    fn titles_end_at_100_and_descriptions_at_500() {
        assert_eq!(code(DisplayName::parse(&"é".repeat(100))), "ok");
        assert_eq!(code(DisplayName::parse(&"é".repeat(101))), "too_long");
        assert_eq!(code(Description::parse("")), "ok");
        assert_eq!(code(Description::parse(&"x".repeat(501))), "too_long");
        assert_eq!(code(LongText::parse(&"x\n".repeat(2_000))), "ok");
        assert_eq!(code(LongText::parse(&"x".repeat(4_001))), "too_long");
        assert_eq!(code(Reason::parse("  ")), "required");
    }

    proptest! {
        #[test]
        fn no_text_whatever_panics_a_name(text in any::<String>()) {
            let _ = (Username::parse(&text), GroupName::parse(&text), Namespace::parse(&text, DEFAULT_NAMESPACE_PREFIX));
            let _ = (WorkspaceName::parse(&text), DisplayName::parse(&text), Description::parse(&text), Username::suggested_by(&text));
        }

        #[test]
        fn every_group_name_derives_a_valid_namespace(text in "[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?") {
            if let Ok(name) = GroupName::parse(&text) {
                let namespace = Namespace::derive(&name, DEFAULT_NAMESPACE_PREFIX);
                prop_assert!(Namespace::parse(namespace.as_str(), DEFAULT_NAMESPACE_PREFIX).is_ok());
            }
        }
    }
}
