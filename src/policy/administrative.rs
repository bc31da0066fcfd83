//! Which actions are administration, read off the table: what only a platform right or a shell on the machine permits,
//! and what such a right permits on the things of others.

use super::action::Action;
use super::matrix::{Everyone, Row, row};

/// When an action is an act of administration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nobody else can take it.
    Always,
    /// Owners and members take it too: on something that is somebody else's.
    OnOthers,
}

/// Whether an action is administration; `None` for what no platform right is needed for.
pub fn reach(action: Action) -> Option<Reach> {
    let row = row(action);
    let by_right = !row.platform.is_empty() || row.break_glass;
    if !by_right && !row.system {
        return None;
    }
    Some(if has_other_sources(&row) { Reach::OnOthers } else { Reach::Always })
}

/// All of them, by their stable word.
pub fn all() -> Vec<(&'static str, Reach)> {
    Action::ALL.iter().filter_map(|action| reach(*action).map(|reach| (action.code(), reach))).collect()
}

fn has_other_sources(row: &Row) -> bool {
    row.own || row.group_admin || row.group_member || row.organization || row.public || row.share.is_some() || row.everyone != Everyone::No
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_members_may_do_too_is_administration_only_on_the_things_of_others() {
        assert_eq!(reach(Action::DeleteUser), Some(Reach::Always));
        assert_eq!(reach(Action::UpdateSystemSettings), Some(Reach::Always));
        assert_eq!(reach(Action::StopWorkspace), Some(Reach::OnOthers));
        assert_eq!(reach(Action::OpenTerminal), Some(Reach::OnOthers), "by breaking the glass");
        assert_eq!(reach(Action::UpdateOwnProfile), None);
        assert_eq!(reach(Action::SignIn), None);
    }
}
