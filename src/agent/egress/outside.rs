//! The outside as the server opens it: tunnels over the uplink.

use super::{Outside, Refusal, Stream};
use crate::agent::uplink::{ConnectError, Uplink};
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use serde::Deserialize;
use std::io;

impl Outside for Uplink {
    fn connect<'a>(&'a self, authority: &'a str) -> BoxFuture<'a, Result<Box<dyn Stream>, Refusal>> {
        Box::pin(async move {
            match Self::connect(self, authority).await {
                Ok(tunnel) => Ok(Box::new(tunnel) as Box<dyn Stream>),
                Err(ConnectError::Refused { status, body }) => Err(refusal(status, &body)),
                Err(ConnectError::Broken(error)) => Err(broken(&error)),
            }
        })
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Told {
        code: String,
        message: String,
    }
    match serde_json::from_slice::<Told>(body) {
        Ok(told) => Refusal { status, code: told.code, message: told.message },
        Err(_) => Refusal::new(status, "refused", format!("The server refused with status {}.", status.as_u16())),
    }
}

fn broken(error: &io::Error) -> Refusal {
    let status = if error.kind() == io::ErrorKind::TimedOut { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    Refusal::new(status, "server_away", format!("The way to the server is broken: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_passed_on_and_nonsense_is_not() {
        let told = refusal(StatusCode::FORBIDDEN, br#"{"code":"not_listed","message":"No."}"#);
        assert_eq!(told, Refusal::new(StatusCode::FORBIDDEN, "not_listed", "No."));
        let odd = refusal(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(odd.message, "The server refused with status 502.");
    }
}
