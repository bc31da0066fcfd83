//! The files of a workspace, through its agent: what is sent and what is taken streams, and ends within a second when
//! the right to it does.
//!
//! A path goes on to the agent by its bytes, decoded once and encoded once: nothing is normalised on the way. What the
//! agent answers is put into the server's own words and types, because it runs beside the programs of the workspace.

mod disk;
mod pass;
mod refusals;
mod upload;

use self::disk::Disk;
use self::pass::Pass;
pub use self::upload::{Upload, write};
use super::Gateway;
use crate::domain::file::{FileChange, FileEntry, FileListing, UploadState};
use crate::domain::home_path::HomePath;
use crate::domain::id::WorkspaceId;
use crate::error::Result;
use crate::ops::Caller;
use crate::policy::Action;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use http_body_util::Full;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_RANGE, RANGE};
use hyper::{Method, StatusCode};
use std::time::Duration;

/// How long a list waits for the disk to be measured; without an answer it goes without.
const MEASURED: Duration = Duration::from_millis(300);

/// What is asked about, and on what grounds.
#[derive(Debug, Clone)]
pub struct Asked {
    pub workspace: WorkspaceId,
    pub path: HomePath,
    /// The written reason of somebody who breaks the glass.
    pub reason: Option<String>,
}

/// A folder, and how full the disk is.
#[derive(Debug)]
pub struct Folder {
    pub listing: FileListing,
    /// In bytes; absent where it is not measured yet.
    pub used: Option<i64>,
    /// 0 where there is no limit.
    pub total: i64,
}

/// Bytes on their way out of a workspace.
pub struct Download {
    pub stream: BoxStream<'static, std::io::Result<Bytes>>,
    /// Absent for what is made while it is sent.
    pub length: Option<u64>,
    /// `bytes 2-4/10`, for a part.
    pub range: Option<String>,
    pub etag: Option<String>,
    /// Milliseconds since 1970.
    pub modified_at: Option<i64>,
}

/// Which part of a file is wanted: the client's headers as they came.
#[derive(Debug, Clone, Default)]
pub struct PartWish {
    pub range: Option<String>,
    pub if_range: Option<String>,
}

/// The entries of a folder.
pub async fn list(gateway: &Gateway, caller: &Caller, asked: Asked) -> Result<Folder> {
    let mut pass = Pass::get(gateway, caller, asked, Action::ReadWorkspaceFiles).await?;
    let (place, total) = (pass.place.clone(), pass.disk_bytes);
    let (disk, listing) = tokio::join!(Disk::measure(gateway, &place, total, MEASURED), async {
        let answer = pass.ask(Method::GET, "?list=1", HeaderMap::new(), pass::nothing()).await?;
        pass.json(answer).await
    });
    Ok(Folder { listing: listing?, used: disk.used, total: disk.total })
}

/// A file, or the part of it that is wanted.
pub async fn read(gateway: &Gateway, caller: &Caller, asked: Asked, part: PartWish) -> Result<Download> {
    let mut pass = Pass::get(gateway, caller, asked, Action::ReadWorkspaceFiles).await?;
    let mut headers = HeaderMap::new();
    for (name, value) in [(RANGE, part.range), (IF_RANGE, part.if_range)] {
        if let Some(value) = value.and_then(|text| text.parse().ok()) {
            headers.insert(name, value);
        }
    }
    let answer = pass.ask(Method::GET, "", headers, pass::nothing()).await?;
    let told = |name: HeaderName| answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let length = told(CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let length = Some(length.ok_or_else(|| refusals::not_understood("a file without a length"))?);
    let range = told(CONTENT_RANGE).filter(|_| answer.status() == StatusCode::PARTIAL_CONTENT);
    if range.as_deref().is_some_and(|range| !is_content_range(range)) || range.is_some() != (answer.status() != StatusCode::OK) {
        return Err(refusals::not_understood("a part that is none"));
    }
    let etag = told(ETAG).filter(|etag| is_etag(etag));
    let modified_at = told(HeaderName::from_static(MODIFIED)).and_then(|text| text.parse().ok());
    Ok(Download { stream: pass.stream(answer.into_body()), length, range, etag, modified_at })
}

/// The agent's header with the time of the last write.
const MODIFIED: &str = "x-codex-modified";

fn is_content_range(text: &str) -> bool {
    text.strip_prefix("bytes ").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'/'))
}

fn is_etag(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.len() < 100 && inner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.'))
}

/// A folder as one file: `tar.gz` or `zip`.
pub async fn archive(gateway: &Gateway, caller: &Caller, asked: Asked, kind: &str) -> Result<Download> {
    let mut pass = Pass::get(gateway, caller, asked, Action::ReadWorkspaceFiles).await?;
    let answer = pass.ask(Method::GET, &format!("?archive={kind}"), HeaderMap::new(), pass::nothing()).await?;
    Ok(Download { stream: pass.stream(answer.into_body()), length: None, range: None, etag: None, modified_at: None })
}

/// How far an upload is.
pub async fn upload_state(gateway: &Gateway, caller: &Caller, asked: Asked, id: &str) -> Result<UploadState> {
    let mut pass = Pass::get(gateway, caller, asked, Action::ReadWorkspaceFiles).await?;
    let answer = pass.ask(Method::GET, &format!("?upload={id}"), HeaderMap::new(), pass::nothing()).await?;
    pass.json(answer).await
}

/// Makes a folder, or gives another name. What there is then.
pub async fn change(gateway: &Gateway, caller: &Caller, asked: Asked, change: &FileChange) -> Result<FileEntry> {
    let mut pass = Pass::get(gateway, caller, asked, Action::WriteWorkspaceFiles).await?;
    let body = serde_json::to_vec(change).map_err(|e| crate::error::Error::internal(e.to_string()))?;
    let answer = pass.ask(Method::POST, "", HeaderMap::new(), pass::boxed(Full::from(body))).await?;
    pass.json(answer).await
}

/// Removes a file, or a folder with all in it.
pub async fn remove(gateway: &Gateway, caller: &Caller, asked: Asked) -> Result<()> {
    let mut pass = Pass::get(gateway, caller, asked, Action::WriteWorkspaceFiles).await?;
    let answer = pass.ask(Method::DELETE, "", HeaderMap::new(), pass::nothing()).await?;
    pass.json::<serde_json::Value>(answer).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_an_agent_are_believed_in_their_own_form_only() {
        assert!(is_content_range("bytes 0-4/10") && !is_content_range("bytes */10") && !is_content_range("items 0-4/10"));
        assert!(is_etag("\"1f-2a-65.0\"") && !is_etag("W/\"1\"") && !is_etag("\"a b\"") && !is_etag(&format!("\"{}\"", "a".repeat(200))));
    }
}
