//! Our own small pages on an app's origin: it starts, it is not there, it may not be shown. No scripts, no pictures,
//! nothing from the UI's origin; a policy of their own forbids everything but their one style.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::LazyLock;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;background:Canvas;color:CanvasText}\
main{max-width:28rem;padding:2rem}\
h1{font-size:1.25rem;font-weight:600;margin:0 0 .5rem}\
p{margin:.5rem 0}\
a{color:LinkText}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
});

/// What a page says.
pub struct Page<'a> {
    pub status: u16,
    pub title: &'a str,
    pub text: &'a str,
    /// Where the app is opened from, and the words of the link.
    pub link: Option<(&'a str, &'a str)>,
    /// Asks again by itself after so many seconds.
    pub refresh: Option<u32>,
}

/// The page, never kept by anybody.
pub fn show(page: &Page<'_>) -> HttpResponse {
    let refresh = page.refresh.map(|seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")).unwrap_or_default();
    let link = page.link.map(|(to, words)| format!("<p><a href=\"{}\">{}</a></p>", escape(to), escape(words))).unwrap_or_default();
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">{refresh}\
         <title>{title}</title><style>{STYLE}</style></head><body><main role=\"status\"><h1>{title}</h1><p>{text}</p>{link}</main></body></html>",
        title = escape(page.title),
        text = escape(page.text),
    );
    let mut response = HttpResponse::build(StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if let Some(seconds) = page.refresh {
        response.insert_header(("retry-after", seconds.to_string()));
    }
    own(&mut response).content_type("text/html; charset=utf-8").body(body)
}

/// The same for whoever reads no pages.
pub fn tell(status: u16, text: &str) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    own(&mut response).content_type("text/plain; charset=utf-8").body(format!("{text}\n"))
}

/// Puts the headers on an answer that is ours and not an app's.
pub fn own(response: &mut actix_web::HttpResponseBuilder) -> &mut actix_web::HttpResponseBuilder {
    response
        .insert_header(("cache-control", "no-store"))
        .insert_header(("content-security-policy", POLICY.as_str()))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("x-content-type-options", "nosniff"))
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_becomes_markup() {
        assert_eq!(escape("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }

    #[test]
    fn the_policy_allows_the_style_and_nothing_else() {
        assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!POLICY.contains("unsafe"));
    }
}
