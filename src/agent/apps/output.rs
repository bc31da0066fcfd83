//! The end of what an app printed, line by line: bounded, and without what would move somebody's cursor.

use crate::clock::{Clock, Millis};
use crate::domain::log_text::log_line;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

/// Lines that are kept of each app, and their bytes.
const MOST_LINES: usize = 2_000;
const MOST_BYTES: usize = 256 * 1024;
/// A line longer than this is cut, in bytes.
const LONGEST_LINE: usize = 4_096;
/// Lines a second that go on into the workspace's log; the app's own keeps them all.
const LOUDEST: u32 = 50;

/// What one app printed.
pub struct Output {
    slug: String,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
    /// Changes with every line.
    grown: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<(Millis, String)>,
    /// How many were ever printed.
    printed: u64,
    bytes: usize,
    /// The second that is counted, how many of its lines went into the workspace's log, and how many did not.
    second: i64,
    passed: u32,
    held: u32,
}

impl Output {
    pub fn new(slug: &str, clock: Arc<dyn Clock>) -> Self {
        Self { slug: slug.to_owned(), clock, kept: Mutex::default(), grown: watch::Sender::new(()) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a program prints until its last holder is gone.
    pub async fn follow(&self, mut output: impl AsyncRead + Unpin) {
        let mut pending = Vec::new();
        let mut buffer = vec![0_u8; 8 * 1024];
        while let Ok(n @ 1..) = output.read(&mut buffer).await {
            pending.extend_from_slice(&buffer[..n]);
            while let Some(line) = next_line(&mut pending) {
                self.push(&line);
            }
        }
        if !pending.is_empty() {
            self.push(&String::from_utf8_lossy(&pending));
        }
    }

    /// Keeps one line, and passes it on to the workspace's log under the app's name.
    pub fn push(&self, line: &str) {
        let (now, text) = (self.clock.now(), log_line(line));
        let mut kept = self.kept();
        for line in kept.passed_on(now, &text) {
            // The agent's standard error is the workspace's log; the server adds the time.
            let _ = writeln!(std::io::stderr(), "[{}] {line}", self.slug);
        }
        kept.bytes += text.len();
        kept.lines.push_back((now, text));
        kept.printed += 1;
        while kept.lines.len() > MOST_LINES || kept.bytes > MOST_BYTES {
            let Some((_, old)) = kept.lines.pop_front() else { break };
            kept.bytes -= old.len();
        }
        drop(kept);
        self.grown.send_replace(());
    }

    /// The newest lines, oldest first, each `<rfc3339> <text>` with a line end.
    pub fn tail(&self, lines: usize) -> String {
        let from = self.first_of(lines);
        self.kept().since(from).0
    }

    /// The number of the first of so many newest lines, counted from the first that was ever printed.
    pub fn first_of(&self, lines: usize) -> u64 {
        let kept = self.kept();
        kept.printed - lines.min(kept.lines.len()) as u64
    }

    /// The lines from this number on, as soon as there are any, and the number of the next one. Whoever reads more slowly
    /// than is printed loses the oldest.
    pub async fn after(&self, from: u64) -> (String, u64) {
        let mut grown = self.grown.subscribe();
        loop {
            grown.mark_unchanged();
            let found = self.kept().since(from);
            if !found.0.is_empty() {
                return found;
            }
            // The sender lives as long as this does.
            let _ = grown.changed().await;
        }
    }
}

impl Kept {
    /// The kept lines from this number on, and the number of the next one.
    fn since(&self, from: u64) -> (String, u64) {
        let first = self.printed - self.lines.len() as u64;
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        let text = self.lines.iter().skip(skip).map(|(at, text)| format!("{} {text}\n", at.rfc3339())).collect();
        (text, self.printed)
    }

    /// What of this line goes into the workspace's log, which all apps share.
    fn passed_on(&mut self, now: Millis, text: &str) -> Vec<String> {
        let second = now.0.div_euclid(1_000);
        let mut lines = Vec::new();
        if second != self.second {
            if self.held > 0 {
                lines.push(format!("({} lines left out: the log of this app has them)", self.held));
            }
            (self.second, self.passed, self.held) = (second, 0, 0);
        }
        if self.passed < LOUDEST {
            self.passed += 1;
            lines.push(text.to_owned());
        } else {
            self.held += 1;
        }
        lines
    }
}

/// Takes a line off the front: up to its end, or as much as one may have.
fn next_line(pending: &mut Vec<u8>) -> Option<String> {
    let end = pending.iter().take(LONGEST_LINE).position(|b| *b == b'\n');
    let length = match end {
        Some(end) => end,
        None if pending.len() >= LONGEST_LINE => LONGEST_LINE,
        None => return None,
    };
    let line = String::from_utf8_lossy(&pending[..length]).into_owned();
    pending.drain(..length + usize::from(end.is_some()));
    Some(line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn output() -> Output {
        Output::new("editor", Arc::new(ManualClock::starting_at(Millis(1_000))))
    }

    #[tokio::test]
    async fn lines_are_kept_whole_and_a_last_one_without_an_end_too() {
        let output = output();
        output.follow(&b"one\ntwo \x1b[31mred\x1b[0m\r\nthree"[..]).await;
        assert_eq!(output.tail(2), "1970-01-01T00:00:01.000Z two \u{1b}[31mred\u{1b}[0m\n1970-01-01T00:00:01.000Z three\n");
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_whatever_is_printed() {
        let output = output();
        output.follow(&vec![b'x'; 100_000][..]).await;
        assert!(output.tail(usize::MAX).lines().all(|line| line.len() <= LONGEST_LINE + 30));
        for n in 0..10_000 {
            output.push(&format!("line {n} {}", "y".repeat(200)));
        }
        let kept = output.tail(usize::MAX);
        assert!(kept.len() < 2 * MOST_BYTES && kept.ends_with(&format!("line 9999 {}\n", "y".repeat(200))), "{}", kept.len());
    }

    #[tokio::test]
    async fn a_reader_gets_the_newest_lines_then_each_new_one_once_and_loses_only_what_is_not_kept_any_more() {
        let output = output();
        for text in ["one", "two", "three"] {
            output.push(text);
        }
        let (text, next) = output.after(output.first_of(2)).await;
        assert_eq!(text.lines().map(|line| &line[25..]).collect::<Vec<_>>(), ["two", "three"]);
        let waiting = output.after(next);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending(), "nothing new, nothing told");
        output.push("four");
        let (text, next) = waiting.await;
        assert_eq!((&text[25..], next), ("four\n", 4));
        for n in 0..3_000 {
            output.push(&format!("line {n}"));
        }
        let (text, next) = output.after(next).await;
        assert_eq!((text.lines().count(), text.ends_with("line 2999\n"), next), (MOST_LINES, true, 3_004));
    }

    #[test]
    fn a_loud_app_does_not_drown_the_log_of_the_workspace() {
        let mut kept = Kept::default();
        let passed: usize = (0..1_000).map(|_| kept.passed_on(Millis(5_000), "noise").len()).sum();
        assert_eq!(passed, 50);
        assert_eq!(kept.passed_on(Millis(6_000), "calm"), ["(950 lines left out: the log of this app has them)", "calm"]);
    }
}
