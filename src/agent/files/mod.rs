//! `/v1/files/…`: the files of the home, for the server. List, read, write, make, move, remove, pack.
//!
//! The agent runs as the user whose files these are, so the kernel decides what may be done; what is added here is that
//! nothing outside the home is reached by a path of an address, that writing is whole or not at all, and that memory
//! stays flat. Files block, so all work on them runs on a few threads beside the agent's own.
//!
//! Deliberately absent: quotas (the server measures, and says with each write how much may come) and any decision about
//! who may ask.

mod archive;
mod change;
mod conditions;
mod entry;
mod home;
mod list;
mod range;
mod read;
mod receive;
mod refusal;
mod remove;
mod resume;
mod tar;
mod walk;
mod wish;
mod write;
mod zip;

use crate::agent::http::{Answer, answer as json_answer};
use crate::clock::{Clock, MINUTE, Millis};
use crate::domain::file::{FileChange, ROOM_HEADER};
use crate::domain::home_path::HomePath;
use conditions::Conditions;
use home::Home;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{HeaderMap, Request, StatusCode};
use receive::Bound;
use refusal::Refusal;
use serde_json::json;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use wish::{Put, Wish};

/// The longest body of a change, in bytes: two paths, percent-encoded.
const LONGEST_CHANGE: usize = 32 * 1024;

/// A folder that was just looked through is left alone for so long, in milliseconds.
const SWEPT_FOR: i64 = MINUTE;

/// The files of one home.
pub struct Files {
    home: PathBuf,
    clock: Arc<dyn Clock>,
    /// The folder that was last looked through for what broken uploads left.
    swept: Mutex<Option<(Vec<u8>, Millis)>>,
}

/// Runs what may wait for a disk on a thread of its own.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(job).await.map_err(|error| Refusal::failed(error.to_string()))?
}

impl Files {
    pub fn new(home: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { home: home.into(), clock, swept: Mutex::default() })
    }

    /// Answers a request below `/v1/files`.
    pub async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        self.serve(request).await.unwrap_or_else(Refusal::answer)
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let raw = request.uri().path().strip_prefix("/v1/files").unwrap_or_default();
        let path = HomePath::of_address(raw.strip_prefix('/').unwrap_or(raw))?;
        let wish = Wish::parse(request.method(), request.uri().query().unwrap_or_default())?;
        let (head, body) = request.into_parts();
        match wish {
            Wish::Put(put) => self.put(path, put, &head.headers, body).await,
            Wish::Change => {
                let whole = Limited::new(body, LONGEST_CHANGE).collect().await.map_err(|_| Refusal::broken_body())?.to_bytes();
                let change = serde_json::from_slice(&whole).map_err(|error| Refusal::new(400, "bad_body", error.to_string()))?;
                blocking(move || self.change(&path, &change)).await
            }
            wish => blocking(move || self.look(&path, &wish, &head.headers)).await,
        }
    }

    fn open(&self) -> Result<Home, Refusal> {
        Home::open(&self.home)
    }

    /// What changes nothing, or only removes.
    fn look(&self, path: &HomePath, wish: &Wish, headers: &HeaderMap) -> Result<Answer, Refusal> {
        let home = self.open()?;
        let listed = |value: serde_json::Value| Ok(json_answer(StatusCode::OK, &value));
        match wish {
            Wish::List => listed(json!(list::list(&home, path)?)),
            Wish::Archive(kind) => archive::answer(&home, path, *kind, self.clock.now()),
            Wish::Upload(id) => listed(json!(resume::state(&home.place_for_writing(path)?, id)?)),
            Wish::Remove => {
                remove::remove(&home.place(path)?)?;
                listed(json!({}))
            }
            Wish::Read | Wish::Put(_) | Wish::Change => read::answer(read::open(&home, path)?, headers),
        }
    }

    fn change(&self, path: &HomePath, change: &FileChange) -> Result<Answer, Refusal> {
        let home = self.open()?;
        let made = match change {
            FileChange::Directory => change::make_folder(&home, path)?,
            FileChange::Move { to, overwrite } => change::rename(&home, path, &HomePath::of_address(to)?, *overwrite)?,
        };
        Ok(json_answer(StatusCode::OK, &json!(made)))
    }

    async fn put(self: Arc<Self>, path: HomePath, put: Put, headers: &HeaderMap, body: Incoming) -> Result<Answer, Refusal> {
        let conditions = Conditions::of(headers);
        let allowed = headers.get(ROOM_HEADER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()).unwrap_or(u64::MAX);
        let (place, free) = blocking(move || {
            let home = self.open()?;
            let place = home.place_for_writing(&path)?;
            self.sweep(&home, &path);
            Ok((place, home.free_bytes()?))
        })
        .await?;
        // Told before the first byte, where it is known; what is full meanwhile is told when it is.
        let full = Refusal::new(409, "disk_full", "the disk is full").number(free);
        let room = if free < allowed { Bound { most: free, refusal: full } } else { Bound { most: allowed, refusal: Refusal::no_room() } };
        let state = match put {
            Put::Whole => write::write(place, body, &room, conditions).await?,
            Put::Piece(piece) => resume::write(place, piece, body, &room, conditions).await?,
        };
        Ok(json_answer(StatusCode::OK, &json!(state)))
    }

    fn sweep(&self, home: &Home, path: &HomePath) {
        let (now, folder) = (self.clock.now(), path.split().map_or(&b""[..], |(folder, _)| folder));
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if !swept.as_ref().is_some_and(|(last, at)| last == folder && now.since(*at) < SWEPT_FOR) {
            *swept = Some((folder.to_vec(), now));
            drop(swept);
            resume::sweep(home, folder, now);
        }
    }
}
