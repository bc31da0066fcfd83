//! The short way for the many small exchanges of a page with its app: a request without a body of somebody who may be
//! there, on a plain connection.
//!
//! The rules are those of [`super::entry`] and [`super::headers`]; what is saved are the framework before them and the
//! client library after them, half of what such a request costs. Whatever is not simple (a stranger, a body, a
//! socket, an address of our own, a refusal, an app that does not answer) leaves this way before a byte of an answer was
//! sent, with all that was read, and is the framework's from there on, connection and all. The one thing that is said
//! here is why somebody who waits gets no answer any more.

mod answer;
mod chunks;
mod head;
mod pass;
mod wires;

use self::answer::Answer;
use self::head::Head;
use self::pass::pass_on;
use self::wires::{Key, Taut, Wires};
use super::apps::{Cookie, is_reserved};
use super::entry::{Asker, asker, is_document, is_here, origin};
use super::intake::{HEADER_TIME, KEEP_ALIVE};
use super::names::Place;
use super::proxy::ended;
use super::visits::{Held, over};
use super::{Gateway, client, headers, place, ports};
use crate::events::{CutReason, Live};
use crate::gateway::agents::Wire;
use crate::gateway::asked::Asked;
use crate::gateway::headers::Told;
use crate::identity::address::ForwardedHeaders;
use crate::token::opaque::{APP_SESSION_PREFIX, presented};
use crate::transport::origin::parse_authority;
use bytes::{Buf, Bytes, BytesMut};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// How long the last word to a client may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Read from a client at once, in bytes: more than common heads have.
const HEAD: usize = 8 * 1024;
/// Read from an app at once, in bytes.
const PIECE: usize = 64 * 1024;

/// The short way of one worker.
pub struct Lane {
    gateway: Gateway,
    wires: Rc<Wires>,
}

/// What came of a request.
enum Outcome {
    /// It was answered; the next one may come on this connection.
    Answered(Rc<Guest>),
    /// It is the framework's; nothing was answered.
    Other,
    /// The connection ends: the client is gone, or what was begun cannot be completed.
    Over,
    /// The visit or the workspace's run ended before anything was answered.
    Cut(Option<CutReason>),
}

/// Why somebody waits no longer.
enum Ended {
    Gone,
    Cut(Option<CutReason>),
}

/// Who asks on a connection, and where: found out once, as long as the requests say the same.
struct Guest {
    held: Arc<Held>,
    place: Place,
    /// What a request showed for it.
    authority: String,
    cookie: String,
    /// The app's one origin.
    host: String,
    address: IpAddr,
    /// No proxy speaks of somebody else; behind one, each request may come from another.
    came_itself: bool,
}

/// Whether no header speaks of a client that is not the peer.
fn came_itself(head: &Head<'_, '_>) -> bool {
    head.text("forwarded").is_none() && head.text("x-forwarded-for").is_none()
}

/// A request that may be passed on.
struct Admitted {
    /// How long its head is, in bytes.
    length: usize,
    guest: Rc<Guest>,
    /// The page that asks is another app of the same workspace.
    shared: bool,
    is_head: bool,
    /// As the app gets it.
    request: Vec<u8>,
}

impl Guest {
    /// Whether a request shows the same as the one before it, and the visit goes on.
    fn shows(&self, head: &Head<'_, '_>) -> bool {
        let mut cookies = head.lines("cookie");
        head.authority == self.authority
            && cookies.next() == Some(&self.cookie)
            && cookies.next().is_none()
            && self.came_itself
            && came_itself(head)
            && self.held.goes_on()
    }
}

impl Lane {
    pub fn new(gateway: Gateway) -> Rc<Self> {
        Rc::new(Self { gateway, wires: Wires::new() })
    }

    /// Serves a connection as long as its requests are simple ones of apps; gives it back, with what was read and not
    /// answered, where one is not. `port` is the app's own, where it has one; `stopping` completes when the server stops,
    /// and ends a connection that has asked for nothing yet. Others end with their visit.
    pub async fn serve(&self, mut client: TcpStream, port: Option<u16>, stopping: impl Future<Output = ()>) -> Option<(TcpStream, Bytes)> {
        let peer = client.peer_addr().ok()?.ip();
        let mut read = BytesMut::with_capacity(HEAD);
        let begun = tokio::select! {
            biased;
            begun = more(&mut client, &mut read, HEADER_TIME) => begun,
            () = stopping => false,
        };
        if !begun {
            return None;
        }
        let mut last = None;
        loop {
            match self.exchange(&mut client, peer, port, &mut read, last.as_ref()).await {
                Outcome::Answered(guest) => {
                    let held = &last.insert(guest).held;
                    let next = async { !read.is_empty() || more(&mut client, &mut read, KEEP_ALIVE).await };
                    let next = tokio::select! {
                        biased;
                        next = next => next,
                        () = over(held.cut.clone()) => false,
                    };
                    if !next {
                        return None;
                    }
                }
                Outcome::Other => return Some((client, read.freeze())),
                Outcome::Over | Outcome::Cut(_) => return None,
            }
        }
    }

    async fn exchange(
        &self,
        client: &mut TcpStream,
        peer: IpAddr,
        port: Option<u16>,
        read: &mut BytesMut,
        last: Option<&Rc<Guest>>,
    ) -> Outcome {
        let began = Instant::now();
        let Some(admitted) = self.admitted(peer, port, read, last).await else { return Outcome::Other };
        let entrance = &admitted.guest.held.visit.entrance;
        let key: Key = (entrance.workspace.clone(), entrance.run, admitted.guest.place.target.clone());
        let (mut wire, answer) = match self.asked(client, &key, &admitted).await {
            Ok(begun) => begun,
            Err(Outcome::Cut(reason)) => {
                let words = answer::farewell(&ended(reason));
                let _ = tokio::time::timeout(FAREWELL, client.write_all(&words)).await;
                return Outcome::Over;
            }
            Err(outcome) => return outcome,
        };
        read.advance(admitted.length);
        let passed = pass_on(client, &mut wire, &answer, &admitted).await;
        tracing::debug!(
            target: "codex_web::access",
            host = %admitted.guest.held.visit.host,
            status = answer.status,
            milliseconds = began.elapsed().as_secs_f64() * 1_000.0,
            "an app was asked"
        );
        if !passed {
            return Outcome::Over;
        }
        if answer.keeps {
            self.wires.give_back(key, wire);
        }
        Outcome::Answered(admitted.guest)
    }

    /// Whether a request is simple, and who asks may be there.
    async fn admitted(&self, peer: IpAddr, port: Option<u16>, read: &[u8], last: Option<&Rc<Guest>>) -> Option<Admitted> {
        let mut room = [httparse::EMPTY_HEADER; head::MOST_HEADERS];
        let (head, length) = Head::simple(read, &mut room)?;
        if is_reserved(head.path) {
            return None;
        }
        // Whose a port is, is looked up with every request: it may be given to another app.
        let guest = match last.filter(|last| port.is_none() && last.shows(&head)) {
            Some(last) => Rc::clone(last),
            None => Rc::new(self.guest(peer, port, &head).await?),
        };
        let shared = match asker(&self.gateway, &guest.place, &guest.host, &head) {
            Asker::Own => false,
            Asker::SameWorkspace => true,
            Asker::Foreign => return None,
        };
        let told = Told { host: head.authority, client: guest.address, scheme: self.gateway.apps.scheme() };
        let headers = headers::inward(head.headers(), &told).ok()?;
        if is_document(&head) == Some(true) {
            guest.held.count_a_page();
        }
        Some(Admitted { length, guest, shared, is_head: head.method() == "HEAD", request: head::written(&head, &headers) })
    }

    /// Who asks, if it is somebody who may be there.
    async fn guest(&self, peer: IpAddr, port: Option<u16>, head: &Head<'_, '_>) -> Option<Guest> {
        let (gateway, apps) = (&self.gateway, &self.gateway.apps);
        let (place, host) = self.destination(head, port)?;
        let (forwarded, x_forwarded_for) = (head.lines("forwarded").collect::<Vec<_>>(), head.lines("x-forwarded-for").collect::<Vec<_>>());
        let forwarded = ForwardedHeaders { forwarded: &forwarded, x_forwarded_for: &x_forwarded_for };
        let address = client::address_of(&apps.transport, &apps.trusted_proxies, peer, &forwarded).ok()?;
        let mut cookies = apps.cookies(head, Cookie::Session, port).into_iter();
        // Which of several opens is for the framework to find out.
        let (Some(cookie), None) = (cookies.next(), cookies.next()) else { return None };
        let hash = presented(APP_SESSION_PREFIX, &cookie)?;
        let turn = if apps.visits.knows(&hash) {
            None
        } else if apps.knocks.is_dead(&hash) {
            return None;
        } else {
            apps.knocks.turn(address, gateway.clock.now()).await.ok()?
        };
        let held = apps.visits.find(&gateway.ops, || origin(gateway, address, head), hash).await.ok()??;
        drop(turn);
        let guest = Guest {
            held,
            place,
            authority: head.authority.to_owned(),
            cookie: head.text("cookie")?.to_owned(),
            host,
            address,
            came_itself: came_itself(head),
        };
        is_here(&guest.held, &guest.place, &guest.host).then_some(guest)
    }

    /// The app that is meant, and its one origin.
    fn destination(&self, head: &Head<'_, '_>, port: Option<u16>) -> Option<(Place, String)> {
        let names = &self.gateway.apps.names;
        let Some(port) = port else {
            let place = names.place(head.authority)?;
            let origin = names.origin(&place, None).to_string();
            return Some((place, origin));
        };
        let place = self.gateway.apps.ports.tenant(port).as_ref().and_then(ports::place)?;
        let own = names.origin(&place, Some(port));
        let (host, _) = parse_authority(head.authority)?;
        (host == own.host).then(|| (place, own.to_string()))
    }

    /// Sends the request on, and reads the head of the answer.
    async fn asked(&self, client: &TcpStream, key: &Key, admitted: &Admitted) -> Result<(Taut, Answer), Outcome> {
        let entrance = &admitted.guest.held.visit.entrance;
        // What was kept may have been closed by the app in this moment; what is sent here may be sent again.
        while let Some(mut wire) = self.wires.take(key) {
            match begin(client, &mut wire, admitted).await {
                Ok(answer) => return Ok((wire, answer)),
                Err(Outcome::Other) => {}
                Err(outcome) => return Err(outcome),
            }
        }
        let agent = place(&entrance.workspace, &entrance.namespace, entrance.run);
        let wire = self.gateway.agents.wire(&agent, &key.2).await.map_err(|_| Outcome::Other)?;
        let mut wire = Taut::new(wire);
        let answer = begin(client, &mut wire, admitted).await?;
        Ok((wire, answer))
    }
}

/// Reads more of what a client sends; `false` where its connection ends.
async fn more(client: &mut TcpStream, read: &mut BytesMut, patience: Duration) -> bool {
    read.reserve(HEAD);
    tokio::time::timeout(patience, client.read_buf(read)).await.is_ok_and(|count| count.is_ok_and(|count| count > 0))
}

/// Does something as long as the visit and the workspace's run last, and the client is there.
async fn unless_over<T>(held: &Held, live: &mut Live, client: &TcpStream, work: impl Future<Output = T>) -> Result<T, Ended> {
    let gone = async {
        // What it sends meanwhile is its next request; nothing more is the end.
        match client.peek(&mut [0]).await {
            Ok(0) | Err(_) => {}
            Ok(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = over(held.cut.clone()) => Err(Ended::Cut(*held.cut.borrow())),
        reason = live.cut() => Err(Ended::Cut(Some(reason))),
        () = gone => Err(Ended::Gone),
    }
}

/// Writes the request, and reads until the head of the answer is there.
async fn begin(client: &TcpStream, wire: &mut Taut, admitted: &Admitted) -> Result<Answer, Outcome> {
    let Taut { wire: Wire { stream, live, .. }, read } = wire;
    let asked = async {
        stream.write_all(&admitted.request).await.map_err(|_| Outcome::Other)?;
        loop {
            read.reserve(PIECE);
            if stream.read_buf(read).await.is_ok_and(|count| count > 0) {
                match Answer::of(read, admitted.is_head) {
                    answer::Read::Whole(answer) => return Ok(answer),
                    answer::Read::Part => {}
                    answer::Read::Malformed => return Err(Outcome::Other),
                }
            } else {
                return Err(Outcome::Other);
            }
        }
    };
    unless_over(&admitted.guest.held, live, client, asked).await.unwrap_or_else(|ended| {
        Err(match ended {
            Ended::Gone => Outcome::Over,
            Ended::Cut(reason) => Outcome::Cut(reason),
        })
    })
}
