//! `/api/workspaces/{id}/files/{path}`: listing, reading, writing, making, moving and deleting what is in a home.
//!
//! What a workspace holds is never shown by the browser on this origin: it is sent as bytes to be saved, without a type
//! that could run, in a sandbox without rights.

use super::fields::{boolean, text, word};
use super::file_view::{FileEntryView, FolderView, UploadView};
use super::handler::{BodyStream, Reply, Request};
use super::workspace_body::deletion;
use super::workspaces::{gateway, named};
use crate::domain::field::FieldRule;
use crate::domain::file::{FileChange, is_upload_id};
use crate::domain::home_path::{HomePath, encode};
use crate::domain::names::Reason;
use crate::error::{Error, Result};
use crate::gateway::files::{self, Asked, Download, PartWish, Upload};
use actix_web::http::header::HttpDate;
use futures_util::StreamExt;
use std::time::{Duration, SystemTime};

/// A change of the files.
#[derive(Debug, utoipa::ToSchema)]
#[allow(dead_code)] // decoded field by field, so that every problem is told at once
pub struct FileChangeBody {
    /// `directory` makes a folder, with those that it lies in; `move` gives another name.
    r#type: String,
    /// The new path, from the home.
    to: Option<String>,
    /// In place of `to`, for names that are no text: percent-encoded, as in an address.
    #[schema(rename = "encodedTo")]
    encoded_to: Option<String>,
    /// Whether a file at the new path is replaced.
    overwrite: Option<bool>,
}

/// A policy for what is sent from a workspace: nothing loads, nothing runs, nothing has an origin.
const SANDBOX: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// How much of a body is read, and for how long, after it was refused: a client hears the refusal only when it has
/// finished sending.
const DRAINED: usize = 16 * 1024 * 1024;
const DRAINING: Duration = Duration::from_secs(5);

fn path(request: &Request) -> Result<HomePath> {
    HomePath::of_address(request.param("path")?).map_err(|rule| rule.error("path"))
}

fn asked(request: &Request, path: HomePath, reason: Option<Reason>) -> Result<Asked> {
    Ok(Asked { workspace: named(request)?, path, reason: reason.map(Reason::into_string) })
}

fn archive_kind(text: &str) -> Result<&'static str, FieldRule> {
    match text {
        "tar.gz" => Ok("tar.gz"),
        "zip" => Ok("zip"),
        _ => Err(FieldRule::new("invalid", "Allowed are tar.gz and zip.")),
    }
}

fn upload_id(text: &str) -> Result<String, FieldRule> {
    if is_upload_id(text) {
        Ok(text.to_owned())
    } else {
        Err(FieldRule::new("invalid", "Use 1 to 64 letters, digits, hyphens and underscores."))
    }
}

/// A list, the bytes of a file, a folder as an archive, or how far an upload is.
pub async fn get(request: Request) -> Result<Reply> {
    let query = request.query();
    let (list, download) = (query.flag("list"), query.flag("download"));
    let archive = query.optional("archive", archive_kind);
    let upload = query.optional("upload", upload_id);
    let reason = query.optional("reason", Reason::parse);
    query.finish()?;
    let path = path(&request)?;
    let (gateway, caller, asked) = (gateway(&request.app), &request.caller, asked(&request, path.clone(), reason)?);
    if list {
        return Reply::ok(&FolderView::of(&path, files::list(&gateway, caller, asked).await?));
    }
    if let Some(id) = upload {
        return Reply::ok(&UploadView::from(&files::upload_state(&gateway, caller, asked, &id).await?));
    }
    let name = path.split().map_or(&b"home"[..], |(_, name)| name);
    if let Some(kind) = archive {
        let packed = files::archive(&gateway, caller, asked, kind).await?;
        let content_type = if kind == "zip" { "application/zip" } else { "application/gzip" };
        return Ok(sent(packed, content_type, Some(&[name, b".", kind.as_bytes()].concat())));
    }
    let header = |name: &str| request.header(name).map(str::to_owned);
    let part = PartWish { range: header("range"), if_range: header("if-range") };
    let file = files::read(&gateway, caller, asked, part).await?;
    Ok(sent(file, "application/octet-stream", download.then_some(name)))
}

/// Bytes as a file to be saved.
fn sent(download: Download, content_type: &'static str, name: Option<&[u8]>) -> Reply {
    let Download { stream, length, range, etag, modified_at } = download;
    let reply = match length {
        Some(length) => {
            let reply = Reply::sized(if range.is_some() { 206 } else { 200 }, length, stream.boxed_local());
            reply.header("content-type", content_type).header("accept-ranges", "bytes")
        }
        None => Reply::stream(content_type, stream.boxed_local()).header("x-accel-buffering", "no"),
    };
    let told = [
        ("content-range", range),
        ("etag", etag),
        ("last-modified", modified_at.and_then(http_date)),
        ("content-disposition", Some(disposition(name))),
        ("content-security-policy", Some(SANDBOX.to_owned())),
    ];
    told.into_iter().fold(reply, |reply, (name, value)| match value {
        Some(value) => reply.header(name, value),
        None => reply,
    })
}

fn http_date(milliseconds: i64) -> Option<String> {
    let since = Duration::from_millis(u64::try_from(milliseconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since).map(|at| HttpDate::from(at).to_string())
}

/// To be saved; under this name, where one is given (RFC 6266, RFC 8187).
fn disposition(name: Option<&[u8]>) -> String {
    let Some(name) = name else { return "attachment".to_owned() };
    let name = String::from_utf8_lossy(name);
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || " .-_()+,".contains(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", encode(name.as_bytes()))
}

/// Writes a file whole, or a piece of one.
pub async fn put(mut request: Request) -> Result<Reply> {
    let mut body = request.stream.take().ok_or_else(|| Error::internal("a route without its stream"))?;
    match written(&request, &mut body).await {
        Err(error) => {
            drain(body).await;
            Err(error)
        }
        reply => reply,
    }
}

async fn written(request: &Request, body: &mut BodyStream) -> Result<Reply> {
    let query = request.query();
    let id = query.optional("upload", upload_id);
    let (offset, total) = (query.integer("offset", 0, i64::MAX), query.integer("total", 0, i64::MAX));
    let reason = query.optional("reason", Reason::parse);
    query.finish()?;
    let header = |name: &str| request.header(name).map(str::to_owned);
    let upload = Upload {
        length: header("content-length").and_then(|text| text.parse().ok()),
        piece: piece(id, offset, total)?,
        if_match: header("if-match"),
        if_none_match: header("if-none-match"),
    };
    let asked = asked(request, path(request)?, reason)?;
    let state = files::write(&gateway(&request.app), &request.caller, asked, &upload, body).await?;
    let reply = Reply::ok(&UploadView::from(&state))?;
    Ok(match state.etag {
        Some(etag) => reply.header("etag", etag),
        None => reply,
    })
}

fn piece(id: Option<String>, offset: Option<i64>, total: Option<i64>) -> Result<Option<(String, u64, u64)>> {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    match (id, offset, total) {
        (None, None, None) => Ok(None),
        (Some(_), Some(offset), Some(total)) if offset > total => Err(Error::field("offset", "range", "It is behind total.")),
        (Some(id), Some(offset), Some(total)) => Ok(Some((id, number(offset), number(total)))),
        (None, ..) => Err(Error::field("upload", "required", "An upload in pieces has an id, an offset and a total.")),
        (_, None, _) => Err(Error::field("offset", "required", "Say how many bytes have arrived before these.")),
        (_, _, None) => Err(Error::field("total", "required", "Say how many bytes the whole file has.")),
    }
}

/// Reads what still comes, up to a point.
async fn drain(mut body: BodyStream) {
    let reading = async {
        let mut read = 0;
        while let Some(Ok(bytes)) = body.next().await {
            read += bytes.len();
            if read > DRAINED {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAINING, reading).await;
}

/// Makes a folder or gives another name.
pub async fn change(request: Request) -> Result<Reply> {
    let query = request.query();
    let reason = query.optional("reason", Reason::parse);
    query.finish()?;
    let change = decoded(&request)?;
    let asked = asked(&request, path(&request)?, reason)?;
    let made = files::change(&gateway(&request.app), &request.caller, asked, &change).await?;
    Reply::ok(&FileEntryView::of(made).ok_or_else(|| Error::internal("an entry without a name"))?)
}

fn decoded(request: &Request) -> Result<FileChange> {
    let mut fields = request.fields()?;
    let is_move = |t: &str| ["directory", "move"].contains(&t).then_some(t == "move");
    let is_move = fields.required("type", word(is_move, "directory and move"));
    let to = fields.optional("to", text(HomePath::of_text));
    let encoded = fields.optional("encodedTo", text(HomePath::of_encoded));
    let overwrite = fields.optional("overwrite", boolean).unwrap_or(false);
    let (is_move, to) = fields.build(|| is_move.map(|is_move| (is_move, encoded.or(to))))?;
    match (is_move, to) {
        (false, None) => Ok(FileChange::Directory),
        (false, Some(_)) => Err(Error::field("to", "invalid", "A new folder is named by the address.")),
        (true, Some(to)) => Ok(FileChange::Move { to: to.encoded(), overwrite }),
        (true, None) => Err(Error::field("to", "required", "Say what the new path is.")),
    }
}

/// Deletes a file, or a folder with all in it.
pub async fn delete(request: Request) -> Result<Reply> {
    let reason = deletion(&request)?;
    let asked = Asked { workspace: named(&request)?, path: path(&request)?, reason };
    files::remove(&gateway(&request.app), &request.caller, asked).await?;
    Ok(Reply::none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_header_is_plain_and_quoted() {
        assert_eq!(disposition(None), "attachment");
        let hostile = disposition(Some("a\"; x=\r\nset-cookie: b/..\\é".as_bytes()));
        assert!(
            hostile.starts_with("attachment; filename=\"a__ x___set-cookie_ b_.._") && hostile.is_ascii() && !hostile.contains('\n'),
            "{hostile}"
        );
        assert!(disposition(Some("Zoë.txt".as_bytes())).ends_with("filename*=UTF-8''Zo%C3%AB.txt"));
    }

    #[test]
    fn a_piece_is_complete_or_none() {
        assert_eq!(piece(None, None, None), Ok(None));
        assert_eq!(piece(Some("a".into()), Some(1), Some(2)), Ok(Some(("a".into(), 1, 2))));
        for (id, offset, total) in
            [(None, Some(1), Some(2)), (Some("a"), None, Some(2)), (Some("a"), Some(1), None), (Some("a"), Some(3), Some(2))]
        {
            assert!(piece(id.map(str::to_owned), offset, total).is_err());
        }
    }
}
