//! One connection to the agent: where it came in, and the ticket that it has shown.
//!
//! The first request of a connection brings the ticket; what stands in later requests, or after the ticket in the
//! first, is meant for an app.

use crate::agent::Agent;
use crate::agent::http::{Answer, refuse};
use crate::token::ticket::TicketClaims;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use hyper::{StatusCode, Uri};
use serde_json::json;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// One connection.
#[derive(Debug, Default)]
pub struct Visit {
    /// This end's address, where it came over a network; anybody may have opened it then.
    address: Option<IpAddr>,
    /// What its ticket said, once it was shown.
    claims: Mutex<Option<TicketClaims>>,
    shown: Notify,
}

impl Visit {
    /// A connection that arrived at this address.
    pub fn at(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// Whether only the server can have opened it.
    pub fn is_private(&self) -> bool {
        self.address.is_none()
    }

    /// Waits until a good ticket was shown.
    pub async fn welcome(&self) {
        self.shown.notified().await;
    }

    /// The ticket of this connection: taken out of its first request, remembered after that.
    pub fn pass(&self, agent: &Agent, headers: &mut HeaderMap) -> Result<TicketClaims, Box<Answer>> {
        let mut held = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = &*held {
            return Ok(claims.clone());
        }
        let ticket = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        let Some(ticket) = ticket else {
            return Err(Box::new(refuse(StatusCode::UNAUTHORIZED, "ticket_missing", "a connection opens with an agent ticket")));
        };
        match agent.accept(ticket) {
            Ok(claims) => {
                let others: Vec<HeaderValue> = headers.get_all(AUTHORIZATION).iter().skip(1).cloned().collect();
                headers.remove(AUTHORIZATION);
                headers.extend(others.into_iter().map(|value| (AUTHORIZATION, value)));
                self.shown.notify_one();
                Ok(held.insert(claims).clone())
            }
            Err(error) => Err(Box::new(refuse(StatusCode::UNAUTHORIZED, "ticket_refused", &error.to_string()))),
        }
    }

    /// The answer to whoever asks whose agent this is; the server asks so before it says anything else.
    pub fn prove(&self, agent: &Agent, address: &Uri) -> Answer {
        let question = address.query().and_then(|query| query.strip_prefix("question=")).unwrap_or_default();
        let proof = self.address.and_then(|here| agent.proof()?.answer(question, here));
        match proof {
            Some(proof) => crate::agent::http::answer(StatusCode::OK, &json!({ "proof": proof })),
            None => refuse(StatusCode::NOT_FOUND, "not_found", "there is no such route"),
        }
    }
}
