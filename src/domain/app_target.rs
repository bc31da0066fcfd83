//! What of a workspace is shown on an origin of its own: an app of its recipe, or a server on one of its ports.
//!
//! One word names it everywhere: in host names, cookies' rows and addresses. A slug begins with a letter and a port is
//! digits, so the word alone tells which it is.

use std::fmt;

/// An app or a port of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AppTarget {
    /// The slug of an app: `^[a-z][a-z0-9-]{0,23}$`.
    App(String),
    /// A loopback port inside the workspace.
    Port(u16),
}

impl AppTarget {
    /// Reads `code` or `3000`. A port has no leading zero, so that one target has one name.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let port = text.parse().ok().filter(|port| *port > 0)?;
            return (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())).then_some(Self::Port(port));
        }
        is_slug(text).then(|| Self::App(text.to_owned()))
    }

    /// Where the agent joins connections to it.
    pub fn agent_path(&self) -> String {
        match self {
            Self::App(slug) => format!("/v1/app/{slug}"),
            Self::Port(port) => format!("/v1/port/{port}"),
        }
    }
}

impl fmt::Display for AppTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(slug) => f.write_str(slug),
            Self::Port(port) => write!(f, "{port}"),
        }
    }
}

/// `^[a-z][a-z0-9-]{0,23}$`, and no two hyphens in a row: those part the words of a host name.
pub fn is_slug(text: &str) -> bool {
    (1..=24).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.contains("--")
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_slug_or_a_port() {
        assert_eq!(AppTarget::parse("code"), Some(AppTarget::App("code".into())));
        assert_eq!(AppTarget::parse("3000"), Some(AppTarget::Port(3000)));
        for text in ["code", "jupyter-lab", "65535", "1"] {
            assert_eq!(AppTarget::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "0", "080", "65536", "+1", "3000x", "Code", "-a", "a-", "a--b", "a/b", "a.b", "../x", &"a".repeat(25)] {
            assert_eq!(AppTarget::parse(bad), None, "{bad}");
        }
    }
}
