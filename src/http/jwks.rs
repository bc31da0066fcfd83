//! `GET /.well-known/jwks.json`: the public keys that verify our tokens.

use super::handler::{Reply, ReplyBody, Request};
use crate::error::Result;

/// How long a copy may be used, in seconds. A replaced key verifies for much longer.
const FRESH: u32 = 300;

#[allow(clippy::unused_async)] // the form of every handler
pub async fn serve(request: Request) -> Result<Reply> {
    let reply = Reply { status: 200, headers: Vec::new(), body: ReplyBody::Json(request.app.keys.published()) };
    Ok(reply.header("cache-control", format!("public, max-age={FRESH}")))
}
