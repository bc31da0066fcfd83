//! The pace that the API server asks for. One that has too much to do answers 429, or 503 while it starts, and says in
//! `Retry-After` when it may be asked again; what is asked before that only makes it worse. What one call was told holds
//! for all of ours, because the API server counts them together.

use futures_util::future::BoxFuture;
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Response, StatusCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::{Layer, Service};

/// The longest time that is believed; nobody should be silenced for a day by one answer.
const LONGEST: Duration = Duration::from_secs(300);

/// When the API server may be asked again. Cheap to clone.
#[derive(Clone, Default)]
pub struct Pace(Arc<Mutex<Option<Instant>>>);

impl Pace {
    /// How long to wait before the next call; `None` where nothing is to be waited for.
    pub fn wait(&self) -> Option<Duration> {
        let until = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(until.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    /// Takes notice of an answer.
    fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        let Some(wait) = asked(status, headers) else { return };
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(Instant::now() + wait));
    }
}

/// The seconds that an answer asks for.
fn asked(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST))
}

impl<S> Layer<S> for Pace {
    type Service = Heard<S>;

    fn layer(&self, inner: S) -> Heard<S> {
        Heard { inner, pace: self.clone() }
    }
}

/// A client whose answers are listened to.
pub struct Heard<S> {
    inner: S,
    pace: Pace,
}

impl<S, Request, Body> Service<Request> for Heard<S>
where
    S: Service<Request, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (answer, pace) = (self.inner.call(request), self.pace.clone());
        Box::pin(async move {
            let answer = answer.await?;
            pace.hear(answer.status(), answer.headers());
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn after(seconds: &str) -> HeaderMap {
        [(RETRY_AFTER, HeaderValue::from_str(seconds).unwrap())].into_iter().collect()
    }

    #[test]
    fn the_longest_time_that_was_asked_for_holds_for_everybody() {
        let pace = Pace::default();
        let other = pace.clone();
        assert_eq!(pace.wait(), None);
        pace.hear(StatusCode::TOO_MANY_REQUESTS, &after("7"));
        pace.hear(StatusCode::SERVICE_UNAVAILABLE, &after("2"));
        let wait = other.wait().unwrap();
        assert!(wait > Duration::from_secs(5) && wait <= Duration::from_secs(7), "{wait:?}");
        pace.hear(StatusCode::OK, &after("9"));
        assert!(other.wait().unwrap() <= Duration::from_secs(7));
    }

    #[test]
    fn only_who_is_too_busy_is_waited_for_and_nobody_for_ever() {
        assert_eq!(asked(StatusCode::OK, &after("7")), None);
        assert_eq!(asked(StatusCode::TOO_MANY_REQUESTS, &after("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(asked(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new()), None);
        assert_eq!(asked(StatusCode::TOO_MANY_REQUESTS, &after("86400")), Some(LONGEST));
    }
}
