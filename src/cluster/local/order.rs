//! Writes the launcher's order for one workspace: what its programs find inside. Pure but for looking which shells the
//! host has, and which apps are installed.

use crate::cluster::Recipe;
use crate::cluster::local::control_group::Groups;
use crate::cluster::local::egress;
use crate::cluster::local::git_files::{self, GIT_CONFIG, SSH_SOCKET};
use crate::cluster::local::root::{HOME, RUNTIME_DIR};
use crate::cluster::local::self_test::{Verdict, process_limits};
use crate::cluster::local::spec::{Bound, Inside, Order, SandboxSpec, Tier};
use crate::cluster::local::state::{Shared, Start};
use crate::cluster::local::tools;
use crate::domain::agent::{AgentOrder, EGRESS_PORT};
use crate::domain::id::WorkspaceId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where programs are looked up unless the workspace's own environment says otherwise.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHELLS: &[&str] = &["bash", "zsh", "fish", "ksh", "dash", "sh"];

/// What the control groups of a workspace are called.
pub fn group_name(id: &WorkspaceId) -> String {
    format!("ws-{}", id.hex())
}

/// The order to start one run.
pub fn order(shared: &Shared, start: &Start, tier: Tier, verdict: &Verdict, groups: &Groups) -> Order {
    let spec = &start.spec;
    let folders = shared.folders(&spec.id);
    let argv = match &spec.recipe {
        Recipe::Local { argv } => argv.clone(),
        // Refused before it gets here.
        Recipe::Image { .. } => Vec::new(),
    };
    let uid = shared.is_root.then_some(spec.local_uid);
    let shell = shell(&argv);
    let home = if tier == Tier::Full { PathBuf::from(HOME) } else { folders.home() };
    let tmp = if tier == Tier::Full { PathBuf::from("/tmp") } else { folders.tmp() };
    let apps = installed(shared, tier);
    let runtime = if tier == Tier::Full { RUNTIME_DIR.to_owned() } else { text(&tmp) };
    let program = program(&shared.options.self_exe);
    let agent = AgentOrder {
        workspace: spec.id.clone(),
        run: spec.run,
        env: with_programs(environment(start, &home, &tmp, &shell, &runtime, tier), &apps),
        apps: start.spec.apps.clone(),
        tools: apps.iter().map(|(name, bound)| (name.clone(), text(&bound.inside))).collect(),
        git: git_files::agent_git(&spec.git, &runtime, tier, program.as_deref()),
        home: text(&home),
        argv,
        command: Vec::new(),
        jwks: start.trust.jwks.clone(),
        issuer: start.trust.issuer.clone(),
        is_alone: tier == Tier::Full || uid.is_some(),
        grace_milliseconds: u64::try_from(shared.options.grace.as_millis()).unwrap_or(5_000),
        egress_port: (tier == Tier::Full).then_some(EGRESS_PORT),
        extra_ca: shared.options.extra_ca.as_deref().map(str::to_owned),
        proof: None,
    };
    Order::Enter(Box::new(SandboxSpec {
        tier,
        server_pid: std::process::id(),
        uid,
        home: folders.home(),
        tmp: folders.tmp(),
        root: shared.options.mount_point(),
        hostname: hostname(&spec.name),
        shell,
        tools: shared.options.tools.clone(),
        apps: apps.into_values().collect(),
        etc: git_files::etc(&spec.git, &runtime, tier),
        program,
        cgroups: groups.entrances(),
        limits: process_limits(&verdict.limits, &spec.size, uid.is_some()),
        inside: Inside::Agent(Box::new(agent)),
    }))
}

/// The newest version of each installed app, by name.
fn installed(shared: &Shared, tier: Tier) -> BTreeMap<String, Bound> {
    let found = tools::newest(&tools::apps_dir(&shared.options.data_dir));
    let bound = found.into_iter().map(|app| {
        let name = app.manifest.name;
        let inside = if tier == Tier::Full { Path::new(tools::INSIDE).join(&name) } else { app.folder.clone() };
        (name, Bound { host: app.folder, inside })
    });
    bound.collect()
}

/// The environment in which installed programs are found first: somebody chose them.
fn with_programs(mut env: BTreeMap<String, String>, apps: &BTreeMap<String, Bound>) -> BTreeMap<String, String> {
    let own = apps.values().map(|app| text(&app.inside.join("bin")));
    let path = own.chain(env.remove("PATH")).collect::<Vec<_>>().join(":");
    env.insert("PATH".to_owned(), path);
    env
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn environment(start: &Start, home: &Path, tmp: &Path, shell: &str, runtime: &str, tier: Tier) -> BTreeMap<String, String> {
    let defaults = [("PATH", PATH), ("LANG", "C.UTF-8"), ("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("SHELL", shell)];
    let mut env: BTreeMap<String, String> = defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    if tier == Tier::Full {
        env.extend(egress::variables());
    }
    env.extend(start.spec.env.clone());
    // These describe the sandbox itself, so a template cannot change them.
    let fixed = [
        ("HOME", text(home)),
        ("USER", "dev".to_owned()),
        ("LOGNAME", "dev".to_owned()),
        ("TMPDIR", text(tmp)),
        ("XDG_RUNTIME_DIR", runtime.to_owned()),
        ("SSH_AUTH_SOCK", format!("{runtime}/{SSH_SOCKET}")),
        ("CODEX_WEB_WORKSPACE", start.spec.id.to_string()),
        ("CODEX_WEB_WORKSPACE_NAME", start.spec.name.clone()),
    ];
    env.extend(fixed.into_iter().map(|(name, value)| (name.to_owned(), value)));
    if tier != Tier::Full {
        env.insert("GIT_CONFIG_SYSTEM".to_owned(), format!("{runtime}/{GIT_CONFIG}"));
    }
    env.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    env
}

/// The file of this program, so that programs inside can start it. One that was replaced meanwhile is as good.
fn program(self_exe: &Path) -> Option<PathBuf> {
    let path = std::fs::read_link(self_exe).unwrap_or_else(|_| self_exe.to_owned());
    let newer = path.to_str().and_then(|text| text.strip_suffix(" (deleted)")).map(PathBuf::from);
    [Some(path), newer].into_iter().flatten().find(|path| path.is_file())
}

/// The shell of the password file: the recipe's own where it is one, else the best the host has.
fn shell(argv: &[String]) -> String {
    let own = argv.first().and_then(|a| Path::new(a).file_name()?.to_str()).filter(|n| SHELLS.contains(n));
    let wanted = own.into_iter().chain(["bash", "sh"]);
    let found = wanted.flat_map(|name| [format!("/bin/{name}"), format!("/usr/bin/{name}")]).find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| "/bin/sh".to_owned())
}

/// A host name that looks like the workspace's name: letters, digits and single hyphens, at most 63 characters.
fn hostname(name: &str) -> String {
    let mut host = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            host.push(c);
        } else if !host.is_empty() && !host.ends_with('-') {
            host.push('-');
        }
    }
    host.truncate(63);
    let host = host.trim_end_matches('-');
    if host.is_empty() { "workspace".to_owned() } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_a_host_name() {
        assert_eq!(hostname("My Workspace!"), "my-workspace");
        assert_eq!(hostname("Ünïcode"), "n-code");
        assert_eq!(hostname("???"), "workspace");
        assert_eq!(hostname(&"a".repeat(100)).len(), 63);
    }

    #[test]
    fn the_shell_is_the_recipes_own_or_the_hosts() {
        assert!(shell(&["sh".to_owned()]).ends_with("/sh"));
        assert!(Path::new(&shell(&["python3".to_owned()])).exists());
    }
}
