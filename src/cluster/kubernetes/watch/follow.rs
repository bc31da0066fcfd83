//! The loop that keeps one kind of object: list, then watch from there, for ever.

use super::backoff::{Backoff, spread};
use super::kept::Kept;
use super::store::{Prepared, number};
use super::stream::{self, Trouble};
use super::{Health, Shared};
use crate::clock::SystemEntropy;
use kube::core::WatchEvent;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

/// How long the API server keeps a watch open: between half of it and all of it, so that not all are opened at once.
const OPEN_FOR: Duration = Duration::from_secs(240);
/// How much longer than that a watch may say nothing at all before it counts as dead.
const LATE: Duration = Duration::from_secs(10);
/// The pause after a refusal: what is not allowed does not become allowed within seconds.
const REFUSED: Duration = Duration::from_secs(15);

/// How a watch came to its end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The API server ended it as it was told to, or it is to be opened anew.
    Again,
    Trouble(Trouble),
}

/// Starts the loop of one kind.
pub fn begin<K: Kept>(shared: &Arc<Shared>) -> JoinHandle<()> {
    shared.report::<K>(Health::Empty(None));
    tokio::spawn(run::<K>(Arc::clone(shared)))
}

async fn run<K: Kept>(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let mut version: Option<String> = None;
    loop {
        let trouble = match step::<K>(&shared, &mut version, &mut backoff).await {
            End::Again => continue,
            End::Trouble(trouble) => trouble,
        };
        tracing::debug!(kind = K::KIND, ?trouble, "a watch ended");
        let pause = weigh::<K>(&shared, &mut version, &mut backoff, trouble);
        sleep(pause).await;
    }
}

/// What becomes of the loop after this trouble, and how long it waits.
fn weigh<K: Kept>(shared: &Shared, version: &mut Option<String>, backoff: &mut Backoff, trouble: Trouble) -> Duration {
    let now = shared.clock.now();
    match trouble {
        Trouble::Expired => {
            *version = None;
            backoff.pause(None, &SystemEntropy)
        }
        Trouble::Throttled(asked) => {
            shared.report::<K>(Health::Broken(now, "the API server asks for fewer calls".to_owned()));
            backoff.pause(asked, &SystemEntropy)
        }
        Trouble::Unknown(why) => {
            shared.clients.forget();
            shared.report::<K>(Health::Broken(now, format!("the API server does not know this server: {why}")));
            backoff.pause(None, &SystemEntropy)
        }
        Trouble::Forbidden(why) => {
            shared.report::<K>(Health::Forbidden(why));
            // What is seen again is read anew: nobody told what happened in between.
            *version = None;
            spread(REFUSED, &SystemEntropy)
        }
        Trouble::Broken(why) => {
            shared.report::<K>(Health::Broken(now, why));
            backoff.pause(None, &SystemEntropy)
        }
    }
}

/// Lists where nothing is known, then watches until that ends.
async fn step<K: Kept>(shared: &Shared, version: &mut Option<String>, backoff: &mut Backoff) -> End {
    let client = match shared.clients.get().await {
        Ok(client) => client,
        Err(why) => return End::Trouble(Trouble::Broken(why.to_string())),
    };
    let from = match version {
        Some(version) => version.clone(),
        None => match fill::<K>(shared, &client).await {
            Ok(from) => version.insert(from).clone(),
            Err(trouble) => return End::Trouble(trouble),
        },
    };
    match hear::<K>(shared, &client, from, version, backoff).await {
        Ok(()) => End::Again,
        Err(trouble) => End::Trouble(trouble),
    }
}

async fn fill<K: Kept>(shared: &Shared, client: &kube::Client) -> Result<String, Trouble> {
    let (mut list, mut next) = (Prepared::default(), None);
    let version = loop {
        let page = stream::list::<K>(client, &shared.selector, next).await?;
        page.items.into_iter().for_each(|object| list.add(object));
        if page.next.is_none() {
            break page.version;
        }
        next = page.next;
    };
    let is_news = K::store(&shared.stores).replace(list, number(Some(&version)));
    shared.report::<K>(Health::Good);
    if is_news {
        shared.changed::<K>();
    }
    Ok(version)
}

async fn hear<K: Kept>(
    shared: &Shared,
    client: &kube::Client,
    from: String,
    version: &mut Option<String>,
    backoff: &mut Backoff,
) -> Result<(), Trouble> {
    let open_for = spread(OPEN_FOR, &SystemEntropy);
    let mut reopen = shared.reopen.subscribe();
    let seconds = u32::try_from(open_for.as_secs()).unwrap_or(120);
    let mut watching = stream::watch::<K>(client, &shared.selector, &from, seconds).await?;
    let dead_at = Instant::now() + open_for + LATE;
    shared.report::<K>(Health::Good);
    loop {
        let told = tokio::select! {
            told = timeout_at(dead_at, watching.next::<K>()) => told,
            _ = reopen.changed() => return Ok(()),
        };
        let Ok(told) = told else { return Err(Trouble::Broken("the watch fell silent".to_owned())) };
        let Some(event) = told? else { return Ok(()) };
        // It works: only failures in a row make pauses longer.
        backoff.reset();
        take::<K>(shared, event, version);
    }
}

fn take<K: Kept>(shared: &Shared, event: WatchEvent<K>, version: &mut Option<String>) {
    let store = K::store(&shared.stores);
    let mut passed = |object: &K| {
        if let Some(told) = &object.meta().resource_version {
            *version = Some(told.clone());
        }
    };
    let is_news = match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) => {
            passed(&object);
            store.tell(object)
        }
        WatchEvent::Deleted(object) => {
            passed(&object);
            store.tell_gone(&object)
        }
        WatchEvent::Bookmark(bookmark) => {
            store.told(number(Some(&bookmark.metadata.resource_version)));
            *version = Some(bookmark.metadata.resource_version);
            false
        }
        WatchEvent::Error(_) => false,
    };
    if is_news {
        shared.changed::<K>();
    }
}
