//! What of a message's headers passes between a browser and an app, in each direction. Pure.
//!
//! Inwards nothing of ours gets through: not our cookies, not our tokens, and no word about the client but our own.
//! Outwards nothing gets through that reaches beyond the app's own origin: what a workspace serves is written by others.

use crate::agent::hops;
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE,
};
use std::net::IpAddr;

/// What every cookie of ours begins with, after a prefix that browsers know.
const OUR_COOKIES: &str = "codex_";

/// Said by us, whatever the client says.
pub struct Told<'a> {
    /// As the browser sent it: apps compare it with `Origin`.
    pub host: &'a str,
    pub client: IpAddr,
    /// `http` or `https`.
    pub scheme: &'static str,
}

/// The headers of a request as the app gets them. `given` are name and value as they came.
pub fn inward<'g>(given: impl Iterator<Item = (&'g str, &'g [u8])>, told: &Told<'_>) -> Result<HeaderMap> {
    let malformed = || Error::Syntax("A header of the request is malformed.".to_owned());
    let mut headers = HeaderMap::with_capacity(24);
    for (name, value) in given {
        // In lower case from here on, however it was written.
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed())?;
        if is_about_the_client(name.as_str()) {
            continue;
        }
        headers.append(name, HeaderValue::from_bytes(value).map_err(|_| malformed())?);
    }
    let websocket = hops::is_websocket(&headers);
    hops::strip(&mut headers);
    if websocket {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    // How long the body is, the next hop is told by the body itself; and who waits for `100 Continue` has had it.
    for name in [CONTENT_LENGTH, EXPECT, HOST] {
        headers.remove(name);
    }
    keep_foreign_cookies(&mut headers);
    if headers.get_all(AUTHORIZATION).iter().any(is_our_token) {
        headers.remove(AUTHORIZATION);
    }
    let text = |text: &str| HeaderValue::from_str(text).map_err(|_| malformed());
    headers.insert(HOST, text(told.host)?);
    headers.insert("x-forwarded-host", text(told.host)?);
    headers.insert("x-forwarded-proto", HeaderValue::from_static(told.scheme));
    headers.insert("x-forwarded-for", text(&told.client.to_string())?);
    Ok(headers)
}

/// Words about the client or the request that an app would believe.
fn is_about_the_client(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || name.starts_with("x-original-")
        || name == FORWARDED.as_str()
        || matches!(
            name,
            "x-real-ip" | "x-client-ip" | "x-cluster-client-ip" | "true-client-ip" | "x-rewrite-url" | "x-http-method-override"
        )
}

fn keep_foreign_cookies(headers: &mut HeaderMap) {
    let Some(first) = headers.get(COOKIE) else { return };
    // The usual case: one header, nothing of ours but the app session in it.
    let lines: Vec<&[u8]> = if headers.get_all(COOKIE).iter().count() == 1 {
        vec![first.as_bytes()]
    } else {
        headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect()
    };
    let mut kept: Vec<u8> = Vec::with_capacity(first.len());
    for pair in lines.iter().flat_map(|line| line.split(|b| *b == b';')).map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()) {
        let name = pair.split(|b| *b == b'=').next().unwrap_or_default();
        if !is_our_cookie(name.trim_ascii()) {
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    headers.remove(COOKIE);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(COOKIE, value);
    }
}

/// Whether a cookie of this name is one of ours, or looks like one to any browser.
fn is_our_cookie(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix(b"__host-").or_else(|| name.strip_prefix(b"__secure-")).unwrap_or(&name);
    name.starts_with(OUR_COOKIES.as_bytes())
}

/// Whether an `Authorization` holds a token of this product: an opaque one, or a JWT of one of our types.
fn is_our_token(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    let Some((scheme, token)) = text.split_once(' ') else { return false };
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return false;
    }
    let opaque = token.len() > 4 && token.starts_with("cx") && token.as_bytes().get(3) == Some(&b'_');
    opaque || is_our_jwt(token)
}

fn is_our_jwt(token: &str) -> bool {
    let Some(head) = token.split('.').next().filter(|head| head.len() <= 1_024) else { return false };
    let head = URL_SAFE_NO_PAD.decode(head).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    let typ = head.as_ref().and_then(|head| head["typ"].as_str()).unwrap_or_default();
    matches!(typ, "at+jwt" | "machine+jwt" | "ticket+jwt")
}

/// The headers of an answer as the browser gets them. `shared`: the page that asked is another app of the same
/// workspace, which may read the answer if the app allows it.
pub fn outward(headers: &HeaderMap, shared: bool) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    hops::others(headers).filter(move |(name, value)| match name.as_str() {
        // Reach beyond one origin, or are between a server and its own clients.
        "strict-transport-security"
        | "public-key-pins"
        | "public-key-pins-report-only"
        | "expect-ct"
        | "clear-site-data"
        | "service-worker-allowed"
        | "alt-svc"
        | "nel"
        | "report-to"
        | "set-login" => false,
        "access-control-allow-credentials"
        | "access-control-allow-headers"
        | "access-control-allow-methods"
        | "access-control-allow-origin"
        | "access-control-expose-headers"
        | "access-control-max-age" => shared,
        "set-cookie" => stays_at_home(value.as_bytes()),
        _ => true,
    })
}

/// Whether a cookie is set for the app's own host alone, under a name that is not ours.
fn stays_at_home(line: &[u8]) -> bool {
    let mut parts = line.split(|b| *b == b';');
    let name = parts.next().unwrap_or_default().split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
    let names_a_domain = |part: &[u8]| {
        let attribute = part.split(|b| *b == b'=').next().unwrap_or_default();
        attribute.trim_ascii().eq_ignore_ascii_case(b"domain")
    };
    !is_our_cookie(name) && !parts.any(names_a_domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(given: &[(&str, &str)]) -> Vec<(String, String)> {
        let told = Told { host: "code--x.localhost:8080", client: [10, 0, 0, 7].into(), scheme: "http" };
        let headers = inward(given.iter().map(|(n, v)| (*n, v.as_bytes())), &told).unwrap();
        headers.iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
    }

    fn value(given: &[(&str, &str)], name: &str) -> Option<String> {
        passed(given).into_iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    fn left(given: &[(&'static str, &'static str)], shared: bool) -> Vec<String> {
        let headers: HeaderMap = given.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect();
        outward(&headers, shared).map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect()
    }

    #[test]
    fn our_cookies_stay_here_and_others_pass() {
        let given = "a=1; codex_app=x; __Host-codex_sid=y; CODEX_dev_8080=z; xcodex_app=2;; __Secure-codex_app_8100=q; b=3=4";
        assert_eq!(value(&[("cookie", given)], "cookie").as_deref(), Some("a=1; xcodex_app=2; b=3=4"));
        assert_eq!(value(&[("cookie", "codex_app=x")], "cookie"), None);
        assert_eq!(value(&[("cookie", "a=1"), ("cookie", " codex_app = x; b=2")], "cookie").as_deref(), Some("a=1; b=2"));
    }

    #[test]
    fn our_tokens_stay_here_and_others_pass() {
        let jwt = |typ: &str| format!("Bearer {}.e30.x", URL_SAFE_NO_PAD.encode(format!("{{\"typ\":\"{typ}\",\"alg\":\"EdDSA\"}}")));
        for ours in ["Bearer cxp_abc", "bearer  cxs_abc", &jwt("at+jwt"), &jwt("machine+jwt"), &jwt("ticket+jwt")] {
            assert_eq!(value(&[("authorization", ours)], "authorization"), None, "{ours}");
        }
        for theirs in ["Basic YTpi", "token abc", &jwt("JWT"), "Bearer abc"] {
            assert_eq!(value(&[("authorization", theirs)], "authorization").as_deref(), Some(theirs));
        }
    }

    #[test]
    fn only_our_word_about_the_client_counts() {
        let lies = [
            ("host", "evil.example"),
            ("forwarded", "for=6.6.6.6;host=evil.example"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-prefix", "/evil"),
            ("X-Real-IP", "6.6.6.6"),
            ("x-original-url", "/admin"),
            ("connection", "x-forwarded-for, host"),
        ];
        let all = passed(&lies);
        assert!(!all.iter().any(|(_, v)| v.contains("evil") || v.contains("6.6.6.6")), "{all:?}");
        assert_eq!(value(&lies, "x-forwarded-for").as_deref(), Some("10.0.0.7"));
        assert_eq!(value(&lies, "x-forwarded-host"), value(&lies, "host"));
        assert_eq!(value(&lies, "host").as_deref(), Some("code--x.localhost:8080"));
    }

    #[test]
    fn an_upgrade_is_passed_on_for_websockets_only() {
        let other = [("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")];
        for name in ["connection", "upgrade", "http2-settings"] {
            assert_eq!(value(&other, name), None, "{name}");
        }
        assert_eq!(value(&[("connection", "keep-alive, upgrade"), ("upgrade", "websocket")], "upgrade").as_deref(), Some("websocket"));
        assert_eq!(value(&[("content-length", "5"), ("transfer-encoding", "chunked"), ("te", "trailers")], "content-length"), None);
    }

    #[test]
    fn what_reaches_beyond_the_apps_origin_is_dropped() {
        let answer = [
            ("content-type", "text/html"),
            ("content-security-policy", "default-src 'self'"),
            ("strict-transport-security", "max-age=1; includeSubDomains"),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("alt-svc", "h3=\":443\""),
            ("report-to", "{}"),
            ("nel", "{}"),
            ("access-control-allow-origin", "*"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
        ];
        assert_eq!(left(&answer, false), ["content-type: text/html", "content-security-policy: default-src 'self'"]);
        assert!(left(&answer, true).contains(&"access-control-allow-origin: *".to_owned()));
    }

    #[test]
    fn a_cookie_for_more_than_the_app_or_with_our_name_is_dropped() {
        let kept = ["a=1", "b=2; Path=/; HttpOnly", "domain=3", "__Host-c=4; Path=/; Secure"];
        let dropped = [
            "a=1; Domain=localhost",
            "a=1; path=/ ;DOMAIN = .example.net",
            "codex_sid_8080=x",
            "__Host-codex_app=x; Path=/; Secure",
            "__hOsT-Codex_App_8100=x",
            "CODEX_NONCE=x",
            " codex_app =x",
        ];
        let lines = kept.iter().chain(&dropped).map(|line| ("set-cookie", *line)).collect::<Vec<_>>();
        let expected: Vec<String> = kept.iter().map(|line| format!("set-cookie: {line}")).collect();
        assert_eq!(left(&lines, false), expected);
    }
}
