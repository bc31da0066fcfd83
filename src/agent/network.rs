//! The agent's door on a network: one port on every address of the pod, at which anybody may knock who can reach it.
//!
//! Whoever shows no ticket is a stranger: there are only so many at a time, each is heard for a few seconds, and the one
//! who has waited longest goes when another knocks. So strangers cannot keep the server out, whatever they do, and
//! probes of the container runtime are just short visits. What is behind the door is the same as on a unix socket.

use crate::agent::visit::Visit;
use crate::agent::{Agent, http};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen as listen_on, socket_with, sockopt};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

/// Connections without a ticket that are heard at once.
const STRANGERS: usize = 128;
/// How long one may take to show its ticket.
const KNOCK: Duration = Duration::from_secs(10);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// A silent connection is asked after this long whether its other end is still there, and then this often.
const QUIET: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// After a connection could not be accepted: out of descriptors, mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on this port of every address; a kernel may lack one of the two families.
pub fn listen(port: u16) -> io::Result<Vec<TcpListener>> {
    let anywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let mut listeners = Vec::new();
    for address in anywhere {
        match listen_at(SocketAddr::from((address, port))) {
            Ok(listener) => listeners.push(listener),
            Err(error) if lacks_family(&error) && !(address.is_ipv6() && listeners.is_empty()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

fn lacks_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// One address and family: what the system's settings make of an IPv6 socket is left aside.
pub fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    listen_on(&socket, BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Who stands at the door of an agent: shared by its listeners.
#[derive(Clone)]
pub struct Guests {
    strangers: Arc<Mutex<VecDeque<Arc<Notify>>>>,
    known: Arc<Semaphore>,
}

impl Guests {
    /// At most so many connections with a ticket.
    pub fn new(most: usize) -> Self {
        Self { strangers: Arc::default(), known: Arc::new(Semaphore::new(most)) }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arc<Notify>>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a stranger in; whoever has waited longest makes room.
    fn knock(&self) -> Stranger {
        let sent_away = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        if waiting.len() >= STRANGERS
            && let Some(eldest) = waiting.pop_front()
        {
            eldest.notify_one();
        }
        waiting.push_back(Arc::clone(&sent_away));
        Stranger { guests: self.clone(), sent_away }
    }
}

/// A place among the strangers, until it is dropped.
struct Stranger {
    guests: Guests,
    sent_away: Arc<Notify>,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.guests.waiting().retain(|other| !Arc::ptr_eq(other, &self.sent_away));
    }
}

/// Accepts connections. Never ends by itself.
pub async fn serve(listener: TcpListener, agent: Arc<Agent>, guests: Guests) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(visit(stream, Arc::clone(&agent), guests.clone()))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn visit(stream: TcpStream, agent: Arc<Agent>, guests: Guests) {
    let Ok(here) = stream.local_addr() else { return };
    if prepare(&stream).is_err() {
        return;
    }
    let visit = Arc::new(Visit::at(here.ip()));
    let stranger = guests.knock();
    let serving = http::serve_visit(agent, stream, Arc::clone(&visit));
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return,
        () = visit.welcome() => {}
        () = stranger.sent_away.notified() => return,
        () = tokio::time::sleep(KNOCK) => return,
    }
    drop(stranger);
    let Ok(_place) = guests.known.try_acquire() else { return };
    serving.await;
}

/// Small answers leave at once, and the end of a server that vanished is noticed.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, QUIET)?;
    Ok(sockopt::set_tcp_keepintvl(stream, ASK_AGAIN)?)
}
