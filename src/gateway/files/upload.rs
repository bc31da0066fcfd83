//! Bytes on their way into a workspace: handed on as they come, one small buffer ahead of the agent, which is as far
//! ahead as its disk.

use super::disk::Disk;
use super::pass::Pass;
use super::{Asked, refusals};
use crate::domain::file::{ROOM_HEADER, UploadState};
use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::gateway::agents::RequestBody;
use crate::ops::Caller;
use crate::policy::Action;
use bytes::Bytes;
use futures_util::stream::{self, LocalBoxStream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, header};
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a client may be silent in the middle of a body.
const SILENCE: Duration = Duration::from_secs(60);
/// How long the disk may take to be measured; then the agent's own limits are all that holds.
const MEASURED: Duration = Duration::from_secs(5);
/// How many pieces wait between the client and the agent.
const AHEAD: usize = 4;

/// A file, or a piece of one, as the client announces it.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// Bytes of this body, where the client says so.
    pub length: Option<u64>,
    /// The client's id of the upload, how many bytes are there, and how many there will be.
    pub piece: Option<(String, u64, u64)>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
}

impl Upload {
    /// Bytes that are still to come, where that is known.
    fn missing(&self) -> Option<u64> {
        self.piece.as_ref().map_or(self.length, |(_, offset, total)| Some(total.saturating_sub(*offset)))
    }

    fn query(&self) -> String {
        self.piece.as_ref().map_or_else(String::new, |(id, offset, total)| format!("?upload={id}&offset={offset}&total={total}"))
    }

    fn headers(&self, room: Option<i64>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let conditions = [(IF_MATCH, &self.if_match), (IF_NONE_MATCH, &self.if_none_match)];
        for (name, value) in conditions {
            if let Some(value) = value.as_ref().and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
        if let Some(length) = self.length {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        if let Some(room) = room.and_then(|room| u64::try_from(room).ok()) {
            headers.insert(HeaderName::from_static(ROOM_HEADER), room.into());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers
    }
}

/// Writes a file or a piece of one. What does not fit on the disk is refused before the first byte is taken.
pub async fn write(
    gateway: &Gateway,
    caller: &Caller,
    asked: Asked,
    upload: &Upload,
    body: &mut LocalBoxStream<'static, io::Result<Bytes>>,
) -> Result<UploadState> {
    let mut pass = Pass::get(gateway, caller, asked, Action::WriteWorkspaceFiles).await?;
    let disk = Disk::measure(gateway, &pass.place, pass.disk_bytes, MEASURED).await;
    let missing = upload.missing().map_or(0, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    if disk.room().is_some_and(|room| missing > room) {
        return Err(refusals::full(&pass, missing, disk.used, None));
    }
    // With the numbers, where the disk filled up on the way.
    exchange(&mut pass, upload, disk.room(), body)
        .await
        .map_err(|error| if matches!(error, Error::Quota(_)) { refusals::full(&pass, missing, disk.used, None) } else { error })
}

async fn exchange(
    pass: &mut Pass,
    upload: &Upload,
    room: Option<i64>,
    body: &mut LocalBoxStream<'static, io::Result<Bytes>>,
) -> Result<UploadState> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let asking = async {
        let answer = pass.ask(Method::PUT, &upload.query(), upload.headers(room), streamed(receiver)).await?;
        pass.json(answer).await
    };
    let pumping = pump(body, sender);
    tokio::pin!(asking, pumping);
    tokio::select! {
        // It may answer before all has come: a refusal.
        answer = &mut asking => answer,
        pumped = &mut pumping => match pumped {
            Ok(()) => asking.await,
            Err(why) => Err(Error::Syntax(why)),
        },
    }
}

/// From the client to the agent; what is not taken there is not read here.
async fn pump(
    body: &mut LocalBoxStream<'static, io::Result<Bytes>>,
    sender: mpsc::Sender<io::Result<Bytes>>,
) -> std::result::Result<(), String> {
    loop {
        let Ok(next) = tokio::time::timeout(SILENCE, body.next()).await else {
            return Err("For a minute nothing came.".to_owned());
        };
        match next {
            None => return Ok(()),
            Some(Ok(bytes)) => {
                // Nobody takes it any more: the answer says why.
                if sender.send(Ok(bytes)).await.is_err() {
                    return std::future::pending().await;
                }
            }
            Some(Err(error)) => {
                let _ = sender.send(Err(io::Error::other("the body broke off"))).await;
                return Err(format!("The body broke off: {error}."));
            }
        }
    }
}

fn streamed(receiver: mpsc::Receiver<io::Result<Bytes>>) -> RequestBody {
    let pieces =
        stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|piece| (piece.map(Frame::data), receiver)) });
    StreamBody::new(pieces).boxed_unsync()
}
