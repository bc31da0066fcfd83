//! How a workspace that is made from an image runs in a cluster: its shell, its user, and where it may be placed.
//!
//! Part of a recipe, frozen on the workspace. Everything has a default that works with any image, and what the operator
//! says for all workspaces (`cluster.node_selector` and its neighbours) is added to it. What is deliberately not here:
//! anything that would loosen the security context; the cluster admits `restricted` pods only.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The longest name or value of a label.
const LABEL_MAX: usize = 63;
/// The longest prefix of a label's key.
const PREFIX_MAX: usize = 253;

/// What a recipe says of its container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerSetup {
    /// What a terminal starts; empty: the best shell of the image, as a login shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shell: Vec<String>,
    /// What runs beside the terminals for as long as the workspace does; empty: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Nothing but the home, `/tmp` and `/run/codex-web` can be written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only_root: bool,
    /// The numeric user and group that everything runs as, at least 1; 1000 where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<i64>,
    /// Labels that a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that it may be placed on nevertheless.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// The class of its disk; the operator's, else the cluster's default, where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// Secrets in the group's namespace with which its image is pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
}

impl ContainerSetup {
    /// Whether it says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a taint does to a pod that does not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

impl Effect {
    const ALL: [Self; 3] = [Self::NoSchedule, Self::PreferNoSchedule, Self::NoExecute];

    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSchedule => "NoSchedule",
            Self::PreferNoSchedule => "PreferNoSchedule",
            Self::NoExecute => "NoExecute",
        }
    }
}

/// A taint that is tolerated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Toleration {
    pub key: String,
    /// `None`: whatever its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `None`: whatever its effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
}

impl Toleration {
    /// Reads a taint as `kubectl taint` writes it: `key`, `key=value`, `key:NoSchedule` or `key=value:NoSchedule`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{}\": write a taint like dedicated=workspaces:NoSchedule", text.escape_debug());
        let (taint, effect) = match text.split_once(':') {
            Some((taint, word)) => (taint, Some(Effect::ALL.into_iter().find(|effect| effect.as_str() == word).ok_or_else(wrong)?)),
            None => (text, None),
        };
        let (key, value) = taint.split_once('=').map_or((taint, None), |(key, value)| (key, Some(value)));
        if !is_label_key(key) || !value.is_none_or(is_label_value) {
            return Err(wrong());
        }
        Ok(Self { key: key.to_owned(), value: value.map(str::to_owned), effect })
    }
}

impl fmt::Display for Toleration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, "={value}"))?;
        self.effect.map_or(Ok(()), |effect| write!(f, ":{}", effect.as_str()))
    }
}

/// Reads a label, `key=value`.
pub fn parse_label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, value)| is_label_key(key) && is_label_value(value));
    let (key, value) = pair.ok_or_else(|| format!("\"{}\": write a label like disktype=ssd", text.escape_debug()))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Whether it can be the name of an object in a cluster: a DNS subdomain.
pub fn is_object_name(text: &str) -> bool {
    text.len() <= PREFIX_MAX && text.split('.').all(is_dns_label)
}

fn is_dns_label(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = text.bytes().next().zip(text.bytes().last());
    text.len() <= LABEL_MAX && ends.is_some_and(|(a, b)| edge(a) && edge(b)) && text.bytes().all(|b| edge(b) || b == b'-')
}

/// An optional DNS subdomain and a slash, then a name.
fn is_label_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_object_name) && !name.is_empty() && is_label_value(name)
}

fn is_label_value(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let edges = text.bytes().next().into_iter().chain(text.bytes().last());
    text.len() <= LABEL_MAX && text.bytes().all(inner) && edges.into_iter().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_are_written_as_kubectl_writes_them() {
        for text in ["gpu", "dedicated=ide", "gpu:NoSchedule", "example.com/dedicated=ide:NoExecute", "empty=:PreferNoSchedule"] {
            assert_eq!(Toleration::parse(text).map(|t| t.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "=x", "a b", "gpu:Never", "gpu:noschedule", "a=b=c", "/x", "x/", "a:NoSchedule:NoExecute", "-a"] {
            assert!(Toleration::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labels_keep_the_rules_of_the_cluster() {
        assert_eq!(parse_label("disktype=ssd"), Ok(("disktype".to_owned(), "ssd".to_owned())));
        assert!(parse_label("kubernetes.io/os=linux").is_ok() && parse_label("empty=").is_ok());
        for bad in ["disktype", "=ssd", "a b=c", "a=b c", "a=-b", "UPPER.io/a=b", &format!("{}=x", "a".repeat(64))] {
            assert!(parse_label(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn object_names_are_dns_subdomains() {
        assert!(["regcred", "a.b-c", "x1"].into_iter().all(is_object_name));
        assert!(!["", "A", "a_b", "-a", "a-", "a..b"].into_iter().any(is_object_name));
    }

    #[test]
    fn a_setup_that_says_nothing_is_written_as_nothing() {
        assert_eq!(serde_json::to_string(&ContainerSetup::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<ContainerSetup>("{}").unwrap(), ContainerSetup::default());
    }
}
