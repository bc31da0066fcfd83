//! What workspaces may reach: the operator's policy, and the verdict on one connection with its rule in words.
//!
//! A connection is judged twice. Its *name* is judged before anything is looked up, so that a closed network is not
//! even asked; then every *address* that the name led to is judged, and only those that pass are connected to. A name
//! that leads somewhere else a moment later (rebinding) gains nothing: nobody looks it up again.
//!
//! Addresses that lead back into the operator's own network are refused in every policy until `egress_allow` names them.
//! A name there opens private addresses too, because that is what a name of an internal server is for; loopback,
//! link-local and metadata addresses and those of this server are opened by writing the address itself, never through a
//! name, whose owner could point it at them.

mod address;
mod entry;
mod target;
mod upstream;

pub use address::{Class, class};
pub use entry::Entry;
pub use target::{Host, Target};
pub use upstream::Upstream;

use std::fmt;
use std::net::IpAddr;

/// `workspaces.egress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything but the operator's own network.
    #[default]
    Open,
    /// Only what `egress_allow` names.
    Allowlist,
    /// Nothing, whatever `egress_allow` says.
    None,
}

impl Mode {
    /// Every word, as the setting takes it.
    pub const WORDS: [&'static str; 3] = ["open", "allowlist", "none"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Allowlist => "allowlist",
            Self::None => "none",
        }
    }

    /// Reads the word of the setting.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Allowlist, Self::None].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// What the operator decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    pub mode: Mode,
    /// `workspaces.egress_allow`.
    pub allow: Vec<Entry>,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The policy is `none`.
    Closed,
    /// The policy is `allowlist`, and no entry names it.
    NotListed,
    /// A name that only a private network knows, where names are looked up by the upstream proxy.
    LocalName,
    /// Every address that the name led to is of this class.
    Address(Class),
}

impl Rule {
    /// A stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NotListed => "not_listed",
            Self::LocalName => "local_name",
            Self::Address(class) => class.code(),
        }
    }
}

/// A refusal, ready to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub target: Target,
    pub rule: Rule,
    /// The address that was refused, where the target is a name.
    pub address: Option<IpAddr>,
}

impl fmt::Display for Refusal {
    /// One sentence for a person in a terminal, and what the operator could do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        match self.rule {
            Rule::Closed => write!(f, "{target} is refused: workspaces reach nothing here (workspaces.egress = none)."),
            Rule::NotListed => {
                write!(f, "{target} is refused: it is not on the list of what workspaces may reach (workspaces.egress_allow).")
            }
            Rule::LocalName => {
                write!(f, "{target} is refused: it is a name of a private network. The operator can name it in workspaces.egress_allow.")
            }
            Rule::Address(class) => {
                let led = self.address.map_or_else(|| "it is ".to_owned(), |address| format!("it leads to {address}, "));
                write!(f, "{target} is refused: {led}{}. The operator can name the address in workspaces.egress_allow.", class.words())
            }
        }
    }
}

impl Policy {
    /// Judges a target before anything is looked up.
    ///
    /// In `allowlist` a name must be named itself: an entry with a network never makes this server look up a name that
    /// nobody listed, because the question alone would carry data out.
    pub fn judge(&self, target: &Target) -> Result<(), Refusal> {
        let refuse = |rule| Err(Refusal { target: target.clone(), rule, address: None });
        match self.mode {
            Mode::None => refuse(Rule::Closed),
            Mode::Allowlist if !self.names(target) => refuse(Rule::NotListed),
            Mode::Open | Mode::Allowlist => Ok(()),
        }
    }

    /// Judges one address that the target led to. `own` are the addresses of this server.
    pub fn judge_address(&self, target: &Target, address: IpAddr, own: &[IpAddr]) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let class = if address::forms(address).any(|form| own.contains(&form)) { Some(Class::OwnServer) } else { class(address) };
        let Some(class) = class else { return Ok(()) };
        let by_address = self.allow.iter().any(|entry| entry.holds(address, target.port));
        let by_name = class.opens_by_name() && self.allow.iter().any(|entry| entry.names(target));
        if by_address || by_name {
            return Ok(());
        }
        let shown = (target.host != Host::Address(address)).then_some(address);
        Err(Refusal { target: target.clone(), rule: Rule::Address(class), address: shown })
    }

    /// Judges a target whose name is looked up by somebody else, the upstream proxy: an address as ever, and a name
    /// by its look, because where it leads is not known here.
    pub fn judge_unresolved(&self, target: &Target, own: &[IpAddr]) -> Result<(), Refusal> {
        match &target.host {
            Host::Address(address) => self.judge_address(target, *address, own),
            Host::Name(name) if target::is_local(name) && !self.names(target) => {
                Err(Refusal { target: target.clone(), rule: Rule::LocalName, address: None })
            }
            Host::Name(_) => Ok(()),
        }
    }

    /// Whether an entry names this target as it was asked for.
    fn names(&self, target: &Target) -> bool {
        self.allow.iter().any(|entry| match target.host {
            Host::Name(_) => entry.names(target),
            Host::Address(address) => entry.holds(address, target.port),
        })
    }
}

#[cfg(test)]
mod tests;
