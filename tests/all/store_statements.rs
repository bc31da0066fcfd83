//! Every statement of the store is one that the schema knows, and the hot lists walk an index in their own order.

use super::sql_sources::{statement, statements};
use codex_web::store::upgrade::SCHEMA;
use rusqlite::Connection;

fn fresh() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

#[test]
fn every_statement_can_be_prepared() {
    let connection = fresh();
    let all = statements();
    assert!(all.len() > 120, "only {} statements were found", all.len());
    let broken: Vec<String> =
        all.iter().filter_map(|s| connection.prepare(&s.sql).err().map(|e| format!("{}: {e}\n    {}", s.name, s.sql))).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = statement.raw_query().mapped(|r| r.get::<_, String>(3)).collect::<Result<_, _>>();
    lines.unwrap()
}

/// A full scan that no index orders, or a sort.
fn slow(line: &str) -> bool {
    let scans_a_table = line.starts_with("SCAN ") && !line.contains("INDEX") && !line.contains("json_each");
    scans_a_table || line.contains("TEMP B-TREE")
}

#[test]
fn the_hot_lists_walk_an_index_in_their_own_order() {
    let connection = fresh();
    let lists = [
        "users.rs LIST",
        "users.rs LIST_DISABLED",
        "users.rs BY_USERNAME",
        "users.rs BY_NAME",
        "users.rs BY_EMAIL",
        "users.rs SERVICE",
        "api_tokens.rs PAGE",
        "terms.rs ENDED",
        "machine_tokens.rs LIVE",
        "running.rs PAGE",
        "groups.rs ALL_BY_NAME",
        "groups.rs ALL_BY_DISPLAY_NAME",
        "groups.rs ALL_NEWEST",
        "groups.rs ALL_PREFIX",
        "due.rs DUE_GROUPS",
        "due.rs DUE_WORKSPACES",
        "due.rs UNTOLD",
        "due.rs REST_OF_GROUPS",
        "due.rs REST_OF_WORKSPACES",
        "due.rs MEANT",
        "memberships.rs LIST",
        "memberships.rs SEARCH",
        "audit_read.rs ALL",
        "audit_read.rs BY_REQUEST",
        "audit_read.rs BY_RESOURCE",
        "audit_read.rs BY_ACTOR",
        "audit_read.rs BY_ACTION",
        "audit_read.rs FAILED",
        "audit_read.rs BY_TIME",
        "quota_changes.rs STEPS",
        "quota_changes.rs PAGE",
        "samples.rs FORGET",
        "inbox.rs LIST",
        "inbox.rs READ",
        "timeline.rs LIST",
        "findings.rs OF_GROUP",
        "findings.rs UNUSED_IN_GROUP",
        "audit_read.rs BY_ID",
        "audit_read.rs ALL_BOUND",
        "audit_read.rs BY_REQUEST_BOUND",
        "audit_read.rs BY_RESOURCE_BOUND",
        "audit_read.rs BY_ACTOR_BOUND",
        "audit_read.rs BY_ACTION_BOUND",
        "audit_read.rs FAILED_BOUND",
        "audit_read.rs BY_TIME_BOUND",
        "audit_concern.rs OF_PERSON",
        "audit_digest.rs FIRST",
        "audit_digest.rs LAST",
        "audit_digest.rs OF_ACTION",
        "audit_export.rs OF_TIME",
        "audit_verify.rs PURGE",
    ];
    let mut bad = Vec::new();
    for name in lists {
        let steps = plan(&connection, &statement(name));
        // The log is never read whole, and neither is an index of it: even all of it is a search by its key.
        let whole = |line: &str| slow(line) || line.starts_with("SCAN e");
        bad.extend(steps.iter().filter(|line| whole(line)).map(|line| format!("{name}: {line}")));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn searches_stream_from_the_trigram_index_without_sorting() {
    let connection = fresh();
    for name in ["users.rs SEARCH", "groups.rs ALL_SEARCH"] {
        let steps = plan(&connection, &statement(name));
        assert!(steps.iter().any(|l| l.contains("VIRTUAL TABLE")), "{name}: {steps:?}");
        assert!(!steps.iter().any(|l| l.contains("TEMP B-TREE")), "{name}: {steps:?}");
    }
}

#[test]
fn the_search_box_and_the_sessions_of_a_person_read_no_table_whole() {
    let connection = fresh();
    let mut bad = Vec::new();
    for name in [
        "search.rs USERS",
        "search.rs USERS_PREFIX",
        "search.rs USERS_OF_GROUPS",
        "search.rs GROUPS",
        "search.rs GROUPS_PREFIX",
        "search.rs OWN_GROUPS",
        "search.rs WORKSPACES",
        "search.rs OWN_WORKSPACES",
        "search.rs GROUP_WORKSPACES",
        "sessions.rs OF_USER",
    ] {
        let steps = plan(&connection, &statement(name));
        // What the trigram index found, a thousand at most, and the list that the caller brought are read to their end.
        let bounded = |line: &str| line == "SCAN s" || line.contains("VIRTUAL TABLE");
        bad.extend(steps.iter().filter(|line| line.starts_with("SCAN ") && !bounded(line)).map(|line| format!("{name}: {line}")));
        if matches!(name, "search.rs USERS" | "search.rs GROUPS" | "search.rs WORKSPACES") {
            assert!(steps.iter().any(|line| line.starts_with("SCAN search VIRTUAL TABLE")), "{name}: {steps:?}");
            assert!(statement(name).contains("LIMIT 1000) s"), "{name}");
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn what_belongs_to_one_is_found_by_whose_it_is() {
    let connection = fresh();
    // Another index would do without a scan too, and walk past what belongs to everybody else.
    for (name, by) in [
        ("inbox.rs LIST", "inbox USING INDEX inbox_user (user_id=? AND id<?)"),
        ("timeline.rs LIST", "e USING INDEX workspace_event_workspace (workspace_id=? AND id<?)"),
        ("sessions.rs OF_USER", "session USING INDEX session_user (user_id=?)"),
        ("search.rs OWN_WORKSPACES", "(owner_id=?)"),
        ("search.rs GROUP_WORKSPACES", "workspace_group (group_id=?)"),
    ] {
        let steps = plan(&connection, &statement(name));
        assert!(steps.iter().any(|line| line.starts_with("SEARCH ") && line.ends_with(by)), "{name}: {steps:?}");
    }
}

#[test]
fn the_platform_admins_are_found_by_their_rights_and_not_among_everybody() {
    let steps = plan(&fresh(), &statement("users.rs ADMINS"));
    assert!(steps.iter().any(|line| line.starts_with("SEARCH u USING INDEX") && line.ends_with("(id=?)")), "{steps:?}");
}

#[test]
fn what_a_page_of_groups_uses_is_found_by_the_groups_own_index() {
    let steps = plan(&fresh(), &statement("pool.rs GROUP_USAGES"));
    assert!(steps.iter().any(|l| l.contains("workspace_group")), "{steps:?}");
    assert!(!steps.iter().any(|l| l.starts_with("SCAN w")), "{steps:?}");
}

#[test]
fn use_over_time_is_read_point_by_point_however_much_is_kept() {
    let connection = fresh();
    let steps = plan(&connection, &statement("samples.rs SERIES"));
    let point = "SEARCH s USING PRIMARY KEY (period=? AND at=? AND subject=?)";
    assert!(steps.iter().any(|line| line == point), "{steps:?}");
    for name in ["samples.rs TOP_WORKSPACES", "samples.rs TOP_GROUPS", "samples.rs TOP_USERS"] {
        let steps = plan(&connection, &statement(name));
        // Of one hour only what was measured in it.
        assert!(steps.iter().any(|line| line.contains("subject>? AND subject<?")), "{name}: {steps:?}");
        assert!(!steps.iter().any(|line| line.starts_with("SCAN ")), "{name}: {steps:?}");
    }
}

#[test]
fn what_is_asked_of_the_audit_log_never_walks_all_of_it() {
    let connection = fresh();
    let searches = [
        "audit_export.rs OLDEST",
        "audit_export.rs NEWEST",
        "audit_export.rs PREV_OF",
        "audit_verify.rs ENTRIES",
        "audit_purge.rs OLDEST",
        "audit_purge.rs REMOVE",
        "audit_purge.rs REMOVE_PERSONS",
        "audit_purge.rs REMOVE_CONCERNS",
        "audit_concern.rs OWNER",
        "audit_read.rs BY_ACTOR_COUNT",
        "audit_read.rs BY_TIME_COUNT",
        "audit_read.rs FAILED_COUNT",
    ];
    let mut bad = Vec::new();
    for name in searches {
        let steps = plan(&connection, &statement(name));
        let whole = |line: &&String| line.starts_with("SCAN ") && !line.contains("audit_event_failed");
        bad.extend(steps.iter().filter(whole).map(|line| format!("{name}: {line}")));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    // The ends of the log are found by its key.
    for name in ["audit_status.rs OLDEST", "audit_status.rs NEWEST", "audit_status.rs FLOOR", "checkpoints.rs NEWEST"] {
        let steps = plan(&connection, &statement(name));
        assert!(steps.iter().all(|line| !line.contains("TEMP B-TREE")), "{name}: {steps:?}");
    }
}
