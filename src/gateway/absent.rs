//! What is shown in the place of an app that is not there: it starts, it failed, it is not installed, or nothing listens.
//!
//! Only what ends by itself is asked for again and again. What does not says so, and leads back to the pages of Codex
//! Web, where it can be restarted: a page on an app's origin changes nothing. The words are the agent's, which runs
//! beside the programs of the workspace; they are shown on their own origin, bounded and escaped.

use super::apps::is_inside;
use super::entry::{Visitor, closing, wants_page};
use super::pages::{self, Mark, Page};
use super::visits::Held;
use super::{Gateway, inside};
use crate::agent::forward::{APP_FAILED, APP_MISSING, APP_STARTING, NOT_LISTENING, OwnWords};
use crate::cluster::agent_client::AppRefusal;
use crate::domain::app_target::AppTarget;
use crate::error::{Error, Missing, Result};
use actix_web::{HttpRequest, HttpResponse};

/// Characters of a text that are shown.
const LONGEST_TEXT: usize = 600;
/// Lines of the log, and characters of one.
const LOG_LINES: usize = 10;
const LOG_WIDTH: usize = 300;
/// Seconds after which a page that waits asks again.
const AGAIN: u64 = 2;

/// Where the links of these pages lead.
struct Ways {
    /// The page of the UI that opens the app, and starts it anew.
    opening: String,
    workspace: String,
}

/// Answers in the place of the app.
pub async fn answer(gateway: &Gateway, visitor: &Visitor, held: &Held, request: &HttpRequest, refusal: AppRefusal) -> Result<HttpResponse> {
    let AppRefusal { status, code, words } = refusal;
    let code = code.as_str();
    if !matches!(code, APP_STARTING | APP_FAILED | APP_MISSING | NOT_LISTENING) {
        tracing::debug!(status, code = %code.escape_debug(), "an agent did not pass a request on");
        return Err(if status == 404 {
            Error::NotFound(Missing::Route)
        } else {
            Error::WorkspaceUnreachable("The app broke off without an answer.".to_owned())
        });
    }
    let words = shortened(words);
    if !wants_page(request) {
        let text = if matches!(code, APP_FAILED | APP_MISSING) { words.message.as_str() } else { "The app does not answer yet." };
        return Ok(closing(request, pages::tell(503, text)));
    }
    let apps = &gateway.apps;
    let workspace = format!("{}/workspaces/{}", apps.transport.public_url, visitor.place.workspace);
    let ways = Ways { opening: apps.opening_page(&visitor.place), workspace };
    let slug = match &visitor.place.target {
        AppTarget::Port(port) => return Ok(nothing_listens(*port, &ways)),
        AppTarget::App(slug) => slug,
    };
    let name = if words.name.is_empty() { slug } else { &words.name };
    Ok(match code {
        APP_FAILED => failed(name, slug, &words, log(gateway, held, slug).await.as_deref(), &ways),
        APP_MISSING => missing(name, &words, request, &ways),
        _ => starting(name, &ways),
    })
}

/// What the agent said, no longer than fits on a page.
fn shortened(words: OwnWords) -> OwnWords {
    let short = |text: String| text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect();
    OwnWords { message: short(words.message), name: short(words.name), hint: short(words.hint) }
}

/// The end of the app's log, for the owner of the workspace: others may be let in without being shown it.
async fn log(gateway: &Gateway, held: &Held, slug: &str) -> Option<String> {
    let entrance = &held.visit.entrance;
    if !entrance.own {
        return None;
    }
    let log = inside::log(gateway, &held.visit.caller, entrance.workspace.clone(), slug, LOG_LINES).await.ok()?;
    let line = |line: &str| timed(line).chars().filter(|c| !c.is_control()).take(LOG_WIDTH).collect::<String>();
    Some(log.lines().map(line).collect::<Vec<_>>().join("\n"))
}

/// A line with the hour of its time alone: `2026-03-12T10:20:30.123Z text` becomes `10:20:30 text`.
fn timed(line: &str) -> String {
    match line.split_once("Z ") {
        Some((time, text)) if time.len() == 23 && time.get(10..11) == Some("T") => {
            format!("{} {text}", time.get(11..19).unwrap_or_default())
        }
        _ => line.to_owned(),
    }
}

fn starting(name: &str, ways: &Ways) -> HttpResponse {
    pages::show(&Page {
        status: 503,
        mark: Mark::Wait,
        title: &format!("{name} is starting"),
        texts: &["This page opens it as soon as it answers."],
        links: &[(&ways.workspace, "See the workspace")],
        refresh: Some(AGAIN),
        ..Page::default()
    })
}

fn nothing_listens(port: u16, ways: &Ways) -> HttpResponse {
    pages::show(&Page {
        status: 503,
        mark: Mark::Wait,
        title: &format!("Nothing listens on port {port} yet"),
        texts: &["Start your server in the workspace; this page opens it then."],
        links: &[(&format!("{}/terminal", ways.workspace), "Open the terminal"), (&ways.workspace, "See the workspace")],
        refresh: Some(AGAIN),
        ..Page::default()
    })
}

fn failed(name: &str, slug: &str, words: &OwnWords, log: Option<&str>, ways: &Ways) -> HttpResponse {
    pages::show(&Page {
        status: 503,
        mark: Mark::Failed,
        title: &format!("{name} did not start"),
        texts: &[&words.message, "The workspace itself runs; your files are safe."],
        log,
        links: &[
            (&ways.opening, "Restart it in Codex Web"),
            (&format!("{}/logs?app={slug}", ways.workspace), "Whole log"),
            (&ways.workspace, "See the workspace"),
        ],
        ..Page::default()
    })
}

fn missing(name: &str, words: &OwnWords, request: &HttpRequest, ways: &Ways) -> HttpResponse {
    let here = request.uri().path_and_query().map(actix_web::http::uri::PathAndQuery::as_str).filter(|path| is_inside(path));
    pages::show(&Page {
        status: 503,
        mark: Mark::Missing,
        title: &format!("{name} is not installed"),
        texts: &[&words.message, &words.hint, "Once it is there, restart the workspace and open this page again. Your files are safe."],
        links: &[(here.unwrap_or("/"), "Check again"), (&ways.workspace, "See the workspace")],
        ..Page::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_log_are_shown_with_their_hour() {
        assert_eq!(timed("2026-03-12T10:20:30.123Z [x] it ended Z "), "10:20:30 [x] it ended Z ");
        for other in ["", "no time", "2026-03-12 10:20:30.123Z text", "äääääääääääZ text"] {
            assert_eq!(timed(other), other);
        }
    }
}
