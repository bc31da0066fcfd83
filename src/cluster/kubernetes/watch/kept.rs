//! What is kept of each kind: which objects, and which of their parts.
//!
//! A thousand workspaces are five thousand objects, and an object as the API server sends it is mostly what nobody asks
//! for here: who owns which field, every default of a pod's spec. Each kind is cut down to what words, drift and
//! connections need before it is kept.

use super::Stores;
use super::store::Store;

use crate::cluster::kubernetes::applied::print_of;
use crate::cluster::kubernetes::words::warning::{Warning, workspace_digits};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    Container, Event, LimitRange, Namespace, Node, NodeStatus, PersistentVolumeClaim, Pod, PodSpec, ResourceQuota, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;

/// Which objects of a kind are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those with the label of this installation.
    Ours,
    All,
    /// Those that this field selector lets through.
    Fields(&'static str),
}

/// A kind that is watched.
pub trait Kept: Resource<DynamicType = ()> + Clone + DeserializeOwned + Send + Sync + 'static {
    /// What is kept of one.
    type As: Send + Sync + 'static;
    /// Its name in the plural, as RBAC has it.
    const KIND: &'static str;
    /// Without it nothing can be told; the others only make words better.
    const REQUIRED: bool = true;
    const WHICH: Which = Which::Ours;

    /// What is kept of this one; `None` where it is nothing to us.
    fn keep(self) -> Option<Self::As>;

    /// What of it was decided here, as a number to compare; nothing for what is not made here.
    fn print(&self) -> Option<(String, u64)> {
        None
    }

    #[doc(hidden)]
    fn store(stores: &Stores) -> &Store<Self::As>;
}

fn light(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    meta.self_link = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// Kinds of which everything but the owners of the fields is kept: they are compared with what should be.
macro_rules! whole {
    ($($kind:ident $name:literal $store:ident;)*) => {$(
        impl Kept for $kind {
            type As = Self;
            const KIND: &'static str = $name;

            fn keep(mut self) -> Option<Self> {
                light(&mut self.metadata);
                Some(self)
            }

            fn print(&self) -> Option<(String, u64)> {
                Some(print_of(self))
            }

            fn store(stores: &Stores) -> &Store<Self> {
                &stores.$store
            }
        }
    )*};
}

whole! {
    Namespace "namespaces" namespaces;
    ResourceQuota "resourcequotas" quotas;
    LimitRange "limitranges" limit_ranges;
    NetworkPolicy "networkpolicies" policies;
    ServiceAccount "serviceaccounts" accounts;
    StatefulSet "statefulsets" sets;
    Service "services" services;
    PersistentVolumeClaim "persistentvolumeclaims" claims;
}

impl Kept for Pod {
    type As = Self;
    const KIND: &'static str = "pods";

    fn keep(mut self) -> Option<Self> {
        light(&mut self.metadata);
        self.spec = self.spec.map(|spec| PodSpec {
            node_name: spec.node_name,
            containers: spec.containers.into_iter().map(light_container).collect(),
            init_containers: spec.init_containers.map(|all| all.into_iter().map(light_container).collect()),
            ..PodSpec::default()
        });
        Some(self)
    }

    fn store(stores: &Stores) -> &Store<Self> {
        &stores.pods
    }
}

fn light_container(container: Container) -> Container {
    Container { name: container.name, image: container.image, resources: container.resources, ..Container::default() }
}

impl Kept for Node {
    type As = Self;
    const KIND: &'static str = "nodes";
    const REQUIRED: bool = false;
    const WHICH: Which = Which::All;

    fn keep(mut self) -> Option<Self> {
        light(&mut self.metadata);
        self.metadata.annotations = None;
        self.status = self.status.map(|status| NodeStatus {
            allocatable: status.allocatable,
            capacity: status.capacity,
            // The kubelet says every five minutes that it still says the same.
            conditions: status.conditions.map(|all| all.into_iter().filter(|c| c.type_ == "Ready").collect()),
            node_info: status.node_info,
            ..NodeStatus::default()
        });
        Some(self)
    }

    fn store(stores: &Stores) -> &Store<Self> {
        &stores.nodes
    }
}

impl Kept for Event {
    type As = Warning;
    const KIND: &'static str = "events";
    const REQUIRED: bool = false;
    const WHICH: Which = Which::Fields("type=Warning");

    /// Events carry no labels: what is about our objects shows in the name of what it is about.
    fn keep(self) -> Option<Warning> {
        let about = self.involved_object.name.as_deref().unwrap_or_default();
        workspace_digits(about)?;
        Warning::of(&self)
    }

    fn store(stores: &Stores) -> &Store<Warning> {
        &stores.warnings
    }
}
