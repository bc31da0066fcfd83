//! The cluster under test, for every file beside this one: a client, names that nobody else has, waiting by watching,
//! and hands that stop, start and freeze the cluster's own programs.
//!
//! Which cluster it is comes from the environment, which `tests/kubernetes/run` sets:
//! `CODEX_WEB_TEST_KUBECONFIG` (how to reach it), `CODEX_WEB_TEST_KUBE_STATE` (the state directory, where the cluster is
//! one of ours), `CODEX_WEB_TEST_KUBE_IMAGE` and `CODEX_WEB_TEST_KUBE_AGENT_IMAGE` (what pods can run there).
//! What a cluster cannot show is skipped, and the skip is said with the name of the test.

use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod};
use kube::api::{Api, AttachParams, DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{Condition, await_condition};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::env;
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

/// What is waited for at most, unless a test says otherwise: a loaded machine is slow, a hanging test is worse.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The cluster, and what this test made in it; dropping it removes that again.
pub struct Rig {
    pub client: Client,
    /// The file that the client was made from.
    pub kubeconfig: PathBuf,
    /// An image that workspaces can run: a shell, busybox, and `probe` where the cluster is ours.
    pub image: String,
    /// An image whose entry point is Codex Web, for init containers.
    pub agent_image: String,
    prefix: String,
    state: Option<PathBuf>,
    folder: tempfile::TempDir,
    namespaces: Mutex<Vec<String>>,
}

impl Rig {
    /// The cluster that was given. Fails where none was: these tests are ignored unless somebody asks for them.
    pub async fn get() -> Self {
        let kubeconfig: PathBuf =
            env::var_os("CODEX_WEB_TEST_KUBECONFIG").expect("CODEX_WEB_TEST_KUBECONFIG is not set: use tests/run kubernetes").into();
        let or = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        Self {
            client: client(&kubeconfig).await,
            kubeconfig,
            image: or("CODEX_WEB_TEST_KUBE_IMAGE", "registry.local/busybox:1"),
            agent_image: or("CODEX_WEB_TEST_KUBE_AGENT_IMAGE", "registry.local/codex-web-agent:test"),
            prefix: format!("t{}", &uuid::Uuid::now_v7().simple().to_string()[20..]),
            state: env::var_os("CODEX_WEB_TEST_KUBE_STATE").map(Into::into),
            folder: tempfile::tempdir().unwrap(),
            namespaces: Mutex::default(),
        }
    }

    /// As [`Rig::get`], where pods run; `None`, said loudly, where only a control plane is.
    pub async fn with_pods() -> Option<Self> {
        let rig = Self::get().await;
        let nodes: Api<Node> = Api::all(rig.client.clone());
        let real = nodes.list(&ListParams::default()).await.unwrap().into_iter().any(|node| !is_fake(&node));
        if !real {
            skipped("no node runs pods here");
            return None;
        }
        Some(rig)
    }

    /// As [`Rig::with_pods`], where the programs of the cluster may be stopped and frozen; `None`, said loudly, where
    /// the cluster is somebody's.
    pub async fn with_state() -> Option<Self> {
        let rig = Self::with_pods().await?;
        if rig.state.is_none() {
            skipped("this cluster was given, its programs are not ours to stop");
            return None;
        }
        Some(rig)
    }

    /// A name that no other test and no other run has; fits a namespace, a label and an object.
    pub fn name(&self, word: &str) -> String {
        format!("{}-{word}", self.prefix)
    }

    /// A folder of this test's own; what is in it outlives a server, not the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Remembers a namespace, so that it goes when the test ends, whoever makes it.
    pub fn will_own(&self, namespace: &str) {
        self.namespaces.lock().unwrap().push(namespace.to_owned());
    }

    /// A namespace of this test's own, made now.
    pub async fn namespace(&self, word: &str, labels: &[(&str, &str)]) -> String {
        let name = self.name(word);
        self.will_own(&name);
        let labels: BTreeMap<_, _> = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let metadata = ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() };
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await.unwrap();
        name
    }

    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        <K as Resource>::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Waits, watching, until the object is as the condition wants it.
    pub async fn until<K>(&self, api: Api<K>, name: &str, condition: impl Condition<K>) -> Option<K>
    where
        K: Clone + Debug + Send + DeserializeOwned + Resource + 'static,
    {
        let waited = tokio::time::timeout(PATIENCE, await_condition(api.clone(), name, condition)).await;
        let Ok(met) = waited else { panic!("{name} is not as wanted after {PATIENCE:?}: {:?}", api.get_opt(name).await) };
        met.unwrap()
    }

    /// Waits, watching, for an event about an object of this name whose reason is the given one.
    pub async fn event(&self, namespace: &str, about: &str, reason: &str) -> Event {
        use futures_util::TryStreamExt;
        let events = watcher(self.api::<Event>(namespace), watcher::Config::default()).default_backoff().applied_objects();
        let wanted = |event: &Event| event.involved_object.name.as_deref() == Some(about) && event.reason.as_deref() == Some(reason);
        let found = events.try_filter(move |event| std::future::ready(wanted(event)));
        let mut found = std::pin::pin!(found);
        let waited = tokio::time::timeout(PATIENCE, found.try_next()).await;
        waited.unwrap_or_else(|_| panic!("no event {reason} about {about} after {PATIENCE:?}")).unwrap().unwrap()
    }

    /// Runs a command in a pod; gives what it printed and whether it went well.
    pub async fn exec(&self, namespace: &str, pod: &str, container: &str, command: &[&str]) -> (String, bool) {
        let params = AttachParams { stdin: false, ..AttachParams::default() }.container(container);
        let mut process = self.api::<Pod>(namespace).exec(pod, command.iter().copied(), &params).await.unwrap();
        let (mut out, mut err) = (process.stdout().unwrap(), process.stderr().unwrap());
        let ended = process.take_status().unwrap();
        let (mut printed, mut complained) = (String::new(), String::new());
        let read = tokio::time::timeout(PATIENCE, async {
            tokio::try_join!(out.read_to_string(&mut printed), err.read_to_string(&mut complained))
        });
        read.await.unwrap_or_else(|_| panic!("{command:?} in {pod} did not end")).unwrap();
        let good = ended.await.is_some_and(|status| status.status.as_deref() == Some("Success"));
        (printed + &complained, good)
    }

    /// A program of the cluster. Only where [`Rig::with_state`] gave the rig.
    pub fn component(&self, name: &'static str) -> Component<'_> {
        Component { state: self.state.as_deref().expect("only a cluster of ours has programs to stop"), name }
    }

    /// Gives the node an image, as an archive. Only where [`Rig::with_state`] gave the rig.
    pub fn import(&self, archive: &Path) {
        let state = self.state.as_deref().expect("only for a cluster of ours");
        let status = Command::new(scripts().join("import")).arg(state).arg(archive).status().unwrap();
        assert!(status.success(), "{} was not imported", archive.display());
    }

    /// kubectl of the cluster, as its administrator; gives what it printed. Only where [`Rig::with_state`] gave the rig.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let script = scripts().join("kubectl");
        let output = Command::new(script).arg(self.state.as_deref().expect("only for a cluster of ours")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// How many calls accounts of the namespace `audited` have made so far; a watch counts when it ends.
    pub fn audited_calls(&self) -> usize {
        let log = self.state.as_deref().expect("only for a cluster of ours").join("log/audit.log");
        std::fs::read_to_string(log).map_or(0, |text| text.lines().filter(|line| line.contains("\"ResponseComplete\"")).count())
    }

    /// The rig's own kubeconfig with another token in it.
    pub fn kubeconfig_with_token(&self, token: &str) -> String {
        let own = std::fs::read_to_string(&self.kubeconfig).unwrap();
        let (before, rest) = own.split_once("token: ").unwrap();
        let (_, after) = rest.split_once('}').unwrap();
        format!("{before}token: {token}}}{after}")
    }

    /// The rig's own kubeconfig without the authority of the API server's certificate, and that authority, in PEM.
    pub fn kubeconfig_without_authority(&self) -> (String, String) {
        let own = std::fs::read_to_string(&self.kubeconfig).unwrap();
        let (before, rest) = own.split_once(", certificate-authority: \"").unwrap();
        let (path, after) = rest.split_once('"').unwrap();
        (format!("{before}{after}"), std::fs::read_to_string(path).unwrap())
    }

    /// Takes this machine's route to an address away until the result is dropped. Only where [`Rig::with_state`] gave the rig.
    pub fn without_route(&self, address: &str) -> NoRoute {
        assert!(self.state.is_some(), "only for a cluster of ours");
        NoRoute::tell("add", address);
        NoRoute(address.to_owned())
    }

    /// The number of the node of ours, from which its addresses follow.
    fn node(&self) -> Option<String> {
        let cluster = std::fs::read_to_string(self.state.as_ref()?.join("cluster")).unwrap();
        let (mode, number) = cluster.trim().split_once(' ')?;
        (mode == "node").then(|| number.to_owned())
    }

    /// The address by which pods reach this process, and by which policies know it.
    pub fn outside(&self) -> Option<String> {
        self.node().map(|number| format!("10.245.{number}.1"))
    }

    /// Another address of this process for pods, one that is not private. Only where [`Rig::with_state`] gave the rig.
    pub fn internet(&self) -> IpAddr {
        let number: u8 = self.node().expect("only a node of ours has it").parse().unwrap();
        IpAddr::from([203, 0, 113, number + 1])
    }

    /// Where the name server of the cluster listens, as policies see it. Only where [`Rig::with_state`] gave the rig.
    pub fn name_server(&self) -> String {
        format!("10.245.{}.2:1053", self.node().expect("only a node of ours has it"))
    }

    /// The address of the API server's own service. Only where [`Rig::with_state`] gave the rig.
    pub fn first_service(&self) -> String {
        let number: u8 = self.node().expect("only a node of ours has it").parse().unwrap();
        format!("10.247.{}.1", number * 16)
    }
}

impl Drop for Rig {
    /// Begins to delete the namespaces of this test. Nobody waits: no other test uses their names.
    fn drop(&mut self) {
        let (kubeconfig, namespaces) = (self.kubeconfig.clone(), std::mem::take(&mut *self.namespaces.lock().unwrap()));
        if namespaces.is_empty() || env::var_os("CODEX_WEB_TEST_KEEP").is_some() {
            return;
        }
        // The runtime of the test ends with it.
        let delete = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let api: Api<Namespace> = Api::all(client(&kubeconfig).await);
                for namespace in namespaces {
                    let _ = api.delete(&namespace, &DeleteParams::background()).await;
                }
            });
        };
        let _ = std::thread::spawn(delete).join();
    }
}

/// An address to which there is no route.
#[must_use = "the route is back when nobody holds this"]
pub struct NoRoute(String);

impl NoRoute {
    fn tell(what: &str, address: &str) {
        let status = Command::new("ip").args(["route", what, "unreachable", address]).status().unwrap();
        assert!(status.success(), "the route to {address} was not changed");
    }
}

impl Drop for NoRoute {
    fn drop(&mut self) {
        Self::tell("delete", &self.0);
    }
}

/// A program of the cluster, by the name that `tests/kubernetes/cluster/component` gives it.
#[derive(Clone, Copy)]
pub struct Component<'a> {
    state: &'a Path,
    name: &'static str,
}

impl<'a> Component<'a> {
    /// Ends it at once, as a crash does. It comes back when the result is dropped, if not before.
    pub fn stop(self) -> Interrupted<'a> {
        self.tell(&["stop"]);
        Interrupted { component: self, back: "start" }
    }

    /// Ends it; nobody starts it again.
    pub fn end(self) {
        self.tell(&["stop"]);
    }

    /// Lets it hang: what is connected stays so, and nothing is answered.
    pub fn freeze(self) -> Interrupted<'a> {
        self.tell(&["freeze"]);
        Interrupted { component: self, back: "thaw" }
    }

    /// Starts it unless it runs, with arguments that win over the usual ones.
    pub fn start(self, arguments: &[&str]) {
        self.tell(&[&["start"], arguments].concat());
    }

    fn tell(self, what: &[&str]) {
        let status = Command::new(scripts().join("component")).arg(self.state).arg(self.name).args(what).status().unwrap();
        assert!(status.success(), "{} {what:?}", self.name);
    }
}

/// Where the scripts are that make and drill clusters.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kubernetes/cluster")
}

/// A program that does not work at the moment; dropping this mends it, also when the test fails.
#[must_use = "it is mended at once when nobody holds this"]
pub struct Interrupted<'a> {
    component: Component<'a>,
    back: &'static str,
}

impl Drop for Interrupted<'_> {
    fn drop(&mut self) {
        self.component.tell(&[self.back]);
    }
}

/// Says which test is skipped and why. The stage shows these lines.
#[allow(clippy::print_stderr)]
pub fn skipped(why: &str) {
    eprintln!("SKIPPED {}: {why}", std::thread::current().name().unwrap_or("a test"));
}

/// Whether a node and its pods are only played (by kwok).
pub fn is_fake(node: &Node) -> bool {
    node.metadata.annotations.as_ref().is_some_and(|all| all.contains_key("kwok.x-k8s.io/node"))
}

/// Asks again until it is so; for what cannot be watched.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let until = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < until, "not after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A client of the administrator; it works as long as the runtime in which it was made.
pub async fn client(kubeconfig: &Path) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}
