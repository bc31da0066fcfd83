//! Our process is killed at every write that it makes in the cluster: what the next process finds, it finishes, and nothing
//! is there twice.
//!
//! Between the server and the API server stands a proxy that knows each write. The first time that one comes by it lets
//! it happen and kills the server before the answer is there; the second time it kills the server before it happens; the
//! third time it is let through. So a server dies around every write of every step, in the order in which they come.

use super::rig::{self, PATIENCE, Rig};
use crate::program::{Program, Server, request, sign_in};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim, Pod, Secret, Service};
use kube::api::{Api, ListParams};
use kube::client::Body;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

const PASSWORD: &str = "nine patient herons 31";

/// What the proxy knows.
struct Watchman {
    /// The step of the test, the process to kill, and how often each write of a step came by.
    state: Mutex<(String, Option<u32>, BTreeMap<String, u32>)>,
    /// Whether writes go on. They wait while something is asked for, so that nobody has to ask twice.
    gate: watch::Sender<bool>,
}

/// What becomes of a write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    KilledAfter,
    KilledBefore,
    Passes,
}

impl Watchman {
    fn fate(&self, write: &str) -> Fate {
        let mut state = self.state.lock().unwrap();
        let write = format!("{}: {write}", state.0);
        let seen = state.2.entry(write).or_default();
        *seen += 1;
        match *seen {
            1 => Fate::KilledAfter,
            2 => Fate::KilledBefore,
            _ => Fate::Passes,
        }
    }

    fn kill(&self) {
        if let Some(pid) = self.state.lock().unwrap().1.take() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }

    /// The writes of one step that a server died at.
    fn writes(&self, step: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.2.keys().filter_map(|write| write.strip_prefix(&format!("{step}: "))).map(str::to_owned).collect()
    }
}

async fn pass(watchman: Arc<Watchman>, client: Client, request: Request<Incoming>) -> Result<Response<Body>, kube::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let is_write = !matches!(parts.method, Method::GET | Method::HEAD);
    if is_write {
        let _ = watchman.gate.subscribe().wait_for(|is_open| *is_open).await;
    }
    let fate = if is_write { watchman.fate(&format!("{} {}", parts.method, parts.uri.path())) } else { Fate::Passes };
    if fate == Fate::KilledBefore {
        watchman.kill();
        return std::future::pending().await;
    }
    let mut onward = Request::builder().method(parts.method).uri(parts.uri.path_and_query().unwrap().as_str());
    for name in ["content-type", "accept", "accept-encoding"] {
        if let Some(value) = parts.headers.get(name) {
            onward = onward.header(name, value);
        }
    }
    let answer = client.send(onward.body(Body::from(body)).unwrap()).await?;
    if fate == Fate::KilledAfter {
        watchman.kill();
        return std::future::pending().await;
    }
    Ok(answer)
}

/// Serves the cluster of the rig without TLS and credentials, on a thread of its own until the test ends; answers where.
fn proxy(rig: &Rig, watchman: &Arc<Watchman>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (kubeconfig, watchman) = (rig.kubeconfig.clone(), Arc::clone(watchman));
    std::thread::spawn(move || {
        runtime().block_on(async {
            let (client, listener) = (rig::client(&kubeconfig).await, TcpListener::from_std(listener).unwrap());
            while let Ok((socket, _)) = listener.accept().await {
                let (client, watchman) = (client.clone(), Arc::clone(&watchman));
                let service = service_fn(move |request| pass(Arc::clone(&watchman), client.clone(), request));
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
    });
    address
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The server, started again whenever it died.
struct Mortal {
    program: Program,
    watchman: Arc<Watchman>,
    server: Option<Server>,
    token: String,
    deaths: u32,
}

impl Mortal {
    fn new(rig: &Rig, api: &str, watchman: Arc<Watchman>) -> Self {
        let mut program = Program::new();
        let kubeconfig = program.dir.path().join("kubeconfig");
        let context = json!({"name": "c", "context": {"cluster": "c", "user": "u"}});
        let config = json!({"apiVersion": "v1", "kind": "Config", "clusters": [{"name": "c", "cluster": {"server": format!("http://{api}")}}],
            "contexts": [context], "current-context": "c", "users": [{"name": "u", "user": {}}]});
        std::fs::write(&kubeconfig, config.to_string()).unwrap();
        let settings = [
            ("LIMITS__RATE", "off".to_owned()),
            ("CLUSTER__KIND", "kubernetes".to_owned()),
            ("CLUSTER__KUBECONFIG", kubeconfig.to_str().unwrap().to_owned()),
            ("CLUSTER__AGENT_IMAGE", rig.agent_image.clone()),
            ("CLUSTER__SERVER_CIDR", format!("{}/32", rig.outside().unwrap())),
        ];
        program.variables.extend(settings.map(|(name, value)| (format!("CODEX_WEB_{name}"), value)));
        program.add_admin("root", PASSWORD);
        let mut mortal = Self { program, watchman, server: None, token: String::new(), deaths: 0 };
        mortal.live();
        mortal.token = sign_in(&mortal.server.as_ref().unwrap().address, "root", PASSWORD);
        mortal
    }

    /// Makes sure that a server runs; answers its address.
    fn live(&mut self) -> String {
        if let Some(server) = &mut self.server
            && server.child.try_wait().unwrap().is_some()
        {
            self.server = None;
            self.deaths += 1;
        }
        if self.server.is_none() {
            let server = self.program.serve();
            self.watchman.state.lock().unwrap().1 = Some(server.child.id());
            self.server = Some(server);
        }
        self.server.as_ref().unwrap().address.clone()
    }

    /// One call, asked again where the server died over it.
    fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            let address = self.live();
            if let Some(answer) = request(&address, method, path, Some(&self.token), body) {
                return answer;
            }
            assert!(Instant::now() < until, "{method} {path}: no server lives long enough");
        }
    }

    /// Asks for something, and keeps servers running until it is so.
    fn step(&mut self, name: &str, (method, path, body): (&str, &str, Option<Value>), is_done: impl Fn(&mut Self) -> bool) {
        name.clone_into(&mut self.watchman.state.lock().unwrap().0);
        self.watchman.gate.send_replace(false);
        let (status, answer) = self.call(method, path, body.as_ref());
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        self.watchman.gate.send_replace(true);
        let until = Instant::now() + 3 * PATIENCE;
        while !is_done(self) {
            assert!(Instant::now() < until, "{name}: not done; the server died at {:?}", self.watchman.writes(name));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn status(&mut self, path: &str) -> String {
        let (status, answer) = self.call("GET", path, None);
        answer["status"].as_str().map_or_else(|| status.to_string(), str::to_owned)
    }

    /// The one of these names in a list; its id.
    fn id(&mut self, path: &str, name: &str) -> String {
        let (_, all) = self.call("GET", path, None);
        let items = all.as_array().or_else(|| all["items"].as_array()).unwrap_or_else(|| panic!("{all}")).clone();
        let found: Vec<&Value> = items.iter().filter(|item| item["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name} stands there {} times", found.len());
        found[0]["id"].as_str().unwrap().to_owned()
    }
}

/// How many objects of each kind are in the namespace, with the pod and the disk as they are told apart.
async fn held(rig: &Rig, namespace: &str) -> ([usize; 5], Option<String>, Option<String>) {
    let all = ListParams::default();
    let pods = rig.api::<Pod>(namespace).list(&all).await.unwrap().items;
    let disks = rig.api::<PersistentVolumeClaim>(namespace).list(&all).await.unwrap().items;
    let counts = [
        rig.api::<StatefulSet>(namespace).list(&all).await.unwrap().items.len(),
        rig.api::<Service>(namespace).list(&all).await.unwrap().items.len(),
        rig.api::<Secret>(namespace).list(&all).await.unwrap().items.len(),
        disks.len(),
        pods.len(),
    ];
    (counts, pods.first().and_then(ResourceExt::uid), disks.first().and_then(ResourceExt::uid))
}

/// What people did to groups and workspaces, by the audit log.
fn audited(program: &Program) -> Vec<String> {
    #[allow(clippy::disallowed_methods)] // a stranger's look at the file
    let connection = rusqlite::Connection::open(program.data().join("codex-web.db")).unwrap();
    let sql = "SELECT action FROM audit_event WHERE success = 1 AND (resource LIKE 'group:%' OR resource LIKE 'workspace:%') \
               AND action NOT LIKE 'record_%' AND action NOT LIKE '%_machine_token' ORDER BY rowid";
    connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
#[ignore = "needs a cluster: tests/run kubernetes"]
#[allow(clippy::print_stdout)] // where it died is part of what the stage shows
fn a_server_that_dies_around_every_write_loses_and_doubles_nothing() {
    let runtime = runtime();
    let Some(rig) = runtime.block_on(Rig::with_state()) else { return };
    let watchman = Arc::new(Watchman { state: Mutex::default(), gate: watch::Sender::new(true) });
    let api = proxy(&rig, &watchman);
    let namespace = format!("codex-platform-{}", rig.name("mortal"));
    rig.will_own(&namespace);
    let mut mortal = Mortal::new(&rig, &api, Arc::clone(&watchman));
    let held = || runtime.block_on(held(&rig, &namespace));

    let quota = json!({"cpu": "1", "memory": "1Gi", "storage": "2Gi", "pods": 2});
    let body = json!({"name": "mortal", "displayName": "Mortal", "namespace": namespace, "resourceQuota": quota});
    mortal.step("make the group", ("POST", "/api/groups", Some(body)), |m| {
        let id = m.id("/api/groups", "mortal");
        m.status(&format!("/api/groups/{id}")) == "active"
    });
    let group = mortal.id("/api/groups", "mortal");
    let resources = json!({"cpu": "50m", "memory": "64Mi", "storage": "64Mi"});
    let body = json!({"name": "one", "groupId": group, "image": rig.image, "resources": resources, "start": true});
    mortal.step("start", ("POST", "/api/workspaces", Some(body)), |m| {
        let id = m.id("/api/workspaces", "one");
        m.status(&format!("/api/workspaces/{id}")) == "running"
    });
    let path = format!("/api/workspaces/{}", mortal.id("/api/workspaces", "one"));
    let (counts, pod, disk) = held();
    assert_eq!(counts, [1; 5]);

    let actions = format!("{path}/actions");
    let action = |kind: &str| Some(json!({"type": kind}));
    mortal.step("stop", ("POST", &actions, action("stop")), |m| m.status(&path) == "stopped");
    assert_eq!(held(), ([1, 1, 1, 1, 0], None, disk.clone()));
    mortal.step("start again", ("POST", &actions, action("start")), |m| m.status(&path) == "running");
    let (counts, second, same_disk) = held();
    assert_eq!((counts, &same_disk), ([1; 5], &disk), "the same disk");
    assert_ne!(second, pod);
    mortal.step("restart", ("POST", &actions, action("restart")), |m| m.status(&path) == "running" && held().1 != second);
    let (counts, third, same_disk) = held();
    assert_eq!((counts, &same_disk), ([1; 5], &disk), "the same disk");
    assert!(third.is_some() && third != second);

    mortal.step("delete", ("DELETE", &path, None), |m| m.status(&path) == "404");
    assert_eq!(held().0, [0; 5], "something of the workspace is left");
    let group_path = format!("/api/groups/{group}");
    mortal.step("delete the group", ("DELETE", &group_path, None), |m| m.status(&group_path) == "404");
    let namespaces: Api<Namespace> = Api::all(rig.client.clone());
    assert!(runtime.block_on(namespaces.get_opt(&namespace)).unwrap().is_none(), "the group is told to be gone before its namespace is");

    mortal.server.take().unwrap().stop();
    mortal.program.run(&["audit", "verify"]).expect(0);
    assert_eq!(
        audited(&mortal.program),
        ["create_group", "create_workspace", "stop_workspace", "start_workspace", "restart_workspace", "delete_workspace", "delete_group"]
    );
    for (step, fewest) in
        [("make the group", 6), ("start", 4), ("stop", 1), ("start again", 1), ("restart", 2), ("delete", 4), ("delete the group", 1)]
    {
        let writes = watchman.writes(step);
        println!("{step}: died around {} writes: {}", writes.len(), writes.join(", "));
        assert!(writes.len() >= fewest, "{step}: {writes:?}");
    }
    println!("{} deaths", mortal.deaths);
    assert!(mortal.deaths >= 15, "{}", mortal.deaths);
}
