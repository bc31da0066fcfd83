//! The words for every fault, from the texts, reasons and conditions that a real cluster gave.

use super::placement::Asked;
use super::warning::{Warning, workspace_digits};
use super::*;
use crate::cluster::Component;
use crate::domain::id::WorkspaceId;
use k8s_openapi::api::core::v1::Event;
use serde_json::{Value as Json, json};

const START: i64 = 1_795_338_000_000;
const ID: &str = "ws_0199a1b2c3d4e5f60718293a4b5c6d7e";

fn time(seconds: i64) -> String {
    Millis(START + seconds * SECOND).rfc3339()
}

/// A workspace of which everything is known; each test bends what it needs.
struct Case {
    set: Json,
    pod: Option<Json>,
    claim: Option<Json>,
    #[allow(clippy::option_option)] // as in the facts
    node: Option<Option<Json>>,
    warnings: Vec<Warning>,
    since: i64,
    now: i64,
}

impl Case {
    fn new() -> Self {
        let set = json!({"metadata": {"name": "w", "uid": "set", "generation": 2, "creationTimestamp": time(0), "annotations": {"codex-web/run": "1"}},
            "spec": {"replicas": 1, "selector": {}, "serviceName": "w", "template": {}}, "status": {"replicas": 1}});
        Self {
            set,
            pod: Some(pod(json!({}))),
            claim: Some(claim("Bound")),
            node: Some(Some(node("True", ""))),
            warnings: Vec::new(),
            since: 0,
            now: 60,
        }
    }

    fn with(pod: Json) -> Self {
        Self { pod: Some(pod), ..Self::new() }
    }

    fn warned(mut self, kind: &str, uid: &str, reason: &str, message: &str) -> Self {
        let event = json!({"metadata": {"name": format!("e{}", self.warnings.len()), "namespace": "g"}, "type": "Warning", "reason": reason, "message": message,
            "involvedObject": {"kind": kind, "name": "w-0", "namespace": "g", "uid": uid}, "firstTimestamp": time(2), "lastTimestamp": time(50), "count": 5});
        self.warnings.push(Warning::of(&serde_json::from_value::<Event>(event).unwrap()).unwrap());
        self
    }

    fn look<T>(&self, use_it: impl FnOnce(&Facts<'_>) -> T) -> T {
        let set: StatefulSet = serde_json::from_value(self.set.clone()).unwrap();
        let pod: Option<Pod> = self.pod.clone().map(|pod| serde_json::from_value(pod).unwrap());
        let claim: Option<PersistentVolumeClaim> = self.claim.clone().map(|claim| serde_json::from_value(claim).unwrap());
        let node: Option<Option<Node>> = self.node.clone().map(|node| node.map(|node| serde_json::from_value(node).unwrap()));
        use_it(&Facts {
            set: Some(&set),
            pod: pod.as_ref(),
            claim: claim.as_ref(),
            service: None,
            node: node.as_ref().map(Option::as_ref),
            warnings: &self.warnings,
            since: Millis(START + self.since * SECOND),
            now: Millis(START + self.now * SECOND),
        })
    }

    fn judge(&self) -> Judgement {
        self.look(judge)
    }

    /// Phase, code and words.
    fn told(&self) -> (Phase, String, String) {
        let Judgement { phase, finding } = self.judge();
        let reason = finding.map_or_else(|| reason("", "", ""), |finding| finding.reason);
        (phase, reason.code, reason.message)
    }

    #[track_caller]
    fn says(&self, phase: Phase, code: &str, words: &str) {
        let (seen, told, message) = self.told();
        assert_eq!((seen, told.as_str()), (phase, code), "{message}");
        assert!(message.contains(words), "{message}");
        if let Some(finding) = self.judge().finding {
            assert!(finding.reason.message.ends_with('.'), "{}", finding.reason.message);
            assert!(finding.reason.remedy.is_some_and(|remedy| remedy.ends_with('.')), "what to do now: {code}");
            assert!(finding.at.0 >= START, "{code} has the cluster's time");
        }
    }
}

fn node(ready: &str, message: &str) -> Json {
    let condition = json!({"type": "Ready", "status": ready, "message": message, "lastTransitionTime": time(10)});
    json!({"metadata": {"name": "node1"}, "status": {"conditions": [condition]}})
}

fn claim(phase: &str) -> Json {
    json!({"metadata": {"name": "disk", "uid": "claim"}, "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": phase, "capacity": {"storage": "2Gi"}}})
}

/// A placed pod with these parts of its status over the usual ones.
fn pod(status: Json) -> Json {
    let mut all = json!({"phase": "Pending", "startTime": time(1), "conditions": [condition("PodScheduled", "True"), condition("PodReadyToStartContainers", "True")]});
    for (key, value) in status.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"metadata": {"name": "w-0", "uid": "pod", "creationTimestamp": time(0), "annotations": {"codex-web/run": "1"}},
        "spec": {"nodeName": "node1", "containers": [{"name": "workspace", "resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "1Gi", "nvidia.com/gpu": "1"}}}]},
        "status": all})
}

fn condition(kind: &str, status: &str) -> Json {
    json!({"type": kind, "status": status, "lastTransitionTime": time(1)})
}

/// A pod whose workspace container is in this state.
fn container(state: Json, last: Json) -> Json {
    let init =
        json!([{"name": "agent", "image": "a", "imageID": "", "ready": true, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}]);
    let main = json!([{"name": "workspace", "image": "registry.test/ide:1", "imageID": "x", "ready": false, "restartCount": 2, "state": state, "lastState": last}]);
    pod(json!({"initContainerStatuses": init, "containerStatuses": main}))
}

fn waiting(reason: &str, message: &str) -> Json {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn terminated(reason: &str, code: i32, message: &str) -> Json {
    json!({"terminated": {"reason": reason, "exitCode": code, "message": message, "finishedAt": time(40)}})
}

fn unplaced(message: &str) -> Case {
    let condition =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message, "lastTransitionTime": time(1)});
    let mut pod = pod(json!({"conditions": [condition]}));
    pod["spec"]["nodeName"] = Json::Null;
    Case::with(pod)
}

#[test]
fn the_scheduler_is_understood() {
    const TAIL: &str = " no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    for (text, code, words) in [
        ("0/1 nodes are available: 1 Insufficient cpu.", "insufficient_cpu", "No node has 2 cores free."),
        ("0/1 nodes are available: 1 Insufficient memory.", "insufficient_memory", "No node has 1 GiB of memory free."),
        ("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.", "insufficient_resource", "No node has enough nvidia.com/gpu free."),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", "no_matching_node", "No node has the labels"),
        ("0/1 nodes are available: 1 node(s) were unschedulable.", "nodes_closed", "No node is open for new work."),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.", "nodes_away", "No node answers."),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {team: red}.", "nodes_reserved", "(taint team)"),
        ("0/1 nodes are available: 1 Too many pods.", "too_many_pods", "No node may take another pod."),
        ("0/1 nodes are available: 1 node(s) had volume node affinity conflict.", "disk_elsewhere", "can reach its disk"),
        (
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.",
            "nodes_closed",
            "2 closed for new work, 1 without 2 cores free",
        ),
        ("0/1 nodes are available: persistentvolumeclaim \"nope\" not found.", "disk_missing", "Its disk is gone"),
        ("0/2 nodes are available: 2 something that nobody has seen before.", "unschedulable", "something that nobody has seen before"),
        ("no nodes available to schedule pods", "no_nodes", "The cluster has no node."),
        ("running PreBind plugin VolumeBinding: timed out", "unschedulable", "timed out"),
    ] {
        unplaced(&format!("{text}{TAIL}")).says(Phase::Waiting, code, words);
    }
}

#[test]
fn sizes_are_named_as_people_say_them() {
    let cpu = |cpu_milli| placement::words("0/1 nodes are available: 1 Insufficient cpu.", Asked { cpu_milli, memory_bytes: 0 }).message;
    assert_eq!(cpu(1_000), "No node has 1 core free.");
    assert_eq!(cpu(8_000), "No node has 8 cores free.");
    assert_eq!(cpu(500), "No node has 0.5 cores free.");
    assert_eq!(cpu(0), "No node has enough cpu free.");
}

#[test]
fn images_that_cannot_be_had_say_why() {
    const RESOLVE: &str = "failed to pull and unpack image \"registry.test/ide:1\": failed to resolve reference \"registry.test/ide:1\": ";
    for (text, code) in [
        ("dial tcp 127.0.0.1:1: connect: connection refused", "registry_unreachable"),
        ("pulling from host 10.245.0.2:5000 failed with status code [manifests 1]: 401 Unauthorized", "image_no_access"),
        ("rpc error: code = NotFound desc = registry.test/ide:1: not found", "image_not_found"),
        (
            "docker.io/library/none:1: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            "image_no_access",
        ),
        ("429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit", "registry_throttled"),
        ("dial tcp: lookup registry.test on 10.0.0.1:53: no such host", "registry_unreachable"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "registry_untrusted"),
        ("no match for platform in manifest: not found", "image_wrong_platform"),
        ("write /var/lib/containerd/x: no space left on device", "node_disk_full"),
        ("something new", "image_not_pulled"),
    ] {
        let said = format!("{RESOLVE}{text}");
        Case::with(container(waiting("ErrImagePull", &said), json!({}))).says(Phase::Failed, code, "registry.test/ide:1");
        let words = Case::with(container(waiting("ErrImagePull", &said), json!({}))).told().2;
        let again = format!("Back-off pulling image \"registry.test/ide:1\": ErrImagePull: {said}");
        assert_eq!(Case::with(container(waiting("ImagePullBackOff", &again), json!({}))).told().2, words, "the words stay the same");
        // The back-off of an older cluster says nothing by itself: the warning before it does.
        let backed_off = Case::with(container(waiting("ImagePullBackOff", "Back-off pulling image \"registry.test/ide:1\""), json!({})))
            .warned("Pod", "pod", "Failed", &format!("Failed to pull image \"registry.test/ide:1\": {said}"))
            .warned("Pod", "pod", "Failed", "Error: ImagePullBackOff");
        backed_off.says(Phase::Failed, code, "registry.test/ide:1");
        assert_eq!(backed_off.told().2, words);
    }
    let never = "Container image \"registry.test/ide:1\" is not present with pull policy of Never";
    Case::with(container(waiting("ErrImageNeverPull", never), json!({}))).says(Phase::Failed, "image_never_pulled", "is not on the node");
    let invalid = "Failed to apply default image tag \"A B\": couldn't parse image name";
    Case::with(container(waiting("InvalidImageName", invalid), json!({}))).says(
        Phase::Failed,
        "image_name_invalid",
        "is no name of an image",
    );
}

#[test]
fn the_image_of_the_agent_is_the_admins_business() {
    let init = json!([{"name": "agent", "image": "cw/agent:1", "imageID": "", "ready": false, "restartCount": 0, "state": waiting("ErrImagePull", "x: not found")}]);
    let case = Case::with(pod(json!({"initContainerStatuses": init})));
    case.says(Phase::Failed, "image_not_found", "The image of the agent, cw/agent:1, was not found.");
    assert!(case.judge().finding.unwrap().reason.remedy.unwrap().contains("cluster.agent_image"));
    let init = json!([{"name": "agent", "image": "busybox", "imageID": "", "ready": false, "restartCount": 3, "state": waiting("CrashLoopBackOff", ""), "lastState": terminated("Error", 127, "agent: not found")}]);
    Case::with(pod(json!({"initContainerStatuses": init}))).says(Phase::Failed, "agent_not_installed", "agent: not found");
}

#[test]
fn a_pod_that_is_refused_says_by_what() {
    let refused = |text: &str| {
        let text = format!("create Pod w-0 in StatefulSet w failed error: pods \"w-0\" is forbidden: {text}");
        Case { pod: None, ..Case::new() }.warned("StatefulSet", "set", "FailedCreate", &text)
    };
    let quota = "exceeded quota: group-quota, requested: limits.cpu=2,pods=1, used: limits.cpu=3,pods=4, limited: limits.cpu=4,pods=4";
    refused(quota).says(Phase::Waiting, "quota_refused", "limits.cpu: needs 2, 3 of 4 used; pods: needs 1, 4 of 4 used");
    refused("failed quota: rq: must specify requests.cpu for: c").says(Phase::Waiting, "quota_needs_amounts", "requests.cpu for: c");
    let security = "violates PodSecurity \"restricted:latest\": privileged (container \"c\" must not set securityContext.privileged=true), runAsNonRoot != true";
    refused(security).says(Phase::Waiting, "pod_security", "only pods of the level restricted, and this one is not: privileged (container");
    refused("maximum cpu usage per Container is 1, but limit is 2").says(
        Phase::Waiting,
        "limit_range",
        "maximum cpu usage per Container is 1",
    );
    refused("error looking up service account g/workspace: serviceaccount \"workspace\" not found").says(
        Phase::Waiting,
        "account_missing",
        "service account",
    );
    refused("unable to create new content in namespace f because it is being terminated").says(
        Phase::Waiting,
        "group_deleting",
        "being deleted",
    );
    refused("something new").says(Phase::Waiting, "refused", "The cluster refuses it: something new.");
    let hook = "admission webhook \"deny.example.com\" denied the request: no latest tags";
    Case { pod: None, ..Case::new() }.warned("StatefulSet", "set", "FailedCreate", hook).says(
        Phase::Waiting,
        "admission_refused",
        "no latest tags",
    );
}

#[test]
fn a_refusal_of_an_earlier_run_says_nothing_about_this_one() {
    let refused = Case { pod: None, since: 55, now: 56, ..Case::new() }.warned(
        "StatefulSet",
        "set",
        "FailedCreate",
        "x failed error: exceeded quota: q",
    );
    refused.says(Phase::Creating, "", "");
    Case { now: 70, ..refused }.says(Phase::Waiting, "quota_refused", "");
    Case { pod: None, ..Case::new() }.warned("StatefulSet", "another", "FailedCreate", "x").says(Phase::Creating, "", "");
}

#[test]
fn crashes_tell_their_exit_code_and_last_lines() {
    let back_off = waiting("CrashLoopBackOff", "back-off 40s restarting failed container=c pod=crash_d(UID)");
    let crashed = Case::with(container(back_off.clone(), terminated("Error", 3, "one\n\ntwo\nthree\nfour\nfive\nsix\n")));
    crashed.says(Phase::Failed, "crashed", "with exit code 3; its last lines: two | three | four | five | six.");
    let silent = Case::with(container(terminated("Error", 137, "run 1 began: /bin/sh\n"), json!({})));
    silent.says(Phase::Failed, "crashed", "exit code 137 (killed).");
    Case::with(container(terminated("Error", 127, ""), json!({}))).says(Phase::Failed, "crashed", "exit code 127 (command not found).");
    Case::with(container(back_off.clone(), terminated("Completed", 0, ""))).says(Phase::Failed, "ended", "ended by itself.");
    let memory = Case::with(container(back_off.clone(), terminated("OOMKilled", 137, "")));
    memory.says(Phase::Failed, "out_of_memory", "used more memory than its 1 GiB and was ended");
    Case::with(container(terminated("OOMKilled", 137, ""), json!({}))).says(Phase::Failed, "out_of_memory", "1 GiB");
    let program = "failed to create containerd task: exec: \"/nope\": stat /nope: no such file or directory";
    Case::with(container(back_off.clone(), terminated("StartError", 128, program))).says(Phase::Failed, "program_not_found", "/nope");
    let killed = Case::with(container(back_off, terminated("Error", 137, ""))).warned(
        "Pod",
        "pod",
        "Unhealthy",
        "Liveness probe failed: context deadline exceeded",
    );
    assert_eq!(killed.told().1, "crashed", "a probe that failed after the end did not cause it");
    let early = |mut case: Case| {
        case.warnings[0].last = Millis(START + 39 * SECOND);
        case
    };
    early(killed).says(Phase::Failed, "agent_stuck", "Liveness probe failed: context deadline exceeded");
}

#[test]
fn an_agent_that_cannot_begin_speaks_for_itself() {
    let said = r#"{"event":"failed","code":"home_not_writable","message":"The home directory cannot be written","remedy":"Set the group of the volume"}"#;
    let case = Case::with(container(waiting("CrashLoopBackOff", ""), terminated("Error", 71, said)));
    case.says(Phase::Failed, "home_not_writable", "The home directory cannot be written.");
    let forged = r#"{"event":"failed","code":"<b>","message":"x","remedy":null}"#;
    Case::with(container(waiting("CrashLoopBackOff", ""), terminated("Error", 71, forged))).says(Phase::Failed, "crashed", "exit code 71");
}

#[test]
fn containers_that_cannot_be_made_say_why() {
    let root = "container's runAsUser breaks non-root policy (pod: \"w-0_g(uid)\", container: workspace)";
    Case::with(container(waiting("CreateContainerConfigError", root), json!({}))).says(Phase::Failed, "runs_as_root", "as root");
    let secret = "secret \"nope\" not found";
    Case::with(container(waiting("CreateContainerConfigError", secret), json!({}))).says(
        Phase::Failed,
        "setting_missing",
        "secret \"nope\" not found",
    );
    Case::with(container(waiting("CreateContainerError", "no room"), json!({}))).says(Phase::Failed, "container_not_made", "no room");
    Case::with(container(waiting("ContainerCreating", ""), json!({}))).says(Phase::Creating, "", "");
    Case::with(container(waiting("PodInitializing", ""), json!({}))).says(Phase::Creating, "", "");
}

#[test]
fn disks_that_are_not_there_say_why_and_those_that_just_wait_say_nothing() {
    let unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    let of = |claim: Json| Case { claim: Some(claim), ..unplaced(unbound) };
    of(claim("Pending")).says(Phase::Waiting, "disk_not_bound", "not there yet");
    let missing = "storageclass.storage.k8s.io \"fast\" not found";
    of(claim("Pending")).warned("PersistentVolumeClaim", "claim", "ProvisioningFailed", missing).says(
        Phase::Waiting,
        "storage_class_missing",
        "class fast",
    );
    of(claim("Pending")).warned("PersistentVolumeClaim", "claim", "ProvisioningFailed", "out of space").says(
        Phase::Waiting,
        "disk_not_made",
        "out of space",
    );
    // A node was chosen for it, and the cluster says nothing of the pod until the disk is there.
    let chosen = |claim: Json| {
        let mut pod = pod(json!({"conditions": []}));
        pod["spec"]["nodeName"] = Json::Null;
        Case { claim: Some(claim), ..Case::with(pod) }
    };
    chosen(claim("Pending")).says(Phase::Creating, "", "");
    chosen(claim("Pending")).warned("PersistentVolumeClaim", "claim", "ProvisioningFailed", "out of space").says(
        Phase::Waiting,
        "disk_not_made",
        "out of space",
    );
    of(claim("Lost")).says(Phase::Waiting, "disk_lost", "files with it");
    let mut classless = claim("Pending");
    classless["spec"]["storageClassName"] = Json::Null;
    of(classless).says(Phase::Waiting, "storage_class_missing", "no default storage class");
    // WaitForFirstConsumer and ExternalProvisioning are Normal: a stopped workspace with such a claim is well.
    let mut stopped = Case { pod: None, claim: Some(claim("Pending")), ..Case::new() };
    stopped.set["spec"]["replicas"] = json!(0);
    stopped.says(Phase::Absent, "", "");
}

#[test]
fn mounts_that_fail_say_why() {
    let pending = || {
        let mut pod = container(waiting("ContainerCreating", ""), json!({}));
        pod["status"]["conditions"] = json!([condition("PodScheduled", "True")]);
        Case::with(pod)
    };
    let secret = "MountVolume.SetUp failed for volume \"s\" : secret \"nope\" not found";
    pending().warned("Pod", "pod", "FailedMount", secret).says(Phase::Waiting, "mount_missing", "secret \"nope\" not found");
    pending().warned("Pod", "pod", "FailedMount", "mount failed: exit status 32").says(Phase::Waiting, "mount_failed", "exit status 32");
    let attached = "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) w-0";
    pending().warned("Pod", "pod", "FailedAttachVolume", attached).says(Phase::Waiting, "disk_in_use", "another node");
    pending().warned("Pod", "pod", "FailedCreatePodSandBox", "no IP addresses").says(Phase::Waiting, "sandbox_failed", "no IP addresses");
    pending().warned("Pod", "an earlier pod", "FailedMount", secret).says(Phase::Creating, "", "");
    Case { now: 5, ..pending().warned("Pod", "pod", "FailedMount", secret) }.says(Phase::Creating, "", "");
}

#[test]
fn a_disk_that_somebody_deleted_is_told_and_not_replaced() {
    Case { claim: None, ..Case::new() }.says(Phase::Failed, "disk_missing", "somebody deleted the claim");
    Case { claim: None, now: 2, ..Case::new() }.says(Phase::Creating, "", "");
    let mut leaving = claim("Bound");
    leaving["metadata"]["deletionTimestamp"] = json!(time(20));
    let ready = pod(json!({"phase": "Running", "conditions": [condition("PodScheduled", "True"), condition("Ready", "True")]}));
    Case { claim: Some(leaving), ..Case::with(ready) }.says(Phase::Ready, "disk_leaving", "as soon as the workspace stops");
}

#[test]
fn an_agent_that_does_not_answer_is_told_after_a_while() {
    let mut running = container(json!({"running": {"startedAt": time(5)}}), json!({}));
    running["status"]["phase"] = json!("Running");
    let silent =
        |now| Case { now, ..Case::with(running.clone()) }.warned("Pod", "pod", "Unhealthy", "Startup probe failed: connection refused");
    silent(10).says(Phase::Creating, "", "");
    silent(60).says(Phase::Creating, "agent_silent", "Startup probe failed: connection refused");
    let wordless = Case::with(running.clone()).warned("Pod", "pod", "Unhealthy", "Startup probe failed: ");
    wordless.says(Phase::Creating, "agent_silent", "its agent does not answer: Startup probe failed.");
}

#[test]
fn evicted_and_moved_pods_say_so() {
    let evicted =
        pod(json!({"phase": "Failed", "reason": "Evicted", "message": "Usage of EmptyDir volume \"d\" exceeds the limit \"5Mi\". "}));
    Case::with(evicted).says(Phase::Failed, "evicted", "exceeds the limit \"5Mi\".");
    let taint = json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager", "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": time(30)});
    let mut moved = pod(json!({"conditions": [condition("PodScheduled", "True"), taint]}));
    moved["metadata"]["deletionTimestamp"] = json!(time(55));
    Case::with(moved).says(Phase::Creating, "moved", "moved to another one");
    Case::with(pod(
        json!({"phase": "Failed", "message": "Pod was terminated in response to imminent node shutdown.", "reason": "Terminated"}),
    ))
    .says(Phase::Failed, "ended", "imminent node shutdown");
}

#[test]
fn a_node_that_is_away_is_why_nothing_goes_on() {
    let gone = Some(Some(node("Unknown", "Kubelet stopped posting node status.")));
    let ready = || pod(json!({"phase": "Running", "conditions": [condition("PodScheduled", "True"), condition("Ready", "False")]}));
    Case { node: gone.clone(), ..Case::with(ready()) }.says(
        Phase::Waiting,
        "node_gone",
        "Its node node1 does not answer: Kubelet stopped posting node status.",
    );
    Case { node: Some(None), ..Case::with(ready()) }.says(Phase::Waiting, "node_gone", "not in the cluster any more");
    Case { node: None, ..Case::with(ready()) }.says(Phase::Creating, "", "");
    let mut leaving = ready();
    leaving["metadata"]["deletionTimestamp"] = json!(time(20));
    Case { node: gone, ..Case::with(leaving) }.says(Phase::Waiting, "node_gone", "It cannot end");
}

#[test]
fn what_does_not_end_says_what_holds_it() {
    let leaving = |finalizers: Json, now| {
        let mut pod = pod(json!({"phase": "Running"}));
        pod["metadata"]["deletionTimestamp"] = json!(time(20));
        pod["metadata"]["finalizers"] = finalizers;
        let mut case = Case { now, ..Case::with(pod) };
        case.set["spec"]["replicas"] = json!(0);
        case
    };
    leaving(json!([]), 30).says(Phase::Terminating, "", "");
    leaving(json!([]), 60).says(Phase::Terminating, "stuck_ending", "should be gone since");
    leaving(json!(["example.com/hold"]), 60).says(Phase::Terminating, "held_by_finalizer", "example.com/hold");
    let mut gone = Case { pod: None, ..Case::new() };
    gone.set["metadata"]["deletionTimestamp"] = json!(time(20));
    gone.says(Phase::Terminating, "", "");
}

#[test]
fn what_is_left_without_its_set_is_applied_again_unless_it_goes() {
    let claim: PersistentVolumeClaim = serde_json::from_value(claim("Bound")).unwrap();
    let facts =
        |claim| Facts { set: None, pod: None, claim, service: None, node: None, warnings: &[], since: Millis(0), now: Millis(START) };
    assert_eq!(judge(&facts(Some(&claim))).phase, Phase::Absent);
    let mut leaving = claim.clone();
    leaving.metadata.deletion_timestamp = serde_json::from_value(json!(time(0))).unwrap();
    assert_eq!(judge(&facts(Some(&leaving))).phase, Phase::Terminating);
}

#[test]
fn a_pod_of_an_earlier_run_is_not_this_one() {
    let mut case =
        Case::with(pod(json!({"phase": "Running", "conditions": [condition("PodScheduled", "True"), condition("Ready", "True")]})));
    assert_eq!(case.told().0, Phase::Ready);
    case.set["metadata"]["annotations"]["codex-web/run"] = json!("2");
    case.says(Phase::Creating, "", "");
    assert!(case.look(|facts| steps::lines(facts, &judge(facts))).is_empty(), "its steps are not those of this run");
}

#[test]
fn the_steps_of_a_start_are_told_in_order_with_their_times() {
    let mut running = container(json!({"running": {"startedAt": time(3)}}), json!({}));
    let conditions = [condition("PodScheduled", "True"), condition("PodReadyToStartContainers", "True"), condition("Ready", "True")];
    running["status"]["conditions"] = json!(conditions);
    running["status"]["containerStatuses"][0]["started"] = json!(true);
    running["status"]["containerStatuses"][0]["restartCount"] = json!(0);
    let case = Case::with(running);
    let lines = case.look(|facts| steps::lines(facts, &judge(facts)));
    let codes: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
    assert_eq!(codes, ["accepted", "placed", "disk_attached", "image_pulled", "agent_answers", "ready"]);
    assert_eq!(lines[1].message, "Placed on the node node1.");
    assert_eq!(lines[3].at, Millis(START + 3_000));
}

#[test]
fn an_end_is_told_once_even_where_it_runs_again() {
    let crashed = Case::with(container(waiting("CrashLoopBackOff", ""), terminated("Error", 3, "")));
    let ends =
        |case: &Case| case.look(|facts| steps::lines(facts, &judge(facts))).into_iter().filter(|line| line.code == "crashed").count();
    assert_eq!(ends(&crashed), 1);
    let again = Case::with(container(json!({"running": {"startedAt": time(45)}}), terminated("Error", 3, "")));
    assert_eq!((again.told().1.as_str(), ends(&again)), ("", 1));
}

#[test]
fn the_size_in_force_is_what_the_node_gave() {
    let case = Case::with(pod(json!({"phase": "Running"})));
    let size = case.look(steps::applied).unwrap();
    assert_eq!((size.cpu_milli, size.memory_bytes, size.disk_bytes), (2_000, 1 << 30, 1 << 30));
    assert_eq!(size.extended.get("nvidia.com/gpu"), Some(&1));
    let mut resized = container(json!({"running": {"startedAt": time(3)}}), json!({}));
    resized["status"]["containerStatuses"][0]["resources"] =
        json!({"requests": {"cpu": "1500m", "memory": "2Gi"}, "limits": {"memory": "2Gi"}});
    let size = Case::with(resized).look(steps::applied).unwrap();
    assert_eq!((size.cpu_milli, size.memory_bytes), (1_500, 2 << 30));
    assert_eq!(Case { pod: None, ..Case::new() }.look(steps::applied), None);
}

#[test]
fn components_come_in_the_order_of_the_seeds() {
    let id = WorkspaceId::parse(ID).unwrap();
    let of = |case: &Case| case.look(|facts| components::components(&id, facts));
    let mut stopped = Case { pod: None, ..Case::new() };
    stopped.set["spec"]["replicas"] = json!(0);
    let parts = of(&stopped);
    let short = |c: &Component| (c.kind.clone(), c.status.clone(), c.healthy);
    let found: Vec<_> = parts.iter().map(short).collect();
    let expected = [("statefulset", "Stopped", true), ("service", "NotFound", false), ("pvc", "Bound", true), ("pod", "NoPods", true)];
    assert_eq!(found, expected.map(|(kind, status, healthy)| (kind.to_owned(), status.to_owned(), healthy)));
    assert_eq!(parts[0].name, format!("workspace-{}", id.hex()));
    let crashing = of(&Case::with(container(waiting("CrashLoopBackOff", "back-off 40s"), terminated("Error", 3, ""))));
    assert_eq!((crashing[3].healthy, crashing[3].reason.as_str()), (false, "CrashLoopBackOff"));
    assert!(crashing[3].details.contains("on node1 back-off 40s"), "{}", crashing[3].details);
}

#[test]
fn warnings_of_both_styles_are_read() {
    let event = |more: Json| {
        let mut value = json!({"metadata": {"name": "e", "namespace": "g", "creationTimestamp": time(1)}, "type": "Warning", "reason": "FailedScheduling", "message": "a\nb",
            "involvedObject": {"kind": "Pod", "name": "w-0", "namespace": "g", "uid": "pod"}});
        more.as_object().unwrap().iter().for_each(|(key, part)| value[key] = part.clone());
        Warning::of(&serde_json::from_value::<Event>(value).unwrap())
    };
    let classic = event(json!({"firstTimestamp": time(2), "lastTimestamp": time(9), "count": 4})).unwrap();
    assert_eq!((classic.first, classic.last, classic.message.as_str()), (Millis(START + 2_000), Millis(START + 9_000), "a b"));
    let new = event(json!({"eventTime": "2026-11-22T09:00:03.500000Z", "firstTimestamp": null, "lastTimestamp": null})).unwrap();
    assert_eq!(new.first, new.last);
    let series =
        json!({"eventTime": "2026-11-22T09:00:03.000000Z", "series": {"count": 2, "lastObservedTime": "2026-11-22T09:00:08.000000Z"}});
    let series = event(series).unwrap();
    assert_eq!(series.last.since(series.first), 5_000);
    assert_eq!(event(json!({"type": "Normal"})), None);
}

#[test]
fn objects_of_workspaces_are_known_by_their_names() {
    let digits = "0199a1b2c3d4e5f60718293a4b5c6d7e";
    for name in [format!("workspace-{digits}"), format!("workspace-{digits}-0"), format!("workspace-storage-workspace-{digits}-0")] {
        assert_eq!(workspace_digits(&name), Some(digits), "{name}");
    }
    for name in ["workspace-", "other-0", "workspace-0199", &format!("workspace-{digits}ff"), &format!("workspace-{}", "g".repeat(32))] {
        assert_eq!(workspace_digits(name), None, "{name}");
    }
}

#[test]
fn foreign_text_stays_one_bounded_line() {
    assert_eq!(quoted("a\n b\u{1b}[31m.", 20), "a b[31m");
    assert_eq!(quoted(&"x".repeat(30), 5), "xxxxx…");
}
