//! The four platform rights (Che's system permissions). `isAdmin` in the API means all four.

use std::fmt;

/// One platform right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    ManageSystem,
    ManageUsers,
    MonitorSystem,
    SetPermissions,
}

impl Right {
    pub const ALL: [Right; 4] = [Self::ManageSystem, Self::ManageUsers, Self::MonitorSystem, Self::SetPermissions];

    /// The word of the API and of the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ManageSystem => "manageSystem",
            Self::ManageUsers => "manageUsers",
            Self::MonitorSystem => "monitorSystem",
            Self::SetPermissions => "setPermissions",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::ManageSystem => 1,
            Self::ManageUsers => 2,
            Self::MonitorSystem => 4,
            Self::SetPermissions => 8,
        }
    }
}

/// A set of platform rights.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u8);

impl Rights {
    pub const NONE: Rights = Rights(0);
    pub const ALL: Rights = Rights(15);

    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | right.bit())
    }

    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    pub fn has_any(self, rights: &[Right]) -> bool {
        rights.iter().any(|r| self.has(*r))
    }

    /// All four: what the API calls `isAdmin`.
    pub const fn is_admin(self) -> bool {
        self.0 == 15
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Nothing in `self` that is not also in `other`.
    pub const fn is_subset_of(self, other: Rights) -> bool {
        self.0 & !other.0 == 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Right::ALL.into_iter().filter(|r| self.has(*r))).finish()
    }
}
