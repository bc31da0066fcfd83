//! The disk of a workspace: its claim, whether it can be mounted, and who deletes it.
//!
//! A claim that waits for its first pod is as it should be and has no words. A claim that is gone took the files along:
//! that is told and never repaired silently.

use super::{Facts, Finding, pod, quoted, reason, warning};
use crate::clock::SECOND;
use crate::cluster::Reason;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;

/// A mount that fails for less than this may be one that waits for a Secret on its way. Milliseconds.
const MOUNT_PATIENCE: i64 = 5 * SECOND;

const CURE: &str = "A platform admin can bring the claim back from a backup. Without one, make the workspace anew; or they delete its \
                    StatefulSet, and it begins with an empty disk.";

/// The words for a claim that is gone.
pub fn gone() -> Reason {
    reason("disk_missing", "Its disk is gone: somebody deleted the claim, and its files with it.", CURE)
}

/// The words for a claim that is on its way out, where the workspace is to be started with it.
pub fn going() -> Reason {
    reason("disk_missing", "Its disk is being deleted: somebody deleted the claim, and its files go with it.", CURE)
}

/// The StatefulSet is there and its claim is not.
pub fn missing(facts: &Facts<'_>, set: &StatefulSet) -> Option<Finding> {
    let known_for = facts.now.since(facts.since.max(pod::made(&set.metadata)));
    (facts.claim.is_none() && known_for > super::SETTLING).then(|| Finding { reason: gone(), at: pod::made(&set.metadata) })
}

/// Somebody deletes the claim while the workspace runs: the cluster waits until the pod is gone.
pub fn leaving(facts: &Facts<'_>) -> Option<Finding> {
    let deleted = facts.claim?.metadata.deletion_timestamp.as_ref()?;
    let words = "Somebody deletes its disk: the files are gone as soon as the workspace stops.";
    Some(Finding { reason: reason("disk_leaving", words, "Copy what you need out of it before you stop it."), at: pod::millis(deleted) })
}

/// Why the claim has no volume; `None` where it has one, or just waits for its pod.
pub fn unbound(facts: &Facts<'_>) -> Option<Reason> {
    let claim = facts.claim?;
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    if phase == "Lost" {
        let cure = "A platform admin can bring the volume back; without it, make the workspace anew.";
        return Some(reason("disk_lost", "The volume behind its disk is gone, and its files with it.", cure));
    }
    if phase == "Bound" {
        return None;
    }
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
    let told = warning::newest(facts.warnings, claim.metadata.uid.as_deref(), &["ProvisioningFailed", "FailedBinding"]);
    match (told, class) {
        (Some(w), _) if w.message.contains("storageclass") && w.message.contains("not found") => {
            let words = format!("The storage class {} is not there.", class.unwrap_or("that it asks for"));
            Some(reason("storage_class_missing", words, "A platform admin can make it, or set cluster.storage_class to one that is there."))
        }
        (Some(w), _) => {
            let words = format!("Its disk could not be made: {}.", quoted(&w.message, 400));
            Some(reason("disk_not_made", words, "It is tried again by itself; a platform admin can look at the storage class."))
        }
        (None, None) => {
            let words = "The cluster has no default storage class, so nothing makes its disk.";
            Some(reason("storage_class_missing", words, "A platform admin can set cluster.storage_class, or mark a class as the default."))
        }
        (None, Some(_)) => None,
    }
}

/// Why the pod has no node yet: a cluster that chose one for it gives it only with its disk, and says nothing meanwhile.
pub fn awaited(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    let reason = pod::node(pod).is_none().then(|| unbound(facts))??;
    Some(Finding { reason, at: pod::made(&pod.metadata) })
}

/// Why the pod, which has a node, does not get its volumes.
pub fn unmounted(facts: &Facts<'_>, pod: &Pod) -> Option<Finding> {
    if pod::is_true(pod, "PodReadyToStartContainers") {
        return None;
    }
    let reasons = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedMapVolume"];
    let told = warning::newest(facts.warnings, pod.metadata.uid.as_deref(), &reasons)?;
    if facts.now.since(told.first) < MOUNT_PATIENCE {
        return None;
    }
    Some(Finding { reason: mount(&told.reason, &told.message), at: told.first })
}

fn mount(why: &str, text: &str) -> Reason {
    let told = quoted(text, 400);
    if text.contains("Multi-Attach error") {
        let words = "Its disk is still attached to another node.";
        return reason("disk_in_use", words, "It goes on by itself once the other node lets go, at the latest after some minutes.");
    }
    if why == "FailedCreatePodSandBox" {
        let words = format!("The node could not make the pod's network or sandbox: {told}.");
        return reason("sandbox_failed", words, "It is tried again by itself; a platform admin can look at the node.");
    }
    if text.contains("not found") && (text.contains("secret") || text.contains("configmap")) {
        let words = format!("Something that is mounted into it is not there: {told}.");
        return reason("mount_missing", words, "It is made again by itself; if not, stop the workspace and start it again.");
    }
    let words = format!("Its disk could not be mounted: {told}.");
    reason("mount_failed", words, "It is tried again by itself; a platform admin can look at the node and the volume.")
}
