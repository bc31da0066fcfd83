//! An account as the API tells it.

use super::access::can_view;
use crate::clock::Millis;
use crate::ops::users::{Account, Single};
use serde::Serialize;
use serde_json::{Value, json};

/// One membership in a user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupMembershipView {
    pub group_id: String,
    /// `member` or `admin`.
    pub role: &'static str,
}

/// A group of a user with its names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupDetailView {
    pub id: String,
    pub name: String,
    pub display_name: String,
    pub role: &'static str,
    pub joined_at: String,
}

/// Who answers for an account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ManagerView {
    pub id: String,
    pub username: String,
    pub name: String,
}

/// A one-use link that sets the first password; it is shown once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    pub link: String,
    pub expires_at: String,
}

/// A user.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    pub id: String,
    pub username: String,
    pub email: String,
    pub name: String,
    /// `person` or `service`.
    pub kind: &'static str,
    /// `active` or `disabled`.
    pub status: &'static str,
    pub is_admin: bool,
    /// Ids, for clients that know no roles.
    pub groups: Vec<String>,
    pub group_memberships: Vec<GroupMembershipView>,
    pub created_at: String,
    pub last_login_at: Option<String>,
    /// The account's end: nobody signs in with it from then on.
    pub expires_at: Option<String>,
    /// Who answers for it.
    pub manager_id: Option<String>,
    pub must_change_password: bool,
    /// Without one a person signs in once they used their invitation.
    pub has_password: bool,
    /// In a list the names of the allowed actions, else each action with `true` or why not.
    #[schema(schema_with = super::openapi::allowed)]
    pub can: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspaces_count: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_details: Option<Vec<GroupDetailView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<ManagerView>,
    /// Until when the invitation can be used, where one is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invited_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<InvitationView>,
    /// What was done, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl UserView {
    pub fn of(account: &Account) -> Self {
        let user = &account.user;
        let memberships = &account.memberships;
        Self {
            id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            name: user.name.clone(),
            kind: user.kind.as_str(),
            status: user.status.as_str(),
            is_admin: account.rights.is_admin(),
            groups: memberships.iter().map(|m| m.group_id.to_string()).collect(),
            group_memberships: memberships
                .iter()
                .map(|m| GroupMembershipView { group_id: m.group_id.to_string(), role: m.role.as_str() })
                .collect(),
            created_at: user.created_at.rfc3339(),
            last_login_at: user.last_login_at.map(Millis::rfc3339),
            expires_at: user.expires_at.map(Millis::rfc3339),
            manager_id: user.manager_id.as_ref().map(ToString::to_string),
            must_change_password: user.must_change_password,
            has_password: user.has_password,
            can: json!(account.can),
            workspaces_count: None,
            group_details: None,
            manager: None,
            invited_until: None,
            invitation: None,
            message: None,
        }
    }

    pub(super) fn saying(account: &Account, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::of(account) }
    }

    pub(super) fn single(single: &Single) -> Self {
        let account = &single.account;
        let details = account.memberships.iter().map(|m| GroupDetailView {
            id: m.group_id.to_string(),
            name: m.name.clone(),
            display_name: m.display_name.clone(),
            role: m.role.as_str(),
            joined_at: m.joined_at.rfc3339(),
        });
        Self {
            can: can_view(&single.can),
            workspaces_count: Some(single.workspaces),
            group_details: Some(details.collect()),
            manager: single.manager.as_ref().map(|m| ManagerView {
                id: m.id.to_string(),
                username: m.username.clone(),
                name: m.name.clone(),
            }),
            invited_until: single.invited_until.map(Millis::rfc3339),
            ..Self::of(account)
        }
    }
}
