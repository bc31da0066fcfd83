//! The types of settings: how each is read from text, from the file and from JSON, and how it is printed.
//!
//! A value is kept in one small closed enum; [`super::Config`] turns it into the type its user needs. There is one
//! reader per type, used for the file, the environment, the flags and the API alike, so that a value means the same
//! wherever it is written.

use super::network::Network;
use crate::domain::container;
use crate::domain::egress::{Entry, Upstream};
use crate::domain::workspace::check_image;
use crate::transport::{Host, Origin};
use serde_json::Value as Json;

/// What may be written as the value of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true`/`on`, `false`/`off`.
    Bool,
    /// A whole number within bounds, both included.
    Count { min: i64, max: i64 },
    /// One of these words.
    Word(&'static [&'static str]),
    /// `address:port`.
    Address,
    /// `https://host[:port]`.
    Origin,
    /// A host name or an address, without a port.
    Host,
    /// Two ports, `8100-8199`, both included.
    Ports,
    /// A file or directory name; made absolute.
    Path,
    /// Addresses and networks (`10.0.0.0/8`), in a list or separated by commas.
    Networks,
    /// What workspaces may reach (`example.org`, `*.example.org:443`, `10.0.0.0/8`), in a list or separated by commas.
    Targets,
    /// Labels (`disktype=ssd`), in a list or separated by commas.
    Labels,
    /// Taints (`dedicated=ide:NoSchedule`), in a list or separated by commas.
    Tolerations,
    /// Names of objects in a cluster, in a list or separated by commas.
    Names,
    /// An HTTP proxy.
    Proxy,
    /// A container image, or `local:NAME`.
    Image,
    /// The three letters of a currency (ISO 4217).
    Currency,
    /// An amount or a rate: not negative, at most six decimals.
    Decimal { max: u32 },
    /// Any printable text up to `max` bytes.
    Text { max: usize },
}

/// One in the units of [`Value::Decimal`].
pub const MILLION: i64 = 1_000_000;

/// The value of a setting, checked against its [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Bool(bool),
    Count(i64),
    /// In millionths, so that it compares and prints exactly.
    Decimal(i64),
    Text(String),
    List(Vec<String>),
}

impl Kind {
    /// The stable word for programs: what a page draws as a box, a list or a field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Count { .. } => "integer",
            Self::Word(_) => "word",
            Self::Address => "address",
            Self::Origin => "origin",
            Self::Host => "host",
            Self::Ports => "ports",
            Self::Path => "path",
            Self::Networks | Self::Targets | Self::Labels | Self::Tolerations | Self::Names => "list",
            Self::Proxy => "proxy",
            Self::Image => "image",
            Self::Currency => "text",
            Self::Decimal { .. } => "decimal",
            Self::Text { .. } => "text",
        }
    }

    /// The words of a closed list.
    pub fn choices(self) -> Option<&'static [&'static str]> {
        if let Self::Word(words) = self { Some(words) } else { None }
    }

    /// What is expected, for error messages.
    pub fn words(self) -> String {
        match self {
            Self::Bool => "on or off".into(),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Word(words) if words.len() == 1 => format!("{} (the only choice in this build)", words[0]),
            Self::Word(words) => words.join(" or "),
            Self::Address => "an address and a port, like 127.0.0.1:8080 or [::1]:8080".into(),
            Self::Origin => "an address without a path, like https://codex.example.org".into(),
            Self::Host => "a host name or an address without a port, like apps.example.net".into(),
            Self::Ports => "two ports with a hyphen, like 8100-8199, at most 1000 apart".into(),
            Self::Path => "a path".into(),
            Self::Networks => "addresses or networks, like 127.0.0.1 or 10.0.0.0/24".into(),
            Self::Targets => "names, *.names, addresses or networks, each with :port or without".into(),
            Self::Labels => "labels, like disktype=ssd".into(),
            Self::Tolerations => "taints, like gpu or dedicated=ide:NoSchedule".into(),
            Self::Names => "names of lower-case letters, digits, hyphens and dots".into(),
            Self::Proxy => "a proxy, like http://proxy.example.org:3128 or https://user:password@10.0.0.1:3129".into(),
            Self::Image => "an image, like registry.example.org/team/tools:1, or local:NAME".into(),
            Self::Currency => "the three letters of a currency, like EUR".into(),
            Self::Decimal { max } => format!("a number from 0 to {max} with at most six decimals"),
            Self::Text { max } => format!("printable text of 1 to {max} bytes"),
        }
    }

    /// Reads the notation of the environment and of flags.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        match self {
            Self::Bool => match text {
                "true" | "on" => Ok(Value::Bool(true)),
                "false" | "off" => Ok(Value::Bool(false)),
                _ => Err(self.expected(text)),
            },
            Self::Count { .. } => text.parse().map_err(|_| self.expected(text)).and_then(|number| self.count(number)),
            Self::Decimal { max } => {
                millionths(text).filter(|amount| *amount <= i64::from(max) * MILLION).map(Value::Decimal).ok_or_else(|| self.expected(text))
            }
            Self::Networks | Self::Targets | Self::Labels | Self::Tolerations | Self::Names => self.list(split_list(text)),
            _ => self.text(text),
        }
    }

    /// Reads a JSON value, as the settings API and the file give it.
    pub fn read(self, json: &Json) -> Result<Value, String> {
        match (self, json) {
            (Self::Bool, Json::Bool(value)) => Ok(Value::Bool(*value)),
            (Self::Count { .. }, Json::Number(number)) => {
                number.as_i64().ok_or_else(|| self.expected(&number.to_string())).and_then(|n| self.count(n))
            }
            // Serde prints a number with the fewest digits that mean it, so 0.1 stays 0.1.
            (Self::Decimal { .. }, Json::Number(number)) => self.parse(&number.to_string()),
            (Self::Networks | Self::Targets | Self::Labels | Self::Tolerations | Self::Names, Json::Array(items)) => {
                let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                self.list(texts.ok_or_else(|| self.expected(&json.to_string()))?)
            }
            (_, Json::String(text)) => self.parse(text),
            (_, other) => Err(self.expected(&other.to_string())),
        }
    }

    fn expected(self, found: &str) -> String {
        let shown: String = found.chars().take(60).flat_map(char::escape_debug).collect();
        format!("expected {}, found \"{shown}\"", self.words())
    }

    fn count(self, number: i64) -> Result<Value, String> {
        match self {
            Self::Count { min, max } if number < min || number > max => Err(self.expected(&number.to_string())),
            _ => Ok(Value::Count(number)),
        }
    }

    fn list(self, texts: Vec<String>) -> Result<Value, String> {
        for text in &texts {
            match self {
                Self::Targets => Entry::parse(text).map(drop)?,
                Self::Labels => container::parse_label(text).map(drop)?,
                Self::Tolerations => container::Toleration::parse(text).map(drop)?,
                Self::Names if container::is_object_name(text) => {}
                Self::Names => return Err(self.expected(text)),
                _ => Network::parse(text).map(drop)?,
            }
        }
        Ok(Value::List(texts))
    }

    fn text(self, text: &str) -> Result<Value, String> {
        let good = match self {
            Self::Word(words) => words.contains(&text),
            Self::Address => text.parse::<std::net::SocketAddr>().is_ok(),
            Self::Host => return Host::parse(text).map(|host| Value::Text(host.to_string())).ok_or_else(|| self.expected(text)),
            Self::Ports => super::gateway::ports(text).is_some(),
            Self::Origin => return Origin::parse(text).map(|origin| Value::Text(origin.to_string())),
            Self::Proxy => return Upstream::parse(text).map(|_| Value::Text(text.to_owned())),
            Self::Path => !text.is_empty() && !text.contains('\0'),
            Self::Image => check_image(text).is_ok(),
            Self::Currency => text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()),
            Self::Text { max } => !text.is_empty() && text.len() <= max && !text.chars().any(char::is_control),
            Self::Bool
            | Self::Count { .. }
            | Self::Decimal { .. }
            | Self::Networks
            | Self::Targets
            | Self::Labels
            | Self::Tolerations
            | Self::Names => false,
        };
        if good { Ok(Value::Text(text.to_owned())) } else { Err(self.expected(text)) }
    }
}

/// `["a", "b"]` or `a, b`.
fn split_list(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    inner.split(',').map(|item| item.trim().trim_matches('"').to_owned()).filter(|item| !item.is_empty()).collect()
}

/// `12.5` in millionths; nothing but digits and one point.
fn millionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(MILLION)?.checked_add(fraction)
}

/// Millionths without needless zeros.
fn decimal(amount: i64) -> String {
    let text = format!("{}.{:06}", amount / MILLION, amount % MILLION);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Value {
    /// As the settings API answers it.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool(value) => Json::Bool(*value),
            Self::Count(number) => Json::from(*number),
            Self::Decimal(amount) => decimal(*amount).parse().map_or(Json::Null, Json::Number),
            Self::Text(text) => Json::String(text.clone()),
            Self::List(items) => Json::from(items.clone()),
        }
    }

    /// As it is written in `codex-web.toml`.
    pub fn to_toml(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Count(number) => number.to_string(),
            Self::Decimal(amount) => decimal(*amount),
            // JSON's escapes are a subset of those of a TOML basic string.
            Self::Text(text) => Json::String(text.clone()).to_string(),
            Self::List(items) => Json::from(items.clone()).to_string().replace("\",\"", "\", \""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_words_or_truth_values() {
        assert_eq!(Kind::Bool.parse("on"), Ok(Value::Bool(true)));
        assert_eq!(Kind::Bool.parse("false"), Ok(Value::Bool(false)));
        assert_eq!(Kind::Bool.read(&Json::Bool(true)), Ok(Value::Bool(true)));
        assert!(Kind::Bool.parse("maybe").is_err());
        assert!(Kind::Bool.read(&Json::from(1)).is_err());
    }

    #[test]
    fn numbers_keep_their_bounds_however_they_are_written() {
        let kind = Kind::Count { min: 1, max: 9 };
        assert_eq!(kind.parse(" 9 "), Ok(Value::Count(9)));
        for bad in ["0", "10", "-1", "1.5", "99999999999999999999", ""] {
            assert!(kind.parse(bad).is_err(), "{bad}");
        }
        assert!(kind.read(&Json::from(10)).is_err());
        assert!(kind.read(&Json::from(1.5)).is_err());
    }

    #[test]
    fn amounts_are_exact_and_never_negative() {
        let kind = Kind::Decimal { max: 1_000 };
        for (text, amount) in [("0.1", 100_000), ("27.3385", 27_338_500), ("6.834625", 6_834_625), ("1000", 1_000_000_000), ("0", 0)] {
            assert_eq!(kind.parse(text), Ok(Value::Decimal(amount)), "{text}");
            assert_eq!(kind.read(&serde_json::from_str(text).unwrap()), Ok(Value::Decimal(amount)), "{text}");
            assert_eq!(Value::Decimal(amount).to_json().to_string(), text);
        }
        for bad in ["-1", "1000.000001", "0.0000001", "1e3", ".5", "5.", "NaN", "", "1,5"] {
            assert!(kind.parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_image_is_a_reference() {
        assert!(Kind::Image.parse("local:shell").is_ok() && Kind::Image.parse("docker.io/library/debian:12").is_ok());
        assert!(Kind::Image.parse("a b").is_err() && Kind::Image.parse("").is_err());
    }

    #[test]
    fn lists_are_written_either_way() {
        let both = Value::List(vec!["127.0.0.1".into(), "10.0.0.0/8".into()]);
        assert_eq!(Kind::Networks.parse("127.0.0.1, 10.0.0.0/8"), Ok(both.clone()));
        assert_eq!(Kind::Networks.parse("[\"127.0.0.1\", \"10.0.0.0/8\"]"), Ok(both.clone()));
        assert_eq!(both.to_toml(), "[\"127.0.0.1\", \"10.0.0.0/8\"]");
    }

    #[test]
    fn an_error_names_the_rule_and_cannot_break_the_line() {
        let error = Kind::Word(&["text", "json"]).parse("x\ny").unwrap_err();
        assert_eq!(error, "expected text or json, found \"x\\ny\"");
    }
}
