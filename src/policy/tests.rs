//! Who may do what, in the cases that matter most; the whole table is walked by the integration tests.

use super::*;
use crate::clock::{HOUR, Millis};
use crate::domain::id::{GroupId, OrganizationId, SessionId, TokenId, UserId, WorkspaceId};
use crate::domain::scope::Scope;
use crate::error::Missing;
use matrix::Share;
use std::collections::{BTreeMap, BTreeSet};

fn id<T>(parse: impl Fn(String) -> T, prefix: &str, n: u8) -> T {
    parse(format!("{prefix}{n:032x}"))
}

fn group_id(n: u8) -> GroupId {
    id(GroupId::trusted, "grp_", n)
}

fn user_id(n: u8) -> UserId {
    id(UserId::trusted, "usr_", n)
}

struct Person(UserActor);

impl Person {
    fn new() -> Self {
        Self(UserActor {
            id: user_id(1),
            username: "anna".into(),
            rights: Rights::NONE,
            groups: BTreeMap::new(),
            organizations: BTreeMap::new(),
            credential: Credential::Cookie(id(SessionId::trusted, "ses_", 1)),
            token: None,
            signed_in_at: Millis(0),
            has_second_factor: false,
            must_change_password: false,
        })
    }

    fn with(mut self, change: impl FnOnce(&mut UserActor)) -> Actor {
        change(&mut self.0);
        Actor::User(Box::new(self.0))
    }
}

fn member() -> Actor {
    Person::new().with(|p| {
        p.groups.insert(group_id(1), Role::Member);
    })
}

fn group_admin() -> Actor {
    Person::new().with(|p| {
        p.groups.insert(group_id(1), Role::Admin);
    })
}

fn platform_admin() -> Actor {
    Person::new().with(|p| p.rights = Rights::ALL)
}

fn group(n: u8) -> GroupFacts {
    GroupFacts {
        id: group_id(n),
        name: "team".into(),
        organization_id: id(OrganizationId::trusted, "org_", 1),
        private: true,
        private_members: true,
        deleting: false,
    }
}

fn workspace(owner: u8, group: u8) -> WorkspaceFacts {
    WorkspaceFacts {
        id: id(WorkspaceId::trusted, "ws_", 1),
        name: "work".into(),
        group_id: group_id(group),
        organization_id: id(OrganizationId::trusted, "org_", 1),
        owner_id: user_id(owner),
        share: None,
    }
}

fn subject(rights: Rights, last_admin: bool) -> UserFacts {
    UserFacts { id: user_id(2), username: "ben".into(), active: true, rights, groups: vec![group_id(1)], last_admin }
}

fn refusal(actor: &Actor, action: Action, target: Target<'_>) -> Denied {
    match authorize(actor, action, target, Context::default()) {
        Err(Error::Denied(denied)) => *denied,
        other => panic!("{action:?}: {other:?}"),
    }
}

#[test]
fn looking_is_not_entering() {
    let theirs = workspace(2, 1);
    for actor in [group_admin(), platform_admin()] {
        assert!(may(&actor, Action::StopWorkspace, Target::Workspace(&theirs)));
        assert!(!may(&actor, Action::OpenTerminal, Target::Workspace(&theirs)));
    }
    assert!(may(&member(), Action::OpenTerminal, Target::Workspace(&workspace(1, 1))));
}

#[test]
fn breaking_the_glass_needs_a_platform_admin_a_reason_and_the_setting() {
    let theirs = workspace(2, 1);
    let enter = |actor: &Actor, reason, break_glass| {
        authorize(actor, Action::OpenTerminal, Target::Workspace(&theirs), Context { now: Millis(0), reason, break_glass })
    };
    assert!(enter(&platform_admin(), Some("an outage"), true).is_ok_and(|p| p.is_break_glass()));
    assert!(enter(&platform_admin(), None, true).is_err());
    assert!(enter(&platform_admin(), Some("an outage"), false).is_err());
    assert!(enter(&group_admin(), Some("an outage"), true).is_err());
}

#[test]
fn what_the_caller_may_not_see_is_not_there_and_what_they_see_is_refused() {
    let elsewhere = workspace(2, 2);
    assert_eq!(refusal(&member(), Action::DeleteWorkspace, Target::Workspace(&elsewhere)).shown, Shown::Hidden(Missing::Workspace));
    assert_eq!(refusal(&member(), Action::DeleteGroup, Target::Group(&group(1))).shown, Shown::Refused);
    assert_eq!(refusal(&member(), Action::ViewGroup, Target::Group(&group(2))).shown, Shown::Hidden(Missing::Group));
}

#[test]
fn a_group_admin_reaches_nothing_in_other_groups_and_no_membership_in_their_own() {
    for action in
        [Action::AddUserToGroup, Action::RemoveUserFromGroup, Action::SetGroupQuota, Action::PromoteUserToGroupAdmin, Action::DeleteGroup]
    {
        assert!(!may(&group_admin(), action, Target::Group(&group(1))), "{action:?}");
    }
    assert!(!may(&group_admin(), Action::StopWorkspace, Target::Workspace(&workspace(2, 2))));
}

#[test]
fn a_public_group_is_seen_by_everybody_and_its_members_only_where_they_are_public_too() {
    let mut open = group(2);
    open.private = false;
    assert!(may(&member(), Action::ViewGroup, Target::Group(&open)));
    assert!(!may(&member(), Action::ViewGroupMembers, Target::Group(&open)));
    open.private_members = false;
    assert!(may(&member(), Action::ViewGroupMembers, Target::Group(&open)));
    assert!(!may(&member(), Action::CreateWorkspace, Target::Group(&open)));
}

#[test]
fn a_group_that_is_being_deleted_is_seen_by_platform_admins_only() {
    let mut going = group(1);
    going.deleting = true;
    assert!(!may(&group_admin(), Action::ViewGroup, Target::Group(&going)));
    assert!(may(&platform_admin(), Action::ViewGroup, Target::Group(&going)));
}

#[test]
fn a_share_gives_its_level_and_what_lies_below_it() {
    let mut shared = workspace(2, 2);
    shared.share = Some(Share::Run);
    assert!(may(&member(), Action::StartWorkspace, Target::Workspace(&shared)));
    assert!(may(&member(), Action::OpenTerminal, Target::Workspace(&shared)));
    assert!(!may(&member(), Action::DeleteWorkspace, Target::Workspace(&shared)));
}

#[test]
fn a_custom_role_gives_its_actions_inside_its_organization_only() {
    let roles = |n: u8| BTreeMap::from([(id(OrganizationId::trusted, "org_", n), BTreeSet::from(["stop_workspace".to_owned()]))]);
    let theirs = workspace(2, 2);
    assert!(may(&Person::new().with(|p| p.organizations = roles(1)), Action::StopWorkspace, Target::Workspace(&theirs)));
    assert!(!may(&Person::new().with(|p| p.organizations = roles(2)), Action::StopWorkspace, Target::Workspace(&theirs)));
}

fn with_token(grant: TokenGrant) -> Actor {
    Person::new().with(|p| {
        p.rights = Rights::ALL;
        p.groups.insert(group_id(1), Role::Admin);
        p.credential = Credential::ApiToken(id(TokenId::trusted, "tok_", 1));
        p.token = Some(grant);
    })
}

fn scoped(words: &[&str]) -> TokenGrant {
    TokenGrant { scopes: words.iter().map(|word| Scope::parse(word).unwrap()).collect(), ..TokenGrant::default() }
}

#[test]
fn an_api_token_is_bounded_by_its_scopes() {
    let token = |words: &[&str]| with_token(scoped(words));
    assert!(may(&token(&["groups:write"]), Action::CreateGroup, Target::System));
    assert!(!may(&token(&["groups:read"]), Action::CreateGroup, Target::System));
    assert!(may(&token(&["groups:write"]), Action::ListAllGroups, Target::System), "writing includes reading");
    assert!(!may(&token(&["groups:write"]), Action::CreateUser, Target::System));
    assert!(!may(&token(&[]), Action::ViewOwnProfile, Target::Own));
    assert!(!may(&token(&["workspaces:write"]), Action::OpenTerminal, Target::Workspace(&workspace(1, 1))));
    assert!(may(&token(&["workspaces:connect"]), Action::OpenTerminal, Target::Workspace(&workspace(1, 1))));
}

#[test]
fn a_token_allows_what_one_of_its_scopes_names_and_nothing_else_for_every_action() {
    for action in Action::ALL {
        let needed = matrix::row(*action).scope;
        let signed_in = could_ever(&platform_admin(), *action);
        for scope in Scope::all() {
            let token = with_token(TokenGrant { scopes: [scope].into(), ..TokenGrant::default() });
            let named = needed.is_some_and(|needed| scope.covers(needed));
            assert_eq!(could_ever(&token, *action), named && signed_in, "{action:?} with {scope}");
        }
    }
}

#[test]
fn no_token_reaches_what_would_become_a_sign_in_or_another_token() {
    let everything = with_token(TokenGrant { scopes: Scope::all().collect(), ..TokenGrant::default() });
    for action in [
        Action::ChangePassword,
        Action::ListOwnSessions,
        Action::EndSession,
        Action::ListOwnTokens,
        Action::CreateOwnToken,
        Action::RevokeOwnToken,
        Action::CreateServiceToken,
        Action::ResetUserPassword,
        Action::PromoteUserToAdmin,
        Action::DemoteAdminUser,
        Action::SignOut,
        Action::RotateKeys,
        Action::CreateBackup,
    ] {
        assert!(!could_ever(&everything, action), "{action:?}");
    }
}

#[test]
fn a_token_for_one_group_reaches_nothing_outside_it() {
    let mut grant = scoped(&["groups:write", "workspaces:write", "users:read", "profile:read"]);
    grant.groups.insert(group_id(1));
    grant.workspaces.insert(WorkspaceId::trusted("ws_elsewhere".into()));
    let token = with_token(grant);
    let mut listed = workspace(2, 2);
    assert!(!may(&token, Action::StopWorkspace, Target::Workspace(&listed)));
    listed.id = WorkspaceId::trusted("ws_elsewhere".into());
    assert!(may(&token, Action::StopWorkspace, Target::Workspace(&listed)));
    assert!(may(&token, Action::StopWorkspace, Target::Workspace(&workspace(2, 1))));
    assert!(may(&token, Action::UpdateGroup, Target::Group(&group(1))));
    assert!(!may(&token, Action::UpdateGroup, Target::Group(&group(2))));
    assert!(!may(&token, Action::ListAllGroups, Target::System));
    assert!(!may(&token, Action::ViewUser, Target::User(&subject(Rights::NONE, false))));
    assert!(!may(&token, Action::ViewOwnProfile, Target::Own));
    assert!(!could_ever(&token, Action::ListUsers), "refused at the door");
}

#[test]
fn a_refused_token_says_which_scope_it_lacks() {
    let token = with_token(scoped(&["groups:read"]));
    let refused = refusal(&token, Action::CreateGroup, Target::System);
    assert_eq!(
        (refused.rule, refused.message.as_str()),
        ("token_scope", "This API token may not create groups: that needs the scope groups:write.")
    );
    let never = refusal(&token, Action::CreateOwnToken, Target::Own);
    assert_eq!(never.message, "No API token may make API tokens. Sign in to do it.");
}

#[test]
fn a_token_whose_grant_is_not_known_may_do_nothing() {
    let lost = Person::new().with(|p| {
        p.rights = Rights::ALL;
        p.credential = Credential::ApiToken(id(TokenId::trusted, "tok_", 1));
    });
    assert!(Action::ALL.iter().all(|action| !could_ever(&lost, *action)));
}

#[test]
fn nobody_demotes_disables_or_deletes_themselves() {
    let admin = platform_admin();
    let mut me = subject(Rights::ALL, false);
    me.id = user_id(1);
    assert_eq!(refusal(&admin, Action::DemoteAdminUser, Target::User(&me)).shown, Shown::SelfDemotion);
    assert_eq!(refusal(&admin, Action::DisableUser, Target::User(&me)).shown, Shown::SelfDisable);
    assert_eq!(refusal(&admin, Action::DeleteUser, Target::User(&me)).rule, "self_delete");
}

#[test]
fn the_last_platform_admin_cannot_be_lost_not_even_from_the_shell() {
    let last = subject(Rights::ALL, true);
    let shell = Actor::CommandLine { system_user: "root".into() };
    for actor in [platform_admin(), shell] {
        assert_eq!(refusal(&actor, Action::DemoteAdminUser, Target::User(&last)).shown, Shown::LastAdmin);
        assert_eq!(refusal(&actor, Action::DisableUser, Target::User(&last)).shown, Shown::LastAdmin);
    }
}

#[test]
fn nobody_acts_on_somebody_with_more_rights() {
    let user_manager = Person::new().with(|p| p.rights = Rights::NONE.with(Right::ManageUsers));
    assert_eq!(refusal(&user_manager, Action::ResetUserPassword, Target::User(&subject(Rights::ALL, false))).rule, "more_rights");
    assert!(may(&user_manager, Action::ResetUserPassword, Target::User(&subject(Rights::NONE, false))));
    assert!(!may(&user_manager, Action::PromoteUserToAdmin, Target::User(&subject(Rights::NONE, false))));
}

#[test]
fn a_shell_on_the_server_never_enters_a_workspace() {
    let shell = Actor::CommandLine { system_user: "root".into() };
    assert!(!may(&shell, Action::OpenTerminal, Target::Workspace(&workspace(2, 1))));
    assert!(may(&shell, Action::ResetUserPassword, Target::User(&subject(Rights::NONE, false))));
}

#[test]
fn step_up_is_asked_of_people_who_have_a_second_factor_and_signed_in_long_ago() {
    let late = Context { now: Millis(HOUR), ..Context::default() };
    let target = group(1);
    let demand = |factor| {
        let actor = Person::new().with(|p| {
            p.rights = Rights::ALL;
            p.has_second_factor = factor;
        });
        authorize(&actor, Action::DeleteGroup, Target::Group(&target), late)
    };
    assert!(matches!(demand(true), Err(Error::Unauthenticated(Unauthenticated::StepUpRequired))));
    assert!(demand(false).is_ok());
}

#[test]
fn every_action_has_its_own_word_and_can_be_found_by_it() {
    let words: BTreeSet<&str> = Action::ALL.iter().map(|a| a.code()).collect();
    assert_eq!(words.len(), Action::ALL.len());
    assert!(Action::ALL.iter().all(|a| Action::parse(a.code()) == Some(*a)));
}

#[test]
fn what_may_be_done_could_ever_be_done() {
    let theirs = workspace(2, 1);
    for actor in [member(), group_admin(), platform_admin()] {
        for action in Action::ALL.iter().copied().filter(|a| object_of(*a) == Object::Workspace) {
            if may(&actor, action, Target::Workspace(&theirs)) {
                assert!(could_ever(&actor, action), "{action:?}");
            }
        }
    }
}
