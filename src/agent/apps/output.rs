//! The end of what an app printed, line by line: bounded, and without what would move somebody's cursor.

use crate::clock::{Clock, Millis};
use crate::domain::log_text::log_line;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};

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
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<(Millis, String)>,
    bytes: usize,
    /// The second that is counted, how many of its lines went into the workspace's log, and how many did not.
    second: i64,
    passed: u32,
    held: u32,
}

impl Output {
    pub fn new(slug: &str, clock: Arc<dyn Clock>) -> Self {
        Self { slug: slug.to_owned(), clock, kept: Mutex::default() }
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
        while kept.lines.len() > MOST_LINES || kept.bytes > MOST_BYTES {
            let Some((_, old)) = kept.lines.pop_front() else { break };
            kept.bytes -= old.len();
        }
    }

    /// The newest lines, oldest first, each `<rfc3339> <text>` with a line end.
    pub fn tail(&self, lines: usize) -> String {
        let kept = self.kept();
        let skip = kept.lines.len().saturating_sub(lines);
        kept.lines.iter().skip(skip).map(|(at, text)| format!("{} {text}\n", at.rfc3339())).collect()
    }
}

impl Kept {
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

    #[test]
    fn a_loud_app_does_not_drown_the_log_of_the_workspace() {
        let mut kept = Kept::default();
        let passed: usize = (0..1_000).map(|_| kept.passed_on(Millis(5_000), "noise").len()).sum();
        assert_eq!(passed, 50);
        assert_eq!(kept.passed_on(Millis(6_000), "calm"), ["(950 lines left out: the log of this app has them)", "calm"]);
    }
}
