//! A workspace as desired state: what should be, what is, the one word for both, and which actions make sense when.
//!
//! `status` is computed from the two and never stored. An action changes only what should be; the reconciler follows.
//! What is not here: who may act (that is `policy`), and whether it fits (that is [`super::pool`]).

use super::field::FieldRule;
use crate::error::Error;
use serde::{Deserialize, Serialize};

/// What the API wants a workspace to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    Running,
    Stopped,
    Deleted,
}

impl Desired {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Deleted => "deleted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Stopped, Self::Deleted].into_iter().find(|desired| desired.as_str() == text)
    }
}

/// Where a workspace is in its life, as observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Nothing of it runs.
    Absent,
    Creating,
    /// It cannot go on until something outside it changes (no node, no disk, group not ready).
    Waiting,
    /// Its agent answers.
    Ready,
    Failed,
    Terminating,
}

impl Phase {
    pub const ALL: [Self; 6] = [Self::Absent, Self::Creating, Self::Waiting, Self::Ready, Self::Failed, Self::Terminating];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Terminating => "terminating",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text)
    }
}

/// Why something is as it is: a stable code for programs, words for people, and what to do now.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Stable, `snake_case`: `needs_containers`, `out_of_memory`, `program_not_found`.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What to do now, one sentence, where there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// One part of a workspace and how it is: the rows of "component health".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    pub name: String,
    /// `process`, `agent`, `home`, … ; on Kubernetes `statefulset`, `service`, `pvc`, `pod`.
    #[serde(rename = "type")]
    pub kind: String,
    pub healthy: bool,
    pub status: String,
    pub reason: String,
    pub details: String,
}

/// The one word that the API and people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Running,
    Stopped,
    Starting,
    Stopping,
    Error,
    Pending,
    Deleting,
}

impl Status {
    pub const ALL: [Self; 7] = [Self::Running, Self::Stopped, Self::Starting, Self::Stopping, Self::Error, Self::Pending, Self::Deleting];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Error => "error",
            Self::Pending => "pending",
            Self::Deleting => "deleting",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The status of a workspace of which `run` should be and `observed_run` is in `phase`. The first row that matches
    /// holds; `store` repeats this table as one SQL expression, and a test compares the two over every combination.
    pub fn of(desired: Desired, phase: Phase, run: i64, observed_run: i64) -> Self {
        match (desired, phase) {
            (Desired::Deleted, _) => Self::Deleting,
            (Desired::Stopped, Phase::Absent) => Self::Stopped,
            (Desired::Stopped, _) => Self::Stopping,
            (Desired::Running, Phase::Ready) if observed_run == run => Self::Running,
            (Desired::Running, Phase::Waiting) => Self::Pending,
            (Desired::Running, Phase::Failed) => Self::Error,
            (Desired::Running, _) => Self::Starting,
        }
    }
}

/// What a person does to a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Start,
    Stop,
    Restart,
}

impl Action {
    pub const ALL: [Self; 3] = [Self::Start, Self::Stop, Self::Restart];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// What an action changes on the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub desired: Desired,
    /// `run` grows by one: what runs now, if anything, is not what is meant.
    pub new_run: bool,
}

/// What the action changes, or why it makes no sense in this state ([`Error::WrongState`]).
///
/// A workspace in `error` is started again by `start` as well as by `restart`; `restart` of a stopped one starts it.
pub fn transition(action: Action, status: Status) -> Result<Transition, Error> {
    let start = Transition { desired: Desired::Running, new_run: true };
    let stop = Transition { desired: Desired::Stopped, new_run: false };
    let why = match (action, status) {
        (_, Status::Deleting) => "It is being deleted.",
        (Action::Start, Status::Running) => "It is running already.",
        (Action::Start, Status::Starting) => "It is starting already.",
        (Action::Start, Status::Pending) => "It is waiting to start already. It goes on by itself as soon as it can.",
        (Action::Start, Status::Stopped | Status::Stopping | Status::Error) | (Action::Restart, _) => return Ok(start),
        (Action::Stop, Status::Stopped) => "It is stopped already. Its files are kept.",
        (Action::Stop, Status::Stopping) => "It is stopping already.",
        (Action::Stop, Status::Running | Status::Starting | Status::Pending | Status::Error) => {
            return Ok(stop);
        }
    };
    Err(Error::WrongState(why.to_owned()))
}

/// The longest image reference.
const IMAGE_MAX: usize = 255;

/// Checks an image reference: letters, digits and `- . / : _ @`, 1-255 characters, with a letter or digit at both ends,
/// no empty path component, and a digest only at the end. Whether it exists is for the cluster to find out.
pub fn check_image(text: &str) -> Result<(), FieldRule> {
    if text.is_empty() {
        return Err(FieldRule::new("required", "Give an image."));
    }
    if text.len() > IMAGE_MAX {
        return Err(FieldRule::new("too_long", "An image has at most 255 characters."));
    }
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if is_image_name(name) && digest.is_none_or(is_digest) {
        return Ok(());
    }
    Err(FieldRule::new("invalid", "Write an image as registry/name:tag, for example docker.io/library/debian:12."))
}

fn is_image_name(name: &str) -> bool {
    let edge = |b: u8| b.is_ascii_alphanumeric();
    let inner = |b: u8| edge(b) || matches!(b, b'-' | b'.' | b':' | b'_');
    name.split('/').all(|part| {
        let bytes = part.as_bytes();
        bytes.first().zip(bytes.last()).is_some_and(|(a, b)| edge(*a) && edge(*b))
            && bytes.iter().all(|b| inner(*b))
            && !part.contains("..")
    })
}

/// `sha256:` and at least 32 hexadecimal digits, as the image specification has it.
fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && hex.len() >= 32
            && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_table_holds_row_by_row() {
        use {Desired as D, Phase as P, Status as S};
        for phase in P::ALL {
            assert_eq!(Status::of(D::Deleted, phase, 1, 1), S::Deleting);
            let stopped = if phase == P::Absent { S::Stopped } else { S::Stopping };
            assert_eq!(Status::of(D::Stopped, phase, 1, 1), stopped, "{phase:?}");
        }
        for (phase, status) in [
            (P::Absent, S::Starting),
            (P::Creating, S::Starting),
            (P::Waiting, S::Pending),
            (P::Ready, S::Running),
            (P::Failed, S::Error),
            (P::Terminating, S::Starting),
        ] {
            assert_eq!(Status::of(D::Running, phase, 3, 3), status, "{phase:?}");
        }
    }

    #[test]
    fn what_is_ready_of_an_earlier_run_is_still_starting() {
        assert_eq!(Status::of(Desired::Running, Phase::Ready, 4, 3), Status::Starting);
    }

    #[test]
    fn actions_that_make_no_sense_say_why() {
        let why = |action, status| transition(action, status).err().map(|e| e.to_string());
        assert_eq!(why(Action::Start, Status::Running).as_deref(), Some("It is running already."));
        assert_eq!(why(Action::Stop, Status::Stopped).as_deref(), Some("It is stopped already. Its files are kept."));
        for action in Action::ALL {
            assert_eq!(why(action, Status::Deleting).as_deref(), Some("It is being deleted."));
        }
    }

    #[test]
    fn a_failed_workspace_can_be_started_again_and_stopped() {
        assert_eq!(transition(Action::Start, Status::Error), Ok(Transition { desired: Desired::Running, new_run: true }));
        assert_eq!(transition(Action::Stop, Status::Error), Ok(Transition { desired: Desired::Stopped, new_run: false }));
    }

    #[test]
    fn a_restart_always_begins_a_new_run() {
        for status in [Status::Running, Status::Stopped, Status::Starting, Status::Pending, Status::Error, Status::Stopping] {
            assert_eq!(transition(Action::Restart, status), Ok(Transition { desired: Desired::Running, new_run: true }));
        }
    }

    #[test]
    fn images_are_references_and_nothing_a_shell_would_like() {
        let digest = format!("debian@sha256:{}", "a".repeat(64));
        for good in ["debian", "debian:12", "local:shell", "registry.example:5000/team_a/ide:1.2-rc1", &digest, &format!("r/{digest}")] {
            assert!(check_image(good).is_ok(), "{good}");
        }
        for bad in ["-debian", "debian:", "a//b", "/a", "a/", "a b", "a;b", "$(id)", "a@b", "a@sha256:zz", "a/../b", "a\n", "é", "a@@b"] {
            assert_eq!(check_image(bad).err().map(|r| r.code), Some("invalid"), "{bad:?}");
        }
        assert_eq!(check_image(&"a".repeat(256)).err().map(|r| r.code), Some("too_long"));
    }

    #[test]
    fn every_word_is_read_back() {
        assert!(Phase::ALL.iter().all(|p| Phase::parse(p.as_str()) == Some(*p)));
        assert!(Status::ALL.iter().all(|s| Status::parse(s.as_str()) == Some(*s)));
        assert!(Action::ALL.iter().all(|a| Action::parse(a.as_str()) == Some(*a)));
        assert_eq!(Desired::parse("deleted"), Some(Desired::Deleted));
    }
}
