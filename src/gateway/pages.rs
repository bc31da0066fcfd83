//! Our own small pages on an app's origin: it starts, it is not there, it may not be shown. They look like the pages of
//! the UI and take nothing from its origin: no scripts, no pictures; a policy of their own forbids everything but their
//! one style.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::LazyLock;

const STYLE: &str = include_str!("pages.css");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
});

/// What stands before the title. The title says the same in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    #[default]
    None,
    /// It goes on by itself.
    Wait,
    Failed,
    /// Something has to be installed first.
    Missing,
}

/// What a page says. Texts may hold `code` between backticks.
#[derive(Default)]
pub struct Page<'a> {
    pub status: u16,
    pub mark: Mark,
    pub title: &'a str,
    /// Paragraphs; empty ones are left out.
    pub texts: &'a [&'a str],
    /// The newest lines of a log.
    pub log: Option<&'a str>,
    /// Where one goes from here, and the words; the first is what most people want where nothing goes on by itself.
    pub links: &'a [(&'a str, &'a str)],
    /// Asks again by itself after so many seconds.
    pub refresh: Option<u64>,
}

/// The page, never kept by anybody.
pub fn show(page: &Page<'_>) -> HttpResponse {
    let mut response = begin(page.status);
    if let Some(seconds) = page.refresh {
        response.insert_header(("retry-after", seconds.to_string()));
    }
    own(&mut response).content_type("text/html; charset=utf-8").body(html(page))
}

fn html(page: &Page<'_>) -> String {
    let refresh = page.refresh.map(|seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")).unwrap_or_default();
    let mark = match page.mark {
        Mark::None => "",
        Mark::Wait => "<i class=\"wait\"></i>",
        Mark::Failed => "<i class=\"failed\"></i>",
        Mark::Missing => "<i class=\"missing\"></i>",
    };
    let texts: String = page.texts.iter().filter(|text| !text.is_empty()).map(|text| format!("<p>{}</p>", marked_up(text))).collect();
    let log = page.log.map(str::trim_end).filter(|log| !log.is_empty());
    let log =
        log.map(|log| format!("<pre tabindex=\"0\" role=\"region\" aria-label=\"The end of its log\"><span>{}</span></pre>", escape(log)));
    let link = |class: &str, (to, words): &(&str, &str)| format!("<a{class} href=\"{}\">{}</a>", escape(to), escape(words));
    // What goes on by itself needs nobody to press anything; else the main way stands at the end.
    let (first, others) = page.links.split_at(usize::from(page.refresh.is_none()).min(page.links.len()));
    let others = others.iter().map(|other| link("", other));
    let links: String = others.chain(first.iter().map(|first| link(" class=\"first\"", first))).collect();
    let links = if links.is_empty() { links } else { format!("<nav aria-label=\"Where to go\">{links}</nav>") };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">{refresh}\
         <title>{title} · Codex Web</title><style>{STYLE}</style></head>\
         <body><main><div role=\"status\"><h1>{mark}<span>{title}</span></h1>{texts}</div>{log}{links}</main></body></html>",
        title = escape(page.title),
        log = log.unwrap_or_default(),
    )
}

/// The same for whoever reads no pages.
pub fn tell(status: u16, text: &str) -> HttpResponse {
    let mut response = begin(status);
    own(&mut response).content_type("text/plain; charset=utf-8").body(format!("{text}\n"))
}

fn begin(status: u16) -> actix_web::HttpResponseBuilder {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Puts the headers on an answer that is ours and not an app's.
pub fn own(response: &mut actix_web::HttpResponseBuilder) -> &mut actix_web::HttpResponseBuilder {
    response
        .insert_header(("cache-control", "no-store"))
        .insert_header(("content-security-policy", POLICY.as_str()))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("x-content-type-options", "nosniff"))
}

/// Escapes, and shows what stands between two backticks as something to type.
fn marked_up(text: &str) -> String {
    let mut parts = text.split('`');
    let mut marked = escape(parts.next().unwrap_or_default());
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(after) => marked.push_str(&format!("<code>{}</code>{}", escape(code), escape(after))),
            None => marked.push_str(&escape(&format!("`{code}"))),
        }
    }
    marked
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
        let evil = "</pre><script>alert(1)</script>";
        let page = Page { title: evil, texts: &[evil], log: Some(evil), links: &[("\"><script>", evil)], ..Page::default() };
        assert!(!html(&page).contains("<script"), "{}", html(&page));
    }

    #[test]
    fn what_is_to_be_typed_is_set_apart() {
        assert_eq!(marked_up("Type `a <b>` now."), "Type <code>a &lt;b&gt;</code> now.");
        assert_eq!(marked_up("a ` b"), "a ` b");
        assert_eq!(marked_up("``"), "<code></code>");
    }

    #[test]
    fn only_a_page_that_waits_asks_again_by_itself() {
        let waits = Page { refresh: Some(2), mark: Mark::Wait, ..Page::default() };
        assert!(html(&waits).contains("http-equiv=\"refresh\" content=\"2\""));
        assert!(!html(&Page { mark: Mark::Failed, ..Page::default() }).contains("refresh"));
    }

    #[test]
    fn the_policy_allows_the_style_and_nothing_else() {
        assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!POLICY.contains("unsafe"));
        // The hash is of what stands between the tags, so nothing in it may end them.
        assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
