//! Hands lines for the timeline to the server, one after the other, over the server's own connection.
//!
//! Each is sent until the server has answered, so that one may come twice but none is lost while the connection is away.

use crate::agent::http::body;
use crate::agent::uplink::Uplink;
use crate::agent::voice::{Line, Voice};
use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request};
use std::io;
use std::time::Duration;

/// Before a line is sent again.
const PAUSE: Duration = Duration::from_secs(2);
/// What is read of the server's answer, in bytes.
const ANSWER_MAX: usize = 4 * 1024;

/// Follows what is said, for as long as the workspace runs.
pub async fn follow(voice: Voice, uplink: Uplink) {
    let Some(mut grown) = voice.grown() else { return };
    loop {
        while let Some(line) = voice.untold() {
            match tell(&uplink, &line).await {
                Ok(()) => voice.told(&line),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        if grown.changed().await.is_err() {
            return;
        }
    }
}

/// Any answer will do: a line that the server does not want is not sent again.
async fn tell(uplink: &Uplink, line: &Line) -> io::Result<()> {
    let mut request = Request::new(body(serde_json::to_vec(line)?));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = hyper::Uri::from_static("/timeline/line");
    let answer = uplink.request(request).await?;
    Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map(drop).map_err(io::Error::other)
}
