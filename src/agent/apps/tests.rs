//! Apps whose programs are tasks of the test: each start plays the next part of a script.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::agent::program::{Background, Handle, Program, StartError};
use crate::agent::protocol::TerminalSize;
use crate::clock::ManualClock;
use crate::domain::app::BasePath;
use std::collections::VecDeque;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::oneshot;

const LONG: Duration = Duration::from_secs(10);

/// What a program does once it is started.
#[derive(Clone, Copy)]
enum Part {
    /// Answers every question until it is ended.
    Serve,
    /// Listens and answers nothing.
    Silent,
    Exit(i32),
    NotThere,
}

struct Ender(Arc<Notify>);

impl Handle for Ender {
    fn resize(&self, _: TerminalSize) {}

    fn end(&self) {
        self.0.notify_one();
    }
}

#[derive(Default)]
struct Script {
    parts: Mutex<VecDeque<Part>>,
    started: Mutex<Vec<Vec<String>>>,
}

impl Programs for Script {
    fn start(&self, _: TerminalSize) -> Result<Program, StartError> {
        Err(StartError::Failed("no terminals here".to_owned()))
    }

    fn has(&self, _: &str) -> bool {
        let mut parts = self.parts.lock().unwrap();
        let is_there = !matches!(parts.front(), Some(Part::NotThere));
        if !is_there {
            parts.pop_front();
        }
        is_there
    }

    fn start_background(&self, argv: &[String]) -> Result<Background, StartError> {
        self.started.lock().unwrap().push(argv.to_vec());
        let part = self.parts.lock().unwrap().pop_front().unwrap_or(Part::Serve);
        let (output, mut print) = tokio::io::duplex(1024);
        let (done, exit) = oneshot::channel();
        let end = Arc::new(Notify::new());
        let handle = Box::new(Ender(Arc::clone(&end)));
        let socket = argv[1].clone();
        tokio::spawn(async move {
            print.write_all(b"hello\n").await.unwrap();
            let code = if let Part::Exit(code) = part {
                code
            } else {
                tokio::select! { () = serve(&socket, part) => 1, () = end.notified() => 143 }
            };
            let _ = done.send(code);
        });
        Ok(Background { output: Box::new(output), handle, exit, pid: Some(7) })
    }
}

async fn serve(socket: &str, part: Part) {
    let listener = UnixListener::bind(socket).unwrap();
    let mut held = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut question = [0; 256];
        let _ = stream.read(&mut question).await;
        match part {
            Part::Silent => held.push(stream),
            _ => stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap_or_default(),
        }
    }
}

/// One app in a folder of its own.
struct World {
    folder: tempfile::TempDir,
    apps: Apps,
    script: Arc<Script>,
    clock: Arc<ManualClock>,
    stop: watch::Sender<bool>,
}

fn pace() -> Pace {
    let quick = Duration::from_millis(20);
    Pace { starting: quick, running: quick, start: Duration::from_millis(300), pause: Duration::from_millis(5), steady: LONG, attempts: 3 }
}

fn editor() -> App {
    App {
        slug: "editor".to_owned(),
        name: "Editor".to_owned(),
        icon: "code".to_owned(),
        argv: vec!["editor".to_owned(), "{socket}".to_owned()],
        listen: Listen::Unix,
        base_path: BasePath::Root,
        health_path: "/".to_owned(),
        start: Start::OnOpen,
        requires: None,
        hint: String::new(),
        files: Vec::new(),
    }
}

fn world(app: App, parts: &[Part]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let order: AgentOrder = serde_json::from_value(serde_json::json!({
        "workspace": "ws_00000000000000000000000000000001", "run": 1, "argv": ["sh"], "jwks": "", "issuer": "",
        "env": {"XDG_RUNTIME_DIR": path("run")}, "home": path("home"), "isAlone": false, "graceMilliseconds": 0, "apps": [app],
    }))
    .unwrap();
    let clock = Arc::new(ManualClock::starting_at(Millis(1_000_000)));
    let script = Arc::new(Script { parts: Mutex::new(parts.iter().copied().collect()), ..Script::default() });
    let apps = Apps::new(&order, &(Arc::clone(&clock) as Arc<dyn Clock>));
    let stop = watch::Sender::new(false);
    apps.supervise_at(pace(), &(Arc::clone(&script) as Arc<dyn Programs>), &stop.subscribe());
    World { folder, apps, script, clock, stop }
}

impl World {
    async fn open(&self) -> Result<Address, Unready> {
        self.apps.ready("editor", LONG).await
    }

    fn report(&self) -> AppReport {
        self.apps.reports().remove(0)
    }

    fn starts(&self) -> usize {
        self.script.started.lock().unwrap().len()
    }

    async fn until(&self, status: AppStatus) {
        for _ in 0..500 {
            if self.report().status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {status:?}: {:?}", self.report());
    }
}

#[tokio::test]
async fn an_app_starts_when_it_is_first_opened_and_whoever_opens_it_waits() {
    let world = world(editor(), &[]);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!((world.starts(), world.report().status), (0, AppStatus::Stopped));
    let socket = world.folder.path().join("run/apps/editor.sock");
    assert_eq!(world.open().await, Ok(Address::Socket(socket.clone())));
    assert_eq!(world.open().await, Ok(Address::Socket(socket.clone())), "the second finds it running");
    assert_eq!(world.starts(), 1);
    assert_eq!(world.script.started.lock().unwrap()[0], ["editor", &socket.to_string_lossy()]);
    assert_eq!(world.apps.ready("other", LONG).await, Err(Unready::Unknown));
    assert!(world.apps.log("editor", 10).unwrap().contains("hello"));
}

#[tokio::test]
async fn an_app_that_belongs_to_the_workspace_starts_with_it() {
    let world = world(App { start: Start::WithWorkspace, ..editor() }, &[]);
    world.until(AppStatus::Running).await;
    assert_eq!(world.starts(), 1);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_to_be_missing_and_found_once_it_is() {
    let world = world(editor(), &[Part::NotThere]);
    assert_eq!(world.open().await, Err(Unready::Missing("The program editor is not installed here.".to_owned())));
    assert_eq!(world.report().status, AppStatus::Missing);
    assert!(world.open().await.is_ok(), "installed since");
}

#[tokio::test]
async fn an_app_whose_folder_of_tools_is_not_there_is_missing() {
    let app = App { argv: vec!["{tools}/bin/editor".to_owned(), "{socket}".to_owned()], ..editor() };
    let world = world(app, &[]);
    assert!(matches!(world.open().await, Err(Unready::Missing(_))));
    assert_eq!(world.starts(), 0);
}

#[tokio::test]
async fn an_app_that_crashes_is_started_again() {
    let world = world(editor(), &[Part::Exit(7)]);
    assert!(world.open().await.is_ok());
    let report = world.report();
    assert_eq!((report.restarts, report.last_exit, report.message), (1, Some(7), None));
}

#[tokio::test]
async fn an_app_that_cannot_live_stays_down_until_it_is_opened_much_later_or_restarted() {
    let world = world(editor(), &[Part::Exit(1); 3]);
    let Err(Unready::Failed(words)) = world.open().await else { panic!("{:?}", world.report()) };
    assert!(words.contains("exit code 1") && words.contains("3 times in a row"), "{words}");
    assert_eq!(world.open().await, Err(Unready::Failed(words)), "a page that asks again does not start it");
    assert_eq!(world.starts(), 3);
    world.clock.advance(Pace::REST_MILLISECONDS);
    assert!(world.open().await.is_ok());
    let down = self::world(editor(), &[Part::Exit(1); 3]);
    let _ = down.open().await;
    assert!(down.apps.restart("editor"));
    down.until(AppStatus::Running).await;
}

#[tokio::test]
async fn an_end_without_an_error_is_somebodys_wish() {
    let world = world(editor(), &[Part::Exit(0)]);
    assert_eq!(world.apps.ready("editor", Duration::from_millis(200)).await, Err(Unready::Starting));
    assert_eq!((world.report().status, world.starts()), (AppStatus::Stopped, 1));
    assert!(world.open().await.is_ok());
}

#[tokio::test]
async fn an_app_that_never_answers_is_ended_and_tried_again() {
    let world = world(editor(), &[Part::Silent]);
    assert!(world.open().await.is_ok());
    let report = world.report();
    assert_eq!((report.restarts, report.last_exit), (1, Some(143)));
}

#[tokio::test]
async fn a_restart_ends_the_old_program_and_starts_another() {
    let world = world(editor(), &[]);
    world.open().await.unwrap();
    assert!(world.apps.restart("editor"));
    assert!(world.open().await.is_ok());
    assert_eq!((world.starts(), world.report().restarts, world.report().last_exit), (2, 0, Some(143)));
    assert!(!world.apps.restart("other"));
}

#[tokio::test]
async fn an_app_ends_with_its_workspace() {
    let world = world(editor(), &[]);
    world.open().await.unwrap();
    world.stop.send_replace(true);
    for _ in 0..500 {
        if world.report().last_exit.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.report().last_exit, Some(143));
    assert_eq!(world.starts(), 1);
}

#[tokio::test]
async fn a_recipe_that_breaks_the_rules_is_not_started() {
    let world = world(App { slug: "../x".to_owned(), ..editor() }, &[]);
    let Err(Unready::Failed(words)) = world.apps.ready("../x", LONG).await else { panic!("{:?}", world.report()) };
    assert!(words.starts_with("Its recipe cannot be used: the slug"), "{words}");
    assert_eq!(world.starts(), 0);
}

#[tokio::test]
async fn the_processor_is_a_mean_since_the_last_question_and_a_new_program_begins_anew() {
    let world = world(editor(), &[]);
    let mut told = Vec::new();
    for (pid, microseconds, later) in
        [(7, 5_000_000, 10_000), (7, 6_000_000, 10), (7, 6_400_000, 1_990), (8, 100_000, 2_000), (8, 90_000, 0)]
    {
        let counted = usage::Counted { pid, microseconds, memory: 4_096, processes: 2 };
        told.push(world.apps.used(&BTreeMap::from([("editor".to_owned(), counted)])).remove(0));
        world.clock.advance(later);
    }
    let cpu: Vec<_> = told.iter().map(|one| one.cpu_milli).collect();
    assert_eq!(cpu, [None, Some(100), Some(100), None, Some(0)], "a tree that shrank has used nothing, not less than that");
    assert_eq!((told[0].memory_bytes, told[0].processes, told[0].slug.as_str()), (4_096, 2, "editor"));
    assert!(world.apps.used(&BTreeMap::new()).is_empty(), "of what does not run nothing is told");
}
