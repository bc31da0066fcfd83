//! What the agent in a pod is told: the same order as anywhere, for a home on a volume and a network of its own.
//!
//! The environment in it lies over that of the image, whose `PATH` and variables stay; where the template names no shell
//! the agent takes the best of the image. The one secret, by which the agent proves whose it is, is added where the order
//! becomes a Secret.

use crate::cluster::kubernetes::names::{HOME, PROGRAM, RUNTIME_DIR};
use crate::cluster::kubernetes::settings::image_hint;
use crate::cluster::local::Tier;
use crate::cluster::local::git_files::{self, GIT_CONFIG, SSH_SOCKET};
use crate::cluster::{AgentTrust, WorkspaceSpec};
use crate::domain::agent::AgentOrder;
use crate::domain::app::App;
use std::collections::BTreeMap;
use std::path::Path;

/// How long programs have between SIGTERM and SIGKILL; the pod's own grace leaves the agent time for more.
const GRACE_MILLISECONDS: u64 = 10_000;

/// The order of one run.
pub fn order(spec: &WorkspaceSpec, trust: &AgentTrust) -> AgentOrder {
    AgentOrder {
        argv: spec.container.shell.clone(),
        command: spec.container.command.clone(),
        env: environment(spec),
        apps: apps(spec),
        jwks: trust.jwks.clone(),
        issuer: trust.issuer.clone(),
        // The image is not ours, so git finds its configuration where the environment says, as without a private root.
        git: git_files::agent_git(&spec.git, RUNTIME_DIR, Tier::UidLandlock, Some(Path::new(PROGRAM))),
        is_alone: true,
        grace_milliseconds: GRACE_MILLISECONDS,
        ..AgentOrder::bare(spec.id.clone(), spec.run, HOME.to_owned())
    }
}

/// The apps of the recipe; what is said of one that the image does not have is for here.
fn apps(spec: &WorkspaceSpec) -> Vec<App> {
    let here = |app: &App| App { hint: app.requires.as_deref().map_or_else(|| app.hint.clone(), image_hint), ..app.clone() };
    spec.apps.iter().map(here).collect()
}

fn environment(spec: &WorkspaceSpec) -> BTreeMap<String, String> {
    let defaults = [("LANG", "C.UTF-8"), ("TERM", "xterm-256color"), ("COLORTERM", "truecolor")];
    let mut env: BTreeMap<String, String> = defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    env.extend(spec.env.clone());
    // These describe the container itself, so a template cannot change them.
    let fixed = [
        ("HOME", HOME.to_owned()),
        ("USER", "dev".to_owned()),
        ("LOGNAME", "dev".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("XDG_RUNTIME_DIR", RUNTIME_DIR.to_owned()),
        ("SSH_AUTH_SOCK", format!("{RUNTIME_DIR}/{SSH_SOCKET}")),
        ("GIT_CONFIG_SYSTEM", format!("{RUNTIME_DIR}/{GIT_CONFIG}")),
        ("CODEX_WEB_WORKSPACE", spec.id.to_string()),
        ("CODEX_WEB_WORKSPACE_NAME", spec.name.clone()),
    ];
    env.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    env.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    env
}
