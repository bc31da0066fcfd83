//! The watches against an API server that does on the network what real ones do: restart, forget, throttle, freeze.

use super::*;
use crate::clock::SystemClock;
use crate::cluster::kubernetes::settings::KubernetesSettings;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What the API server does with a call.
enum Answer {
    Json(u16, serde_json::Value),
    Throttle(u64),
    /// Lines of a watch, as they are sent; it ends when the sender is dropped.
    Watch(mpsc::UnboundedReceiver<serde_json::Value>),
    Silence,
}

type Script = Box<dyn FnMut(&str) -> Option<Answer> + Send>;

struct Api {
    calls: Mutex<Vec<(Instant, String)>>,
    script: Mutex<Script>,
    /// Watches that nobody tells anything.
    idle: Mutex<Vec<mpsc::UnboundedSender<serde_json::Value>>>,
    is_frozen: std::sync::atomic::AtomicBool,
}

impl Api {
    fn calls(&self, part: &str) -> Vec<(Instant, String)> {
        self.calls.lock().unwrap().iter().filter(|(_, call)| call.contains(part)).cloned().collect()
    }

    fn answer(&self, call: &str) -> Answer {
        self.calls.lock().unwrap().push((Instant::now(), call.to_owned()));
        if self.is_frozen.load(std::sync::atomic::Ordering::SeqCst) {
            return Answer::Silence;
        }
        let scripted = {
            let mut script = self.script.lock().unwrap();
            (*script)(call)
        };
        if let Some(answer) = scripted {
            return answer;
        }
        if call.starts_with("/readyz") {
            return Answer::Json(200, json!("ok"));
        }
        if call.starts_with("/version") {
            return Answer::Json(200, json!({"gitVersion": "v1.34.4"}));
        }
        if call.contains("watch=true") {
            let (sender, receiver) = mpsc::unbounded_channel();
            self.idle.lock().unwrap().push(sender);
            return Answer::Watch(receiver);
        }
        list(10, &[])
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, Infallible> {
        let call = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let whole = |text: String| Full::new(Bytes::from(text)).boxed_unsync();
        Ok(match self.answer(&call) {
            Answer::Json(code, value) => Response::builder().status(code).body(whole(value.to_string())).unwrap(),
            Answer::Throttle(seconds) => {
                Response::builder().status(429).header("retry-after", seconds).body(whole("Too many requests".into())).unwrap()
            }
            Answer::Watch(receiver) => {
                let lines = stream::unfold(receiver, |mut receiver| async move {
                    let line = receiver.recv().await?;
                    Some((Ok(Frame::data(Bytes::from(format!("{line}\n")))), receiver))
                });
                Response::new(BodyExt::boxed_unsync(StreamBody::new(lines)))
            }
            Answer::Silence => std::future::pending().await,
        })
    }
}

fn list(version: u64, items: &[serde_json::Value]) -> Answer {
    Answer::Json(200, json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version.to_string()}, "items": items}))
}

fn pod(name: &str, version: u64) -> serde_json::Value {
    let managed = json!([{"manager": "kubelet", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {}}]);
    json!({"metadata": {"name": name, "namespace": "g", "resourceVersion": version.to_string(), "managedFields": managed},
        "spec": {"containers": [{"name": "workspace", "image": "x", "env": [{"name": "SECRET", "value": "y"}]}], "volumes": [{"name": "v"}]}})
}

fn told(kind: &str, object: serde_json::Value) -> serde_json::Value {
    let mut object = object;
    object["kind"] = json!("Pod");
    object["apiVersion"] = json!("v1");
    json!({"type": kind, "object": object})
}

struct Subject {
    api: Arc<Api>,
    watch: Watch,
    changes: watch::Receiver<u64>,
    _folder: tempfile::TempDir,
}

async fn begin(script: impl FnMut(&str) -> Option<Answer> + Send + 'static) -> Subject {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (script, idle) = (Mutex::new(Box::new(script) as Script), Mutex::default());
    let api = Arc::new(Api { calls: Mutex::default(), script, idle, is_frozen: false.into() });
    let serving = Arc::clone(&api);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let api = Arc::clone(&serving);
            let service = service_fn(move |request| Arc::clone(&api).serve(request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let cluster = json!({"name": "c", "cluster": {"server": format!("http://{address}")}});
    let context = json!({"name": "c", "context": {"cluster": "c", "user": "u"}});
    let users = json!([{"name": "u", "user": {}}]);
    let config =
        json!({"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context], "current-context": "c", "users": users});
    std::fs::write(&file, config.to_string()).unwrap();
    let settings = KubernetesSettings { kubeconfig: Some(file), ..KubernetesSettings::new("agent") };
    let (sender, changes) = watch::channel(0);
    let watch = Watch::start(Clients::new(Arc::new(settings)), Arc::new(SystemClock), "codex-web/installation=i", sender);
    Subject { api, watch, changes, _folder: folder }
}

impl Subject {
    /// Waits until something is so; fails after so many seconds.
    async fn until(&mut self, seconds: u64, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}: {:?}", self.watch.trouble());
            let _ = tokio::time::timeout(Duration::from_millis(100), self.changes.changed()).await;
        }
    }

    fn version(&self, name: &str) -> Option<String> {
        self.watch.find::<Pod>(Some("g"), name).and_then(|pod| pod.metadata.resource_version.clone())
    }
}

/// A script for pods alone: lists in turn, then watches in turn.
fn pods(mut lists: Vec<Answer>, mut watches: Vec<Answer>) -> impl FnMut(&str) -> Option<Answer> {
    lists.reverse();
    watches.reverse();
    move |call| {
        if !call.starts_with("/api/v1/pods?") {
            return None;
        }
        if call.contains("watch=true") { watches.pop() } else { lists.pop() }
    }
}

#[tokio::test]
async fn a_list_fills_it_a_watch_keeps_it_and_only_what_is_read_is_kept() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut subject = begin(pods(vec![list(10, &[pod("a", 3)])], vec![Answer::Watch(receiver)])).await;
    assert!(subject.watch.trouble().is_some(), "before it is filled nothing is believed");
    subject.until(10, "filled", |s| s.watch.filled().is_some() && s.watch.trouble().is_none()).await;
    let kept = subject.watch.find::<Pod>(Some("g"), "a").unwrap();
    assert!(kept.metadata.managed_fields.is_none() && kept.spec.as_ref().unwrap().volumes.is_none());
    assert!(kept.spec.as_ref().unwrap().containers[0].env.is_none());
    let mut ticks = subject.watch.pods();
    ticks.mark_unchanged();
    sender.send(told("ADDED", pod("b", 11))).unwrap();
    sender.send(told("MODIFIED", pod("a", 12))).unwrap();
    subject.until(5, "told", |s| s.version("a").as_deref() == Some("12") && s.version("b").is_some()).await;
    assert!(ticks.has_changed().unwrap(), "connections hear of pods");
    sender.send(told("DELETED", pod("a", 13))).unwrap();
    subject.until(5, "gone", |s| s.version("a").is_none()).await;
    let lists = subject.api.calls("/api/v1/pods?");
    assert!(lists[0].1.contains("labelSelector=codex-web%2Finstallation%3Di"), "{}", lists[0].1);
    assert!(subject.api.calls("/api/v1/secrets").is_empty(), "secrets are not read");
}

#[tokio::test]
async fn a_watch_that_ended_goes_on_from_the_last_bookmark() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut subject = begin(pods(vec![list(10, &[])], vec![Answer::Watch(receiver)])).await;
    sender.send(told("BOOKMARK", json!({"metadata": {"resourceVersion": "77"}}))).unwrap();
    subject.until(5, "filled", |s| s.watch.filled().is_some()).await;
    drop(sender);
    subject.until(5, "opened again", |s| s.api.calls("/api/v1/pods?").iter().filter(|(_, c)| c.contains("watch=true")).count() == 2).await;
    let calls = subject.api.calls("/api/v1/pods?");
    assert!(calls[2].1.contains("resourceVersion=77") && calls[2].1.contains("timeoutSeconds="), "{}", calls[2].1);
    assert_eq!(calls.len(), 3, "it was not listed again");
    assert_eq!(subject.watch.trouble(), None, "the end of a watch is no trouble");
}

#[tokio::test]
async fn a_version_that_is_not_kept_any_more_is_listed_again() {
    let (sender, receiver) = mpsc::unbounded_channel();
    let lists = vec![list(10, &[pod("a", 3)]), list(2_311, &[pod("b", 2_300)])];
    let mut subject = begin(pods(lists, vec![Answer::Watch(receiver)])).await;
    subject.until(5, "filled", |s| s.version("a").is_some()).await;
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version: 2309 (2311)"});
    sender.send(json!({"type": "ERROR", "object": status})).unwrap();
    subject.until(5, "listed again", |s| s.version("b").is_some() && s.version("a").is_none()).await;
    assert_eq!(subject.watch.trouble(), None);
}

#[tokio::test]
async fn a_throttled_call_waits_as_long_as_it_is_told() {
    let mut subject = begin(pods(vec![Answer::Throttle(2), list(10, &[pod("a", 3)])], Vec::new())).await;
    subject.until(10, "filled", |s| s.version("a").is_some()).await;
    let calls = subject.api.calls("/api/v1/pods?");
    assert!(calls[1].0.duration_since(calls[0].0) >= Duration::from_secs(2), "{calls:?}");
}

#[tokio::test]
async fn what_may_not_be_seen_is_named_and_only_the_needful_stops_everything() {
    let forbid = |what: &'static str| {
        move |call: &str| {
            let refusal = json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": format!("{what} is forbidden")});
            call.contains(&format!("/{what}?")).then(|| Answer::Json(403, refusal))
        }
    };
    let mut subject = begin(forbid("events")).await;
    subject.until(5, "filled", |s| s.watch.filled().is_some()).await;
    assert_eq!(subject.watch.trouble(), None);
    assert_eq!(subject.watch.blind_spots(), [("events", "events is forbidden".to_owned())]);
    assert!(!subject.watch.sees::<Event>() && subject.watch.sees::<Node>());
    let mut subject = begin(forbid("statefulsets")).await;
    subject.until(5, "named", |s| s.watch.trouble().is_some_and(|why| why.contains("statefulsets is forbidden"))).await;
    assert_eq!(subject.watch.filled(), None);
}

#[tokio::test]
async fn an_api_server_that_freezes_is_not_believed_and_everything_goes_on_after_it() {
    let mut subject = begin(|_: &str| None).await;
    subject.until(5, "filled", |s| s.watch.filled().is_some() && s.watch.trouble().is_none()).await;
    let watches = subject.api.calls("watch=true").len();
    subject.api.is_frozen.store(true, std::sync::atomic::Ordering::SeqCst);
    subject.until(25, "noticed", |s| s.watch.trouble().is_some_and(|why| why.contains("does not answer"))).await;
    subject.api.is_frozen.store(false, std::sync::atomic::Ordering::SeqCst);
    subject.until(10, "believed again", |s| s.watch.trouble().is_none()).await;
    subject.until(10, "opened anew", |s| s.api.calls("watch=true").len() >= watches + KINDS).await;
    let lists = subject.api.calls("limit=").len();
    assert_eq!(lists, KINDS, "each goes on where it stopped: nothing is listed again");
}

#[tokio::test]
async fn an_api_server_without_its_database_is_not_ready() {
    let mut subject = begin(|call: &str| call.starts_with("/readyz").then(|| Answer::Json(500, json!("x"))).or_else(|| None)).await;
    subject.until(15, "noticed", |s| s.watch.trouble().is_some_and(|why| why.contains("not ready"))).await;
}

#[tokio::test]
async fn standing_still_costs_next_to_nothing() {
    let mut subject = begin(|_: &str| None).await;
    subject.until(5, "filled", |s| s.watch.filled().is_some() && s.watch.version().is_some()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = subject.api.calls("/").len();
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(subject.api.calls("/").len() - before <= 2, "{:?}", subject.api.calls("/").split_off(before));
}
