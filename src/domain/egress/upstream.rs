//! `workspaces.egress_proxy`: the HTTP proxy through which this site reaches the outside.
//!
//! With Basic credentials or none. `http://` is the usual kind, because what is inside a tunnel is encrypted end to end
//! anyway; to an `https://` proxy names and credentials are not sent in the clear either.

use super::target::Target;
use std::fmt;

/// The proxy of this site.
#[derive(Clone, PartialEq, Eq)]
pub struct Upstream {
    pub target: Target,
    /// `https://`: it is spoken to by TLS.
    pub is_encrypted: bool,
    /// User name and password.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for Upstream {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("target", &self.target).field("is_encrypted", &self.is_encrypted).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Reads `http[s]://[user:password@]host:port`; what is special in user name and password is percent-encoded. The error
    /// repeats nothing of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let plain = text.strip_prefix("http://").map(|rest| (rest, false));
        let given = plain.or_else(|| text.strip_prefix("https://").map(|rest| (rest, true)));
        let (rest, is_encrypted) = given.ok_or("a proxy is written like http://proxy.example.org:3128")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = rest.rsplit_once('@').map_or((None, rest), |(before, after)| (Some(before), after));
        let target = Target::parse(authority)?;
        let credentials = credentials.map(read_credentials).transpose()?;
        Ok(Self { target, is_encrypted, credentials })
    }
}

fn read_credentials(text: &str) -> Result<(String, String), String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = decode(user).zip(decode(password)).ok_or("user name and password of the proxy are percent-encoded text")?;
    // A colon in the name would move the border between the two (RFC 7617).
    if user.is_empty() || user.contains(':') {
        return Err("the proxy's user name is empty or holds a colon".to_owned());
    }
    Ok((user, password))
}

/// Percent-decoding to printable text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            b'/' | b'?' | b'#' | b'@' => return None,
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_with_and_without_credentials() {
        let plain = Upstream::parse("http://proxy.example.org:3128/").unwrap();
        assert_eq!((plain.target.to_string().as_str(), plain.credentials), ("proxy.example.org:3128", None));
        assert!(!plain.is_encrypted && Upstream::parse("https://proxy.example.org:3129").unwrap().is_encrypted);
        let known = Upstream::parse("http://ada:p%40ss%3Aword@10.0.0.1:8080").unwrap();
        assert_eq!(known.credentials, Some(("ada".to_owned(), "p@ss:word".to_owned())));
        assert!(!format!("{known:?}").contains("word"), "{known:?}");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_repeating_it() {
        for text in [
            "",
            "proxy:3128",
            "https://proxy",
            "socks5://proxy:3128",
            "http://proxy",
            "http://a@b@proxy:1",
            "http://%zz:x@proxy:1",
            "http://:secret@proxy:1",
            "http://a%0d:secret@proxy:1",
            "http://proxy:1/path",
        ] {
            let error = Upstream::parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
