//! What is written without an audit entry: a closed list of tables, and of single columns of tables that are audited
//! otherwise. Every statement that says it belongs here is held to the list in debug builds, and so by all tests.

/// The tables that are written without an audit entry, and why nobody could be asked about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unaudited {
    /// What the cluster said.
    Status,
    /// Use of a workspace.
    Activity,
    /// The timeline.
    Timeline,
    /// What workspaces counted for, from when to when.
    Periods,
    /// Use over time, and what stands out of it.
    Samples,
    /// Failed sign-ins, counted.
    Throttle,
    /// Answers kept for repeated requests.
    Idempotency,
    /// Last visit, last used.
    LastUsed,
    /// Refresh tokens that were rotated, one-time codes that were made or swept.
    Rotation,
    /// Read marks.
    Inbox,
    /// App sessions and ports of apps: they stand for a sign-in and an opening that were recorded.
    AppDoors,
    /// Signed heads of the chain.
    Checkpoint,
    /// Tries of the reconciler.
    Attempts,
    /// How the search index lies in the file; its words come from audited rows.
    SearchIndex,
    /// Keys and rows that a new installation is born with, and the clean-stop mark.
    Installation,
}

impl Unaudited {
    /// The tables it stands for; where columns are named, only these of a table that is audited otherwise.
    fn writes(self) -> &'static [(&'static str, &'static [&'static str])] {
        const TRIES: &[&str] = &["attempts", "next_attempt_at", "status_code", "status_message"];
        match self {
            Self::Status => &[
                ("workspace_status", &[]),
                ("group", &["observed_generation", "namespace_uid", "attempts", "next_attempt_at", "status_code", "status_message"]),
            ],
            Self::Activity => &[("workspace_activity", &[])],
            Self::Timeline => &[("workspace_event", &[])],
            Self::Periods => &[("workspace_period", &[])],
            Self::Samples => &[("usage_sample", &[]), ("usage_finding", &[])],
            Self::Throttle => &[("throttle", &[])],
            Self::Idempotency => &[("idempotency", &[])],
            Self::LastUsed => &[
                ("session", &["last_used_at", "idle_expires"]),
                ("api_token", &["last_used_at", "last_address", "warned_at"]),
                ("membership", &["last_visit_at"]),
            ],
            Self::Rotation => &[
                ("refresh_token", &[]),
                ("one_time_code", &[]),
                // What ended long ago is swept.
                ("session", &["DELETE"]),
                ("api_token", &["DELETE"]),
                ("machine_token", &["DELETE"]),
            ],
            Self::Inbox => &[("inbox", &[])],
            Self::AppDoors => &[("app_session", &[]), ("app_port", &[])],
            Self::Checkpoint => &[("audit_checkpoint", &[])],
            Self::Attempts => &[("workspace", TRIES), ("group", TRIES)],
            Self::SearchIndex => &[("search", &[])],
            Self::Installation => &[("signing_key", &[]), ("installation", &[])],
        }
    }

    /// Whether a statement writes nothing but what this stands for.
    pub(super) fn covers(self, sql: &str) -> bool {
        let words = || sql.split([' ', '\n', '(']).filter(|word| !word.is_empty());
        let verb = words().next().unwrap_or_default();
        let table = match verb {
            "INSERT" => words().skip_while(|word| *word != "INTO").nth(1),
            "DELETE" => words().nth(2),
            _ => words().nth(1),
        };
        let table = table.unwrap_or_default().trim_matches('"');
        self.writes().iter().filter(|(name, _)| *name == table).any(|(_, columns)| match verb {
            _ if columns.is_empty() => true,
            "DELETE" => columns.contains(&"DELETE"),
            "UPDATE" => assigned(sql).next().is_some() && assigned(sql).all(|column| columns.contains(&column)),
            _ => false,
        })
    }
}

/// The columns that an `UPDATE` sets.
fn assigned(sql: &str) -> impl Iterator<Item = &str> {
    let set = sql.split_once(" SET ").map_or("", |(_, rest)| rest);
    let set = set.split_once(" WHERE ").map_or(set, |(set, _)| set);
    // Commas inside calls are no new column: what follows them has no equals sign of its own.
    set.split(',').filter_map(|part| part.split_once(" = ")).map(|(column, _)| column.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_writes_what_its_word_stands_for_and_nothing_else() {
        let touch = "UPDATE session SET last_used_at = ?2, idle_expires = coalesce(?3, ?2) WHERE id = ?1";
        assert!(Unaudited::LastUsed.covers(touch));
        assert!(!Unaudited::LastUsed.covers("UPDATE session SET last_used_at = ?2, revoked_at = ?2 WHERE id = ?1"));
        assert!(!Unaudited::LastUsed.covers("UPDATE session\nSET revoked_at = ?2"), "what is not understood is not covered");
        assert!(!Unaudited::LastUsed.covers("DELETE FROM membership WHERE user_id = ?1"));
        assert!(!Unaudited::LastUsed.covers("INSERT INTO membership (group_id, user_id) VALUES (?1, ?2)"));
        assert!(Unaudited::Rotation.covers("DELETE FROM session WHERE hard_expires < ?1") && !Unaudited::Rotation.covers(touch));
        assert!(Unaudited::Throttle.covers("INSERT OR REPLACE INTO throttle (key) VALUES (?1)"));
        assert!(!Unaudited::Throttle.covers("INSERT INTO user (id) VALUES (?1)"));
        assert!(Unaudited::Attempts.covers("UPDATE \"group\" SET attempts = 0 WHERE id = ?1"));
        assert!(!Unaudited::Attempts.covers("UPDATE \"group\" SET quota_cpu_milli = 0"));
    }
}
