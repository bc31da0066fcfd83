//! Another size for a pod that runs: in place where the cluster can, else at the next start, and said so.

use super::is_unsupported;
use crate::cluster::kubernetes::errors;
use crate::cluster::kubernetes::manifests::pod::resources;
use crate::cluster::kubernetes::{Shared, covers, names};
use crate::cluster::{ClusterError, Note, NoteKind, WorkspaceSpec};
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// Gives the running pod the wanted cpu and memory.
pub async fn resize(shared: &Shared, client: &Client, spec: &WorkspaceSpec, pod: &Pod) -> Result<(), ClusterError> {
    if is_sized(pod, spec) {
        return Ok(());
    }
    let wanted = resources(&spec.size);
    let change = json!({ "spec": { "containers": [{ "name": names::CONTAINER, "resources": wanted }] } });
    let api: Api<Pod> = Api::namespaced(client.clone(), &spec.namespace);
    let name = pod.name_any();
    let (params, patch) = (PatchParams::default(), Patch::Strategic(&change));
    let request = Box::pin(api.patch_subresource("resize", &name, &params, &patch));
    let why = match tokio::time::timeout(shared.settings.request_timeout, request).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) if is_unsupported(&error) => "this cluster cannot resize a pod that runs".to_owned(),
        Ok(Err(error)) => match errors::of(&error) {
            ClusterError::Rejected(reason) => reason.message,
            other => return Err(other),
        },
        Err(_) => return Err(errors::too_slow(shared.settings.request_timeout)),
    };
    let message = format!("The new size is used from the next start: {}.", why.trim_end_matches('.'));
    let note = Note { at: shared.clock.now(), run: spec.run, kind: NoteKind::Warning, code: "resize_waits".to_owned(), message };
    shared.told.tell(&spec.id, spec.generation, note);
    Ok(())
}

/// Whether the container of the workspace has the wanted size.
pub fn is_sized(pod: &Pod, spec: &WorkspaceSpec) -> bool {
    holds(pod, &resources(&spec.size))
}

fn holds(pod: &Pod, wanted: &ResourceRequirements) -> bool {
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let container = containers.iter().find(|container| container.name == names::CONTAINER);
    container.and_then(|container| container.resources.as_ref()).is_some_and(|live| covers::covers(wanted, live))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Size;

    #[test]
    fn a_pod_is_sized_when_it_has_the_numbers_however_they_are_written() {
        let pod: Pod = serde_json::from_value(json!({ "spec": { "containers": [
            { "name": "sidecar" },
            { "name": "workspace", "resources": { "requests": { "cpu": "1", "memory": "1Gi" }, "limits": { "memory": "1073741824" } } },
        ] } }))
        .unwrap();
        assert!(holds(&pod, &resources(&Size::new(1_000, 1 << 30, 0))));
        assert!(!holds(&pod, &resources(&Size::new(2_000, 1 << 30, 0))));
        assert!(!holds(&Pod::default(), &resources(&Size::new(1_000, 1 << 30, 0))));
    }
}
