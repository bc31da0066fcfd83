//! What can be missing and what can be taken, in words and in the numbers of KBase Groups.

/// What kind of thing was not found: KBase Groups numbers some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Route,
    Group,
    Request,
    User,
    Field,
    Resource,
    ResourceType,
    Workspace,
    Template,
    Session,
    Token,
    Member,
    Terminal,
    File,
    App,
}

impl Missing {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Route => "There is nothing at this address",
            Self::Group => "No such group",
            Self::Request => "No such request",
            Self::User => "No such user",
            Self::Field => "No such custom field",
            Self::Resource => "No such resource",
            Self::ResourceType => "No such resource type",
            Self::Workspace => "No such workspace",
            Self::Template => "No such template",
            Self::Session => "No such session",
            Self::Token => "No such API token",
            Self::Member => "No such member of this group",
            Self::Terminal => "No such terminal session",
            Self::File => "No such file or folder",
            Self::App => "No such app in this workspace",
        }
    }

    pub(super) fn kbase(self) -> Option<(u32, &'static str)> {
        match self {
            Self::Group => Some((50000, "No such group")),
            Self::Request => Some((50010, "No such request")),
            Self::User | Self::Member => Some((50020, "No such user")),
            Self::Field => Some((50030, "No such custom field")),
            Self::Resource | Self::Workspace | Self::Template => Some((50040, "No such resource")),
            Self::ResourceType => Some((50050, "No such resource type")),
            Self::Route | Self::Session | Self::Token | Self::Terminal | Self::File | Self::App => None,
        }
    }
}

/// What exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    GroupName,
    Namespace,
    Username,
    Email,
    Member,
    WorkspaceName,
    Request,
    Resource,
}

impl Taken {
    /// The field of the body that holds the taken value.
    pub fn field(self) -> &'static str {
        match self {
            Self::GroupName | Self::WorkspaceName => "name",
            Self::Namespace => "namespace",
            Self::Username => "username",
            Self::Email => "email",
            Self::Member => "userId",
            Self::Request => "request",
            Self::Resource => "resource",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::GroupName => "Group name already exists",
            Self::Namespace => "Namespace already exists",
            Self::Username => "This user name is taken",
            Self::Email => "This e-mail address belongs to another user",
            Self::Member => "This user is already a member of the group",
            Self::WorkspaceName => "You already have a workspace with this name",
            Self::Request => "Such a request is open already",
            Self::Resource => "The resource is already in the group",
        }
    }

    pub(super) fn kbase(self) -> Option<(u32, &'static str)> {
        match self {
            Self::GroupName | Self::Namespace => Some((40000, "Group already exists")),
            Self::Request => Some((40010, "Request already exists")),
            Self::Member => Some((40020, "User already group member")),
            Self::Resource => Some((40030, "Resource already in group")),
            Self::Username | Self::Email | Self::WorkspaceName => None,
        }
    }
}
