//! What the agent says to those who wait for it: how its start goes, and lines for the timeline after that.
//!
//! Below a launcher of the server there is a pipe, and every word goes into it as one JSON object a line. In a container
//! there is none: a failed start is left where the container runtime looks for last words, and lines for the timeline
//! are kept until the server has taken them over its own connection ([`Voice::untold`]).

use crate::clock::Clock;
use crate::domain::agent::StartEvent;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Lines that are kept: the newest.
const MOST: usize = 100;

/// A line for the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Stable, `snake_case`.
    pub code: String,
    pub message: String,
    pub failed: bool,
}

/// Where words go. Cheap to clone.
#[derive(Clone)]
pub struct Voice(Arc<Way>);

enum Way {
    Pipe(Mutex<File>),
    Kept(Box<Kept>),
}

struct Kept {
    last_words: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    lines: Mutex<Lines>,
    /// Grows with every line.
    grown: watch::Sender<u64>,
}

#[derive(Default)]
struct Lines {
    all: VecDeque<Line>,
    /// How many of them, from the newest back, the server has not taken yet.
    untold: usize,
}

impl Voice {
    /// Into the pipe of a launcher.
    pub fn pipe(pipe: File) -> Self {
        Self(Arc::new(Way::Pipe(Mutex::new(pipe))))
    }

    /// Kept for the server. Why a start failed is written to `last_words`, where there is such a place.
    pub fn kept(last_words: Option<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let kept = Kept { last_words, clock, lines: Mutex::default(), grown: watch::Sender::new(0) };
        Self(Arc::new(Way::Kept(Box::new(kept))))
    }

    /// Says it. Where nobody listens any more it is lost: there is nobody to tell that either.
    pub fn say(&self, event: &StartEvent) {
        match (&*self.0, event) {
            (Way::Pipe(pipe), event) => {
                let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = writeln!(pipe, "{}", json(event));
            }
            (Way::Kept(kept), StartEvent::Note { code, message, failed }) => {
                let at = kept.clock.now().0;
                kept.keep(Line { at, code: code.clone(), message: message.clone(), failed: *failed });
            }
            (Way::Kept(kept), StartEvent::Failed { .. }) => {
                // Not created: where the container runtime made no such file nobody reads it.
                let file = kept.last_words.as_ref().and_then(|path| File::options().write(true).truncate(true).open(path).ok());
                let _ = file.map(|mut file| writeln!(file, "{}", json(event)));
            }
            (Way::Kept(_), StartEvent::SandboxMade | StartEvent::Ready) => {}
        }
    }

    /// A line for the timeline.
    pub fn note(&self, code: &str, message: &str, failed: bool) {
        self.say(&StartEvent::Note { code: code.to_owned(), message: message.to_owned(), failed });
    }

    /// The lines that are kept, oldest first.
    pub fn lines(&self) -> Vec<Line> {
        match &*self.0 {
            Way::Pipe(_) => Vec::new(),
            Way::Kept(kept) => kept.lines().all.iter().cloned().collect(),
        }
    }

    /// The oldest line that the server has not taken.
    pub fn untold(&self) -> Option<Line> {
        let Way::Kept(kept) = &*self.0 else { return None };
        let lines = kept.lines();
        lines.all.get(lines.all.len() - lines.untold).cloned()
    }

    /// The server has taken this one.
    pub fn told(&self, line: &Line) {
        if let Way::Kept(kept) = &*self.0 {
            let mut lines = kept.lines();
            // It may have been dropped for newer ones meanwhile.
            if lines.all.get(lines.all.len() - lines.untold) == Some(line) {
                lines.untold -= 1;
            }
        }
    }

    /// Changes whenever there is another line; `None` where none are kept.
    pub fn grown(&self) -> Option<watch::Receiver<u64>> {
        match &*self.0 {
            Way::Pipe(_) => None,
            Way::Kept(kept) => Some(kept.grown.subscribe()),
        }
    }
}

impl Kept {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, line: Line) {
        let mut lines = self.lines();
        lines.all.push_back(line);
        lines.untold += 1;
        if lines.all.len() > MOST {
            lines.all.pop_front();
            lines.untold = lines.untold.min(MOST);
        }
        drop(lines);
        self.grown.send_modify(|count| *count += 1);
    }
}

fn json(event: &StartEvent) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn kept(last_words: Option<PathBuf>) -> Voice {
        Voice::kept(last_words, Arc::new(SystemClock))
    }

    #[test]
    fn lines_are_told_once_and_in_order() {
        let voice = kept(None);
        let grown = voice.grown().unwrap();
        voice.note("one", "first", false);
        voice.note("two", "second", true);
        assert!(grown.has_changed().unwrap());
        let first = voice.untold().unwrap();
        assert_eq!((first.code.as_str(), first.failed), ("one", false));
        assert_eq!(voice.untold().as_ref(), Some(&first), "one that was not taken is told again");
        voice.told(&first);
        let second = voice.untold().unwrap();
        assert_eq!((second.code.as_str(), second.failed), ("two", true));
        voice.told(&second);
        assert_eq!(voice.untold(), None);
        assert_eq!(voice.lines().len(), 2);
    }

    #[test]
    fn the_newest_lines_are_kept() {
        let voice = kept(None);
        voice.note("old", "it is told and then dropped", false);
        let old = voice.untold().unwrap();
        (0..MOST).for_each(|n| voice.note("step", &n.to_string(), false));
        voice.told(&old);
        assert_eq!(voice.lines().len(), MOST);
        assert_eq!(voice.untold().unwrap().message, "0", "what was dropped is not counted as told");
    }

    #[test]
    fn a_failed_start_is_left_where_the_container_runtime_looks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("last-words");
        let failed = StartEvent::Failed { code: "home_unusable".into(), message: "No.".into(), remedy: None };
        kept(Some(path.clone())).say(&failed);
        assert!(!path.exists());
        std::fs::write(&path, "").unwrap();
        kept(Some(path.clone())).say(&failed);
        let read: StartEvent = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(read, failed);
    }

    #[test]
    fn below_a_launcher_every_word_is_a_line_of_the_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let voice = Voice::pipe(File::create(&path).unwrap());
        voice.say(&StartEvent::Ready);
        voice.note("cloned", "It is there.", false);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert_eq!((voice.untold(), voice.lines().len(), voice.grown().is_none()), (None, 0, true));
    }
}
