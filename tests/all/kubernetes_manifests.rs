//! What we put into a cluster, object by object: kept as YAML to the letter, and held to the rules that let a pod start.

use crate::golden;
use codex_web::cluster::kubernetes::manifests::workspace::{self, Ties};
use codex_web::cluster::kubernetes::manifests::{Context, group};
use codex_web::cluster::kubernetes::{KubernetesSettings, names, quantity};
use codex_web::cluster::{AgentTrust, ContainerSetup, Desired, GitSetup, GroupSpec, Recipe, Size, WorkspaceSpec};
use codex_web::domain::agent::AgentOrder;
use codex_web::domain::app::{App, BasePath, Listen, Start};
use codex_web::domain::container::Toleration;
use codex_web::domain::egress::{Entry, Mode, Policy};
use codex_web::domain::id::{GroupId, UserId, WorkspaceId};
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::Serialize;

const INSTALLATION: &str = "0199aa00000070008000000000000001";
/// Stands for the digest of an order in the golden files: what agents are told is not kept here.
const ORDER: &str = "49b6f7df3602efd7e14b40bccfef3986";

fn settings() -> KubernetesSettings {
    KubernetesSettings::new("registry.example.org/codex-web:0.1.0")
}

/// Everything that an operator can say.
fn all_settings() -> KubernetesSettings {
    let mut settings = settings();
    settings.storage_class = Some("fast".into());
    settings.server.cidrs = vec!["192.0.2.10".into(), "192.0.2.128/25".into()];
    settings.dns_servers = vec![Entry::parse("169.254.20.10").unwrap(), Entry::parse("10.245.0.2:1053").unwrap()];
    settings.image_pull_secrets = vec!["regcred".into()];
    settings.registry_config = Some(r#"{"auths":{"registry.example.org":{"auth":"dTpw"}}}"#.into());
    settings.node_selector = [("disktype".to_owned(), "ssd".to_owned())].into();
    settings.tolerations = vec![Toleration::parse("dedicated=workspaces:NoSchedule").unwrap()];
    settings
}

fn context(settings: &KubernetesSettings) -> Context<'_> {
    Context { installation: INSTALLATION, settings }
}

fn group_spec() -> GroupSpec {
    GroupSpec {
        id: GroupId::trusted("grp_0199aa00000070008000000000000002".into()),
        name: "ml-research".into(),
        namespace: "codex-platform-ml-research".into(),
        generation: 3,
        cpu_milli: Some(20_500),
        memory_bytes: Some(40 << 30),
        storage_bytes: Some(500 << 30),
        workspaces: Some(50),
    }
}

fn spec() -> WorkspaceSpec {
    WorkspaceSpec {
        id: WorkspaceId::trusted("ws_0199aa00000070008000000000000003".into()),
        name: "my workspace".into(),
        generation: 7,
        run: 4,
        group: group_spec().id,
        namespace: group_spec().namespace,
        owner: UserId::trusted("usr_0199aa00000070008000000000000004".into()),
        recipe: Recipe::Image { reference: "docker.io/library/debian:12".into() },
        env: [("GREETING".to_owned(), "hello".to_owned())].into(),
        apps: Vec::new(),
        container: ContainerSetup::default(),
        git: GitSetup { name: "Ada".into(), email: "ada@example.org".into(), repository: None },
        size: Size::new(1_500, 4 << 30, 20 << 30),
        desired: Desired::Running,
        local_uid: 20_000,
    }
}

/// Everything that a template can say.
fn all_spec() -> WorkspaceSpec {
    let mut size = Size::new(2_000, 8 << 30, 100 << 30);
    size.extended = [("nvidia.com/gpu".to_owned(), 1)].into();
    let app = App {
        slug: "ide".into(),
        name: "Editor".into(),
        icon: "code".into(),
        argv: vec!["ide".into(), "--socket".into(), "{socket}".into()],
        listen: Listen::Unix,
        base_path: BasePath::Root,
        health_path: "/healthz".into(),
        start: Start::WithWorkspace,
        requires: None,
        hint: String::new(),
        files: Vec::new(),
    };
    let container = ContainerSetup {
        shell: vec!["zsh".into(), "-l".into()],
        command: vec!["ide-server".into(), "--quiet".into()],
        read_only_root: true,
        user: Some(4_711),
        node_selector: [("zone".to_owned(), "a".to_owned())].into(),
        tolerations: vec![Toleration::parse("gpu").unwrap()],
        storage_class: Some("slow".into()),
        image_pull_secrets: vec!["team".into(), "regcred".into()],
    };
    WorkspaceSpec { size, apps: vec![app], container, ..spec() }
}

fn trust() -> AgentTrust {
    AgentTrust { jwks: r#"{"keys":[]}"#.into(), issuer: "codex-web:test".into() }
}

fn policy(mode: Mode, allow: &[&str]) -> Policy {
    Policy { mode, allow: allow.iter().map(|text| Entry::parse(text).unwrap()).collect() }
}

fn set(settings: &KubernetesSettings, spec: &WorkspaceSpec) -> StatefulSet {
    set_with(settings, spec, ORDER)
}

fn set_with(settings: &KubernetesSettings, spec: &WorkspaceSpec, order_digest: &str) -> StatefulSet {
    let Recipe::Image { reference } = &spec.recipe else { panic!("no image") };
    let ties = Ties { order_digest, volume: "5b1c0e6e-0000-4000-8000-000000000000" };
    workspace::stateful_set(context(settings), spec, reference, ties)
}

fn pod(settings: &KubernetesSettings, spec: &WorkspaceSpec) -> PodSpec {
    set(settings, spec).spec.unwrap().template.spec.unwrap()
}

fn keep(name: &str, object: &impl Serialize) {
    // By way of JSON, so that the order of keys is that of the cluster's own types.
    let json = serde_json::to_value(object).unwrap();
    let text = serde_saphyr::to_string(&json).unwrap();
    let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(read, json, "{name} is not the same when it is read again");
    golden::check(&format!("kubernetes/{name}.yaml"), &text);
}

fn named<'a>(policies: &'a [NetworkPolicy], name: &str) -> Option<&'a NetworkPolicy> {
    policies.iter().find(|policy| policy.metadata.name.as_deref() == Some(name))
}

#[test]
fn the_objects_of_a_group_are_these() {
    let settings = all_settings();
    let made = group::objects(context(&settings), &group_spec(), &policy(Mode::Open, &["10.1.0.0/16", "192.0.2.7:443"]));
    keep("group-namespace", &made.namespace);
    keep("group-quota", &made.quota);
    keep("group-limits", &made.limits);
    keep("group-account", &made.account);
    keep("group-registry", &made.registry.unwrap());
    for policy in &made.policies {
        keep(&format!("group-policy-{}", policy.metadata.name.as_deref().unwrap()), policy);
    }
    let listed = group::objects(context(&settings), &group_spec(), &policy(Mode::Allowlist, &["192.0.2.7:443", "2001:db8::/32"]));
    keep("group-policy-allow-egress-allowlist", named(&listed.policies, names::POLICY_EGRESS).unwrap());
    let free = GroupSpec { cpu_milli: None, memory_bytes: None, storage_bytes: None, workspaces: None, ..group_spec() };
    keep("group-quota-without-limits", &group::objects(context(&settings), &free, &Policy::default()).quota);
}

#[test]
fn the_objects_of_a_workspace_are_these() {
    let usual = settings();
    let made = workspace::objects(context(&usual), &spec(), &trust());
    let mut order = made.order.clone();
    order.data = Some([(names::ORDER_KEY.to_owned(), ByteString(b"{}".to_vec()))].into());
    order.metadata.annotations = None;
    keep("workspace-order", &order);
    keep("workspace-volume", &made.volume);
    keep("workspace-service", &made.service);
    keep("workspace-set", &set(&usual, &spec()));
    keep("workspace-set-stopped", &set(&usual, &WorkspaceSpec { desired: Desired::Stopped, ..spec() }));
    let all = all_settings();
    keep("workspace-set-everything", &set(&all, &all_spec()));
    keep("workspace-volume-everything", &workspace::objects(context(&all), &all_spec(), &trust()).volume);
}

#[test]
fn a_pod_keeps_the_restricted_standard_whatever_a_template_says() {
    for (settings, spec) in [(settings(), spec()), (all_settings(), all_spec())] {
        let pod = pod(&settings, &spec);
        let whole = pod.security_context.clone().unwrap();
        assert_eq!(whole.run_as_non_root, Some(true));
        assert!(whole.run_as_user.unwrap() > 0 && whole.fs_group == whole.run_as_user);
        assert_eq!(whole.seccomp_profile.unwrap().type_, "RuntimeDefault");
        assert_eq!((pod.automount_service_account_token, pod.enable_service_links), (Some(false), Some(false)));
        assert!(pod.host_network.is_none() && pod.host_pid.is_none() && pod.host_ipc.is_none());
        for container in pod.containers.iter().chain(pod.init_containers.iter().flatten()) {
            let own = container.security_context.clone().unwrap();
            assert_eq!(own.allow_privilege_escalation, Some(false));
            assert_eq!(own.capabilities.unwrap().drop, Some(vec!["ALL".to_owned()]));
            assert!(own.privileged.is_none() && own.run_as_user.is_none(), "{}", container.name);
        }
        let allowed = |volume: &k8s_openapi::api::core::v1::Volume| {
            volume.empty_dir.is_some() || volume.secret.is_some() || volume.persistent_volume_claim.is_some()
        };
        assert!(pod.volumes.unwrap().iter().all(allowed));
    }
}

#[test]
fn nobody_becomes_root_by_a_template() {
    for user in [0, -1] {
        let spec = WorkspaceSpec { container: ContainerSetup { user: Some(user), ..ContainerSetup::default() }, ..spec() };
        assert_eq!(pod(&settings(), &spec).security_context.unwrap().run_as_user, Some(1_000));
    }
}

#[test]
fn the_quota_lets_as_many_workspaces_start_as_it_counts() {
    let quota = group::objects(context(&settings()), &group_spec(), &Policy::default()).quota;
    let hard = quota.spec.unwrap().hard.unwrap();
    assert!(!hard.contains_key("limits.cpu"), "no workspace has a limit of cpu, so none could start");
    let amount = |name: &str| quantity::units(&hard[name]).unwrap();
    let one = spec();
    let most = 40_i64 << 30;
    assert_eq!((amount("pods"), amount("persistentvolumeclaims"), amount("requests.memory")), (50, 50, most));
    // What the quota counts of a pod is what its container asks: the container that brings the agent asks for no more.
    let pod = pod(&settings(), &one);
    let asked = |container: &k8s_openapi::api::core::v1::Container, name: &str| {
        let resources = container.resources.clone().unwrap();
        quantity::parse(&resources.requests.unwrap()[name].0).unwrap()
    };
    for name in ["cpu", "memory"] {
        assert!(asked(&pod.init_containers.as_ref().unwrap()[0], name) <= asked(&pod.containers[0], name), "{name}");
    }
    let tiny = WorkspaceSpec { size: Size::new(10, 32 << 20, 1 << 30), ..one };
    let pod = self::pod(&settings(), &tiny);
    for name in ["cpu", "memory"] {
        assert!(asked(&pod.init_containers.as_ref().unwrap()[0], name) <= asked(&pod.containers[0], name), "{name}");
    }
}

#[test]
fn a_closed_network_is_closed_for_names_too() {
    let names_of = |mode, allow: &[&str]| -> Vec<String> {
        let made = group::objects(context(&settings()), &group_spec(), &policy(mode, allow));
        made.policies.iter().map(|policy| policy.metadata.name.clone().unwrap()).collect()
    };
    let closed = [names::POLICY_DENY, names::POLICY_SERVER];
    assert_eq!(names_of(Mode::None, &["10.0.0.0/8"]), closed);
    assert_eq!(names_of(Mode::Allowlist, &[]), [names::POLICY_DENY, names::POLICY_SERVER, names::POLICY_DNS]);
    assert_eq!(
        names_of(Mode::Allowlist, &["example.org"]),
        [names::POLICY_DENY, names::POLICY_SERVER, names::POLICY_DNS],
        "a name opens nothing"
    );
    assert!(names_of(Mode::Open, &[]).contains(&names::POLICY_EGRESS.to_owned()));
    assert!(
        names_of(Mode::Open, &[]).iter().all(|name| names::POLICIES.contains(&name.as_str())),
        "what is not named there is never removed"
    );
}

#[test]
fn only_the_server_reaches_agents_and_only_on_their_port() {
    let settings = all_settings();
    let made = group::objects(context(&settings), &group_spec(), &Policy::default());
    let rule = named(&made.policies, names::POLICY_SERVER).unwrap().spec.clone().unwrap().ingress.unwrap();
    assert_eq!(rule.len(), 1);
    let (from, ports) = (rule[0].from.clone().unwrap(), rule[0].ports.clone().unwrap());
    assert_eq!(serde_json::to_value(&ports).unwrap(), serde_json::json!([{ "port": 7681, "protocol": "TCP" }]));
    let blocks: Vec<String> = from.iter().filter_map(|peer| Some(peer.ip_block.clone()?.cidr)).collect();
    assert_eq!(blocks, ["192.0.2.10/32", "192.0.2.128/25"]);
    // A selector without a namespace beside it would mean the group's own pods, and an empty one every namespace.
    for peer in from.iter().filter(|peer| peer.ip_block.is_none()) {
        assert!(!peer.namespace_selector.clone().unwrap().match_labels.unwrap().is_empty());
        assert!(!peer.pod_selector.clone().unwrap().match_labels.unwrap().is_empty());
    }
}

#[test]
fn the_same_description_gives_the_same_digest_and_another_gives_another() {
    let digest = |spec: &WorkspaceSpec| {
        let order = workspace::objects(context(&settings()), spec, &trust()).order_digest;
        set_with(&settings(), spec, &order).metadata.annotations.unwrap()[names::MANIFEST].clone()
    };
    assert_eq!(digest(&spec()), digest(&spec()));
    let without_env = WorkspaceSpec { env: std::collections::BTreeMap::new(), ..spec() };
    assert_ne!(digest(&spec()), digest(&without_env), "the order is part of what the set is tied to");
    assert_ne!(digest(&spec()), digest(&WorkspaceSpec { run: 5, ..spec() }));
}

#[test]
fn the_order_leaves_the_image_its_path_and_its_shell() {
    let made = workspace::objects(context(&settings()), &spec(), &trust());
    let told: AgentOrder = serde_json::from_slice(&made.order.data.unwrap()[names::ORDER_KEY].0).unwrap();
    assert!(!told.env.contains_key("PATH"), "the programs of the image would not be found");
    assert_eq!((told.env["HOME"].as_str(), told.env["GREETING"].as_str(), told.home.as_str()), (names::HOME, "hello", names::HOME));
    assert_eq!((told.run, told.is_alone, told.egress_port), (4, true, None));
    assert!(told.argv.is_empty() && told.command.is_empty(), "the agent looks which shell the image has");
    let own = workspace::objects(context(&all_settings()), &all_spec(), &trust());
    let told: AgentOrder = serde_json::from_slice(&own.order.data.unwrap()[names::ORDER_KEY].0).unwrap();
    assert_eq!((told.argv.join(" "), told.command.join(" "), told.apps.len()), ("zsh -l".into(), "ide-server --quiet".into(), 1));
}
