//! The two cookies: the session's, and the one that makes a browser known to an account.
//!
//! Both are `HttpOnly`, so that no script reads them, and `SameSite=Lax`; neither names a domain, so that no other host
//! gets them. The transport says what they are called and whether they are `Secure`.

use super::handler::{Reply, Request};
use crate::app::App;
use crate::clock::SECOND;
use crate::identity::caller::{SESSION_COOKIE, cookie_value};
use crate::identity::{device, session};

/// Name of the device cookie, before the transport's prefix or port.
const DEVICE_COOKIE: &str = "codex_dev";

fn line(app: &App, base: &str, value: &str, seconds: i64) -> String {
    let secure = if app.transport.cookies.secure() { "; Secure" } else { "" };
    format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", app.transport.cookies.name(base))
}

/// Sets the session's cookie. It may outlive the session, which the server ends by its own clock.
pub fn with_session(reply: Reply, app: &App, secret: &str) -> Reply {
    reply.header("set-cookie", line(app, SESSION_COOKIE, secret, session::HARD / SECOND))
}

/// Makes the browser known.
pub fn with_device(reply: Reply, app: &App, value: &str) -> Reply {
    reply.header("set-cookie", line(app, DEVICE_COOKIE, value, device::LIFE / SECOND))
}

/// Takes the session's cookie away, and what the pages stored in the browser. The device stays known.
pub fn without_session(reply: Reply, app: &App) -> Reply {
    reply.header("set-cookie", line(app, SESSION_COOKIE, "", 0)).header("clear-site-data", "\"storage\"")
}

/// Whether a call shows a session, be it a good one or not.
pub fn shows_session(app: &App, headers: &[(String, String)]) -> bool {
    let name = app.transport.cookies.name(SESSION_COOKIE);
    headers.iter().any(|(header, value)| header == "cookie" && cookie_value(value, &name).is_some())
}

/// The value of the device cookie, if the call shows one.
pub fn device(request: &Request) -> Option<String> {
    let name = request.app.transport.cookies.name(DEVICE_COOKIE);
    request.headers.iter().filter(|(n, _)| n == "cookie").find_map(|(_, v)| cookie_value(v, &name))
}
