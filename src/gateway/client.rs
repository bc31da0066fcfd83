//! Who is at the other end of a connection from the network, for the pages and for apps alike.

use crate::config::Network;
use crate::error::{Error, Result};
use crate::identity::address::{ForwardedHeaders, client_address};
use crate::transport::{Encryption, Transport};
use actix_web::HttpRequest;
use std::net::IpAddr;

/// The client's address, believing forwarded headers from trusted proxies only.
pub fn address(transport: &Transport, trusted: &[Network], request: &HttpRequest) -> Result<IpAddr> {
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |address| address.ip());
    let all = |name: &str| -> Vec<String> {
        request.headers().get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let (forwarded, x_forwarded_for) = (all("forwarded"), all("x-forwarded-for"));
    let (forwarded, x_forwarded_for): (Vec<&str>, Vec<&str>) =
        (forwarded.iter().map(String::as_str).collect(), x_forwarded_for.iter().map(String::as_str).collect());
    address_of(transport, trusted, peer, &ForwardedHeaders { forwarded: &forwarded, x_forwarded_for: &x_forwarded_for })
}

/// The same, of what was read of a request.
pub fn address_of(transport: &Transport, trusted: &[Network], peer: IpAddr, headers: &ForwardedHeaders<'_>) -> Result<IpAddr> {
    // Where a proxy encrypts, plain requests from anybody else would carry passwords in the clear.
    if transport.encryption == Encryption::Proxy && !peer.is_loopback() && !trusted.iter().any(|t| t.contains(peer)) {
        return Err(Error::CrossSite("This server answers its own proxy only. Use the address that it printed when it started."));
    }
    client_address(peer, headers, trusted)
}

/// The authority that the request was sent to: `Host`, or what stands for it in HTTP/2. `None` where there is none, or
/// where the request line names another one.
pub fn authority(request: &HttpRequest) -> Option<&str> {
    let named = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    let host = request.headers().get("host").map(|value| value.to_str());
    match (host, named) {
        (Some(Ok(host)), None) => Some(host),
        (Some(Ok(host)), Some(named)) if host == named => Some(host),
        (None, named) => named,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_request_goes_where_its_host_or_its_own_line_says_and_nowhere_if_they_differ() {
        let request = |uri: &str, host: Option<&str>| {
            let request = TestRequest::default().uri(uri);
            host.map_or(request, |host| TestRequest::default().uri(uri).insert_header(("host", host))).to_http_request()
        };
        assert_eq!(authority(&request("/a", Some("x.example:1"))), Some("x.example:1"));
        assert_eq!(authority(&request("https://x.example/a", None)), Some("x.example"), "as HTTP/2 says it");
        assert_eq!(authority(&request("https://x.example/a", Some("x.example"))), Some("x.example"));
        assert_eq!(authority(&request("https://x.example/a", Some("evil.example"))), None);
        assert_eq!(authority(&request("/a", None)), None);
    }
}
