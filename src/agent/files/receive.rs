//! From a request's body into an open file: pieces are gathered, written in one go on a blocking thread, and the next
//! ones are taken only then, so that the sender is never ahead of the disk.

use crate::agent::files::blocking;
use crate::agent::files::read::PIECE;
use crate::agent::files::refusal::Refusal;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use std::fs::File;
use std::io::Write;

/// How much may be written, and what is said to more.
#[derive(Debug, Clone)]
pub struct Bound {
    pub most: u64,
    pub refusal: Refusal,
}

/// Writes the whole body at the file's place; answers how many bytes came. What was written before an error stays.
pub async fn receive<B>(mut body: B, file: &File, bound: &Bound) -> Result<u64, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > bound.most {
        return Err(bound.refusal.clone());
    }
    let mut written = 0;
    loop {
        let (pieces, length, end) = gather(&mut body).await;
        // As much as fits is kept: an upload can go on from there.
        if written + length > bound.most {
            return Err(bound.refusal.clone());
        }
        if length > 0 {
            let mut file = file.try_clone()?;
            blocking(move || Ok(pieces.iter().try_for_each(|piece| file.write_all(piece))?)).await?;
            written += length;
        }
        match end {
            End::NotYet => {}
            End::Whole => return Ok(written),
            End::Broken => return Err(Refusal::broken_body()),
        }
    }
}

enum End {
    NotYet,
    Whole,
    Broken,
}

async fn gather<B>(body: &mut B) -> (Vec<Bytes>, u64, End)
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut pieces, mut length) = (Vec::new(), 0);
    while length < PIECE {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    length += data.len();
                    pieces.push(data);
                }
            }
            Some(Err(_)) => return (pieces, length as u64, End::Broken),
            None => return (pieces, length as u64, End::Whole),
        }
    }
    (pieces, length as u64, End::NotYet)
}
