//! What a group is in the cluster: a namespace that admits restricted pods only, the quota, defaults for what states no
//! size, and a service account that may nothing.

use super::{Context, Marks, marks, metadata, network, our_labels, sealed};
use crate::cluster::GroupSpec;
use crate::cluster::kubernetes::names;
use crate::cluster::kubernetes::quantity::{of_bytes, of_count, of_milli};
use crate::domain::egress::Policy;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    LimitRange, LimitRangeItem, LimitRangeSpec, Namespace, ResourceQuota, ResourceQuotaSpec, Secret, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The version of the pod security standards that namespaces are held to: an upgrade of the cluster must not refuse what
/// ran before. A cluster that does not know it takes its newest.
const POD_SECURITY_VERSION: &str = "v1.33";
/// For containers that state no size, which none of ours is.
const DEFAULT_CPU_MILLI: i64 = 100;
const DEFAULT_MEMORY: i64 = 256 << 20;

/// Everything in a group's namespace, and the namespace.
#[derive(Debug, Clone)]
pub struct GroupObjects {
    pub namespace: Namespace,
    pub quota: ResourceQuota,
    pub limits: LimitRange,
    pub account: ServiceAccount,
    pub policies: Vec<NetworkPolicy>,
    pub registry: Option<Secret>,
}

/// The objects of a group.
pub fn objects(context: Context<'_>, spec: &GroupSpec, egress: &Policy) -> GroupObjects {
    GroupObjects {
        namespace: namespace(context, spec, spec.generation),
        quota: sealed(quota(context, spec)),
        limits: sealed(limits(context, spec)),
        account: sealed(account(context, spec)),
        policies: network::policies(context, spec, egress).into_iter().map(sealed).collect(),
        registry: registry(context, spec).map(sealed),
    }
}

/// The namespace, as of this generation: one that is just made is of generation 0 until everything in it is there.
pub fn namespace(context: Context<'_>, spec: &GroupSpec, generation: i64) -> Namespace {
    let mut labels = group_labels(context, spec);
    labels.insert(names::GROUP_NAME.to_owned(), spec.name.clone());
    for mode in ["enforce", "audit", "warn"] {
        labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
        labels.insert(format!("pod-security.kubernetes.io/{mode}-version"), POD_SECURITY_VERSION.to_owned());
    }
    let annotations = marks([(names::GENERATION, &generation.to_string())]);
    let metadata =
        ObjectMeta { name: Some(spec.namespace.clone()), labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

/// What marks the objects of a group.
pub(super) fn group_labels(context: Context<'_>, spec: &GroupSpec) -> Marks {
    let mut labels = our_labels(context);
    labels.insert(names::GROUP_ID.to_owned(), spec.id.to_string());
    labels
}

/// `limits.cpu` is left out on purpose: it would refuse every pod without a cpu limit, and workspaces have none. Memory is
/// counted twice because a request without its limit would let a pod grow past the quota.
fn quota(context: Context<'_>, spec: &GroupSpec) -> ResourceQuota {
    let mut hard = vec![("services.nodeports", of_count(0)), ("services.loadbalancers", of_count(0))];
    hard.extend(spec.cpu_milli.map(|milli| ("requests.cpu", of_milli(milli))));
    hard.extend(spec.memory_bytes.iter().flat_map(|bytes| [("requests.memory", of_bytes(*bytes)), ("limits.memory", of_bytes(*bytes))]));
    hard.extend(spec.storage_bytes.map(|bytes| ("requests.storage", of_bytes(bytes))));
    hard.extend(spec.workspaces.iter().flat_map(|count| [("persistentvolumeclaims", of_count(*count)), ("pods", of_count(*count))]));
    let hard = hard.into_iter().map(|(name, amount)| (name.to_owned(), amount)).collect();
    ResourceQuota {
        metadata: metadata(names::QUOTA, &spec.namespace, group_labels(context, spec)),
        spec: Some(ResourceQuotaSpec { hard: Some(hard), ..ResourceQuotaSpec::default() }),
        status: None,
    }
}

/// The quota refuses containers that state no size, so those of other people's pods get one.
fn limits(context: Context<'_>, spec: &GroupSpec) -> LimitRange {
    let memory = ("memory".to_owned(), of_bytes(DEFAULT_MEMORY));
    let item = LimitRangeItem {
        type_: "Container".to_owned(),
        default: Some([memory.clone()].into()),
        default_request: Some([("cpu".to_owned(), of_milli(DEFAULT_CPU_MILLI)), memory].into()),
        ..LimitRangeItem::default()
    };
    LimitRange {
        metadata: metadata(names::LIMITS, &spec.namespace, group_labels(context, spec)),
        spec: Some(LimitRangeSpec { limits: vec![item] }),
    }
}

fn account(context: Context<'_>, spec: &GroupSpec) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(names::SERVICE_ACCOUNT, &spec.namespace, group_labels(context, spec)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn registry(context: Context<'_>, spec: &GroupSpec) -> Option<Secret> {
    let text = context.settings.registry_config.as_ref()?;
    Some(Secret {
        metadata: metadata(names::REGISTRY_SECRET, &spec.namespace, group_labels(context, spec)),
        type_: Some("kubernetes.io/dockerconfigjson".to_owned()),
        data: Some([(".dockerconfigjson".to_owned(), ByteString(text.clone().into_bytes()))].into()),
        ..Secret::default()
    })
}
