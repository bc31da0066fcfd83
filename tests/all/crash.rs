//! What is acknowledged survives: the server is killed under load, again and again, and every acknowledged change is
//! there afterwards, once, with its audit entry, in a database and a chain that verify.
//!
//! Ignored in the ordinary run because it takes a while; `tests/run` runs it against the shipped executable.

use crate::program::{Program, request, sign_in};
use codex_web::clock::{Entropy, SystemEntropy};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KILLS: u32 = 50;
/// Clients that write at the same time: so many changes can be under way at the moment of a kill.
const CLIENTS: usize = 4;
/// Changes that are acknowledged before each kill, so that every kill meets a server at work, on a slow machine too.
const WARM: usize = 10;
const PASSWORD: &str = "seven green tugboats hum 4";

/// Facts that were sent and that were acknowledged.
#[derive(Default)]
struct Ledger {
    number: AtomicU32,
    sent: Mutex<BTreeSet<String>>,
    acknowledged: Mutex<BTreeSet<String>>,
}

/// What the fact of this number is: a user, a workspace or a group, in turn. Answers the path and the body that make it.
fn fact(number: u32, name: &str, home: &str) -> (&'static str, Value) {
    match number % 3 {
        0 => ("/api/admin/users", json!({"username": name, "email": format!("{name}@example.org")})),
        1 => ("/api/workspaces", json!({"name": name, "groupId": home})),
        _ => ("/api/groups", json!({"name": name, "displayName": name})),
    }
}

/// Writes numbered facts until the server is gone.
fn write_facts(address: &str, token: &str, home: &str, ledger: &Ledger, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let number = ledger.number.fetch_add(1, Ordering::SeqCst);
        let name = format!("fact-{number}");
        ledger.sent.lock().unwrap().insert(name.clone());
        let (path, body) = fact(number, &name, home);
        match request(address, "POST", path, Some(token), Some(&body)) {
            Some((201, _)) => {
                ledger.acknowledged.lock().unwrap().insert(name);
            }
            Some((status, answer)) => assert_eq!(status, 503, "{answer}"),
            None => return,
        }
    }
}

/// What a fact consists of: each part is there once, or the whole fact is not. A row that the query answers is a half.
const HALVES: [&str; 6] = [
    "SELECT username FROM user u WHERE username LIKE 'fact-%' AND \
     ((SELECT count(*) FROM audit_event WHERE resource = 'user:' || u.id AND action = 'create_user' AND success = 1) <> 1 \
      OR (SELECT count(*) FROM search_row WHERE kind = 'user' AND id = u.id) <> 1)",
    "SELECT name FROM \"group\" g WHERE name LIKE 'fact-%' AND \
     ((SELECT count(*) FROM audit_event WHERE resource = 'group:' || g.id AND action = 'create_group' AND success = 1) <> 1 \
      OR (SELECT count(*) FROM search_row WHERE kind = 'group' AND id = g.id) <> 1)",
    "SELECT name FROM workspace w WHERE name LIKE 'fact-%' AND \
     ((SELECT count(*) FROM audit_event WHERE resource = 'workspace:' || w.id AND action = 'create_workspace' AND success = 1) <> 1 \
      OR (SELECT count(*) FROM workspace_status WHERE workspace_id = w.id) <> 1 \
      OR (SELECT count(*) FROM workspace_event WHERE workspace_id = w.id AND code = 'created') <> 1 \
      OR (SELECT count(*) FROM search_row WHERE kind = 'workspace' AND id = w.id) <> 1)",
    "SELECT resource FROM audit_event WHERE action = 'create_user' AND success = 1 AND resource NOT IN (SELECT 'user:' || id FROM user)",
    "SELECT resource FROM audit_event WHERE action = 'create_group' AND success = 1 AND resource NOT IN (SELECT 'group:' || id FROM \"group\")",
    "SELECT resource FROM audit_event WHERE action = 'create_workspace' AND success = 1 AND resource NOT IN (SELECT 'workspace:' || id FROM workspace)",
];

/// Opens the database as SQLite's own tools would and compares it with the ledger.
fn compare(program: &Program, ledger: &Ledger, round: u32) {
    let file = program.data().join("codex-web.db");
    #[allow(clippy::disallowed_methods)] // a stranger's look at the file
    let connection = rusqlite::Connection::open(&file).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok", "round {round}");
    assert_eq!(number("SELECT count(*) FROM pragma_foreign_key_check"), 0, "round {round}");
    let texts = |sql: &str| -> Vec<String> {
        connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for half in HALVES {
        assert_eq!(texts(half), Vec::<String>::new(), "round {round}: half present: {half}");
    }
    let kept = texts(
        "SELECT username FROM user WHERE username LIKE 'fact-%' UNION ALL SELECT name FROM \"group\" WHERE name LIKE 'fact-%' \
         UNION ALL SELECT name FROM workspace WHERE name LIKE 'fact-%'",
    );
    let unique: BTreeSet<String> = kept.iter().cloned().collect();
    assert_eq!(unique.len(), kept.len(), "round {round}: a fact stands twice");
    let acknowledged = ledger.acknowledged.lock().unwrap();
    let lost: Vec<&String> = acknowledged.difference(&unique).collect();
    assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
    let never_sent: Vec<&String> = unique.iter().filter(|name| !ledger.sent.lock().unwrap().contains(*name)).collect();
    assert!(never_sent.is_empty(), "round {round}: {never_sent:?}");
    let unacknowledged = unique.len() - acknowledged.len();
    assert!(unacknowledged <= CLIENTS * (round as usize + 1), "round {round}: {unacknowledged} changes that nobody was told of");
}

/// A group with room for every workspace of the test.
fn make_home(program: &Program) -> String {
    let server = program.serve();
    let token = sign_in(&server.address, "root", PASSWORD);
    let quota = json!({"cpu": "100000", "memory": "1000000Gi", "storage": "1000000Gi", "pods": 100_000});
    let body = json!({"name": "home", "displayName": "Home", "resourceQuota": quota});
    let (status, answer) = request(&server.address, "POST", "/api/groups", Some(&token), Some(&body)).unwrap();
    assert_eq!(status, 201, "{answer}");
    server.stop();
    answer["id"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "takes a minute; tests/run runs it"]
fn nothing_acknowledged_is_lost_in_fifty_kills_under_load() {
    let mut program = Program::new();
    program.variables.push(("CODEX_WEB_LIMITS__RATE".into(), "off".into()));
    program.add_admin("root", PASSWORD);
    let home = make_home(&program);
    let ledger = Arc::new(Ledger::default());
    for round in 0..KILLS {
        let server = program.serve();
        let token = sign_in(&server.address, "root", PASSWORD);
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (ledger, stop, home) = (Arc::clone(&ledger), Arc::clone(&stop), home.clone());
                let (address, token) = (server.address.clone(), token.clone());
                std::thread::spawn(move || write_facts(&address, &token, &home, &ledger, &stop))
            })
            .collect();
        let before = ledger.acknowledged.lock().unwrap().len();
        let deadline = Instant::now() + Duration::from_secs(60);
        while ledger.acknowledged.lock().unwrap().len() < before + WARM {
            assert!(Instant::now() < deadline, "round {round}: the server does not answer");
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut random = [0];
        SystemEntropy.fill(&mut random);
        std::thread::sleep(Duration::from_millis(u64::from(random[0])));
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.join().unwrap();
        }
        compare(&program, &ledger, round);
        program.run(&["audit", "verify"]).expect(0);
    }
    let acknowledged = ledger.acknowledged.lock().unwrap().len();
    println!("{KILLS} kills, {acknowledged} acknowledged changes, none lost");
    assert!(acknowledged >= WARM * KILLS as usize);
}
