//! Watching over one app: start it when it is wanted, find out when it can be used, start it again when it ends.
//!
//! An end with an error is followed by a pause that doubles. After [`Pace::attempts`] ends in a row without a good
//! while between, it stays down until somebody asks for it. An end without an error was somebody's wish (editors have
//! such a menu item): the app is then started when it is opened again. An app that stops answering is said to, and
//! left alone, because what it holds (unsaved text, a long computation) is worth more than a quick cure.

use crate::agent::apps::{Address, Supervised, home, probe};
use crate::agent::program::{Background, Handle, Programs, StartError};
use crate::domain::app::AppStatus;
use futures_util::FutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How fast things go.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two questions while it starts, and afterwards.
    pub starting: Duration,
    pub running: Duration,
    /// How long it may take to answer at all.
    pub start: Duration,
    /// The pause after the first failure; each further one doubles it.
    pub pause: Duration,
    /// Running for so long is a good while: what failed before is forgotten.
    pub steady: Duration,
    /// Failures in a row after which it stays down.
    pub attempts: u32,
}

impl Pace {
    /// How long a broken app is left alone before it may be tried once more.
    pub const REST_MILLISECONDS: i64 = 10_000;
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            starting: Duration::from_millis(50),
            running: Duration::from_secs(30),
            start: Duration::from_secs(120),
            pause: Duration::from_secs(1),
            steady: Duration::from_secs(60),
            attempts: 6,
        }
    }
}

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Unanswered questions in a row after which it is said not to answer.
const MOST_SILENCE: u32 = 3;
/// How long an ended program is waited for, beyond the time in which it is killed.
const FAREWELL: Duration = Duration::from_secs(5);

/// How one run of the program ended.
enum End {
    /// The workspace stops.
    Stopping,
    /// Somebody wants it anew.
    Again,
    /// Nothing to do until somebody asks.
    Rest,
    /// In an error; whether it had run for a good while.
    Failed { steady: bool },
}

/// Watches over one app until the workspace stops.
pub async fn run(app: Arc<Supervised>, programs: Arc<dyn Programs>, mut stopping: watch::Receiver<bool>, pace: Pace) {
    loop {
        tokio::select! {
            () = app.wanted.notified() => {}
            () = stop(&mut stopping) => return,
        }
        if keep_up(&app, programs.as_ref(), &mut stopping, &pace).await {
            return;
        }
    }
}

async fn stop(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone took the agent with it.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Starts it as often as it makes sense; whether the workspace stops.
async fn keep_up(app: &Supervised, programs: &dyn Programs, stopping: &mut watch::Receiver<bool>, pace: &Pace) -> bool {
    let mut failures = 0_u32;
    loop {
        match once(app, programs, stopping, pace).await {
            End::Stopping => return true,
            End::Rest => return false,
            End::Again => failures = 0,
            End::Failed { steady } => {
                failures = if steady { 1 } else { failures + 1 };
                if failures >= pace.attempts {
                    give_up(app, failures);
                    return false;
                }
                let pause = pace.pause * 2_u32.saturating_pow(failures - 1);
                announce(app, pause);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = app.again.notified() => failures = 0,
                    () = stop(stopping) => return true,
                }
                app.change(|state| (state.restarts, state.message) = (state.restarts + 1, None), Some(AppStatus::Starting));
            }
        }
    }
}

fn announce(app: &Supervised, pause: Duration) {
    app.change(|state| add(&mut state.message, &format!("It is started again in {} s.", pause.as_secs().max(1))), None);
}

fn give_up(app: &Supervised, failures: u32) {
    let words = format!("That was {failures} times in a row, so it stays down until it is opened or restarted; its log may say why.");
    app.output.push(&words);
    app.change(
        |state| {
            add(&mut state.message, &words);
            state.given_up = true;
        },
        None,
    );
}

fn add(message: &mut Option<String>, words: &str) {
    *message = Some(match message.take() {
        Some(said) => format!("{said} {words}"),
        None => words.to_owned(),
    });
}

/// One run of its program.
async fn once(app: &Supervised, programs: &dyn Programs, stopping: &mut watch::Receiver<bool>, pace: &Pace) -> End {
    // A wish for a fresh program that came before this one is granted by it.
    let _ = app.again.notified().now_or_never();
    app.change(|state| state.given_up = false, Some(AppStatus::Starting));
    let Background { output, handle, mut exit, pid } = match start(app, programs) {
        Ok(started) => started,
        Err(end) => return end,
    };
    app.change(|state| state.pid = pid, None);
    let began = tokio::time::Instant::now();
    let reading = app.output.follow(output);
    let watching = watch(app, pace);
    tokio::pin!(reading, watching);
    let mut is_read = false;
    let end = loop {
        tokio::select! {
            () = &mut reading, if !is_read => is_read = true,
            code = &mut exit => break Ok(code.unwrap_or(-1)),
            () = &mut watching => break Err(End::Failed { steady: false }),
            () = app.again.notified() => break Err(End::Again),
            () = stop(stopping) => break Err(End::Stopping),
        }
    };
    let end = match end {
        Ok(code) => ended(app, code, began.elapsed() >= pace.steady),
        Err(end) => {
            app.change(|state| state.pid = None, None);
            let code = put_down(handle.as_ref(), exit).await;
            app.change(|state| state.last_exit = code, None);
            end
        }
    };
    if !is_read {
        // Its last words; what it left behind may hold the pipe for longer.
        let _ = tokio::time::timeout(Duration::from_millis(100), reading).await;
    }
    end
}

/// Starts its program.
fn start(app: &Supervised, programs: &dyn Programs) -> Result<Background, End> {
    if let Some(flaw) = &app.flaw {
        return Err(rest(app, AppStatus::Failed, format!("Its recipe cannot be used: {flaw}.")));
    }
    let Some(argv) = app.app.arguments(&|word| replaced(app, word)) else { return Err(missing(app)) };
    // Asked first, so that the settings of an app that is not there are not left in anybody's home.
    if !programs.has(argv.first().map_or("", String::as_str)) {
        return Err(missing(app));
    }
    if let Err(error) = home::prepare(app) {
        return Err(fail(app, &format!("It could not be prepared: {error}.")));
    }
    match programs.start_background(&argv) {
        Ok(started) => {
            app.output.push(&format!("starting {}", argv.join(" ")));
            Ok(started)
        }
        Err(StartError::NotFound(_)) => Err(missing(app)),
        Err(error @ (StartError::Failed(_) | StartError::NoShell)) => Err(fail(app, &format!("It did not start: {error}."))),
    }
}

fn replaced(app: &Supervised, word: &str) -> Option<String> {
    match (word, &app.address) {
        ("socket", Address::Socket(socket)) => Some(socket.to_string_lossy().into_owned()),
        ("port", Address::Port(port)) => Some(port.to_string()),
        ("home", _) => Some(app.home.to_string_lossy().into_owned()),
        ("tools", _) => app.tools.clone(),
        _ => None,
    }
}

fn missing(app: &Supervised) -> End {
    let program = app.app.argv.first().map_or("", String::as_str);
    rest(app, AppStatus::Missing, format!("The program {program} is not installed here."))
}

fn rest(app: &Supervised, status: AppStatus, message: String) -> End {
    app.output.push(&message);
    app.change(|state| (state.message, state.given_up) = (Some(message), true), Some(status));
    End::Rest
}

fn fail(app: &Supervised, message: &str) -> End {
    app.output.push(message);
    app.set(AppStatus::Failed, Some(message.to_owned()));
    End::Failed { steady: false }
}

fn ended(app: &Supervised, code: i32, steady: bool) -> End {
    app.output.push(&format!("ended with exit code {code}"));
    app.change(|state| (state.last_exit, state.pid) = (Some(code), None), None);
    if code == 0 {
        app.set(AppStatus::Stopped, Some("It ended by itself. It starts when it is opened.".to_owned()));
        return End::Rest;
    }
    app.set(AppStatus::Failed, Some(format!("It ended with exit code {code}.")));
    End::Failed { steady }
}

/// Ends its program; the exit code, where it came in time.
async fn put_down(handle: &dyn Handle, exit: oneshot::Receiver<i32>) -> Option<i32> {
    handle.end();
    tokio::time::timeout(FAREWELL, exit).await.ok()?.ok()
}

/// Finds out how it is, as long as its program runs. Ends when it has not answered for so long that it never will.
async fn watch(app: &Supervised, pace: &Pace) {
    let path = &app.app.health_path;
    let answered = async {
        while !probe::answers(&app.address, path, PATIENCE).await {
            tokio::time::sleep(pace.starting).await;
        }
    };
    if tokio::time::timeout(pace.start, answered).await.is_err() {
        let message = format!("It did not answer within {} s and was ended.", pace.start.as_secs());
        fail(app, &message);
        return;
    }
    app.set(AppStatus::Running, None);
    let mut silent = 0;
    loop {
        tokio::time::sleep(pace.running).await;
        silent = if probe::answers(&app.address, path, PATIENCE).await { 0 } else { silent + 1 };
        if silent == 0 {
            app.set(AppStatus::Running, None);
        } else if silent == MOST_SILENCE {
            app.output.push("it does not answer any more");
            app.set(AppStatus::Failed, Some("It runs but does not answer. Restart it if it stays so.".to_owned()));
        }
    }
}
