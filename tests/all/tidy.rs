//! The house rules, read off the sources: who may use whom, where SQL and actix may stand, how large a file may grow.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file without its tests.
const LINES_MAX: usize = 400;
/// Tables may be longer, and say so.
const TABLES: &[&str] = &["policy/matrix.rs", "http/routes.rs", "config/registry.rs"];

struct Source {
    /// Below `src`.
    path: String,
    text: String,
    /// The text without its test module.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let path = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(&text).to_owned();
            Source { path, text, code }
        })
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// The code lines that are not comments.
fn code_lines(source: &Source) -> impl Iterator<Item = &str> {
    source.code.lines().filter(|l| !l.trim_start().starts_with("//"))
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// The description of the API knows a type by its last name, so two of one name would be one schema.
#[test]
fn no_two_types_of_the_api_have_the_same_name() {
    let (mut seen, mut twice) = (BTreeSet::new(), Vec::new());
    for source in sources() {
        for after in source.code.split("ToSchema)]").skip(1) {
            let declared = after.lines().find_map(|line| line.split_once("struct ").or_else(|| line.split_once("enum ")));
            let name = declared.unwrap().1.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
            if !seen.insert(name.clone()) {
                twice.push(format!("{}: {name}", source.path));
            }
        }
    }
    assert!(seen.len() > 60, "{seen:?}");
    assert_none("types of the same name", twice);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|s| s.path != "build.rs" && !s.text.starts_with("//! ")).map(|s| s.path).collect();
    assert_none("files without an opening //! paragraph", silent);
}

#[test]
fn no_file_outgrows_its_purpose() {
    let long = sources()
        .into_iter()
        .filter(|s| !TABLES.contains(&s.path.as_str()) && !is_test_file(&s.path))
        .map(|s| (s.code.lines().count(), s.path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none("files over the size cap", long);
}

#[test]
fn sql_stands_only_in_the_store() {
    const WORDS: &[&str] = &["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE FROM", "rusqlite::", "\"PRAGMA "];
    let strays = sources()
        .iter()
        .filter(|s| !s.path.starts_with("store/"))
        .flat_map(|s| {
            code_lines(s).filter(|l| WORDS.iter().any(|w| l.contains(w))).map(|l| format!("{}: {}", s.path, l.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert_none("SQL outside the store (I4)", strays);
}

#[test]
fn actix_and_kubernetes_types_stay_at_their_edges() {
    let strays = sources()
        .iter()
        .flat_map(|s| {
            let actix_home = ["http/", "gateway/", "agent/", "app.rs", "app/"].iter().any(|p| s.path.starts_with(p));
            let kube_home = s.path.starts_with("cluster/kubernetes");
            code_lines(s)
                .filter(move |l| {
                    (!actix_home && (l.contains("actix_web") || l.contains("actix_ws"))) || (!kube_home && l.contains("kube::"))
                })
                .map(|l| format!("{}: {}", s.path, l.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_none("types outside their edge (I4)", strays);
}

/// What each module may use of the others. `app` knows everyone; `cli` starts it.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("domain", &["clock", "error"]),
    ("clock", &[]),
    ("error", &["clock"]),
    ("events", &["domain"]),
    ("metrics", &[]),
    ("token", &["clock", "domain", "error"]),
    ("policy", &["clock", "domain", "error"]),
    ("store", &["clock", "domain", "error", "events", "metrics", "policy", "token"]),
    // The fake runs a real agent in process.
    ("cluster", &["agent", "clock", "domain", "token"]),
    ("agent", &["clock", "domain", "token"]),
    ("identity", &["clock", "cluster", "config", "domain", "error", "policy", "store", "token"]),
    ("ops", &["clock", "domain", "error", "events", "identity", "metrics", "policy", "store", "token"]),
    ("reconcile", &["clock", "cluster", "domain", "error", "events", "identity", "metrics", "ops", "policy", "store", "token"]),
    ("gateway", &["agent", "clock", "cluster", "config", "domain", "error", "events", "identity", "ops", "policy", "token", "transport"]),
    ("http", &["app", "clock", "config", "domain", "error", "events", "gateway", "identity", "metrics", "ops", "policy", "transport"]),
    ("upkeep", &["clock", "error", "identity", "metrics", "ops", "store"]),
    ("transport", &["clock", "config", "error"]),
    ("config", &["domain", "error", "transport", "clock", "identity"]),
];

#[test]
fn modules_use_each_other_in_the_stated_directions_only() {
    let mut strays = Vec::new();
    for source in sources() {
        let module = source.path.split(['/', '.']).next().unwrap_or_default().to_owned();
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(m, _)| *m == module) else { continue };
        if is_test_file(&source.path) {
            continue;
        }
        for line in code_lines(&source) {
            for (at, _) in line.match_indices("crate::") {
                let used: String = line[at + 7..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let known = DIRECTIONS.iter().any(|(m, _)| *m == used) || ["app", "cli", "upkeep", "telemetry"].contains(&used.as_str());
                if known && used != module && !allowed.contains(&used.as_str()) {
                    strays.push(format!("{}: {module} uses {used}: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert_none("uses against the stated directions", strays);
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["TODO", "FIXME", "XXX", "HACK", "for now", "not implemented", "unimplemented!", "todo!("];
    let left = sources()
        .iter()
        .flat_map(|s| {
            s.text.lines().filter(|l| words.iter().any(|w| l.contains(w))).map(|l| format!("{}: {}", s.path, l.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert_none("unfinished work", left);
}

#[test]
fn the_clock_and_chance_are_asked_in_one_place_only() {
    let words = ["SystemTime::now", "Timestamp::now", "Zoned::now", "rand::fill", "thread_rng", "Uuid::new_v4", "Uuid::now_v7"];
    let strays = sources()
        .iter()
        .filter(|s| s.path != "clock.rs")
        .flat_map(|s| {
            code_lines(s).filter(|l| words.iter().any(|w| l.contains(w))).map(|l| format!("{}: {}", s.path, l.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert_none("ambient time or chance (I7)", strays);
}

#[test]
fn unsafe_code_lives_in_one_file_only() {
    let files: Vec<String> = sources().into_iter().filter(|s| s.text.contains("allow(unsafe_code)")).map(|s| s.path).collect();
    assert!(files.len() <= 1, "unsafe code in more than one file: {files:?}");
}

/// Every code line with one of the words, outside the places where it belongs.
fn strays(words: &[&str], home: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|s| !home(&s.path)) {
        found.extend(code_lines(source).filter(|l| words.iter().any(|w| l.contains(w))).map(|l| format!("{}: {}", source.path, l.trim())));
    }
    found
}

#[test]
fn only_policy_makes_permits() {
    assert_none("permits made outside policy (I2)", strays(&["Permit::new", "Permit {"], |path| path.starts_with("policy/")));
}

#[test]
fn only_the_reconciler_changes_the_cluster() {
    let changing = [".apply_workspace(", ".remove_workspace(", ".apply_group(", ".remove_group("];
    assert_none(
        "the changing half of the cluster outside reconcile (I5)",
        strays(&changing, |path| path.starts_with("reconcile/") || path.starts_with("cluster/")),
    );
}

#[test]
fn what_answers_requests_is_registered_in_one_place_for_each_listener() {
    let ways_in = ["default_service", "web::route", "web::resource", "web::scope", ".route(", "HttpServer::new"];
    let homes = ["http/server.rs", "gateway/ports.rs", "app/listen.rs"];
    assert_none("a way in past the table of routes (I3)", strays(&ways_in, |path| homes.contains(&path)));
}

/// Backups and upgrades copy files, outside any transaction of a person.
const FILE_WORK: &[&str] = &["ops/backup/", "store/backup.rs", "store/upgrade.rs"];

#[test]
fn a_write_job_is_plain_code_that_cannot_wait() {
    // Jobs are synchronous closures, so they cannot await; what could still block them is named here.
    let slow = ["std::thread::sleep", "block_on(", "std::fs::", "TcpStream", "UnixStream", "hash_password"];
    let found = sources()
        .iter()
        .filter(|s| (s.path.starts_with("ops/") || s.path.starts_with("store/")) && !FILE_WORK.iter().any(|home| s.path.starts_with(home)))
        .flat_map(|s| {
            code_lines(s).filter(|l| slow.iter().any(|w| l.contains(w))).map(|l| format!("{}: {}", s.path, l.trim())).collect::<Vec<_>>()
        })
        .collect();
    assert_none("something slow where transactions are written (I6)", found);
}

#[test]
fn the_server_opens_no_outbound_connection() {
    // The command line and the agent talk to sockets of this machine only; nothing else connects anywhere.
    let outbound = [
        "TcpStream::connect",
        "TcpSocket::",
        "UdpSocket",
        "reqwest",
        "hyper_util::client",
        "ClientBuilder",
        "Client::try_",
        "lookup_host",
        "ToSocketAddrs",
    ];
    // So do the escape checks of the sandbox, from inside it. What workspaces may reach is the operator's
    // `workspaces.egress`, and has one home. `doctor` asks the resolver for the names that the operator configured.
    let home = |path: &str| {
        path.starts_with("agent/")
            || path.starts_with("gateway/egress/")
            || path == "cli/agent_tools.rs"
            || path == "cli/doctor/origins.rs"
            || path == "cli/healthcheck.rs"
            || path == "cluster/local/probe.rs"
            // Pods of the cluster that the operator named.
            || path.starts_with("cluster/kubernetes/connect/")
            || path == "cluster/kubernetes/client.rs"
    };
    assert_none("a place that could connect to the outside (I10)", strays(&outbound, home));
}
