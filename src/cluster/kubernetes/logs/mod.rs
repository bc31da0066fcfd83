//! The log of a workspace: what was kept of its pods that are gone ([`past`]), then what its container wrote, as the node
//! keeps it.
//!
//! A log belongs to one container, and a crash makes another. Who follows a log reads on in the next container by
//! themselves; who asks for the one before gets the last lines of what ended.

mod past;

pub use past::{Past, keep_all};

use super::errors;
use super::{Shared, names};
use crate::clock::Millis;
use crate::cluster::{ClusterError, LogLine, LogOptions, WorkspaceRef};
use crate::domain::log_text::log_line;
use futures_util::stream::{self, BoxStream, StreamExt};
use http_body_util::BodyExt;
use hyper::Request;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::client::Body;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one line; the rest of a longer one is left out.
const LONGEST_LINE: usize = 64 * 1024;
/// How long to wait for another container at least, so that one that ends at once is not asked for without a pause.
const BETWEEN: Duration = Duration::from_secs(2);

/// Which log of which pod.
struct Source {
    shared: Arc<Shared>,
    namespace: String,
    pod: String,
}

/// The lines of a workspace.
pub async fn read(
    shared: &Arc<Shared>,
    workspace: &WorkspaceRef,
    options: LogOptions,
) -> Result<BoxStream<'static, LogLine>, ClusterError> {
    let source = Source { shared: Arc::clone(shared), namespace: workspace.namespace.clone(), pod: names::pod(&workspace.id) };
    let has_pod = source.has_pod()?;
    if !has_pod && !options.follow {
        let set = shared.watch()?.find::<StatefulSet>(Some(&workspace.namespace), &names::workspace(&workspace.id));
        set.ok_or(ClusterError::Gone)?;
    }
    // The container that ended before the one that runs is of the pod that is there.
    let mut past = if options.previous { Vec::new() } else { shared.past.lines(&workspace.id, options.since) };
    if !past.is_empty() {
        let room = options.tail.saturating_sub(source.count(&options).await?);
        past.drain(..past.len().saturating_sub(room));
    }
    let opened = source.open(&options).await?;
    let present = match opened {
        opened if options.follow => follow(source, opened, options),
        Some(reading) => reading.lines().boxed(),
        None => stream::empty().boxed(),
    };
    Ok(stream::iter(past).chain(present).boxed())
}

impl Source {
    /// Whether there is a pod whose log is not with those of the past.
    fn has_pod(&self) -> Result<bool, ClusterError> {
        let pod = self.shared.watch()?.find::<Pod>(Some(&self.namespace), &self.pod);
        Ok(pod.is_some_and(|pod| !self.shared.past.has_taken(pod.metadata.uid.as_deref().unwrap_or_default())))
    }

    /// How many lines there are at once, which tells how many of the past go before them.
    async fn count(&self, options: &LogOptions) -> Result<usize, ClusterError> {
        let options = LogOptions { follow: false, ..options.clone() };
        let Some(reading) = self.open(&options).await? else { return Ok(0) };
        Ok(reading.lines().count().await)
    }

    /// `None` where there is nothing to read yet.
    async fn open(&self, options: &LogOptions) -> Result<Option<Reading>, ClusterError> {
        if self.has_pod()? { self.ask(options).await } else { Ok(None) }
    }

    /// As [`Source::open`], whatever is known of the pod.
    async fn ask(&self, options: &LogOptions) -> Result<Option<Reading>, ClusterError> {
        let since = options.since.and_then(|since| jiff::Timestamp::from_millisecond(since.0).ok());
        let wanted = LogParams {
            container: Some(names::CONTAINER.to_owned()),
            follow: options.follow,
            previous: options.previous,
            since_time: since,
            tail_lines: Some(i64::try_from(options.tail).unwrap_or(i64::MAX)),
            timestamps: true,
            ..LogParams::default()
        };
        let place = format!("/api/v1/namespaces/{}/pods", self.namespace);
        let request = kube::core::Request::new(place).logs(&self.pod, &wanted);
        let request: Request<Vec<u8>> = request.map_err(|e| ClusterError::Transient(e.to_string()))?;
        let client = self.shared.clients.get().await?;
        let answer = self.shared.clients.call(client.send(request.map(Body::from))).await?;
        if answer.status().is_success() {
            return Ok(Some(Reading { body: answer.into_body(), cut: Cut::default(), ready: VecDeque::new() }));
        }
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let status: kube::core::Status = serde_json::from_slice(&body).unwrap_or_default();
        // 400: the container was not started yet, or none ended before it. 404: the pod has just gone.
        if matches!(code, 400 | 404) {
            return Ok(None);
        }
        Err(errors::of(&kube::Error::Api(Box::new(kube::core::Status { code, ..status }))))
    }
}

/// The lines of this container, then those of the next, for as long as somebody reads.
fn follow(source: Source, opened: Option<Reading>, options: LogOptions) -> BoxStream<'static, LogLine> {
    let state = Following { source, reading: opened, options, last: None, told: 0, again: 0 };
    stream::unfold(state, Following::next).boxed()
}

struct Following {
    source: Source,
    reading: Option<Reading>,
    options: LogOptions,
    /// The time of the newest line so far: a container that goes on is not read twice.
    last: Option<Millis>,
    /// How many lines of that time were told.
    told: usize,
    /// How many of them come again: a log is opened from a second on, not from a millisecond.
    again: usize,
}

impl Following {
    async fn next(mut self) -> Option<(LogLine, Self)> {
        loop {
            if let Some(reading) = &mut self.reading {
                let Some(line) = reading.next().await else {
                    self.reading = None;
                    continue;
                };
                if self.is_told_already(line.at) {
                    continue;
                }
                return Some((line, self));
            }
            another(Arc::clone(&self.source.shared)).await?;
            let since = self.last.or(self.options.since);
            self.again = self.told;
            let options = LogOptions { tail: usize::MAX, since, previous: false, follow: true };
            self.reading = self.source.open(&options).await.ok()?;
        }
    }
}

impl Following {
    /// Whether a line of this time was told before; counts it where not.
    fn is_told_already(&mut self, at: Millis) -> bool {
        match self.last {
            Some(last) if at < last => return true,
            Some(last) if at == last && self.again > 0 => {
                self.again -= 1;
                return true;
            }
            Some(last) if at == last => self.told += 1,
            _ => self.told = 1,
        }
        self.last = Some(at);
        false
    }
}

/// Waits until there may be another container.
async fn another(shared: Arc<Shared>) -> Option<()> {
    let mut pods = shared.watch().ok()?.pods();
    pods.mark_unchanged();
    tokio::time::sleep(BETWEEN).await;
    pods.changed().await.ok()
}

/// A log that is being read.
struct Reading {
    body: Body,
    cut: Cut,
    ready: VecDeque<LogLine>,
}

impl Reading {
    async fn next(&mut self) -> Option<LogLine> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    self.ready.extend(self.cut.lines(&bytes));
                }
                Some(Err(_)) | None => return self.cut.rest(),
            }
        }
    }

    fn lines(self) -> impl futures_util::Stream<Item = LogLine> + Send {
        stream::unfold(self, |mut reading| async move { Some((reading.next().await?, reading)) })
    }
}

/// Cuts bytes into lines, however they come, and keeps no more than a line may have.
#[derive(Default)]
struct Cut(Vec<u8>);

impl Cut {
    fn lines(&mut self, bytes: &[u8]) -> Vec<LogLine> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LONGEST_LINE.saturating_sub(self.0.len());
            self.0.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                lines.extend(line(&std::mem::take(&mut self.0)));
            }
        }
        lines
    }

    /// What came last, without the end of a line.
    fn rest(&mut self) -> Option<LogLine> {
        let rest = std::mem::take(&mut self.0);
        if rest.is_empty() { None } else { line(&rest) }
    }
}

/// `2026-03-12T10:20:30.123456789Z text`; what does not begin with a time is told by the node, not by the workspace.
fn line(bytes: &[u8]) -> Option<LogLine> {
    let text = String::from_utf8_lossy(bytes);
    let (time, text) = text.split_once(' ').unwrap_or((&text, ""));
    Some(LogLine { at: Millis::parse(time)?, text: log_line(text) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_bytes_are() {
        let mut cut = Cut::default();
        let mut lines = cut.lines(b"2026-03-12T10:20:30.123456789Z one\n2026-03-12T10:20");
        lines.extend(cut.lines(b":31Z two words\r\n2026-03-12T10:20:32Z \nunable to retrieve container logs\n"));
        lines.extend(cut.rest());
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "two words", ""]);
        assert_eq!(lines[0].at, Millis(1_773_310_830_123));
        lines = cut.lines(b"2026-03-12T10:20:33Z last");
        assert!(lines.is_empty());
        assert_eq!(cut.rest().map(|line| line.text).as_deref(), Some("last"));
    }

    #[test]
    fn a_line_without_an_end_stays_bounded() {
        let mut cut = Cut::default();
        cut.lines(b"2026-03-12T10:20:33Z ");
        (0..100).for_each(|_| assert!(cut.lines(&[b'x'; 4_096]).is_empty()));
        let line = cut.lines(b"\n").remove(0);
        assert!(line.text.len() < LONGEST_LINE && line.text.len() > LONGEST_LINE - 100);
    }
}
