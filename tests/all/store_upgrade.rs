//! A file that was upgraded is the file that a fresh installation makes, and a step that fails leaves nothing behind.

use codex_web::clock::{SystemClock, SystemEntropy};
use codex_web::store::open::{APPLICATION_ID, Synchronous, writer};
use codex_web::store::upgrade::{SCHEMA, STEPS, Step, VERSION, run_steps, upgrade};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn shape(connection: &Connection) -> Vec<(String, String)> {
    let mut statement = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name").unwrap();
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn version(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |r| r.get(0)).unwrap()
}

fn opened(dir: &Path) -> Connection {
    let path = dir.join("codex-web.db");
    let mut connection = writer(&path, Synchronous::Normal).unwrap();
    upgrade(&mut connection, &path, &SystemClock, &SystemEntropy).unwrap();
    connection
}

#[test]
fn a_fresh_file_is_what_the_schema_says_and_opening_it_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path());
    let written = Connection::open_in_memory().unwrap();
    written.execute_batch(SCHEMA).unwrap();
    assert_eq!(shape(&first), shape(&written));
    assert_eq!(version(&first), VERSION);
    drop(first);
    assert_eq!(shape(&opened(dir.path())), shape(&written));
}

#[test]
fn the_steps_lead_to_the_version_that_the_schema_describes() {
    let numbers: Vec<i64> = STEPS.iter().map(|s| s.to).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    assert_eq!(numbers.last().copied().unwrap_or(VERSION), VERSION);
}

/// The schema as the first version wrote it.
const FIRST: &str = include_str!("../golden/schema-1.sql");

#[test]
fn a_file_of_the_first_version_becomes_what_a_fresh_one_is_and_knows_what_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("codex-web.db");
    let mut connection = writer(&path, Synchronous::Normal).unwrap();
    connection.execute_batch(FIRST).unwrap();
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO workspace (id, group_id, owner_id, name, template_version_id, image, spec_format, spec, desired, cpu_milli, \
             memory_bytes, disk_bytes, local_uid, created_at, updated_at) VALUES \
             ('ws_settled', 'grp_a', 'usr_a', 'a', 'tpv_a', 'x', 1, '{}', 'stopped', 1, 1, 1, 1, 0, 0), \
             ('ws_waiting', 'grp_a', 'usr_a', 'b', 'tpv_a', 'x', 1, '{}', 'running', 1, 1, 1, 2, 0, 0);
             INSERT INTO workspace_status (workspace_id, since) VALUES ('ws_settled', 0), ('ws_waiting', 0);",
        )
        .unwrap();
    upgrade(&mut connection, &path, &SystemClock, &SystemEntropy).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!((version(&connection), shape(&connection)), (VERSION, shape(&opened(fresh.path()))));
    let due: Vec<String> =
        connection.prepare("SELECT workspace_id FROM workspace_due").unwrap().query_map([], |r| r.get(0)).unwrap().flatten().collect();
    assert_eq!(due, ["ws_waiting"]);
    let count = |sql: &str| connection.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
    let open = count("SELECT count(*) FROM workspace_period WHERE until IS NULL");
    assert_eq!((open, count("SELECT cpu_milli FROM workspace_period WHERE workspace_id = 'ws_settled'")), (2, 0));
}

#[test]
fn steps_run_in_order_after_a_copy_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = opened(dir.path());
    let steps = [
        Step { to: VERSION + 1, sql: "ALTER TABLE installation ADD COLUMN motto TEXT;" },
        Step { to: VERSION + 2, sql: "UPDATE installation SET motto = 'second';" },
    ];
    run_steps(&mut connection, &dir.path().join("codex-web.db"), VERSION, &SystemClock, &steps).unwrap();
    assert_eq!(version(&connection), VERSION + 2);
    let motto: String = connection.query_row("SELECT motto FROM installation", [], |r| r.get(0)).unwrap();
    assert_eq!(motto, "second");
    let files = std::fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
    let copies: Vec<_> = files.filter(|file| file.file_name().to_string_lossy().contains("before-upgrade")).collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].metadata().unwrap().permissions().mode() & 0o777, 0o600, "others may read the copy");
}

#[test]
fn a_step_that_fails_leaves_the_file_as_it_was_before_that_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut connection = opened(dir.path());
    let steps = [Step { to: VERSION + 1, sql: "ALTER TABLE installation ADD COLUMN motto TEXT; SELECT nonsense FROM nowhere;" }];
    let before = shape(&connection);
    assert!(run_steps(&mut connection, &dir.path().join("codex-web.db"), VERSION, &SystemClock, &steps).is_err());
    assert_eq!((version(&connection), shape(&connection)), (VERSION, before));
}

#[test]
fn a_file_of_another_program_or_of_a_newer_version_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("codex-web.db");
    let connection = opened(dir.path());
    connection.pragma_update(None, "user_version", VERSION + 7).unwrap();
    let mut connection = connection;
    assert!(upgrade(&mut connection, &path, &SystemClock, &SystemEntropy).is_err());
    connection.pragma_update(None, "user_version", VERSION).unwrap();
    connection.pragma_update(None, "application_id", 7).unwrap();
    assert!(upgrade(&mut connection, &path, &SystemClock, &SystemEntropy).is_err());
}

#[test]
fn a_newer_program_brings_what_is_new_of_its_templates_and_keeps_what_workspaces_were_made_from() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path());
    let versions = "SELECT group_concat(v.number || ':' || (v.id = t.active_version_id)) FROM template t \
         JOIN template_version v ON v.template_id = t.id WHERE t.name = 'local:code-server' ORDER BY v.number";
    // As an older program left it: one template less, and another with an older recipe.
    first.execute_batch("DELETE FROM template WHERE name = 'local:jupyterlab'; DROP TRIGGER template_version_frozen;").unwrap();
    let old = "UPDATE template_version SET recipe = '{}' WHERE template_id = (SELECT id FROM template WHERE name = 'local:code-server')";
    first.execute(old, []).unwrap();
    drop(first);
    let again = opened(dir.path());
    let one = |sql: &str| again.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap();
    assert_eq!(one("SELECT name FROM template WHERE name = 'local:jupyterlab'"), "local:jupyterlab");
    assert_eq!(one(versions), "1:0,2:1");
    drop(again);
    let third = opened(dir.path());
    assert_eq!(third.query_row(versions, [], |r| r.get::<_, String>(0)).unwrap(), "1:0,2:1", "nothing new, nothing added");
}
