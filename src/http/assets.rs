//! The user interface, embedded in the executable: pages, scripts, styles and pinned third-party files.
//!
//! Every page path answers the document, made for the page at that address ([`super::document`]); the scripts find their
//! page by the address too. Files are embedded gzipped, as browsers take them, and unpacked for who does not.
//!
//! The document names them below an address of this very build ([`base`]), under which browsers keep them for good; scripts
//! import each other by relative paths and stay there. After an upgrade the document names another one. Under any other
//! address, one of an older build too, a file is asked for by hash, so that nobody keeps what changed.

use super::document::Document;
use super::handler::{Reply, ReplyBody};
use crate::error::{Error, Missing, Result};
use aws_lc_rs::digest;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

// `Packed`: the files as they lie in the executable, gzipped ones with `.gz` behind their names.
include!(concat!(env!("OUT_DIR"), "/packed.rs"));

/// Everything the page may do; the same for every answer of the server.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What stands before the build in the address of a file.
const BASE: &str = "/ui/";

/// Below which address the files of this build are found, ending in a slash. A debug build has one for all its days, and
/// its files are not kept.
pub fn base() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        if cfg!(debug_assertions) {
            return format!("{BASE}debug/");
        }
        let mut hash = digest::Context::new(&digest::SHA256);
        for name in Packed::iter() {
            hash.update(name.as_bytes());
            hash.update(&Packed::get(&name).map(|file| file.metadata.sha256_hash()).unwrap_or_default());
        }
        format!("{BASE}{}/", crate::domain::hex::encode(&hash.finish().as_ref()[..6]))
    })
}

/// The name of the file at an address, and whether it is one of this build.
fn name_of(path: &str) -> (&str, bool) {
    match path.strip_prefix(BASE).and_then(|rest| rest.split_once('/')) {
        Some((_, name)) => (name, path.starts_with(base())),
        None => (path.trim_start_matches('/'), false),
    }
}

/// A file as it is sent.
struct File {
    bytes: bytes::Bytes,
    gzipped: bool,
    etag: String,
    kind: &'static str,
}

impl File {
    fn new(name: &str, bytes: bytes::Bytes, gzipped: bool) -> Self {
        let etag = crate::domain::hex::encode(&digest::digest(&digest::SHA256, &bytes).as_ref()[..12]);
        Self { bytes, gzipped, etag, kind: content_type(name) }
    }

    fn packing(name: &str, plain: Vec<u8>) -> Self {
        match gzip(&plain).filter(|packed| packed.len() < plain.len()) {
            Some(packed) => Self::new(name, packed.into(), true),
            None => Self::new(name, plain.into(), false),
        }
    }

    fn plain(&self) -> Result<bytes::Bytes> {
        if !self.gzipped {
            return Ok(self.bytes.clone());
        }
        let mut plain = Vec::new();
        GzDecoder::new(&*self.bytes).read_to_end(&mut plain).map_err(|error| Error::internal(format!("an embedded file: {error}")))?;
        Ok(plain.into())
    }
}

fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        Some("md") => "text/markdown; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// A debug build reads the files from where they lie, so that a changed one is seen without another build.
#[cfg(debug_assertions)]
fn load(name: &str) -> Option<File> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/").to_owned() + name).ok().map(|plain| File::packing(name, plain))
}

#[cfg(not(debug_assertions))]
fn load(name: &str) -> Option<File> {
    embedded(name)
}

#[cfg_attr(debug_assertions, allow(dead_code))] // a test holds it to what lies in the folder
fn embedded(name: &str) -> Option<File> {
    let bytes = |data| match data {
        Cow::Borrowed(data) => bytes::Bytes::from_static(data),
        Cow::Owned(data) => bytes::Bytes::from(data),
    };
    let gzipped = Packed::get(&format!("{name}.gz")).map(|file| File::new(name, bytes(file.data), true));
    gzipped.or_else(|| Packed::get(name).map(|file| File::new(name, bytes(file.data), false)))
}

/// What was made once is kept; a debug build makes it anew.
fn kept(key: &str, make: impl FnOnce() -> Option<File>) -> Option<Arc<File>> {
    static CACHE: OnceLock<RwLock<HashMap<String, Arc<File>>>> = OnceLock::new();
    if cfg!(debug_assertions) {
        return make().map(Arc::new);
    }
    let cache = CACHE.get_or_init(RwLock::default);
    if let Some(found) = cache.read().unwrap_or_else(PoisonError::into_inner).get(key) {
        return Some(Arc::clone(found));
    }
    let made = Arc::new(make()?);
    cache.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), Arc::clone(&made));
    Some(made)
}

/// The text of a file; nothing for a file that is not there, or no text.
pub fn text(name: &str) -> Option<String> {
    String::from_utf8(load(name)?.plain().ok()?.to_vec()).ok()
}

/// Whether the path is a page of the user interface: no file, nothing of the API.
pub fn is_page(path: &str) -> bool {
    !path.starts_with("/api")
        && !path.starts_with("/.well-known")
        && !path.starts_with("/control")
        && !path.rsplit('/').next().unwrap_or("").contains('.')
}

/// Serves a file or a page. `session`: whether the browser shows a session, be it a good one or not.
pub fn serve(path: &str, session: bool, accepts_gzip: bool, if_none_match: Option<&str>) -> Result<Reply> {
    let page = is_page(path);
    let (name, ours) = name_of(path);
    let found = if page {
        let document = Document::of(path, session);
        kept(&document.key(), || Some(File::packing("index.html", document.html()?.into_bytes())))
    } else {
        let hostile = name.contains("..") || name.contains(['%', '\\', '\0']);
        if hostile { None } else { kept(name, || load(name)) }
    };
    let file = found.ok_or(Error::NotFound(Missing::Route))?;
    let etag = format!("\"{}\"", file.etag);
    let unchanged = if_none_match.is_some_and(|known| known.split(',').any(|k| k.trim().trim_start_matches("W/") == etag));
    let body = match (unchanged, accepts_gzip) {
        (true, _) => ReplyBody::Empty,
        (false, true) => ReplyBody::Bytes(file.bytes.clone()),
        (false, false) => ReplyBody::Bytes(file.plain()?),
    };
    let reply = Reply { status: if unchanged { 304 } else { 200 }, headers: Vec::new(), body }
        .header("content-type", file.kind)
        .header("etag", etag)
        .header("cache-control", if ours && !page && !cfg!(debug_assertions) { "public, max-age=31536000, immutable" } else { "no-cache" })
        .header("vary", if page { "accept-encoding, cookie" } else { "accept-encoding" });
    Ok(if file.gzipped && accepts_gzip && !unchanged { reply.header("content-encoding", "gzip") } else { reply })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_embedded_is_what_lies_in_the_folder() {
        let names: Vec<_> = Packed::iter().map(|name| name.trim_end_matches(".gz").to_owned()).collect();
        for name in &names {
            let file = embedded(name).unwrap();
            let lies = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/").to_owned() + name).unwrap();
            assert!(file.plain().unwrap() == lies, "{name}");
            assert_ne!(file.kind, "application/octet-stream", "{name} is sent without a kind");
            assert_eq!(file.gzipped, !name.ends_with(".woff2"), "{name}");
        }
        assert!(names.len() > 200 && names.iter().all(|name| !name.ends_with(".d.mts")));
    }

    #[test]
    fn a_file_comes_gzipped_to_who_takes_it_and_plain_to_who_does_not() {
        let read = |gzip| {
            let reply = serve("/app/main.js", false, gzip, None).unwrap();
            let encoded = reply.headers.iter().any(|(name, value)| *name == "content-encoding" && value == "gzip");
            let ReplyBody::Bytes(bytes) = reply.body else { unreachable!("a file has a body") };
            (encoded, bytes)
        };
        let (encoded, packed) = read(true);
        let (clear, plain) = read(false);
        assert!(encoded && !clear && packed.len() < plain.len());
        assert!(plain.starts_with(b"/**"));
    }

    #[test]
    fn a_file_is_found_by_its_plain_address_by_that_of_this_build_and_by_that_of_an_older_one() {
        assert_eq!(name_of("/app/main.js"), ("app/main.js", false));
        assert_eq!(name_of(&format!("{}app/main.js", base())), ("app/main.js", true));
        assert_eq!(name_of("/ui/0123456789ab/app/main.js"), ("app/main.js", false));
        for path in ["/app/main.js", "/ui/debug/app/main.js", "/ui/0123456789ab/app/main.js"] {
            assert_eq!(serve(path, true, true, None).unwrap().status, 200, "{path}");
        }
    }

    #[test]
    fn no_address_leads_out_of_the_folder() {
        for path in [
            "/../Cargo.toml",
            "/app/../../Cargo.toml",
            "/%2e%2e/Cargo.toml",
            "/..\\Cargo.toml",
            "/app/nothing.js",
            "/ui/debug/../../Cargo.toml",
            "/ui/debug//etc/passwd.js",
            "/vendor/preact.mjs\0.js",
        ] {
            assert!(matches!(serve(path, true, true, None), Err(Error::NotFound(Missing::Route))), "{path}");
        }
    }
}
