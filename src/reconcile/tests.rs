//! Planning and status as pure functions: what is done in which state, and that doing it once is enough.

use super::held::{Held, Known, pages};
use super::plan::{Step, Wanted, plan};
use super::seen::{self, seen};
use crate::clock::Millis;
use crate::cluster::{Observation, ObservedGroup, ObservedWorkspace};
use crate::domain::group::GroupStatus;
use crate::domain::id::{GroupId, OrganizationId, TemplateId, TemplateVersionId, UserId, WorkspaceId};
use crate::domain::quota::ResourceQuota;
use crate::domain::size::Size;
use crate::domain::template::{FrozenSpec, Recipe};
use crate::domain::workspace::{Desired, Phase, Reason, Status};
use crate::store::due::Ids;
use crate::store::groups::Group;
use crate::store::workspace_status::WorkspaceStatus;
use crate::store::workspaces::{Workspace, WorkspaceRow};

const NOW: Millis = Millis(1_000_000);

fn group(status: GroupStatus) -> Group {
    Group {
        id: GroupId::trusted("grp_1".into()),
        organization_id: OrganizationId::trusted("org_1".into()),
        name: "team".into(),
        display_name: "Team".into(),
        description: String::new(),
        namespace: "codex-platform-team".into(),
        namespace_uid: None,
        status,
        reason: None,
        generation: 2,
        observed_generation: 2,
        owner_id: UserId::trusted("usr_1".into()),
        private: true,
        private_members: true,
        quota: ResourceQuota::NEW_GROUP,
        member_count: 1,
        created_at: Millis(0),
        updated_at: Millis(0),
        revision: 1,
        attempts: 0,
        next_attempt_at: Millis(0),
    }
}

fn workspace(desired: Desired) -> Workspace {
    Workspace {
        row: WorkspaceRow {
            id: WorkspaceId::trusted("ws_1".into()),
            group_id: GroupId::trusted("grp_1".into()),
            owner_id: UserId::trusted("usr_1".into()),
            name: "mine".into(),
            description: String::new(),
            template_version_id: TemplateVersionId::trusted("tpv_1".into()),
            image: "local:shell".into(),
            spec: FrozenSpec {
                recipe: Recipe::Local { argv: vec!["sh".into()] },
                env: std::collections::BTreeMap::new(),
                apps: Vec::new(),
                container: crate::domain::container::ContainerSetup::default(),
                repository: None,
            },
            desired,
            generation: 5,
            run: 3,
            size: Size::new(1, 1, 1),
            local_uid: 20_000,
            created_at: Millis(0),
            updated_at: Millis(0),
            started_at: None,
            revision: 1,
            attempts: 0,
            next_attempt_at: Millis(0),
        },
        status: WorkspaceStatus::unseen(Millis(0)),
        template_id: TemplateId::trusted("tpl_1".into()),
        template_version: 1,
        organization_id: OrganizationId::trusted("org_1".into()),
        group_name: "team".into(),
        group_display_name: "Team".into(),
        group_status: GroupStatus::Active,
        namespace: "codex-platform-team".into(),
        owner_username: "anna".into(),
        owner_name: String::new(),
        owner_email: String::new(),
        last_accessed_at: None,
        share: None,
    }
}

fn at(phase: Phase, run: i64, generation: i64) -> ObservedWorkspace {
    ObservedWorkspace {
        id: WorkspaceId::trusted("ws_1".into()),
        namespace: "codex-platform-team".into(),
        phase,
        run,
        generation,
        reason: None,
        applied: None,
        notes: Vec::new(),
        components: Vec::new(),
    }
}

fn settled_group() -> ObservedGroup {
    ObservedGroup {
        id: GroupId::trusted("grp_1".into()),
        namespace: "codex-platform-team".into(),
        generation: 2,
        ready: true,
        terminating: false,
        reason: None,
        namespace_uid: None,
    }
}

/// Plans for one workspace in a group that needs nothing.
fn planned(workspace: &Workspace, observed: Option<ObservedWorkspace>) -> Vec<Step> {
    let mut group = group(GroupStatus::Active);
    group.status = workspace.group_status;
    let wanted = Wanted { groups: vec![group], workspaces: vec![workspace.clone()], ..Wanted::default() };
    let observation = Observation { groups: Some(vec![settled_group()]), workspaces: observed.into_iter().collect() };
    plan(&wanted, &Held::of(&observation), NOW, true)
}

fn kinds(steps: &[Step]) -> Vec<&'static str> {
    steps
        .iter()
        .map(|step| match step {
            Step::ApplyGroup(_) => "apply group",
            Step::RemoveGroup { .. } => "remove group",
            Step::RecordGroup { .. } => "record group",
            Step::ForgetGroup(_) => "forget group",
            Step::ApplyWorkspace(_) => "apply",
            Step::RemoveWorkspace { .. } => "remove",
            Step::ForgetWorkspace(_) => "forget",
        })
        .collect()
}

#[test]
fn what_should_run_and_does_not_is_applied() {
    let wanted = workspace(Desired::Running);
    assert_eq!(kinds(&planned(&wanted, None)), ["apply"]);
    assert_eq!(kinds(&planned(&wanted, Some(at(Phase::Absent, 3, 5)))), ["apply"], "after a restart of the server");
    for phase in Phase::ALL {
        assert_eq!(kinds(&planned(&wanted, Some(at(phase, 2, 4)))), ["apply"], "a new run is wanted, {phase:?}");
    }
    assert_eq!(kinds(&planned(&wanted, Some(at(Phase::Ready, 3, 4)))), ["apply"], "it was renamed");
}

#[test]
fn what_is_as_it_should_be_needs_nothing() {
    let wanted = workspace(Desired::Running);
    for phase in [Phase::Creating, Phase::Waiting, Phase::Ready, Phase::Failed, Phase::Terminating] {
        assert_eq!(kinds(&planned(&wanted, Some(at(phase, 3, 5)))), [""; 0], "{phase:?}");
    }
    assert_eq!(kinds(&planned(&wanted, Some(at(Phase::Failed, 3, 4)))), [""; 0], "a rename does not start what failed");
    let stopped = workspace(Desired::Stopped);
    assert_eq!(kinds(&planned(&stopped, None)), [""; 0]);
    assert_eq!(kinds(&planned(&stopped, Some(at(Phase::Absent, 3, 5)))), [""; 0]);
}

#[test]
fn what_should_not_run_is_stopped_once() {
    let stopped = workspace(Desired::Stopped);
    for phase in [Phase::Creating, Phase::Waiting, Phase::Ready, Phase::Failed] {
        assert_eq!(kinds(&planned(&stopped, Some(at(phase, 3, 4)))), ["apply"], "{phase:?}");
    }
    assert_eq!(kinds(&planned(&stopped, Some(at(Phase::Terminating, 3, 5)))), [""; 0]);
}

#[test]
fn a_row_goes_only_when_the_cluster_has_nothing_of_it() {
    let deleted = workspace(Desired::Deleted);
    assert_eq!(kinds(&planned(&deleted, Some(at(Phase::Ready, 3, 4)))), ["remove"]);
    assert_eq!(kinds(&planned(&deleted, Some(at(Phase::Terminating, 3, 4)))), [""; 0]);
    assert_eq!(kinds(&planned(&deleted, None)), ["forget"]);
}

#[test]
fn what_failed_waits_for_its_time() {
    let mut wanted = workspace(Desired::Running);
    wanted.row.next_attempt_at = NOW.plus(500);
    assert_eq!(kinds(&planned(&wanted, None)), [""; 0]);
    wanted.row.next_attempt_at = NOW;
    assert_eq!(kinds(&planned(&wanted, None)), ["apply"]);
}

#[test]
fn nothing_starts_without_keys_or_before_its_group() {
    let mut wanted = workspace(Desired::Running);
    let all = Wanted { groups: vec![group(GroupStatus::Active)], workspaces: vec![wanted.clone()], ..Wanted::default() };
    let observation = Observation { groups: Some(vec![settled_group()]), workspaces: Vec::new() };
    assert_eq!(kinds(&plan(&all, &Held::of(&observation), NOW, false)), [""; 0]);
    wanted.group_status = GroupStatus::Creating;
    assert_eq!(kinds(&planned(&wanted, None)), ["record group"]);
}

#[test]
fn only_what_looks_different_is_news() {
    let first = Observation { groups: Some(vec![settled_group()]), workspaces: vec![at(Phase::Creating, 3, 5)] };
    let mut known = Known::default();
    let (groups, workspaces) = known.news(&Held::of(&first));
    assert_eq!((groups.len(), workspaces.len()), (1, 1), "everything is new at first");
    known.dealt_with(&Ids { groups, workspaces }, &Held::of(&first));
    assert_eq!(known.news(&Held::of(&first)), (Vec::new(), Vec::new()));
    let mut noted = first.clone();
    noted.workspaces[0].notes.push(crate::cluster::Note {
        at: NOW,
        run: 3,
        kind: crate::cluster::NoteKind::Step,
        code: "ready".into(),
        message: "Ready.".into(),
    });
    assert_eq!(known.news(&Held::of(&noted)).1.len(), 0, "a note is told apart from the state");
    let second = Observation { groups: Some(Vec::new()), workspaces: vec![at(Phase::Ready, 3, 5)] };
    let (groups, workspaces) = known.news(&Held::of(&second));
    assert_eq!((groups.len(), workspaces.len()), (1, 1), "what is gone is news, too");
    known.dealt_with(&Ids { groups, workspaces }, &Held::of(&second));
    assert_eq!(known.news(&Held::of(&second)), (Vec::new(), Vec::new()));
}

#[test]
fn pages_hold_every_id_once() {
    let groups: Vec<GroupId> = (0..5).map(|n| GroupId::trusted(format!("grp_{n}"))).collect();
    let workspaces: Vec<WorkspaceId> = (0..3).map(|n| WorkspaceId::trusted(format!("ws_{n}"))).collect();
    let cut: Vec<Ids> = pages(groups.clone(), workspaces.clone(), 2).collect();
    assert_eq!(cut.iter().map(|ids| (ids.groups.len(), ids.workspaces.len())).collect::<Vec<_>>(), [(2, 2), (2, 1), (1, 0)]);
    assert_eq!(cut.iter().flat_map(|ids| ids.groups.clone()).collect::<Vec<_>>(), groups);
    assert_eq!(cut.iter().flat_map(|ids| ids.workspaces.clone()).collect::<Vec<_>>(), workspaces);
    assert_eq!(pages(Vec::new(), Vec::new(), 2).count(), 0);
}

fn planned_group(group: Group, observed: Option<ObservedGroup>) -> Vec<&'static str> {
    let wanted = Wanted { groups: vec![group], ..Wanted::default() };
    let observation = Observation { groups: Some(observed.into_iter().collect()), workspaces: Vec::new() };
    kinds(&plan(&wanted, &Held::of(&observation), NOW, true))
}

#[test]
fn a_group_is_made_recorded_and_changed_with_its_quota() {
    let creating = group(GroupStatus::Creating);
    assert_eq!(planned_group(creating.clone(), None), ["apply group"]);
    assert_eq!(planned_group(creating.clone(), Some(ObservedGroup { generation: 1, ..settled_group() })), ["apply group"]);
    assert_eq!(planned_group(creating.clone(), Some(ObservedGroup { ready: false, ..settled_group() })), [""; 0]);
    assert_eq!(planned_group(creating, Some(settled_group())), ["record group"]);
    assert_eq!(planned_group(group(GroupStatus::Active), Some(settled_group())), [""; 0]);
    let behind = Group { observed_generation: 1, ..group(GroupStatus::Active) };
    assert_eq!(planned_group(behind, Some(settled_group())), ["record group"]);
    let tried = Group { attempts: 2, ..group(GroupStatus::Active) };
    assert_eq!(planned_group(tried, Some(settled_group())), ["record group"], "its failures are over");
    assert_eq!(planned_group(group(GroupStatus::Active), None), ["apply group"], "the cluster lost it");
    let elsewhere = ObservedGroup { namespace: "a-copy".into(), ..settled_group() };
    assert_eq!(planned_group(group(GroupStatus::Active), Some(elsewhere.clone())), ["apply group"], "what is there is a copy of it");
    assert_eq!(planned_group(group(GroupStatus::Deleting), Some(elsewhere)), ["forget group"], "the copy is left alone");
}

#[test]
fn a_group_is_removed_and_then_forgotten() {
    let deleting = group(GroupStatus::Deleting);
    assert_eq!(planned_group(deleting.clone(), Some(settled_group())), ["remove group"]);
    assert_eq!(planned_group(deleting.clone(), Some(ObservedGroup { terminating: true, ..settled_group() })), [""; 0]);
    assert_eq!(planned_group(deleting.clone(), None), ["forget group"]);
    let inhabited = std::collections::BTreeSet::from([deleting.id.clone()]);
    let wanted = Wanted { groups: vec![deleting], inhabited, workspaces: Vec::new() };
    for groups in [None, Some(Vec::new())] {
        let observation = Observation { groups, workspaces: Vec::new() };
        assert_eq!(kinds(&plan(&wanted, &Held::of(&observation), NOW, true)), [""; 0], "its workspaces go first");
    }
}

#[test]
fn where_groups_have_no_place_the_file_alone_is_told() {
    let steps = |group: Group| {
        let wanted = Wanted { groups: vec![group], ..Wanted::default() };
        kinds(&plan(&wanted, &Held::default(), NOW, true))
    };
    assert_eq!(steps(group(GroupStatus::Creating)), ["record group"]);
    assert_eq!(steps(Group { observed_generation: 1, ..group(GroupStatus::Active) }), ["record group"]);
    assert_eq!(steps(group(GroupStatus::Active)), [""; 0]);
    assert_eq!(steps(group(GroupStatus::Deleting)), ["forget group"]);
}

fn status_of(workspace: &Workspace, status: &WorkspaceStatus) -> Status {
    Status::of(workspace.row.desired, status.phase, workspace.row.run, status.observed_run)
}

#[test]
fn the_failure_of_an_earlier_run_is_not_the_state_of_this_one() {
    let wanted = workspace(Desired::Running);
    let seen = seen(&wanted, Some(&at(Phase::Failed, 2, 4)), NOW);
    assert_eq!(status_of(&wanted, &seen), Status::Starting);
    assert_eq!(seen.reason, None);
}

#[test]
fn a_rejection_stays_visible_until_another_try_works() {
    let mut wanted = workspace(Desired::Running);
    let why = Reason { code: "needs_containers".into(), message: "No.".into(), remedy: None };
    wanted.status = seen::complained(&wanted, why.clone(), true, NOW);
    wanted.row.attempts = 1;
    for observed in [None, Some(at(Phase::Absent, 2, 4)), Some(at(Phase::Failed, 2, 4))] {
        let seen = seen(&wanted, observed.as_ref(), NOW.plus(9));
        assert_eq!((status_of(&wanted, &seen), seen.reason.as_ref(), seen.since), (Status::Error, Some(&why), NOW));
    }
    let running = at(Phase::Ready, 3, 5);
    wanted.row.attempts = 0;
    let seen = seen(&wanted, Some(&running), NOW.plus(9));
    assert_eq!((status_of(&wanted, &seen), seen.reason), (Status::Running, None));
}

#[test]
fn an_absent_cluster_changes_the_reason_and_never_the_status() {
    let mut wanted = workspace(Desired::Running);
    wanted.status = seen(&wanted, Some(&at(Phase::Ready, 3, 5)), NOW);
    let before = status_of(&wanted, &wanted.status);
    wanted.status = seen::unreachable(&wanted, "it does not answer", NOW.plus(1));
    assert_eq!(status_of(&wanted, &wanted.status), before);
    assert_eq!(wanted.status.reason.as_ref().map(|r| r.code.as_str()), Some(seen::UNREACHABLE));
    let back = seen(&wanted, Some(&at(Phase::Ready, 3, 5)), NOW.plus(2));
    assert_eq!((back.reason, back.since), (None, NOW.plus(2)));
    let stopped = workspace(Desired::Stopped);
    assert_eq!(seen::unreachable(&stopped, "it does not answer", NOW), stopped.status, "a stopped one misses nothing");
}

#[test]
fn a_workspace_waits_with_its_group_and_says_so() {
    let mut wanted = workspace(Desired::Running);
    wanted.group_status = GroupStatus::Creating;
    let seen = seen(&wanted, None, NOW);
    assert_eq!(status_of(&wanted, &seen), Status::Pending);
    assert_eq!(seen.reason.map(|r| r.code).as_deref(), Some("group_not_ready"));
}

#[test]
fn the_same_observation_again_changes_nothing() {
    for desired in [Desired::Running, Desired::Stopped, Desired::Deleted] {
        for phase in Phase::ALL {
            let mut wanted = workspace(desired);
            let observed = at(phase, 3, 5);
            wanted.status = seen(&wanted, Some(&observed), NOW);
            assert_eq!(seen(&wanted, Some(&observed), NOW.plus(7)), wanted.status, "{desired:?} {phase:?}");
        }
    }
}
