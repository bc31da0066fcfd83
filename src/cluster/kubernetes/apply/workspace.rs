//! Workspaces: their objects, the run that their pod is of, and their end.
//!
//! The order in which objects are written is the order in which a pod needs them, so that none starts before what it
//! mounts is there; the StatefulSet comes last and names the generation, so that a crash in the middle is done again.

use super::{Object, Place, disk, is_ours, resize};
use crate::cluster::kubernetes::applied::{Holder, print_of, trust_print};
use crate::cluster::kubernetes::manifests::Context;
use crate::cluster::kubernetes::manifests::workspace::{self, Ties, WorkspaceObjects};
use crate::cluster::kubernetes::settings::{SHELL, image_hint};
use crate::cluster::kubernetes::{Shared, names};
use crate::cluster::{AgentTrust, ClusterError, Desired, Reason, WorkspaceSpec};
use crate::domain::id::WorkspaceId;
use futures_util::future::{try_join, try_join3};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use kube::{Client, ResourceExt};

/// Makes a workspace running or stopped as described.
pub async fn apply(shared: &Shared, spec: &WorkspaceSpec, trust: &AgentTrust) -> Result<(), ClusterError> {
    let context = Context { installation: shared.installation()?, settings: &shared.settings };
    let client = shared.clients.get().await?;
    let sets = Place::<StatefulSet>::in_namespace(shared, &client, &spec.namespace);
    let live = sets.known(&names::workspace(&spec.id)).await?;
    if let Some(live) = live.as_ref().filter(|live| !is_ours(&live.metadata, context.installation)) {
        return Err(super::not_ours("StatefulSet", &live.name_any()));
    }
    let Some(image) = shared.settings.image_of(spec).or_else(|| made_from(live.as_ref()?)).map(str::to_owned) else {
        // Of what cannot run nothing was ever made.
        return if spec.desired == Desired::Running { Err(ClusterError::Rejected(needs_image(spec))) } else { Ok(()) };
    };
    let wanted = workspace::objects(context, spec, trust);
    let (volume, service) = Box::pin(surroundings(shared, &client, spec, &wanted, live.as_ref())).await?;
    let ties = Ties { order_digest: &wanted.order_digest, volume: volume.metadata.uid.as_deref().unwrap_or_default() };
    let existed = live.is_some();
    let set = sets.apply(&workspace::stateful_set(context, spec, &image, ties), live).await?;
    shared.trust(trust);
    let prints = [print_of(&set), print_of(&volume), print_of(&service), trust_print(trust)];
    shared.applied.remember(Holder::Workspace(spec.id.clone()), prints.into());
    shared.learn(&set);
    shared.learn(&volume);
    shared.learn(&service);
    shared.tick();
    if existed && spec.desired == Desired::Running { renew_pod(shared, &client, spec).await } else { Ok(()) }
}

/// The image that a workspace was made from: it goes on with that when the setting that named it is gone.
fn made_from(set: &StatefulSet) -> Option<&str> {
    let pod = set.spec.as_ref()?.template.spec.as_ref()?;
    pod.containers.iter().find(|container| container.name == names::CONTAINER)?.image.as_deref()
}

fn needs_image(spec: &WorkspaceSpec) -> Reason {
    let app = spec.apps.iter().find_map(|app| app.requires.as_deref()).unwrap_or(SHELL);
    let remedy = format!("{} Then it starts by itself; a workspace from a container image needs no such setting.", image_hint(app));
    Reason {
        code: "needs_image".to_owned(),
        message: "No image stands for its template in this cluster, so there is nothing to start.".to_owned(),
        remedy: Some(remedy.replace('`', "")),
    }
}

/// What the pod mounts and is reached by.
async fn surroundings(
    shared: &Shared,
    client: &Client,
    spec: &WorkspaceSpec,
    wanted: &WorkspaceObjects,
    set: Option<&StatefulSet>,
) -> Result<(PersistentVolumeClaim, Service), ClusterError> {
    let services = Place::<Service>::in_namespace(shared, client, &spec.namespace);
    let secrets = Place::<Secret>::in_namespace(shared, client, &spec.namespace);
    let has_order = set.is_some_and(|set| set.annotations().get(names::ORDER) == Some(&wanted.order_digest));
    // Nobody watches Secrets, so one is there only while the disk is, by which the workspace is seen: whatever this server
    // dies at, its successor finds both.
    let disk_and_order = async {
        let volume = disk::ensure(shared, client, spec, &wanted.volume, set).await?;
        if spec.desired == Desired::Running && !has_order {
            secrets.apply(&wanted.order, None).await?;
        }
        Ok(volume)
    };
    let service = async {
        let live = if set.is_some() { services.known(&wanted.service.name_any()).await? } else { None };
        services.apply(&wanted.service, live).await
    };
    Box::pin(try_join(disk_and_order, service)).await
}

/// Ends a pod of an earlier run; the StatefulSet makes the next one. A pod of this run gets the wanted size.
async fn renew_pod(shared: &Shared, client: &Client, spec: &WorkspaceSpec) -> Result<(), ClusterError> {
    let pods = Place::<Pod>::in_namespace(shared, client, &spec.namespace);
    let name = names::pod(&spec.id);
    // One that is of this run and has its size stays so; of an earlier one the watch may tell too late.
    if pods.known(&name).await?.is_some_and(|pod| run_of(&pod) == spec.run && resize::is_sized(&pod, spec)) {
        return Ok(());
    }
    let Some(pod) = pods.find(&name).await? else { return Ok(()) };
    if pod.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    if run_of(&pod) < spec.run {
        return pods.remove_exactly(&name, pod.metadata.uid).await;
    }
    resize::resize(shared, client, spec, &pod).await
}

/// The run that a pod was made for; one that does not say is of none.
pub fn run_of(pod: &Pod) -> i64 {
    pod.annotations().get(names::RUN).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Begins to remove a workspace with its files.
pub async fn remove(shared: &Shared, id: &WorkspaceId, namespace: &str) -> Result<(), ClusterError> {
    let client = shared.clients.get().await?;
    let name = names::workspace(id);
    // First what nobody watches: as long as anything else is there, this is planned again.
    gone::<Secret>(shared, &client, namespace, names::order_secret(id)).await?;
    try_join3(
        gone::<StatefulSet>(shared, &client, namespace, name.clone()),
        gone::<Service>(shared, &client, namespace, name),
        gone::<PersistentVolumeClaim>(shared, &client, namespace, names::volume(id)),
    )
    .await?;
    shared.applied.forget(&Holder::Workspace(id.clone()));
    shared.told.forget(id);
    shared.past.forget(id);
    shared.tick();
    Ok(())
}

async fn gone<K>(shared: &Shared, client: &Client, namespace: &str, name: String) -> Result<(), ClusterError>
where
    K: Object + kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
{
    Place::<K>::in_namespace(shared, client, namespace).remove(&name, shared.installation()?).await
}
