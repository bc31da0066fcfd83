//! A user's own words: what kind of account it is, and whether it may be used.

use serde::{Deserialize, Serialize};

/// Who stands behind an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    Person,
    /// A program with API tokens: no password, no browser, never a platform admin.
    Service,
}

impl UserKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "person" => Some(Self::Person),
            "service" => Some(Self::Service),
            _ => None,
        }
    }
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    Active,
    /// Nobody signs in with it; everything it owns stays.
    Disabled,
    /// Its user name and address are free again; its name stays for the audit.
    Deleted,
    /// What is known of the person is gone; what they did stays.
    Erased,
}

impl UserStatus {
    pub const ALL: [Self; 4] = [Self::Active, Self::Disabled, Self::Deleted, Self::Erased];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::Erased => "erased",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether somebody may be signed in with it.
    pub fn may_sign_in(self) -> bool {
        self == Self::Active
    }
}

/// How many platform admins are advised: fewer cannot stand in for each other, and each more is one more key to all.
pub const ADMINS_ADVISED: std::ops::RangeInclusive<i64> = 2..=4;

/// What is to be said of the number of active platform admins; `None` where it is as advised.
pub fn advice_on_admins(count: i64) -> Option<String> {
    let what = match count {
        few if few < *ADMINS_ADVISED.start() => "Make somebody else one, who can help when the only one is away or locked out.",
        many if many > *ADMINS_ADVISED.end() => "Each can see and change everything: take the right from those who do not need it.",
        _ => return None,
    };
    let one = if count == 1 { "There is 1 platform admin".to_owned() } else { format!("There are {count} platform admins") };
    Some(format!("{one}; two to four are advised. {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        assert!(UserStatus::ALL.iter().all(|s| UserStatus::parse(s.as_str()) == Some(*s)));
        assert_eq!(UserKind::parse("service"), Some(UserKind::Service));
        assert_eq!(UserKind::parse("robot"), None);
    }

    #[test]
    fn fewer_than_two_and_more_than_four_admins_are_warned_of() {
        let warned: Vec<i64> = (0..=6).filter(|count| advice_on_admins(*count).is_some()).collect();
        assert_eq!(warned, [0, 1, 5, 6]);
        assert!(advice_on_admins(1).unwrap().starts_with("There is 1 platform admin; two to four are advised."));
    }

    #[test]
    fn only_active_accounts_sign_in() {
        let who: Vec<_> = UserStatus::ALL.into_iter().filter(|s| s.may_sign_in()).collect();
        assert_eq!(who, [UserStatus::Active]);
    }
}
