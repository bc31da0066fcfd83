//! Both ways to a real agent behind a real socket; the API server is a stand-in that speaks its port-forward.

use super::*;
use crate::agent::network::{self, Guests};
use crate::agent::{Agent, program::EchoPrograms};
use crate::clock::{Clock, SystemClock, SystemEntropy};
use crate::cluster::agent_client::{AgentError, list_sessions, renew_trust};
use crate::cluster::kubernetes::KubernetesSettings;
use crate::domain::agent::AgentOrder;
use crate::domain::id::WorkspaceId;
use crate::token::keys::{Family, SigningKey};
use crate::token::ticket::{Scope, TicketSigner, Wanted};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use zeroize::Zeroizing;

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// An address to which the kernel sends nothing.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

fn proof() -> ProofKey {
    ProofKey::new(Zeroizing::new([9; 32]))
}

fn signer(n: usize) -> &'static TicketSigner {
    static SIGNERS: [OnceLock<TicketSigner>; 2] = [OnceLock::new(), OnceLock::new()];
    SIGNERS[n].get_or_init(|| TicketSigner::new(Arc::new(SigningKey::generate(Family::Machine).unwrap()), "codex-web").unwrap())
}

fn workspace(n: u8, run: i64) -> WorkspaceRef {
    WorkspaceRef { id: WorkspaceId::trusted(format!("ws_{n:032}")), namespace: "team".to_owned(), run }
}

fn ticket(signer: &TicketSigner, workspace: &WorkspaceRef, scope: Scope) -> String {
    let wanted = Wanted { workspace: &workspace.id, run: workspace.run, actor: None, scope: &[scope] };
    signer.mint(&wanted, SystemClock.now(), &SystemEntropy).unwrap()
}

/// An agent of this run, on this address; its port.
fn agent(workspace: &WorkspaceRef, address: IpAddr, port: u16) -> u16 {
    let order = AgentOrder {
        jwks: signer(0).jwks(),
        issuer: "codex-web".to_owned(),
        proof: Some(proof().secret(&workspace.id, workspace.run).to_text()),
        ..AgentOrder::bare(workspace.id.clone(), workspace.run, "/tmp".to_owned())
    };
    let agent = Agent::new(&order, Box::new(EchoPrograms), Arc::new(SystemClock)).unwrap();
    let listener = network::listen_at(SocketAddr::new(address, port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(network::serve(listener, agent, Guests::new(16)));
    port
}

/// What the watch would show.
struct Shown {
    pods: Mutex<BTreeMap<WorkspaceId, (i64, Seen)>>,
    changed: watch::Sender<u64>,
}

impl Shown {
    fn show(&self, workspace: &WorkspaceRef, uid: &str, address: Option<IpAddr>) {
        let (name, namespace) = (format!("pod-{}", workspace.id.hex()), workspace.namespace.clone());
        let seen = Seen { name, namespace, uid: uid.to_owned(), address, ending: false };
        self.pods.lock().unwrap().insert(workspace.id.clone(), (workspace.run, seen));
        self.changed.send_modify(|n| *n += 1);
    }

    fn forget(&self, workspace: &WorkspaceRef) {
        self.pods.lock().unwrap().remove(&workspace.id);
        self.changed.send_modify(|n| *n += 1);
    }
}

impl Pods for Shown {
    fn pod(&self, workspace: &WorkspaceRef) -> Result<Seen, ClusterError> {
        let pods = self.pods.lock().unwrap();
        pods.get(&workspace.id).filter(|(run, _)| *run == workspace.run).map(|(_, seen)| seen.clone()).ok_or(ClusterError::Gone)
    }

    fn any(&self) -> Option<WorkspaceRef> {
        None
    }

    fn changes(&self) -> Result<watch::Receiver<u64>, ClusterError> {
        Ok(self.changed.subscribe())
    }
}

fn shown() -> Arc<Shown> {
    Arc::new(Shown { pods: Mutex::default(), changed: watch::Sender::new(0) })
}

/// A connector; where it may ask an API server, by the address of one.
fn connector(wish: Connect, pods: &Arc<Shown>, port: u16, api: Option<SocketAddr>) -> (Connector, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kubeconfig");
    let api = api.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9)));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: t\nclusters: [{{name: t, cluster: {{server: 'http://{api}'}}}}]\n\
         contexts: [{{name: t, context: {{cluster: t, user: t}}}}]\nusers: [{{name: t, user: {{}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    let settings = KubernetesSettings { kubeconfig: Some(file), ..KubernetesSettings::new("agent") };
    let parts = Parts {
        wish,
        clients: Clients::new(Arc::new(settings)),
        pods: Arc::clone(pods) as Arc<dyn Pods>,
        proof: proof(),
        entropy: Arc::new(SystemEntropy),
        port,
    };
    (Connector::new(parts), dir)
}

/// A listener whose connections hold little on their way, however generous the kernel is.
fn narrow() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    socket.listen(16).unwrap()
}

/// An API server that forwards to this address of this machine, or says what went wrong on the error channel.
fn api_server(target: Result<SocketAddr, &'static str>) -> SocketAddr {
    let listener = narrow();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(forwarded(stream, target));
        }
    });
    address
}

/// The answer to a handshake of the API's port-forward.
fn agreed(request: &Request, mut response: Response) -> Response {
    assert!(request.uri().path().ends_with("/portforward"), "{}", request.uri());
    response.headers_mut().insert("sec-websocket-protocol", "v4.channel.k8s.io".parse().unwrap());
    response
}

async fn forwarded(stream: TcpStream, target: Result<SocketAddr, &'static str>) {
    use futures_util::{SinkExt, StreamExt};
    let asked = Arc::new(Mutex::new(0_u16));
    let noted = Arc::clone(&asked);
    #[allow(clippy::result_large_err)] // the signature is the library's
    let callback = move |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        *noted.lock().unwrap() = request.uri().query().unwrap().rsplit('=').next().unwrap().parse().unwrap();
        Ok(agreed(request, response))
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
    let (mut send, mut receive) = socket.split();
    let port = asked.lock().unwrap().to_le_bytes();
    for channel in [0, 1] {
        send.send(Message::Binary(vec![channel, port[0], port[1]].into())).await.unwrap();
    }
    let target = match target {
        Ok(target) => TcpStream::connect(target).await.unwrap(),
        Err(words) => {
            let _ = send.send(Message::Binary([&[1], words.as_bytes()].concat().into())).await;
            return;
        }
    };
    let (mut from, mut to) = target.into_split();
    let up = async {
        while let Some(Ok(message)) = receive.next().await {
            if let Message::Binary(bytes) = message
                && to.write_all(&bytes[1..]).await.is_err()
            {
                return;
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            if send.send(Message::Binary([&[0], &buffer[..n]].concat().into())).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = up => {} () = down => {} }
}

#[tokio::test]
async fn a_pod_is_reached_at_its_address_and_its_agent_takes_the_ticket() {
    let (pods, one) = (shown(), workspace(1, 3));
    let port = agent(&one, ONE, 0);
    pods.show(&one, "uid-1", Some(ONE));
    let (connector, _dir) = connector(Connect::Auto, &pods, port, None);
    let stream = connector.connect(&one).await.unwrap();
    assert!(list_sessions(stream, &ticket(signer(0), &one, Scope::Term)).await.unwrap().is_empty());
    assert_eq!(connector.way(), Some(Way::Direct));
    // Without its ticket the agent says nothing, and a ticket for another run is none.
    for wrong in [String::new(), ticket(signer(0), &workspace(1, 4), Scope::Term), ticket(signer(1), &one, Scope::Term)] {
        let refused = list_sessions(connector.connect(&one).await.unwrap(), &wrong).await;
        assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn an_address_that_went_to_another_pod_is_noticed_before_anything_is_told() {
    let (pods, one, other) = (shown(), workspace(1, 3), workspace(2, 1));
    let port = agent(&one, ONE, 0);
    agent(&other, TWO, port);
    let (connector, _dir) = connector(Connect::Direct, &pods, port, None);
    // The watch is late: it shows the address that the pod of the other workspace has by now.
    pods.show(&one, "uid-1", Some(TWO));
    let refused = connector.connect(&one).await.err();
    assert!(matches!(&refused, Some(ClusterError::Transient(why)) if why.contains("not its agent")), "{refused:?}");
    // And an earlier run is no better.
    pods.show(&workspace(1, 4), "uid-2", Some(ONE));
    let refused = connector.connect(&workspace(1, 4)).await.err();
    assert!(matches!(&refused, Some(ClusterError::Transient(why)) if why.contains("not its agent")), "{refused:?}");
    assert_eq!(connector.connect(&one).await.err(), Some(ClusterError::Gone), "this run has no pod any more");
}

#[tokio::test]
async fn without_a_route_the_api_server_carries_the_bytes_until_there_is_one() {
    let (pods, one) = (shown(), workspace(1, 3));
    let port = agent(&one, ONE, 0);
    let api = api_server(Ok(SocketAddr::new(ONE, port)));
    pods.show(&one, "uid-1", Some(NOWHERE));
    let (connector, _dir) = connector(Connect::Auto, &pods, port, Some(api));
    assert!(connector.told().contains("first workspace"), "{}", connector.told());
    for _ in 0..2 {
        let stream = connector.connect(&one).await.unwrap();
        assert!(list_sessions(stream, &ticket(signer(0), &one, Scope::Term)).await.unwrap().is_empty());
        assert_eq!(connector.way(), Some(Way::Forward));
        assert!(connector.told().contains("API server") && connector.told().contains("255.255.255.255"), "{}", connector.told());
    }
    // The network changes, and after a while that is noticed.
    pods.show(&one, "uid-1", Some(ONE));
    connector.found().tried = None;
    drop(connector.connect(&one).await.unwrap());
    for _ in 0..500 {
        if connector.way() == Some(Way::Direct) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it still goes through the API server: {}", connector.told());
}

#[tokio::test]
async fn what_the_cluster_cannot_forward_is_told_in_its_words() {
    let (pods, one) = (shown(), workspace(1, 3));
    let api = api_server(Err("error forwarding port 7681: dial tcp4 127.0.0.1:7681: connect: connection refused"));
    pods.show(&one, "uid-1", Some(NOWHERE));
    let (connector, _dir) = connector(Connect::PortForward, &pods, 7681, Some(api));
    let refused = connector.connect(&one).await.err();
    assert!(matches!(&refused, Some(ClusterError::Transient(why)) if why.contains("connection refused")), "{refused:?}");
}

#[tokio::test]
async fn connections_end_with_their_pod_and_not_with_another() {
    let (pods, one, other) = (shown(), workspace(1, 3), workspace(2, 1));
    let port = agent(&one, ONE, 0);
    agent(&other, TWO, port);
    pods.show(&one, "uid-1", Some(ONE));
    pods.show(&other, "uid-2", Some(TWO));
    let (connector, _dir) = connector(Connect::Direct, &pods, port, None);
    let mut first = connector.connect(&one).await.unwrap();
    let mut second = connector.connect(&other).await.unwrap();
    // Its node is gone, and a new pod of the same name takes its place: nothing of the old connection says so.
    pods.show(&one, "uid-9", Some(ONE));
    let mut byte = [0];
    let ended = tokio::time::timeout(Duration::from_secs(5), first.read(&mut byte)).await.unwrap();
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
    assert!(first.read(&mut byte).await.is_err(), "it stays ended");
    assert!(tokio::time::timeout(Duration::from_millis(100), second.read(&mut byte)).await.is_err(), "the other one goes on");
    pods.forget(&other);
    assert!(tokio::time::timeout(Duration::from_secs(5), second.read(&mut byte)).await.unwrap().is_err());
}

#[tokio::test]
async fn keys_that_were_given_away_are_replaced_over_the_network() {
    let (pods, one) = (shown(), workspace(1, 3));
    let port = agent(&one, ONE, 0);
    pods.show(&one, "uid-1", Some(ONE));
    let (connector, _dir) = connector(Connect::Direct, &pods, port, None);
    let (old, new) = (signer(0), signer(1));
    renew_trust(connector.connect(&one).await.unwrap(), &ticket(old, &one, Scope::Admin), &new.jwks()).await.unwrap();
    let refused = list_sessions(connector.connect(&one).await.unwrap(), &ticket(old, &one, Scope::Term)).await;
    assert!(matches!(refused, Err(AgentError::Refused { status: 401, .. })), "{refused:?}");
    list_sessions(connector.connect(&one).await.unwrap(), &ticket(new, &one, Scope::Term)).await.unwrap();
}

/// A port behind an API server where everything comes back that is sent, as a forwarded connection.
async fn forwarded_echo(pods: &Arc<Shown>) -> (impl AsyncRead + AsyncWrite + Send + Unpin + use<>, tempfile::TempDir) {
    let echo = narrow();
    let target = echo.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = echo.accept().await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    });
    let one = workspace(1, 3);
    pods.show(&one, "uid-1", None);
    let (connector, dir) = connector(Connect::PortForward, pods, 7681, Some(api_server(Ok(target))));
    (forward::open(&connector.0.parts.clients, &pods.pod(&one).unwrap(), 7681).await.unwrap(), dir)
}

#[tokio::test]
async fn what_is_written_to_a_forwarded_port_goes_out_without_a_flush() {
    let (mut stream, _dir) = forwarded_echo(&shown()).await;
    let mut answer = [0; 5];
    for word in [b"hello", b"again"] {
        stream.write_all(word).await.unwrap();
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read).await.expect("it waits for a flush").unwrap();
        assert_eq!(&answer, word);
    }
}

#[tokio::test]
async fn a_forwarded_port_carries_every_byte_both_ways_at_once_and_waits_for_slow_readers() {
    // More than the buffers of our own end, which the kernel lets grow.
    const ALL: usize = 32 * 1024 * 1024;
    let (stream, _dir) = forwarded_echo(&shown()).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let sent: Vec<u8> = (0..ALL).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let written = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (count, bytes) = (Arc::clone(&written), sent.clone());
    let writing = tokio::spawn(async move {
        for chunk in bytes.chunks(100_000) {
            write.write_all(chunk).await.unwrap();
            write.flush().await.unwrap();
            count.fetch_add(chunk.len(), std::sync::atomic::Ordering::SeqCst);
        }
        write
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = written.load(std::sync::atomic::Ordering::SeqCst);
    assert!(ahead < ALL, "nobody has read anything, and all of it was taken");
    let mut received = vec![0; ALL];
    tokio::time::timeout(Duration::from_secs(60), read.read_exact(&mut received)).await.unwrap().unwrap();
    assert!(received == sent, "what came back is not what was sent");
    writing.await.unwrap().shutdown().await.unwrap();
}
