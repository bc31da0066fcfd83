//! What was told of each workspace already, so that every line of its timeline is told once.
//!
//! Kept in memory only. A server that starts anew tells again what the cluster still remembers, with the cluster's own
//! times; the timeline knows those lines and takes none of them twice.

use super::words::steps::Line;
use crate::clock::{Millis, SECOND};
use crate::cluster::{Note, NoteKind, Phase};
use crate::domain::id::WorkspaceId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// The cluster's times are whole seconds; of what happens before our eyes we know better when it was, in milliseconds.
const BEFORE_OUR_EYES: i64 = 5 * SECOND;

#[derive(Default)]
struct Known {
    /// Which StatefulSet, in which of its generations, and since when.
    set: Option<(String, i64)>,
    since: Millis,
    pod: Option<String>,
    run: i64,
    told: BTreeSet<u64>,
}

/// What was told of all workspaces.
#[derive(Default)]
pub struct Notes {
    workspaces: BTreeMap<WorkspaceId, Known>,
    has_looked: bool,
}

impl Notes {
    /// Since when the StatefulSet is as it is. What was there when this server first looked was so since ever.
    pub fn since(&mut self, id: &WorkspaceId, set: Option<&ObjectMeta>, now: Millis) -> Millis {
        let seen = set.map(|meta| (meta.uid.clone().unwrap_or_default(), meta.generation.unwrap_or(0)));
        let is_first = !self.has_looked;
        let known = self.workspaces.entry(id.clone()).or_default();
        if known.set != seen {
            known.since = if is_first { Millis(0) } else { now };
            known.set = seen;
        }
        known.since
    }

    /// Those of the lines that were not told, as notes of this run.
    pub fn news(&mut self, id: &WorkspaceId, seen: &Seen<'_>, lines: Vec<Line>) -> Vec<Note> {
        let known = self.workspaces.entry(id.clone()).or_default();
        let mut notes = Vec::new();
        if seen.pod.is_some() && known.pod.as_deref() != seen.pod {
            known.told.clear();
        }
        for line in lines {
            if known.told.insert(fingerprint(&line)) {
                let at = at(line.at, seen);
                notes.push(Note { at, run: seen.run, kind: line.kind, code: line.code, message: line.message });
            }
        }
        if known.pod.is_some() && seen.pod.is_none() && seen.phase == Phase::Absent {
            let (code, message) = ("ended".to_owned(), "The workspace ended.".to_owned());
            notes.push(Note { at: seen.now, run: known.run, kind: NoteKind::Step, code, message });
        }
        known.pod = seen.pod.map(str::to_owned);
        if seen.pod.is_some() {
            known.run = seen.run;
        }
        notes
    }

    /// Forgets workspaces that are gone.
    pub fn keep_only(&mut self, is_there: impl Fn(&WorkspaceId) -> bool) {
        self.has_looked = true;
        self.workspaces.retain(|id, _| is_there(id));
    }
}

/// What was seen, as far as notes depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub run: i64,
    pub phase: Phase,
    /// The uid of the pod.
    pub pod: Option<&'a str>,
    /// When this server knew everything for the first time.
    pub filled: Millis,
    pub now: Millis,
}

fn fingerprint(line: &Line) -> u64 {
    let mut hasher = DefaultHasher::new();
    (line.at, &line.code, &line.message).hash(&mut hasher);
    hasher.finish()
}

fn at(told: Millis, seen: &Seen<'_>) -> Millis {
    let age = seen.now.since(told);
    let is_live = told >= seen.filled && age < BEFORE_OUR_EYES;
    if is_live { told.max(seen.now) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: i64, code: &str) -> Line {
        Line { at: Millis(at), kind: NoteKind::Step, code: code.to_owned(), message: format!("It {code}.") }
    }

    fn seen(now: i64, pod: Option<&str>, phase: Phase) -> Seen<'_> {
        Seen { run: 3, phase, pod, filled: Millis(50_000), now: Millis(now) }
    }

    fn codes(notes: &[Note]) -> Vec<(&str, i64)> {
        notes.iter().map(|note| (note.code.as_str(), note.at.0)).collect()
    }

    #[test]
    fn each_line_is_told_once_and_a_new_pod_tells_its_own() {
        let (mut notes, id) = (Notes::default(), WorkspaceId::trusted("ws_1".into()));
        let first = notes.news(&id, &seen(101_200, Some("a"), Phase::Creating), vec![line(101_000, "accepted")]);
        assert_eq!(codes(&first), [("accepted", 101_200)], "what is seen happening is dated to the millisecond");
        let more = vec![line(101_000, "accepted"), line(102_000, "ready")];
        assert_eq!(codes(&notes.news(&id, &seen(102_900, Some("a"), Phase::Ready), more.clone())), [("ready", 102_900)]);
        assert!(notes.news(&id, &seen(103_000, Some("a"), Phase::Ready), more).is_empty());
        let again = notes.news(&id, &seen(200_000, Some("b"), Phase::Creating), vec![line(199_000, "accepted")]);
        assert_eq!(codes(&again), [("accepted", 200_000)]);
    }

    #[test]
    fn what_happened_before_this_server_keeps_the_clusters_time() {
        let (mut notes, id) = (Notes::default(), WorkspaceId::trusted("ws_1".into()));
        let told = notes.news(&id, &seen(52_000, Some("a"), Phase::Ready), vec![line(49_000, "accepted"), line(10_000, "placed")]);
        assert_eq!(codes(&told), [("accepted", 49_000), ("placed", 10_000)]);
    }

    #[test]
    fn the_end_is_told_when_the_pod_is_gone() {
        let (mut notes, id) = (Notes::default(), WorkspaceId::trusted("ws_1".into()));
        notes.news(&id, &seen(60_000, Some("a"), Phase::Ready), Vec::new());
        assert!(notes.news(&id, &seen(61_000, Some("a"), Phase::Terminating), Vec::new()).is_empty());
        assert_eq!(codes(&notes.news(&id, &seen(62_000, None, Phase::Absent), Vec::new())), [("ended", 62_000)]);
        assert!(notes.news(&id, &seen(63_000, None, Phase::Absent), Vec::new()).is_empty());
    }

    #[test]
    fn a_set_is_new_when_it_changes_and_was_always_there_at_the_first_look() {
        let (mut notes, id) = (Notes::default(), WorkspaceId::trusted("ws_1".into()));
        let meta = |generation| ObjectMeta { uid: Some("u".into()), generation: Some(generation), ..ObjectMeta::default() };
        assert_eq!(notes.since(&id, Some(&meta(1)), Millis(9)), Millis(0));
        notes.keep_only(|_| true);
        assert_eq!(notes.since(&id, Some(&meta(1)), Millis(10)), Millis(0));
        assert_eq!(notes.since(&id, Some(&meta(2)), Millis(11)), Millis(11));
        assert_eq!(notes.since(&id, Some(&meta(2)), Millis(12)), Millis(11));
        notes.keep_only(|_| false);
        assert_eq!(notes.since(&id, Some(&meta(2)), Millis(13)), Millis(13), "it was forgotten");
    }
}
