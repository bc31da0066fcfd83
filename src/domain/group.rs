//! A group's own words: the role of a member in it, and how far its place in the cluster is made.

use serde::{Deserialize, Serialize};

/// What a member is in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupRole {
    Member,
    Admin,
}

impl GroupRole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "member" => Some(Self::Member),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// How far a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupStatus {
    /// Its namespace is being made.
    Creating,
    Active,
    /// The cluster will not make it; the reason says why.
    Failed,
    /// Its namespace is being removed; only platform admins see it, and its name stays taken until it is gone.
    Deleting,
}

impl GroupStatus {
    pub const ALL: [Self; 4] = [Self::Creating, Self::Active, Self::Failed, Self::Deleting];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Active => "active",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether new workspaces and members may come in. A group that is still being made takes them: they wait with it.
    pub fn takes_more(self) -> bool {
        matches!(self, Self::Creating | Self::Active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_and_no_other() {
        assert!(GroupStatus::ALL.iter().all(|s| GroupStatus::parse(s.as_str()) == Some(*s)));
        assert_eq!(GroupRole::parse("admin"), Some(GroupRole::Admin));
        assert_eq!(GroupRole::parse("member"), Some(GroupRole::Member));
        assert_eq!(GroupRole::parse("developer"), None);
        assert_eq!(GroupRole::parse("Admin"), None);
    }

    #[test]
    fn nothing_comes_into_a_group_that_failed_or_goes() {
        assert!(!GroupStatus::Deleting.takes_more() && !GroupStatus::Failed.takes_more());
        assert!(GroupStatus::Creating.takes_more() && GroupStatus::Active.takes_more());
    }
}
