//! The pod of a workspace. Any image runs in it: the agent is brought by an init container, the home is a volume, and
//! the user is a number, so that neither the image's user nor its entry point matters.
//!
//! The security context is the one that the standard `restricted` asks for; nothing in a template loosens it.

use super::{Context, marks};
use crate::cluster::kubernetes::names;
use crate::cluster::kubernetes::quantity::{of_bytes, of_count, of_milli};
use crate::cluster::{Size, WorkspaceSpec};
use crate::domain::agent::{AGENT_PORT, HEALTH_PATH};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, HTTPGetAction, LocalObjectReference,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretVolumeSource, SecurityContext, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Who everything runs as, where a template says nothing.
const USER: i64 = 1_000;
/// Seconds between SIGTERM and SIGKILL of the pod.
const GRACE_SECONDS: i64 = 30;
/// A start may take this many tries, one a second: images of gigabytes are unpacked by then.
const START_TRIES: i32 = 120;
/// A container that ends leaves the end of its log with the status of the pod, so that its last lines can be told.
const LAST_WORDS: &str = "FallbackToLogsOnError";
/// What copying the agent may use; never more than the workspace has itself.
const INIT_CPU_MILLI: i64 = 100;
const INIT_MEMORY: i64 = 128 << 20;
/// Room for the agent, for sockets, and for `/tmp`, in bytes.
const PROGRAM_ROOM: i64 = 256 << 20;
const RUNTIME_ROOM: i64 = 16 << 20;
const TMP_ROOM: i64 = 4 << 30;

const PROGRAM_VOLUME: &str = "agent";
const ORDER_VOLUME: &str = "order";
const HOME_VOLUME: &str = "workspace-storage";
const RUNTIME_VOLUME: &str = "runtime";
const TMP_VOLUME: &str = "tmp";

/// The template of the pod.
pub fn template(context: Context<'_>, spec: &WorkspaceSpec, image: &str, labels: super::Marks) -> PodTemplateSpec {
    let annotations = marks([
        (names::RUN, &spec.run.to_string()),
        // A smaller cluster is no reason to end what somebody works in.
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ]);
    PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() }),
        spec: Some(pod(context, spec, image)),
    }
}

fn pod(context: Context<'_>, spec: &WorkspaceSpec, image: &str) -> PodSpec {
    let settings = context.settings;
    let mut nodes = settings.node_selector.clone();
    nodes.extend(spec.container.node_selector.clone());
    let tolerations: Vec<Toleration> = settings.tolerations.iter().chain(&spec.container.tolerations).map(toleration).collect();
    let pull_secrets = pull_secrets(context, spec);
    PodSpec {
        service_account_name: Some(names::SERVICE_ACCOUNT.to_owned()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(pod_security(spec)),
        init_containers: Some(vec![installer(context, spec)]),
        containers: vec![main(spec, image)],
        volumes: Some(volumes(spec)),
        image_pull_secrets: (!pull_secrets.is_empty()).then_some(pull_secrets),
        node_selector: (!nodes.is_empty()).then_some(nodes),
        tolerations: (!tolerations.is_empty()).then_some(tolerations),
        ..PodSpec::default()
    }
}

fn pull_secrets(context: Context<'_>, spec: &WorkspaceSpec) -> Vec<LocalObjectReference> {
    let ours = context.settings.registry_config.is_some().then(|| names::REGISTRY_SECRET.to_owned());
    let mut all: Vec<String> =
        ours.into_iter().chain(context.settings.image_pull_secrets.clone()).chain(spec.container.image_pull_secrets.clone()).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|name| seen.insert(name.clone()));
    all.into_iter().map(|name| LocalObjectReference { name }).collect()
}

fn toleration(taint: &crate::domain::container::Toleration) -> Toleration {
    Toleration {
        key: Some(taint.key.clone()),
        operator: Some(if taint.value.is_some() { "Equal" } else { "Exists" }.to_owned()),
        value: taint.value.clone(),
        effect: taint.effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: None,
    }
}

/// The group owns the volume, whatever the image's user is; files that have it already are not walked at each start.
fn pod_security(spec: &WorkspaceSpec) -> PodSecurityContext {
    let user = spec.container.user.filter(|user| *user > 0).unwrap_or(USER);
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        run_as_group: Some(user),
        fs_group: Some(user),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

fn container_security(read_only_root: bool) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        read_only_root_filesystem: read_only_root.then_some(true),
        ..SecurityContext::default()
    }
}

/// Brings the agent. Arguments only: the image's entry point is this program, wherever it lies there.
fn installer(context: Context<'_>, spec: &WorkspaceSpec) -> Container {
    let size = Size::new(spec.size.cpu_milli.min(INIT_CPU_MILLI), spec.size.memory_bytes.min(INIT_MEMORY), 0);
    Container {
        name: names::INIT_CONTAINER.to_owned(),
        image: Some(context.settings.agent_image.clone()),
        args: Some(["agent", "install", names::PROGRAM_DIR].map(str::to_owned).to_vec()),
        resources: Some(resources(&size)),
        security_context: Some(container_security(true)),
        volume_mounts: Some(vec![mount(PROGRAM_VOLUME, names::PROGRAM_DIR, false)]),
        termination_message_policy: Some(LAST_WORDS.to_owned()),
        ..Container::default()
    }
}

fn main(spec: &WorkspaceSpec, image: &str) -> Container {
    let env = |name: &str, value: &str| EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None };
    let port = ContainerPort {
        name: Some("agent".to_owned()),
        container_port: i32::from(AGENT_PORT),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: names::CONTAINER.to_owned(),
        image: Some(image.to_owned()),
        command: Some([names::PROGRAM, "agent", "--order", names::ORDER_FILE].map(str::to_owned).to_vec()),
        working_dir: Some(names::HOME.to_owned()),
        env: Some(vec![env("HOME", names::HOME)]),
        ports: Some(vec![port]),
        resources: Some(resources(&spec.size)),
        startup_probe: Some(probe(1, START_TRIES, 1)),
        readiness_probe: Some(probe(5, 2, 3)),
        liveness_probe: Some(probe(10, 3, 5)),
        security_context: Some(container_security(spec.container.read_only_root)),
        volume_mounts: Some(vec![
            mount(HOME_VOLUME, names::HOME, false),
            mount(PROGRAM_VOLUME, names::PROGRAM_DIR, true),
            mount(ORDER_VOLUME, names::ORDER_DIR, true),
            mount(RUNTIME_VOLUME, names::RUNTIME_DIR, false),
            mount(TMP_VOLUME, "/tmp", false),
        ]),
        termination_message_policy: Some(LAST_WORDS.to_owned()),
        ..Container::default()
    }
}

/// What a size asks of a node. There is no limit of cpu: what nobody uses is free to use. Memory cannot be lent.
pub fn resources(size: &Size) -> ResourceRequirements {
    let extended = size.extended.iter().map(|(name, count)| (name.clone(), of_count(*count)));
    let memory = ("memory".to_owned(), of_bytes(size.memory_bytes));
    let limits = extended.clone().chain([memory.clone()]).collect();
    let requests = extended.chain([("cpu".to_owned(), of_milli(size.cpu_milli)), memory]).collect();
    ResourceRequirements { limits: Some(limits), requests: Some(requests), claims: None }
}

/// Whether the agent answers.
fn probe(period: i32, tries: i32, timeout: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(HEALTH_PATH.to_owned()),
            port: IntOrString::Int(i32::from(AGENT_PORT)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        failure_threshold: Some(tries),
        timeout_seconds: Some(timeout),
        ..Probe::default()
    }
}

fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), read_only: read_only.then_some(true), ..VolumeMount::default() }
}

fn volumes(spec: &WorkspaceSpec) -> Vec<Volume> {
    let empty = |name: &str, medium: Option<&str>, room: i64| Volume {
        name: name.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource { medium: medium.map(str::to_owned), size_limit: Some(of_bytes(room)) }),
        ..Volume::default()
    };
    let home = PersistentVolumeClaimVolumeSource { claim_name: names::volume(&spec.id), read_only: None };
    let order =
        SecretVolumeSource { secret_name: Some(names::order_secret(&spec.id)), default_mode: Some(0o440), ..SecretVolumeSource::default() };
    vec![
        Volume { name: HOME_VOLUME.to_owned(), persistent_volume_claim: Some(home), ..Volume::default() },
        Volume { name: ORDER_VOLUME.to_owned(), secret: Some(order), ..Volume::default() },
        empty(PROGRAM_VOLUME, None, PROGRAM_ROOM),
        empty(RUNTIME_VOLUME, Some("Memory"), RUNTIME_ROOM),
        empty(TMP_VOLUME, None, TMP_ROOM),
    ]
}
