//! A warning that the cluster gave about an object of ours: an Event of type `Warning`, cut to what the words need.
//!
//! Events come in two styles: with first and last times and a count, or (those of `events.k8s.io`) with one time and
//! perhaps a series. Both become the same here.

use super::quoted;
use crate::clock::Millis;
use k8s_openapi::api::core::v1::Event;

/// Characters of one message that are kept.
const LONGEST: usize = 2_000;

/// One warning; its times are the cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The Event's own name, which stays the same while it is counted up.
    pub name: String,
    pub namespace: String,
    /// `Pod`, `StatefulSet`, `PersistentVolumeClaim`.
    pub kind: String,
    pub object: String,
    /// Which of the objects that had this name, one after the other.
    pub object_uid: String,
    pub reason: String,
    pub message: String,
    pub first: Millis,
    pub last: Millis,
}

impl Warning {
    /// `None` for what is no warning, or about nothing with a name.
    pub fn of(event: &Event) -> Option<Self> {
        if event.type_.as_deref() != Some("Warning") {
            return None;
        }
        let about = &event.involved_object;
        let made = event.metadata.creation_timestamp.as_ref().map(|t| t.0);
        let first = event.first_timestamp.as_ref().map(|t| t.0).or(event.event_time.as_ref().map(|t| t.0)).or(made);
        let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|t| t.0);
        let first = first.map(|t| Millis(t.as_millisecond())).unwrap_or_default();
        let last = series.or(event.last_timestamp.as_ref().map(|t| t.0)).map_or(first, |t| Millis(t.as_millisecond()));
        Some(Self {
            name: event.metadata.name.clone()?,
            namespace: about.namespace.clone().or_else(|| event.metadata.namespace.clone())?,
            kind: about.kind.clone()?,
            object: about.name.clone()?,
            object_uid: about.uid.clone().unwrap_or_default(),
            reason: event.reason.clone().unwrap_or_default(),
            message: quoted(event.message.as_deref().unwrap_or_default(), LONGEST),
            first,
            last: last.max(first),
        })
    }
}

/// The newest warning about this object for one of these reasons.
pub fn newest<'w>(warnings: &'w [Warning], uid: Option<&str>, reasons: &[&str]) -> Option<&'w Warning> {
    let uid = uid?;
    warnings.iter().filter(|w| w.object_uid == uid && reasons.contains(&w.reason.as_str())).max_by_key(|w| w.last)
}

/// The 32 digits of the workspace in the name of one of its objects: `workspace-<digits>`, its pod, its disk.
pub fn workspace_digits(object: &str) -> Option<&str> {
    let (_, rest) = object.rsplit_once("workspace-")?;
    let digits = rest.get(..32)?;
    let follows = rest.as_bytes().get(32).is_none_or(|b| *b == b'-');
    (follows && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))).then_some(digits)
}
