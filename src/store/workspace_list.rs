//! Lists of workspaces: by key, newest first.
//!
//! What one may see is a [`Scope`], chosen by `ops` with policy's answers; it becomes SQL here, put together from
//! constants. A search among all walks the trigram index, newest entry first; a search among few asks that index about
//! each of them. Either stops as soon as the page is full.

use super::sql::{Page, fts_query};
use super::tx::Read;
use super::workspace_status::status_sql;
use super::workspaces::{JOINS, SELECT, Workspace, workspace};
use crate::clock::Millis;
use crate::domain::id::{GroupId, OrganizationId, UserId, WorkspaceId};
use crate::domain::workspace::Status;
use crate::error::Result;
use rusqlite::ToSql;

/// Which workspaces somebody may see at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    Owner(UserId),
    Group(GroupId),
    /// Their own, those of groups and organizations they oversee, and what is shared with them.
    Visible {
        user: UserId,
        groups: Vec<GroupId>,
        organizations: Vec<OrganizationId>,
    },
}

/// Which of them are wanted.
#[derive(Debug, Clone)]
pub struct Filter {
    pub scope: Scope,
    /// For whom shares are looked up.
    pub caller: Option<UserId>,
    pub group: Option<GroupId>,
    pub owner: Option<UserId>,
    pub status: Option<Status>,
    /// A part of the name.
    pub search: Option<String>,
    /// The last id of the page before.
    pub before: Option<WorkspaceId>,
    pub limit: usize,
}

const VISIBLE: &str = "w.id IN (SELECT o.id FROM workspace o WHERE o.owner_id = :user \
     UNION SELECT o.id FROM json_each(:groups) j CROSS JOIN workspace o ON o.group_id = j.value \
     UNION SELECT o.id FROM json_each(:organizations) j CROSS JOIN \"group\" h ON h.organization_id = j.value CROSS JOIN workspace o ON o.group_id = h.id \
     UNION SELECT x.object_id FROM share x WHERE x.holder_kind = 'user' AND x.holder_id = :user AND x.object_kind = 'workspace' \
     AND (x.expires_at IS NULL OR x.expires_at > :now) \
     UNION SELECT x.object_id FROM membership m CROSS JOIN share x ON x.holder_kind = 'group' AND x.holder_id = m.group_id \
     AND x.object_kind = 'workspace' WHERE m.user_id = :user AND (m.expires_at IS NULL OR m.expires_at > :now) \
     AND (x.expires_at IS NULL OR x.expires_at > :now))";

const HOLDS: &str = "EXISTS (SELECT 1 FROM search_row r CROSS JOIN search f ON f.rowid = r.row_id \
     WHERE r.kind = 'workspace' AND r.id = w.id AND f.search MATCH :search)";
/// Entries older than that of the last workspace; where that is gone by now, than that of the next older one.
const OLDER_ENTRY: &str = "f.rowid < coalesce((SELECT row_id FROM search_row WHERE kind = 'workspace' AND id = :before), \
     (SELECT row_id + 1 FROM search_row WHERE kind = 'workspace' AND id < :before ORDER BY id DESC LIMIT 1), 0)";

/// Conditions and their values, put together from the constants above.
struct Question {
    /// The trigram index `f` is what is walked, and not the workspaces.
    walks_index: bool,
    conditions: Vec<&'static str>,
    values: Vec<(&'static str, Box<dyn ToSql>)>,
}

impl Question {
    fn new() -> Self {
        Self { walks_index: false, conditions: Vec::new(), values: Vec::new() }
    }

    fn only(&mut self, condition: &'static str) {
        self.conditions.push(condition);
    }

    fn bind(&mut self, name: &'static str, value: impl ToSql + 'static) {
        self.values.push((name, Box::new(value)));
    }

    fn of(filter: &Filter, now: Millis) -> Self {
        let mut question = Self::new();
        match &filter.scope {
            Scope::All => {}
            Scope::Owner(user) => {
                question.only("w.owner_id = :user");
                question.bind(":user", user.to_string());
            }
            Scope::Group(group) => {
                question.only("w.group_id = :home");
                question.bind(":home", group.to_string());
            }
            Scope::Visible { user, groups, organizations } => {
                question.only(VISIBLE);
                question.bind(":user", user.to_string());
                question.bind(":groups", serde_json::json!(groups).to_string());
                question.bind(":organizations", serde_json::json!(organizations).to_string());
                question.bind(":now", now.0);
            }
        }
        question.narrow(filter);
        question
    }

    fn narrow(&mut self, filter: &Filter) {
        if let Some(group) = &filter.group {
            self.only("w.group_id = :group");
            self.bind(":group", group.to_string());
        }
        if let Some(owner) = &filter.owner {
            self.only("w.owner_id = :owner");
            self.bind(":owner", owner.to_string());
        }
        if let Some(status) = filter.status {
            self.only(concat!("(", status_sql!(), ") = :status"));
            self.bind(":status", status.as_str());
        }
        match &filter.search {
            // Trigrams match nothing under three characters; such a search looks at the beginning of the name.
            Some(text) if text.chars().count() < 3 => {
                self.only("lower(substr(w.name, 1, length(:search))) = lower(:search)");
                self.bind(":search", text.clone());
            }
            Some(text) => {
                self.walks_index = matches!(filter.scope, Scope::All);
                self.only(if self.walks_index { "f.search MATCH :search" } else { HOLDS });
                self.bind(":search", fts_query("workspace", text));
            }
            None => {}
        }
    }

    fn asks_shares(&mut self, caller: Option<&UserId>, now: Millis) {
        self.bind(":me", caller.map(ToString::to_string));
        if !self.values.iter().any(|(name, _)| *name == ":now") {
            self.bind(":now", now.0);
        }
    }

    fn from(&self) -> &'static str {
        if self.walks_index { " FROM search f CROSS JOIN workspace w ON w.id = f.id" } else { " FROM workspace w" }
    }

    fn order(&self) -> &'static str {
        if self.walks_index { "f.rowid" } else { "w.id" }
    }

    fn after(&mut self, before: &WorkspaceId) {
        self.only(if self.walks_index { OLDER_ENTRY } else { "w.id < :before" });
        self.bind(":before", before.to_string());
    }

    fn condition(&self) -> String {
        if self.conditions.is_empty() { String::new() } else { format!(" WHERE {}", self.conditions.join(" AND ")) }
    }

    fn page(&self) -> String {
        format!("{SELECT}{}{JOINS}{} ORDER BY {} DESC LIMIT :limit", self.from(), self.condition(), self.order())
    }

    fn params(&self) -> Vec<(&str, &dyn ToSql)> {
        self.values.iter().map(|(name, value)| (*name, value.as_ref())).collect()
    }
}

/// A page of workspaces, newest first.
pub fn list(read: &Read<'_>, filter: &Filter) -> Result<Page<Workspace>> {
    let mut question = Question::of(filter, read.now());
    question.asks_shares(filter.caller.as_ref(), read.now());
    if let Some(before) = &filter.before {
        question.after(before);
    }
    question.bind(":limit", i64::try_from(filter.limit + 1).unwrap_or(i64::MAX));
    let sql = question.page();
    Ok(Page::cut(read.rows(&sql, question.params().as_slice(), workspace)?, filter.limit))
}

/// How many there are on all pages.
pub fn count(read: &Read<'_>, filter: &Filter) -> Result<i64> {
    let question = Question::of(filter, read.now());
    let status = " CROSS JOIN workspace_status s ON s.workspace_id = w.id";
    let sql = format!("SELECT count(*){}{status}{}", question.from(), question.condition());
    read.one(&sql, question.params().as_slice(), |r| r.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, SystemEntropy};
    use crate::domain::quota::Usage;
    use crate::domain::size::Size;
    use crate::domain::workspace::Desired;
    use crate::domain::workspace::Phase;
    use crate::events::Bus;
    use crate::store::open::Synchronous;
    use crate::store::workspace_status::WorkspaceStatus;
    use crate::store::workspaces::find;
    use crate::store::{Db, DbOptions, Origin, pool};
    use rusqlite::params;
    use std::sync::Arc;

    fn open(dir: &std::path::Path) -> Db {
        let options = DbOptions {
            path: dir.join("codex-web.db"),
            synchronous: Synchronous::Normal,
            readers: 1,
            audit_key: [1; 32],
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bus: Bus::new("test".into()),
        };
        Db::open(options).unwrap().0
    }

    #[test]
    fn the_status_in_sql_is_the_status_of_the_domain() {
        let dir = tempfile::tempdir().unwrap();
        let sql =
            concat!("SELECT ", status_sql!(), " FROM (SELECT ?1 AS desired, ?2 AS run) w, (SELECT ?3 AS phase, ?4 AS observed_run) s");
        open(dir.path())
            .read_blocking(|read| {
                for desired in [Desired::Running, Desired::Stopped, Desired::Deleted] {
                    for phase in Phase::ALL {
                        for (run, observed) in [(1, 1), (2, 1), (1, 0), (1, 2)] {
                            let word: String = read.one(sql, (desired.as_str(), run, phase.as_str(), observed), |r| r.get(0))?;
                            assert_eq!(word, Status::of(desired, phase, run, observed).as_str(), "{desired:?} {phase:?} {run} {observed}");
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
    }

    /// A group and workspaces in every state, written as they lie in the file.
    fn furnish(db: &Db) -> (GroupId, Vec<(WorkspaceId, Usage)>) {
        db.write_blocking(Origin::default(), |tx| {
            let c = tx.connection();
            c.execute_batch(
                "INSERT INTO user (id, username, email, created_at, updated_at) VALUES ('usr_a', 'anna', 'a@example.org', 0, 0);
                 INSERT INTO \"group\" (id, organization_id, name, display_name, namespace, status, owner_id, quota_cpu_milli, quota_memory_bytes, \
                 quota_storage_bytes, quota_workspaces, created_at, updated_at) \
                 SELECT 'grp_a', id, 'team', 'Team', 'ns-team', 'active', 'usr_a', 1, 1, 1, 1, 0, 0 FROM organization;",
            )?;
            let mut made = Vec::new();
            for (n, (desired, phase, applied)) in [Desired::Running, Desired::Stopped, Desired::Deleted]
                .into_iter()
                .flat_map(|d| Phase::ALL.into_iter().flat_map(move |p| [None, Some(900), Some(3)].map(|a| (d, p, a))))
                .enumerate()
            {
                let id = WorkspaceId::trusted(format!("ws_{n:032x}"));
                c.execute(
                    "INSERT INTO workspace (id, group_id, owner_id, name, template_version_id, image, spec_format, spec, desired, cpu_milli, \
                     memory_bytes, disk_bytes, local_uid, created_at, updated_at) SELECT ?1, 'grp_a', 'usr_a', ?1, id, 'x', 1, \
                     '{\"recipe\":{\"kind\":\"image\",\"reference\":\"x\"}}', ?2, 500, 600, 700, ?3, 0, 0 FROM template_version LIMIT 1",
                    params![id.as_str(), desired.as_str(), i64::try_from(n).unwrap()],
                )?;
                let applied = applied.map(|n| Size::new(n, n, n));
                let seen = WorkspaceStatus { phase, applied: applied.clone(), ..WorkspaceStatus::unseen(Millis(0)) };
                super::super::workspace_status::save(tx, &id, &seen)?;
                made.push((id, Usage::counted(&Size::new(500, 600, 700), applied.as_ref(), desired, phase)));
            }
            Ok((GroupId::trusted("grp_a".into()), made))
        })
        .unwrap()
    }

    #[test]
    fn the_pool_in_sql_counts_what_the_domain_counts() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (group, made) = furnish(&db);
        let expected = made.iter().fold(Usage::default(), |sum, (_, one)| sum.plus(one));
        db.read_blocking(|read| {
            assert_eq!(pool::group_usage(read, &group)?, expected);
            assert_eq!(pool::group_usages(read, std::slice::from_ref(&group))?.get(&group), Some(&expected));
            for (id, usage) in &made {
                assert_eq!(find(read, id, None)?.map(|w| w.counted()), Some(*usage), "{id}");
            }
            Ok(())
        })
        .unwrap();
    }

    fn filter(scope: Scope) -> Filter {
        Filter {
            scope,
            caller: Some(UserId::trusted("usr_a".into())),
            group: None,
            owner: None,
            status: None,
            search: None,
            before: None,
            limit: 10,
        }
    }

    #[test]
    fn pages_follow_each_other_without_gaps_whatever_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (group, made) = furnish(&db);
        let anna = UserId::trusted("usr_a".into());
        let visible = Scope::Visible { user: anna.clone(), groups: vec![group.clone()], organizations: Vec::new() };
        for scope in [Scope::All, Scope::Owner(anna), Scope::Group(group), visible] {
            let mut wanted = filter(scope.clone());
            let (mut seen, mut more) = (Vec::new(), true);
            while more {
                let page = db.read_blocking(|read| list(read, &wanted)).unwrap();
                seen.extend(page.items.iter().map(|w| w.row.id.clone()));
                (more, wanted.before) = (page.more, seen.last().cloned());
            }
            assert_eq!(seen, made.iter().rev().map(|(id, _)| id.clone()).collect::<Vec<_>>(), "{scope:?}");
            assert_eq!(db.read_blocking(|read| count(read, &filter(scope.clone()))).unwrap(), 54);
        }
        let stranger = Scope::Visible { user: UserId::trusted("usr_b".into()), groups: Vec::new(), organizations: Vec::new() };
        assert!(db.read_blocking(|read| list(read, &filter(stranger))).unwrap().items.is_empty());
    }

    #[test]
    fn a_search_finds_parts_of_names_and_no_operator_works_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (group, _) = furnish(&db);
        for scope in [Scope::All, Scope::Group(group)] {
            let found = |text: &str| {
                let wanted = Filter { search: Some(text.into()), limit: 100, ..filter(scope.clone()) };
                let items = db.read_blocking(|read| list(read, &wanted)).unwrap().items.len();
                assert_eq!(usize::try_from(db.read_blocking(|read| count(read, &wanted)).unwrap()).unwrap(), items, "{text}");
                items
            };
            assert_eq!(found("ws"), 54);
            assert_eq!(found("00035"), 1);
            assert_eq!(found("WS_0"), 54, "letters of either case are the same");
            assert_eq!(found("ws OR 1"), 0);
            assert_eq!(found("\"*"), 0);
        }
    }

    #[test]
    fn pages_of_a_search_follow_each_other_also_when_the_last_one_seen_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let (_, made) = furnish(&db);
        let mut wanted = Filter { search: Some("ws_".into()), ..filter(Scope::All) };
        let (mut seen, mut more) = (Vec::new(), true);
        while more {
            let page = db.read_blocking(|read| list(read, &wanted)).unwrap();
            seen.extend(page.items.iter().map(|w| w.row.id.clone()));
            (more, wanted.before) = (page.more, seen.last().cloned());
            let last = seen.last().unwrap().to_string();
            db.write_blocking(Origin::default(), move |tx| Ok(tx.connection().execute("DELETE FROM workspace WHERE id = ?1", [last])?))
                .unwrap();
        }
        assert_eq!(seen, made.iter().rev().map(|(id, _)| id.clone()).collect::<Vec<_>>());
    }

    fn plan_of(db: &Db, wanted: &Filter) -> Vec<String> {
        db.read_blocking(|read| {
            let mut question = Question::of(wanted, read.now());
            question.asks_shares(None, read.now());
            question.after(&WorkspaceId::trusted("ws_~".into()));
            question.bind(":limit", 10);
            read.rows(&format!("EXPLAIN QUERY PLAN {}", question.page()), question.params().as_slice(), |r| r.get::<_, String>(3))
        })
        .unwrap()
    }

    #[test]
    fn a_search_among_all_streams_from_the_trigram_index() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan_of(&open(dir.path()), &Filter { search: Some("space".into()), ..filter(Scope::All) });
        assert!(plan[0].starts_with("SCAN f VIRTUAL TABLE"), "{plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE") || line.contains("LIST SUBQUERY")), "{plan:#?}");
    }

    #[test]
    fn a_search_among_few_asks_the_index_about_each_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let scope = Scope::Owner(UserId::trusted("usr_a".into()));
        let plan = plan_of(&open(dir.path()), &Filter { search: Some("space".into()), ..filter(scope) });
        assert!(plan[0].starts_with("SEARCH w USING INDEX"), "{plan:#?}");
        assert!(plan.iter().any(|line| line.contains("CORRELATED")), "{plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:#?}");
    }

    #[test]
    fn the_hot_lists_walk_an_index_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        for scope in [Scope::All, Scope::Owner(UserId::trusted("usr_a".into())), Scope::Group(GroupId::trusted("grp_a".into()))] {
            let plan = plan_of(&db, &filter(scope.clone()));
            assert!(plan.iter().any(|line| line.starts_with("SEARCH w USING INDEX")), "{scope:?} {plan:#?}");
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE") || line.starts_with("SCAN")), "{scope:?} {plan:#?}");
        }
    }

    #[test]
    fn what_somebody_oversees_is_gathered_by_indexes_whatever_else_there_is() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(dir.path());
        let groups = vec![GroupId::trusted("grp_a".into())];
        let scope = Scope::Visible { user: UserId::trusted("usr_a".into()), groups, organizations: Vec::new() };
        for search in [None, Some("space".to_owned())] {
            let plan = plan_of(&db, &Filter { search, ..filter(scope.clone()) });
            assert!(plan[0].starts_with("SEARCH w USING INDEX"), "{plan:#?}");
            // The lists that the caller brings and the trigram index are no tables.
            assert!(!plan.iter().any(|line| line.starts_with("SCAN ") && !line.contains("VIRTUAL TABLE")), "{plan:#?}");
            // What is visible is sorted to be merged; the page itself comes in the order of the workspaces.
            let (_, page) = plan.split_at(plan.iter().position(|line| line.starts_with("SEARCH g ")).unwrap());
            assert!(!page.iter().any(|line| line.contains("ORDER BY")), "{plan:#?}");
        }
    }
}
