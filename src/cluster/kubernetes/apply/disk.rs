//! The disk of a workspace: made once, grown when the size grows, never shrunk, and never made again without a word when
//! it is missing.

use super::Place;
use crate::cluster::kubernetes::quantity;
use crate::cluster::kubernetes::words::claim;
use crate::cluster::kubernetes::{Shared, names};
use crate::cluster::{ClusterError, Note, NoteKind, WorkspaceSpec};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Client, ResourceExt};
use serde_json::json;

/// The disk, made or grown where that is needed. `set` is the StatefulSet that was made with it, if there is one.
pub async fn ensure(
    shared: &Shared,
    client: &Client,
    spec: &WorkspaceSpec,
    wanted: &PersistentVolumeClaim,
    set: Option<&StatefulSet>,
) -> Result<PersistentVolumeClaim, ClusterError> {
    let claims = Place::<PersistentVolumeClaim>::in_namespace(shared, client, &spec.namespace);
    let name = wanted.name_any();
    let known = match claims.shown(&name) {
        // Of a workspace without a StatefulSet there is no disk, mostly: to make it is the quickest way to ask.
        None if set.is_some() => claims.find(&name).await?,
        shown => shown,
    };
    let live = match known {
        Some(live) => live,
        // The workspace had files, and they are gone: an empty disk in their place would hide it.
        None if set.is_some_and(|set| set.annotations().contains_key(names::VOLUME)) => return Err(ClusterError::Rejected(claim::gone())),
        None => match claims.create(wanted).await {
            Err(ClusterError::Conflict(_)) => claims.find(&name).await?.ok_or(ClusterError::Gone)?,
            made => return made,
        },
    };
    if live.metadata.deletion_timestamp.is_some() {
        return Err(ClusterError::Rejected(claim::going()));
    }
    grow(shared, &claims, spec, live).await
}

async fn grow(
    shared: &Shared,
    claims: &Place<'_, PersistentVolumeClaim>,
    spec: &WorkspaceSpec,
    live: PersistentVolumeClaim,
) -> Result<PersistentVolumeClaim, ClusterError> {
    let asked = asked_bytes(&live).unwrap_or(0);
    if asked == spec.size.disk_bytes {
        return Ok(live);
    }
    if asked > spec.size.disk_bytes {
        note(shared, spec, "disk_not_shrunk", "The disk keeps its size: the disk of a workspace can grow and never shrink.".to_owned());
        return Ok(live);
    }
    let change = json!({ "spec": { "resources": { "requests": { "storage": quantity::of_bytes(spec.size.disk_bytes).0 } } } });
    match claims.merge(&live.name_any(), &change).await {
        Ok(grown) => Ok(grown),
        // The workspace is as good as before; only its disk is smaller than asked.
        Err(ClusterError::Rejected(reason)) => {
            note(shared, spec, "disk_not_grown", format!("The disk keeps its size. {}", reason.message));
            Ok(live)
        }
        Err(error) => Err(error),
    }
}

/// What a claim asks for, in bytes.
fn asked_bytes(claim: &PersistentVolumeClaim) -> Option<i64> {
    quantity::units(claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage")?)
}

fn note(shared: &Shared, spec: &WorkspaceSpec, code: &str, message: String) {
    let note = Note { at: shared.clock.now(), run: spec.run, kind: NoteKind::Warning, code: code.to_owned(), message };
    shared.told.tell(&spec.id, spec.generation, note);
}
