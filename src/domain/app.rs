//! An app of a workspace: an HTTP server that the agent starts inside and the gateway shows on an origin of its own.
//!
//! Part of a recipe: what is written here is frozen on the workspace. Nothing of it passes through a shell.

use serde::{Deserialize, Serialize};

/// One app of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    /// `^[a-z][a-z0-9-]{0,23}$`, unique in its recipe. Part of a host name and of paths.
    pub slug: String,
    /// For people.
    pub name: String,
    /// A name of the icon sprite.
    pub icon: String,
    /// The program and its arguments. `argv[0]` is looked up in the sandbox; `{socket}`, `{port}`, `{home}` and
    /// `{tools}` are replaced by the socket's path, the port, the home and the folder of installed apps.
    pub argv: Vec<String>,
    pub listen: Listen,
    #[serde(default)]
    pub base_path: BasePath,
    /// What answers 2xx or 3xx once the app can be used, with its leading slash.
    pub health_path: String,
    /// The installed app that must be there (a folder below the data directory's `apps/`); otherwise `argv[0]` must be
    /// found in the sandbox's `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<String>,
    /// What to do where it is missing, one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

/// Where an app listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Listen {
    /// A unix socket that the agent names.
    Unix,
    /// A loopback port inside the workspace.
    Tcp { port: u16 },
}

/// What an app makes of the path below which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BasePath {
    /// It stands at `/` of its own origin.
    #[default]
    Root,
}
