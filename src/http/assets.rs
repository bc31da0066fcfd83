//! The user interface, embedded in the executable: pages, scripts, styles and pinned third-party files.
//!
//! Every page path answers `index.html`; the scripts find their page by the address. Files are gzipped once, at their
//! first request. Browsers keep them and ask by hash whether they changed, so that an upgrade is seen at once.

use super::handler::{Reply, ReplyBody};
use crate::error::{Error, Missing, Result};
use flate2::{Compression, write::GzEncoder};
use rust_embed::RustEmbed;
use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

#[derive(RustEmbed)]
#[folder = "assets/"]
#[exclude = "*.map"]
#[exclude = "*.d.mts"]
struct Assets;

/// Everything the page may do; the same for every answer of the server.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

struct Cached {
    plain: bytes::Bytes,
    gzip: Option<bytes::Bytes>,
    etag: String,
    kind: String,
}

type Cache = RwLock<HashMap<String, Arc<Cached>>>;

fn load(path: &str) -> Option<Cached> {
    let file = Assets::get(path)?;
    let plain = bytes::Bytes::copy_from_slice(&file.data);
    let etag = crate::domain::hex::encode(&file.metadata.sha256_hash()[..12]);
    let kind = content_type(path, file.metadata.mimetype());
    let gzip = squeeze(&plain).filter(|z| z.len() < plain.len());
    Some(Cached { plain, gzip, etag, kind })
}

fn squeeze(plain: &[u8]) -> Option<bytes::Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(bytes::Bytes::from)
}

fn content_type(path: &str, guessed: &str) -> String {
    match path.rsplit('.').next() {
        Some("js" | "mjs") => "text/javascript; charset=utf-8".to_owned(),
        Some("html" | "css" | "svg") => format!("{guessed}; charset=utf-8"),
        _ => guessed.to_owned(),
    }
}

/// The file; embedded files are kept for ever, files of a debug build are read anew.
fn find(path: &str) -> Option<Arc<Cached>> {
    static CACHE: OnceLock<Cache> = OnceLock::new();
    if cfg!(debug_assertions) {
        return load(path).map(Arc::new);
    }
    let cache = CACHE.get_or_init(Cache::default);
    if let Some(found) = cache.read().unwrap_or_else(PoisonError::into_inner).get(path) {
        return Some(Arc::clone(found));
    }
    let loaded = Arc::new(load(path)?);
    cache.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), Arc::clone(&loaded));
    Some(loaded)
}

/// Whether the path is a page of the user interface: no file, nothing of the API.
pub fn is_page(path: &str) -> bool {
    !path.starts_with("/api")
        && !path.starts_with("/.well-known")
        && !path.starts_with("/control")
        && !path.rsplit('/').next().unwrap_or("").contains('.')
}

/// Serves a file or a page.
pub fn serve(path: &str, accepts_gzip: bool, if_none_match: Option<&str>) -> Result<Reply> {
    let name = if is_page(path) { "index.html" } else { path.trim_start_matches('/') };
    let hostile = name.contains("..") || name.contains('%') || name.contains('\\') || name.starts_with('/');
    let file = if hostile { None } else { find(name) }.ok_or(Error::NotFound(Missing::Route))?;
    let etag = format!("\"{}\"", file.etag);
    let unchanged = if_none_match.is_some_and(|known| known.split(',').any(|k| k.trim().trim_start_matches("W/") == etag));
    let (status, body, encoded) = match (&file.gzip, unchanged) {
        (_, true) => (304, bytes::Bytes::new(), false),
        (Some(gzip), false) if accepts_gzip => (200, gzip.clone(), true),
        _ => (200, file.plain.clone(), false),
    };
    let mut reply = Reply { status, headers: Vec::new(), body: if unchanged { ReplyBody::Empty } else { ReplyBody::Bytes(body) } }
        .header("content-type", file.kind.clone())
        .header("etag", etag)
        .header("cache-control", "no-cache")
        .header("vary", "accept-encoding");
    if encoded {
        reply = reply.header("content-encoding", "gzip");
    }
    Ok(reply)
}
