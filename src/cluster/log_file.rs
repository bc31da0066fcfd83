//! The log of one workspace: written by the server alone, bounded, readable while it is written.
//!
//! Two files, bounded ([`LARGEST`] bytes each unless it is told otherwise); the older is replaced when the newer is full.
//! They outlive every run of the workspace and every start of the server. A line is its time in milliseconds and its text,
//! in its colours but without control characters: what a program prints must not move somebody's cursor later.

use crate::clock::{Clock, Millis};
use crate::cluster::{LogLine, LogOptions};
use crate::domain::log_text::log_line;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// How large each of the two files may grow, in bytes, where nothing else is said.
pub const LARGEST: u64 = 1024 * 1024;
/// How many lines a slow follower may be behind before it loses some.
const FOLLOWERS_QUEUE: usize = 512;

/// One workspace's log.
pub struct WorkspaceLog {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    largest: u64,
    file: Mutex<Option<(File, u64)>>,
    lines: broadcast::Sender<LogLine>,
}

impl WorkspaceLog {
    /// The log in this folder; the folder may come later.
    pub fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self::bounded(folder, clock, LARGEST)
    }

    /// As [`WorkspaceLog::new`], with so many bytes in each of the two files.
    pub fn bounded(folder: PathBuf, clock: Arc<dyn Clock>, largest: u64) -> Self {
        Self { folder, clock, largest, file: Mutex::new(None), lines: broadcast::Sender::new(FOLLOWERS_QUEUE) }
    }

    fn current(&self) -> PathBuf {
        self.folder.join("current.log")
    }

    fn previous(&self) -> PathBuf {
        self.folder.join("previous.log")
    }

    fn file(&self) -> MutexGuard<'_, Option<(File, u64)>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one line of now. A full disk loses the line, not the workspace.
    pub fn write(&self, text: &str) {
        self.keep(LogLine { at: self.clock.now(), text: log_line(text) });
    }

    /// Writes a line that has its time already, and no control characters.
    pub fn keep(&self, line: LogLine) {
        let bytes = format!("{} {}\n", line.at.0, line.text);
        let mut file = self.file();
        if file.as_ref().is_some_and(|(_, size)| *size + bytes.len() as u64 > self.largest) {
            *file = None;
            let _ = fs::rename(self.current(), self.previous());
        }
        if file.is_none() {
            let opened = File::options().create(true).append(true).mode(0o600).open(self.current());
            *file = opened.ok().map(|f| (f.metadata().map_or(0, |m| m.len()), f)).map(|(size, f)| (f, size));
        }
        if let Some((file, size)) = file.as_mut()
            && file.write_all(bytes.as_bytes()).is_ok()
        {
            *size += bytes.len() as u64;
        }
        let _ = self.lines.send(line);
    }

    /// Lets go of the file, so that the folder can be removed.
    pub fn close(&self) {
        *self.file() = None;
    }

    /// The newest lines, then what comes, as asked.
    pub fn read(&self, options: &LogOptions) -> BoxStream<'static, LogLine> {
        // Under the writer's lock, so that no line is missed or told twice between the file and what follows.
        let held = self.file();
        let follower = options.follow.then(|| self.lines.subscribe());
        let since = options.since;
        let lines = self.lines_since(since);
        drop(held);
        let skipped = lines.len().saturating_sub(options.tail);
        let first = stream::iter(lines.into_iter().skip(skipped));
        match follower {
            Some(follower) => first.chain(follow(follower, since)).boxed(),
            None => first.boxed(),
        }
    }

    /// Everything that is kept, the oldest first, from this time on.
    pub fn lines_since(&self, since: Option<Millis>) -> Vec<LogLine> {
        let text = [self.previous(), self.current()].into_iter().filter_map(|p| fs::read_to_string(p).ok());
        let text: String = text.collect();
        text.lines().filter_map(parse).filter(|l| since.is_none_or(|s| l.at >= s)).collect()
    }
}

fn follow(follower: broadcast::Receiver<LogLine>, since: Option<Millis>) -> impl futures_util::Stream<Item = LogLine> + Send {
    stream::unfold(follower, move |mut follower| async move {
        loop {
            match follower.recv().await {
                Ok(line) if since.is_none_or(|s| line.at >= s) => return Some((line, follower)),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

fn parse(line: &str) -> Option<LogLine> {
    let (at, text) = line.split_once(' ')?;
    Some(LogLine { at: Millis(at.parse().ok()?), text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn log() -> (tempfile::TempDir, Arc<ManualClock>, WorkspaceLog) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Millis(1_000)));
        let log = WorkspaceLog::new(folder.path().to_owned(), clock.clone());
        (folder, clock, log)
    }

    async fn texts(log: &WorkspaceLog, tail: usize, since: Option<Millis>) -> Vec<String> {
        let options = LogOptions { tail, since, ..LogOptions::default() };
        log.read(&options).map(|l| l.text).collect().await
    }

    #[tokio::test]
    async fn the_newest_lines_come_in_order() {
        let (_keep, clock, log) = log();
        for text in ["one", "two", "three"] {
            clock.advance(10);
            log.write(text);
        }
        assert_eq!(texts(&log, 2, None).await, ["two", "three"]);
        assert_eq!(texts(&log, 9, Some(Millis(1_030))).await, ["three"]);
    }

    #[tokio::test]
    async fn a_follower_gets_the_tail_and_then_each_new_line_once() {
        let (_keep, _, log) = log();
        log.write("before");
        let mut lines = log.read(&LogOptions { tail: 10, follow: true, ..LogOptions::default() });
        log.write("after");
        assert_eq!(lines.next().await.unwrap().text, "before");
        assert_eq!(lines.next().await.unwrap().text, "after");
    }

    #[tokio::test]
    async fn the_log_never_grows_beyond_two_files() {
        let (keep, _, log) = log();
        let text = "x".repeat(8_000);
        for _ in 0..400 {
            log.write(&text);
        }
        let sizes: Vec<u64> = fs::read_dir(keep.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|s| *s <= LARGEST), "{sizes:?}");
        assert!(texts(&log, 1, None).await[0].starts_with("xxx"));
    }

    #[tokio::test]
    async fn control_characters_are_taken_out_and_colours_stay() {
        let (_keep, _, log) = log();
        log.write("a\x1b[2Jb\tc \x1b[31mred\x1b[0m");
        assert_eq!(texts(&log, 1, None).await, ["ab\tc \x1b[31mred\x1b[0m"]);
    }

    #[tokio::test]
    async fn a_log_is_read_on_after_a_restart_of_the_server() {
        let (keep, clock, log) = log();
        log.write("before");
        log.close();
        drop(log);
        let again = WorkspaceLog::new(keep.path().to_owned(), clock);
        again.write("after");
        assert_eq!(texts(&again, 9, None).await, ["before", "after"]);
    }
}
