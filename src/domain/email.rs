//! E-mail addresses, as strict as is useful: what people have, and nothing that mail servers quarrel about.
//!
//! ASCII only (an address with look-alikes is somebody else's), no quoted local parts, no comments, no address literals.
//! The domain is stored in lower case; the local part as written, because its owner may care. Two addresses are the same
//! when their [`Email::key`] is. Whether mail arrives there is deliberately not asked.

use super::field::FieldRule;
use super::names::{Username, names};
use std::fmt;

/// The longest address that SMTP can carry.
const ADDRESS_MAX: usize = 254;
const LOCAL_MAX: usize = 64;
const DOMAIN_LABEL_MAX: usize = 63;

names! {
    /// A checked e-mail address.
    Email;
}

impl Email {
    pub fn parse(text: &str) -> Result<Self, FieldRule> {
        if text.is_empty() {
            return Err(FieldRule::new("required", "Give an e-mail address."));
        }
        if text.len() > ADDRESS_MAX {
            return Err(FieldRule::new("too_long", "An e-mail address has at most 254 characters."));
        }
        if !text.is_ascii() {
            return Err(FieldRule::new("characters", "Only plain letters, digits and signs are allowed in an e-mail address."));
        }
        let parts = text.rsplit_once('@').filter(|(local, domain)| is_local_part(local) && is_domain(domain));
        let Some((local, domain)) = parts else {
            return Err(FieldRule::new("invalid", "Write it as name@domain, for example sara.lind@example.com."));
        };
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    /// What makes two addresses the same: all of it in lower case.
    pub fn key(&self) -> String {
        self.as_str().to_ascii_lowercase()
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.as_str().rsplit_once('@').map_or(self.as_str(), |(local, _)| local)
    }

    /// The user name that this address suggests.
    pub fn suggested_username(&self) -> Option<Username> {
        Username::suggested_by(self.local_part())
    }
}

/// The name that somebody typed to sign in, brought to the one spelling under which rows and throttles are kept: blanks
/// around cut off, lower case, at most 254 bytes. Without one spelling, a re-spelt name would get a fresh throttle.
pub fn sign_in_key(typed: &str) -> String {
    let lower = typed.trim().to_lowercase();
    let end = (0..=ADDRESS_MAX.min(lower.len())).rev().find(|i| lower.is_char_boundary(*i)).unwrap_or(0);
    lower.get(..end).unwrap_or_default().to_owned()
}

fn is_local_part(local: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b);
    (1..=LOCAL_MAX).contains(&local.len()) && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(allowed))
}

/// At least two labels, so that a forgotten `.com` is noticed; `localhost` is there for trying things out.
fn is_domain(domain: &str) -> bool {
    if domain.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let labels: Vec<&str> = domain.split('.').collect();
    let top_has_letter = labels.last().is_some_and(|top| top.bytes().any(|b| b.is_ascii_alphabetic()));
    labels.len() >= 2 && top_has_letter && labels.iter().all(|label| is_domain_label(label))
}

fn is_domain_label(label: &str) -> bool {
    (1..=DOMAIN_LABEL_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_that_people_have_are_accepted() {
        for good in ["a@b.co", "sara.lind+codex@mail.example.com", "o'brien@example.org", "root@localhost", "x@1.example"] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn what_no_mail_server_agrees_on_is_refused() {
        for bad in [
            "a",
            "@b.co",
            "a@",
            "a@b",
            "a b@c.de",
            "a@b..co",
            "a@-b.co",
            "a@b-.co",
            ".a@b.co",
            "a.@b.co",
            "a..b@c.de",
            "a@[1.2.3.4]",
            "a@1.2.3.4",
            "\"a b\"@c.de",
            "a@b@c.de",
            "a@b.co\n",
            " a@b.co",
            "a@b_c.de",
            "<a@b.co>",
        ] {
            assert_eq!(Email::parse(bad).err().map(|r| r.code), Some("invalid"), "{bad:?}");
        }
        assert_eq!(Email::parse("sаra@example.com").err().map(|r| r.code), Some("characters"));
        assert_eq!(Email::parse(&format!("a@{}.de", "b.".repeat(130))).err().map(|r| r.code), Some("too_long"));
    }

    #[test]
    fn the_domain_is_lower_cased_and_the_key_ignores_case_altogether() {
        let email = Email::parse("Sara@Example.COM").unwrap();
        assert_eq!(email.as_str(), "Sara@example.com");
        assert_eq!(email.key(), "sara@example.com");
        assert_eq!(email.suggested_username().map(Username::into_string), Some("sara".into()));
    }

    #[test]
    fn a_re_spelt_name_has_the_same_key() {
        assert_eq!(sign_in_key("  ALICE "), sign_in_key("alice"));
        assert!(sign_in_key(&"ß".repeat(1000)).len() <= 254);
    }

    proptest! {
        #[test]
        fn no_text_whatever_panics(text in any::<String>()) {
            let _ = (Email::parse(&text), sign_in_key(&text));
        }

        #[test]
        fn what_is_accepted_is_accepted_again_unchanged(text in "[a-z.+]{1,8}@[A-Za-z.-]{1,12}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
            }
        }
    }
}
