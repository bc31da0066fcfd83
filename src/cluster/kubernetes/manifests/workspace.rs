//! What a workspace is in the cluster: a Secret with the agent's order, a disk, a headless Service and a StatefulSet.
//!
//! The StatefulSet has one pod or none and never replaces it by itself (`OnDelete`): a new version of this program must not
//! end what people work in. The disk is a claim of its own and not of a claim template, which could never be changed.

use super::{Context, Marks, digest, marks, metadata, order, our_labels, pod, sealed};
use crate::cluster::kubernetes::names;
use crate::cluster::kubernetes::quantity::of_bytes;
use crate::cluster::{AgentTrust, Desired, WorkspaceSpec};
use crate::domain::agent::{AGENT_PORT, AgentOrder};
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, Secret, Service, ServicePort, ServiceSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The objects of a workspace; the StatefulSet comes later, when its disk is known ([`stateful_set`]).
#[derive(Debug, Clone)]
pub struct WorkspaceObjects {
    pub order: Secret,
    /// A digest of the order, by which the StatefulSet tells whether the Secret is the one it was made with.
    pub order_digest: String,
    pub volume: PersistentVolumeClaim,
    pub service: Service,
}

/// Everything but the StatefulSet.
pub fn objects(context: Context<'_>, spec: &WorkspaceSpec, trust: &AgentTrust) -> WorkspaceObjects {
    let order = secret(context, spec, trust);
    let order_digest = digest(&order.data);
    WorkspaceObjects { order: sealed(order), order_digest, volume: volume(context, spec), service: sealed(service(context, spec)) }
}

/// What marks the objects of a workspace.
fn labels(context: Context<'_>, spec: &WorkspaceSpec) -> Marks {
    let mut labels = our_labels(context);
    labels.extend(marks([
        (names::APP, &names::workspace(&spec.id)),
        (names::GROUP_ID, spec.group.as_str()),
        (names::WORKSPACE, spec.id.as_str()),
        (names::OWNER, spec.owner.as_str()),
    ]));
    labels
}

fn secret(context: Context<'_>, spec: &WorkspaceSpec, trust: &AgentTrust) -> Secret {
    let proof = context.settings.proof.get().map(|key| key.secret(&spec.id, spec.run).to_text());
    let order = AgentOrder { extra_ca: context.settings.extra_ca.clone(), proof, ..order::order(spec, trust) };
    // A plain structure of texts and numbers has a JSON form always.
    let order = serde_json::to_vec(&order).unwrap_or_default();
    Secret {
        metadata: metadata(&names::order_secret(&spec.id), &spec.namespace, labels(context, spec)),
        type_: Some("Opaque".to_owned()),
        data: Some([(names::ORDER_KEY.to_owned(), ByteString(order))].into()),
        ..Secret::default()
    }
}

/// The disk as it is first made; later only its size changes.
fn volume(context: Context<'_>, spec: &WorkspaceSpec) -> PersistentVolumeClaim {
    let class = spec.container.storage_class.clone().or_else(|| context.settings.storage_class.clone());
    PersistentVolumeClaim {
        metadata: metadata(&names::volume(&spec.id), &spec.namespace, labels(context, spec)),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: class,
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), of_bytes(spec.size.disk_bytes))].into()),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// Headless: the server reaches the pod itself, and its name is known in the cluster's DNS.
fn service(context: Context<'_>, spec: &WorkspaceSpec) -> Service {
    let port = ServicePort {
        name: Some("agent".to_owned()),
        port: i32::from(AGENT_PORT),
        target_port: Some(IntOrString::String("agent".to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: metadata(&names::workspace(&spec.id), &spec.namespace, labels(context, spec)),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some(marks([(names::APP, &names::workspace(&spec.id))])),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// What the StatefulSet is tied to: by these a disk that is gone, and an order that changed, are noticed.
#[derive(Debug, Clone, Copy)]
pub struct Ties<'a> {
    pub order_digest: &'a str,
    /// The uid of the disk.
    pub volume: &'a str,
}

/// The StatefulSet of a workspace that is made from this image.
pub fn stateful_set(context: Context<'_>, spec: &WorkspaceSpec, image: &str, ties: Ties<'_>) -> StatefulSet {
    let name = names::workspace(&spec.id);
    let mut metadata = metadata(&name, &spec.namespace, labels(context, spec));
    metadata.annotations = Some(marks([
        (names::GENERATION, &spec.generation.to_string()),
        (names::RUN, &spec.run.to_string()),
        (names::ORDER, ties.order_digest),
        (names::VOLUME, ties.volume),
    ]));
    sealed(StatefulSet {
        metadata,
        spec: Some(StatefulSetSpec {
            replicas: Some(i32::from(spec.desired == Desired::Running)),
            service_name: Some(name.clone()),
            selector: LabelSelector { match_labels: Some(marks([(names::APP, &name)])), ..LabelSelector::default() },
            template: pod::template(context, spec, image, labels(context, spec)),
            update_strategy: Some(StatefulSetUpdateStrategy { type_: Some("OnDelete".to_owned()), rolling_update: None }),
            pod_management_policy: Some("Parallel".to_owned()),
            revision_history_limit: Some(1),
            ..StatefulSetSpec::default()
        }),
        status: None,
    })
}
