//! What the cluster offers besides: storage, walls on the network, measuring, and a quota that is enforced.

use super::Finding;
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::client::Clients;
use crate::cluster::kubernetes::names;
use hyper::Request;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ResourceQuota};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// The class of the disks of workspaces.
pub async fn storage_class(clients: &Clients, wanted: Option<&str>) -> Finding {
    let list = async {
        let classes: Api<StorageClass> = Api::all(clients.get().await?);
        clients.call(classes.list(&ListParams::default())).await
    };
    match list.await {
        Ok(list) => judge_classes(&list.items, wanted),
        Err(error) => Finding::warning(
            "storage class",
            format!("cannot be seen: {error}"),
            "give its ClusterRole the verbs get and list on storageclasses.storage.k8s.io",
        ),
    }
}

fn judge_classes(classes: &[StorageClass], wanted: Option<&str>) -> Finding {
    const NAME: &str = "storage class";
    let name = |class: &StorageClass| class.metadata.name.clone().unwrap_or_default();
    let is_default =
        |class: &&StorageClass| class.metadata.annotations.as_ref().and_then(|all| all.get(DEFAULT)).is_some_and(|v| v == "true");
    let there = || match classes.iter().map(name).collect::<Vec<_>>() {
        names if names.is_empty() => "the cluster has no storage class".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    let chosen = match wanted {
        Some(wanted) => classes.iter().find(|class| name(class) == wanted),
        None => classes.iter().find(is_default),
    };
    let Some(class) = chosen else {
        let found = match wanted {
            Some(wanted) => format!("there is no class {wanted}: {}", there()),
            None => format!("no class is the default: {}", there()),
        };
        let cure = "set cluster.storage_class to a class that is there, or have one made that provisions volumes";
        return Finding::bad(NAME, found, cure);
    };
    let mut found = format!("{} ({})", name(class), class.provisioner);
    if class.allow_volume_expansion != Some(true) {
        found.push_str(" cannot grow volumes");
        return Finding::warning(NAME, found, "set allowVolumeExpansion: true on it if its driver can; else disks keep their first size");
    }
    if class.reclaim_policy.as_deref() == Some("Retain") {
        found.push_str(" keeps the volumes of removed workspaces");
        return Finding::warning(NAME, found, "remove kept volumes by hand, or choose a class with reclaimPolicy: Delete");
    }
    Finding::good(NAME, found)
}

/// Whether NetworkPolicies are obeyed: that they can be made says nothing, so what is known of the network plug-ins must do.
pub async fn network_policy(clients: &Clients, version: &str) -> Finding {
    let list = async { clients.call(clients.get().await?.list_api_groups()).await };
    let groups = match list.await {
        Ok(list) => list.groups.into_iter().map(|group| group.name).collect::<Vec<_>>(),
        Err(error) => {
            return Finding::warning("network policy", format!("cannot be seen: {error}"), "run doctor again when the API server answers");
        }
    };
    judge_network(&groups, version)
}

fn judge_network(groups: &[String], version: &str) -> Finding {
    const NAME: &str = "network policy";
    const PLUGINS: &[(&str, &str)] = &[
        ("cilium.io", "Cilium"),
        ("crd.projectcalico.org", "Calico"),
        ("projectcalico.org", "Calico"),
        ("crd.antrea.io", "Antrea"),
        ("kubeovn.io", "Kube-OVN"),
        ("k8s.ovn.org", "OVN-Kubernetes"),
        ("networking.k8s.aws", "the Amazon VPC plug-in"),
        ("networking.gke.io", "GKE"),
    ];
    let known = PLUGINS.iter().find(|(group, _)| groups.iter().any(|name| name == group)).map(|(_, name)| *name);
    if let Some(name) = known.or_else(|| version.contains("+k3s").then_some("k3s")) {
        return Finding::good(NAME, format!("{name} is there, which can enforce them"));
    }
    let cure = "ask who runs the cluster whether its network plug-in enforces NetworkPolicy (flannel alone does not)";
    Finding::warning(NAME, "nothing shows whether the cluster enforces them; where it does not, workspaces reach each other", cure)
}

/// Whether something measures.
pub async fn metrics(clients: &Clients) -> Finding {
    const NAME: &str = "metrics";
    let ask = async {
        let request =
            Request::get("/apis/metrics.k8s.io/v1beta1/nodes").body(Vec::new()).map_err(|e| ClusterError::Transient(e.to_string()))?;
        let client = clients.get().await?;
        clients.call(client.request::<serde_json::Value>(request)).await
    };
    let cure = "install metrics-server; until then what workspaces use is not shown";
    match ask.await {
        Ok(list) => Finding::good(NAME, format!("{} nodes are measured", list["items"].as_array().map_or(0, Vec::len))),
        Err(ClusterError::Gone) => Finding::warning(NAME, "the cluster has no metrics server", cure),
        Err(ClusterError::Rejected(reason)) => Finding::warning(NAME, reason.message, "see the rights that are missing above"),
        Err(error) => Finding::warning(
            NAME,
            format!("nothing answers: {error}"),
            "repair metrics-server: while its APIService is broken, no namespace can be deleted",
        ),
    }
}

/// Whether a quota refuses what is above it: a claim that is too large is sent to a group of ours, to be tried only.
pub async fn quota(clients: &Clients) -> Finding {
    const NAME: &str = "quota";
    let quotas = async {
        let quotas: Api<ResourceQuota> = Api::all(clients.get().await?);
        let ours = ListParams::default().labels(&format!("{}={}", names::MANAGED_BY, names::FIELD_MANAGER)).limit(100);
        clients.call(quotas.list(&ours)).await
    };
    let limited = |quota: &ResourceQuota| {
        quota.spec.as_ref().and_then(|spec| spec.hard.as_ref()).is_some_and(|hard| hard.contains_key("requests.storage"))
    };
    match quotas.await {
        Err(error) => Finding::warning(NAME, format!("cannot be seen: {error}"), "see the rights that are missing above"),
        Ok(list) => match list.items.into_iter().find(limited).and_then(|quota| quota.metadata.namespace) {
            None => Finding::good(NAME, "not tried: no group with a limit for storage is there yet"),
            Some(namespace) => judge_try(&try_too_much(clients, &namespace).await, &namespace),
        },
    }
}

async fn try_too_much(clients: &Clients, namespace: &str) -> Result<(), ClusterError> {
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": {"name": "codex-web-doctor", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Ei"}}},
    }))
    .map_err(|e| ClusterError::Transient(e.to_string()))?;
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(clients.get().await?, namespace);
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    clients.call(claims.create(&dry, &claim)).await.map(|_| ())
}

fn judge_try(answer: &Result<(), ClusterError>, namespace: &str) -> Finding {
    const NAME: &str = "quota";
    match answer {
        Ok(()) => {
            let cure = "turn the admission plug-in ResourceQuota on in the API server: without it a group can use more than it may";
            Finding::bad(NAME, format!("the cluster would take a claim above the quota of {namespace}"), cure)
        }
        Err(ClusterError::Rejected(reason)) if reason.code == "quota_exceeded" => {
            Finding::good(NAME, format!("the cluster refuses what is above it (tried in {namespace})"))
        }
        Err(error) => Finding::warning(NAME, format!("could not be tried in {namespace}: {error}"), "run doctor again"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use crate::cluster::Reason;

    fn class(name: &str, is_default: bool, grows: bool) -> StorageClass {
        let annotations = json!({DEFAULT: is_default.to_string()});
        serde_json::from_value(
            json!({"metadata": {"name": name, "annotations": annotations}, "provisioner": "p", "allowVolumeExpansion": grows}),
        )
        .unwrap()
    }

    #[test]
    fn the_class_that_is_named_or_the_default_must_be_there() {
        let classes = [class("slow", false, true), class("fast", true, true), class("fixed", false, false)];
        let verdict = |wanted| judge_classes(&classes, wanted).verdict;
        assert_eq!((verdict(None), verdict(Some("slow"))), (Verdict::Good, Verdict::Good));
        assert_eq!((verdict(Some("nope")), verdict(Some("fixed"))), (Verdict::Bad, Verdict::Warning));
        assert!(judge_classes(&classes, Some("nope")).found.contains("it has slow, fast, fixed"));
        assert_eq!(judge_classes(&classes[..1], None).verdict, Verdict::Bad);
        assert!(judge_classes(&[], None).found.contains("has no storage class"));
    }

    #[test]
    fn walls_are_believed_only_where_something_is_known_to_hold_them() {
        let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(judge_network(&groups(&["apps", "cilium.io"]), "v1.34.4").verdict, Verdict::Good);
        assert_eq!(judge_network(&groups(&["apps"]), "v1.34.4+k3s1").verdict, Verdict::Good);
        assert_eq!(judge_network(&groups(&["apps", "networking.k8s.io"]), "v1.34.4").verdict, Verdict::Warning);
    }

    #[test]
    fn a_quota_that_refuses_nothing_is_a_problem() {
        let refused = ClusterError::Rejected(Reason { code: "quota_exceeded".into(), message: String::new(), remedy: None });
        assert_eq!(judge_try(&Err(refused), "g").verdict, Verdict::Good);
        assert_eq!(judge_try(&Ok(()), "g").verdict, Verdict::Bad);
        assert_eq!(judge_try(&Err(ClusterError::Transient("x".into())), "g").verdict, Verdict::Warning);
    }
}
