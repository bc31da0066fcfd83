//! What an API token may be used for: a closed list of words that people pick from and that programs are refused by.
//!
//! An area of the product, and how far into it: `groups:read`, `groups:write`, `workspaces:connect`. Writing includes
//! reading of the same area, because every change answers with what it changed; entering workspaces is apart from both.
//! There is no word for everything. Which action needs which scope stands in the policy table; what is given is never
//! more than the token's owner may do at that moment.

use std::fmt;

/// A part of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    Profile,
    Workspaces,
    Groups,
    Organizations,
    Requests,
    Templates,
    Audit,
    Users,
    Settings,
    /// The server's own figures, for monitors; there is nothing to write.
    Metrics,
}

impl Area {
    pub const ALL: [Self; 10] = [
        Self::Profile,
        Self::Workspaces,
        Self::Groups,
        Self::Organizations,
        Self::Requests,
        Self::Templates,
        Self::Audit,
        Self::Users,
        Self::Settings,
        Self::Metrics,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Workspaces => "workspaces",
            Self::Groups => "groups",
            Self::Organizations => "organizations",
            Self::Requests => "requests",
            Self::Templates => "templates",
            Self::Audit => "audit",
            Self::Users => "users",
            Self::Settings => "settings",
            Self::Metrics => "metrics",
        }
    }
}

/// How far into an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    Read,
    /// Also reads.
    Write,
    /// Into workspaces: terminal, files, what runs there. Of no other area.
    Connect,
}

impl Reach {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Connect => "connect",
        }
    }
}

/// One word of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    area: Area,
    reach: Reach,
}

impl Scope {
    /// Into workspaces.
    pub const CONNECT: Self = Self { area: Area::Workspaces, reach: Reach::Connect };

    pub const fn read(area: Area) -> Self {
        Self { area, reach: Reach::Read }
    }

    pub const fn write(area: Area) -> Self {
        Self { area, reach: Reach::Write }
    }

    /// The whole list, in the order in which it is offered.
    pub fn all() -> impl Iterator<Item = Self> {
        Area::ALL.into_iter().flat_map(|area| {
            let write = (area != Area::Metrics).then_some(Self::write(area));
            let connect = (area == Area::Workspaces).then_some(Self::CONNECT);
            std::iter::once(Self::read(area)).chain(write).chain(connect)
        })
    }

    pub const fn area(self) -> Area {
        self.area
    }

    /// What it lets a program do, for whoever picks it.
    pub const fn words(self) -> &'static str {
        match (self.area, self.reach) {
            (Area::Profile, Reach::Read) => "See who you are and which groups you are in.",
            (Area::Profile, _) => "Change your name, e-mail address, SSH key and git credentials.",
            (Area::Workspaces, Reach::Read) => "See workspaces, their state, logs, metrics and cost.",
            (Area::Workspaces, Reach::Write) => "Create, start, stop, change and delete workspaces.",
            (Area::Workspaces, Reach::Connect) => "Enter workspaces: terminal, files and what runs inside.",
            (Area::Groups, Reach::Read) => "See groups, their members and what they use.",
            (Area::Groups, _) => "Change groups, their quota and their members.",
            (Area::Organizations, Reach::Read) => "See organizations.",
            (Area::Organizations, _) => "Change organizations.",
            (Area::Requests, Reach::Read) => "See requests.",
            (Area::Requests, _) => "Make and decide requests.",
            (Area::Templates, Reach::Read) => "See templates.",
            (Area::Templates, _) => "Change templates.",
            (Area::Audit, Reach::Read) => "Read and export the audit log.",
            (Area::Audit, _) => "Change how long the audit log is kept.",
            (Area::Users, Reach::Read) => "See users, their sign-ins and API tokens.",
            (Area::Users, _) => "Create, change, disable and delete users, and end their sign-ins and API tokens.",
            (Area::Settings, Reach::Read) => "See settings, prices, capacity, statistics and health.",
            (Area::Settings, _) => "Change settings and prices.",
            (Area::Metrics, _) => "Read the server's metrics.",
        }
    }

    /// As the API and the database write it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::all().find(|scope| scope.to_string() == text)
    }

    /// A token with this scope may do what needs the other one.
    pub fn covers(self, needed: Self) -> bool {
        self == needed || (self.area == needed.area && self.reach == Reach::Write && needed.reach == Reach::Read)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.area.as_str(), self.reach.as_str())
    }
}

impl serde::Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_word_is_read_back_and_there_is_none_for_everything() {
        let words: BTreeSet<String> = Scope::all().map(|scope| scope.to_string()).collect();
        assert_eq!(words.len(), 20);
        assert!(Scope::all().all(|scope| Scope::parse(&scope.to_string()) == Some(scope)));
        for nonsense in ["", "*", "groups", "groups:", "groups:connect", "Groups:read", "groups:read ", "metrics:write", "all:write"] {
            assert_eq!(Scope::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn writing_includes_reading_of_the_same_area_and_nothing_else_includes_anything() {
        let pairs = Scope::all().flat_map(|given| Scope::all().map(move |needed| (given, needed)));
        let covering: Vec<String> =
            pairs.filter(|(given, needed)| given != needed && given.covers(*needed)).map(|(g, n)| format!("{g} {n}")).collect();
        let wanted: Vec<String> = Area::ALL[..9].iter().map(|area| format!("{} {}", Scope::write(*area), Scope::read(*area))).collect();
        assert_eq!(covering, wanted);
    }
}
