//! An app of a workspace: an HTTP server that the agent starts inside and the gateway shows on an origin of its own.
//!
//! Part of a recipe: what is written here is frozen on the workspace. Nothing of it passes through a shell. The rules
//! are asked again by the agent, because a slug becomes the name of a socket and a file's path one below the home.

use serde::{Deserialize, Serialize};

/// Arguments of one app, and the length of one in bytes.
const MOST_ARGUMENTS: usize = 64;
const LONGEST_ARGUMENT: usize = 4_096;
/// Files that an app brings, and the length of one in bytes.
const MOST_FILES: usize = 16;
const LONGEST_FILE: usize = 16 * 1024;
/// Bytes of a path: of a health check, or of a file below the home.
const LONGEST_PATH: usize = 200;

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
    /// `{tools}` are replaced by the socket's path, the port, the home and the folder of the installed app.
    pub argv: Vec<String>,
    pub listen: Listen,
    #[serde(default)]
    pub base_path: BasePath,
    /// What answers 2xx or 3xx once the app can be used, with its leading slash.
    pub health_path: String,
    /// When it is started.
    #[serde(default, skip_serializing_if = "Start::is_default")]
    pub start: Start,
    /// The installed app that it comes from (a folder below the data directory's `apps/`). Where that is not
    /// installed, `argv[0]` may still be found in the sandbox's `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<String>,
    /// What to do where it is missing, one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// Written into the home before a start where nothing lies there yet: what a person changed is never touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<AppFile>,
}

/// A file that an app brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppFile {
    /// Below the home, without a leading slash.
    pub path: String,
    pub text: String,
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

/// When an app is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Start {
    /// When somebody opens it for the first time: an editor that nobody looks at costs 150 MB. After a restart of the
    /// server, workspaces then come back without starting everybody's editor at the same moment.
    #[default]
    OnOpen,
    /// With the workspace.
    WithWorkspace,
}

impl Start {
    // The signature that serde's `skip_serializing_if` asks for.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How an app is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AppStatus {
    /// Nobody has opened it yet, or the workspace does not run.
    Stopped,
    /// Its program runs and does not answer yet.
    Starting,
    Running,
    /// Its program ended, or does not answer any more.
    Failed,
    /// Its program is not there.
    Missing,
}

/// What an agent says of one of its apps. A hint: the programs of the workspace could forge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppReport {
    pub slug: String,
    pub status: AppStatus,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
    /// How often its program was started again by itself.
    pub restarts: u32,
    /// The exit code of its last end; a signal counts as 128 plus its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<i32>,
    /// What is to be said, in one or two sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What an agent says that one of its apps uses: its program and all that descends from it. A hint, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppUse {
    pub slug: String,
    /// Thousandths of a core since an earlier look; absent at the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_milli: Option<i64>,
    pub memory_bytes: i64,
    pub processes: i64,
}

impl AppUse {
    /// Cut to what a machine can have, so that sums of what agents say stay numbers.
    #[must_use]
    pub fn within_reason(self) -> Self {
        const CORES: i64 = 10_000;
        const PIB: i64 = 1 << 50;
        Self {
            cpu_milli: self.cpu_milli.map(|cpu| cpu.clamp(0, CORES * 1_000)),
            memory_bytes: self.memory_bytes.clamp(0, PIB),
            processes: self.processes.clamp(0, 1 << 22),
            ..self
        }
    }
}

/// What an agent says of one listening socket of its workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortReport {
    pub port: u16,
    /// The address it is bound to: `127.0.0.1`, `0.0.0.0`, `::`, …
    pub address: String,
    /// The name of the program; empty where it cannot be known.
    pub process: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The app whose program opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// What is wrong with an app of a recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("the slug is 1 to 24 of a-z, 0-9 and hyphens, and begins with a letter")]
    Slug,
    #[error("two apps have the slug {0}")]
    SlugTaken(String),
    #[error("a name has 1 to 60 characters")]
    Name,
    #[error("argv has 1 to {MOST_ARGUMENTS} entries of at most {LONGEST_ARGUMENT} bytes, and begins with a program")]
    Arguments,
    #[error("{0} cannot be replaced: known are {{socket}}, {{port}}, {{home}} and {{tools}}")]
    Placeholder(String),
    #[error("an app on a unix socket takes {{socket}} and no {{port}}, one on a port no {{socket}}")]
    Listen,
    #[error("an app's port is 1024 or higher")]
    Port,
    #[error("the health path begins with a slash and has at most {LONGEST_PATH} printable characters, none of them # or a space")]
    HealthPath,
    #[error("requires names an installed app: 1 to 32 of a-z, 0-9 and hyphens, beginning with a letter")]
    Requires,
    #[error("at most {MOST_FILES} files, each at a path below the home and of at most {LONGEST_FILE} bytes")]
    Files,
}

/// Whether a text may name an app: `^[a-z][a-z0-9-]{0,23}$`.
pub fn is_slug(text: &str) -> bool {
    is_word(text, 24)
}

/// Whether a text may name an installed app: `^[a-z][a-z0-9-]{0,31}$`.
pub fn is_tool_name(text: &str) -> bool {
    is_word(text, 32)
}

fn is_word(text: &str, longest: usize) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= longest && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) && text.bytes().all(plain)
}

/// Checks the apps of one recipe.
pub fn check_all(apps: &[App]) -> Result<(), Flaw> {
    for (n, app) in apps.iter().enumerate() {
        app.check()?;
        if apps[..n].iter().any(|other| other.slug == app.slug) {
            return Err(Flaw::SlugTaken(app.slug.clone()));
        }
    }
    Ok(())
}

impl App {
    /// Whether it keeps the rules.
    pub fn check(&self) -> Result<(), Flaw> {
        let ensure = |holds: bool, flaw: Flaw| if holds { Ok(()) } else { Err(flaw) };
        ensure(is_slug(&self.slug), Flaw::Slug)?;
        ensure((1..=60).contains(&self.name.chars().count()), Flaw::Name)?;
        self.check_arguments()?;
        ensure(is_health_path(&self.health_path), Flaw::HealthPath)?;
        ensure(self.requires.as_deref().is_none_or(is_tool_name), Flaw::Requires)?;
        let files = self.files.iter().all(|file| is_below(&file.path) && file.text.len() <= LONGEST_FILE);
        ensure(files && self.files.len() <= MOST_FILES, Flaw::Files)
    }

    fn check_arguments(&self) -> Result<(), Flaw> {
        let fits = |argument: &String| argument.len() <= LONGEST_ARGUMENT && !argument.contains('\0');
        let named = self.argv.first().is_some_and(|program| !program.is_empty());
        if !named || self.argv.len() > MOST_ARGUMENTS || !self.argv.iter().all(fits) {
            return Err(Flaw::Arguments);
        }
        let words: Vec<&str> = self.argv.iter().flat_map(|argument| placeholders(argument)).collect();
        if let Some(unknown) = words.iter().find(|word| !["{socket}", "{port}", "{home}", "{tools}"].contains(word)) {
            return Err(Flaw::Placeholder((*unknown).to_owned()));
        }
        let (socket, port) = (words.contains(&"{socket}"), words.contains(&"{port}"));
        match self.listen {
            Listen::Unix if !socket || port => Err(Flaw::Listen),
            Listen::Tcp { .. } if socket => Err(Flaw::Listen),
            Listen::Tcp { port } if port < 1_024 => Err(Flaw::Port),
            _ => Ok(()),
        }
    }

    /// The arguments with every placeholder replaced; `None` where one has nothing to stand for.
    pub fn arguments(&self, replace: &dyn Fn(&str) -> Option<String>) -> Option<Vec<String>> {
        self.argv.iter().map(|argument| filled(argument, replace)).collect()
    }
}

/// The words in braces: `{socket}`. Braces around anything but lower-case letters are text.
fn placeholders(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((word, after)) = next_placeholder(rest).map(|(at, length)| (&rest[at..at + length], &rest[at + length..])) {
        found.push(word);
        rest = after;
    }
    found
}

/// Where the next placeholder begins, and its length with the braces.
fn next_placeholder(text: &str) -> Option<(usize, usize)> {
    text.match_indices('{').find_map(|(at, _)| {
        let word = text[at + 1..].bytes().take_while(u8::is_ascii_lowercase).count();
        (word > 0 && text[at + 1 + word..].starts_with('}')).then_some((at, word + 2))
    })
}

fn filled(text: &str, replace: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some((at, length)) = next_placeholder(rest) {
        whole.push_str(&rest[..at]);
        whole.push_str(&replace(&rest[at + 1..at + length - 1])?);
        rest = &rest[at + length..];
    }
    whole.push_str(rest);
    Some(whole)
}

fn is_health_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= LONGEST_PATH && path.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
}

/// Whether a path stays below the folder it is joined to.
fn is_below(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= LONGEST_PATH && !path.contains('\0') && path.split('/').all(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn app() -> App {
        App {
            slug: "editor".to_owned(),
            name: "Editor".to_owned(),
            icon: "code".to_owned(),
            argv: ["editor", "--socket={socket}", "{home}"].map(str::to_owned).to_vec(),
            listen: Listen::Unix,
            base_path: BasePath::Root,
            health_path: "/healthz".to_owned(),
            start: Start::OnOpen,
            requires: Some("editor".to_owned()),
            hint: String::new(),
            files: vec![AppFile { path: ".config/editor.json".to_owned(), text: "{}".to_owned() }],
        }
    }

    #[test]
    fn a_slug_is_a_label_of_a_host_name_and_a_plain_file_name() {
        for good in ["a", "code-server", "x2", &"a".repeat(24)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "2x", "-a", "A", "a.b", "a/b", "..", "a_b", "é", &"a".repeat(25)] {
            assert!(!is_slug(bad), "{bad}");
            assert_eq!(App { slug: bad.to_owned(), ..app() }.check(), Err(Flaw::Slug));
        }
    }

    #[test]
    fn two_apps_of_a_recipe_have_two_slugs() {
        assert_eq!(check_all(&[app()]), Ok(()));
        assert_eq!(check_all(&[app(), app()]), Err(Flaw::SlugTaken("editor".to_owned())));
    }

    #[test]
    fn only_known_placeholders_are_taken_and_other_braces_are_text() {
        let with = |argument: &str| App { argv: ["editor", "{socket}", argument].map(str::to_owned).to_vec(), ..app() };
        assert_eq!(with("{password}").check(), Err(Flaw::Placeholder("{password}".to_owned())));
        assert_eq!(with(r#"{"theme":"dark"} {} {A} {tools}/x"#).check(), Ok(()));
    }

    #[test]
    fn an_app_takes_the_place_where_it_is_looked_for() {
        let on = |listen: Listen, argument: &str| App { listen, argv: vec!["x".to_owned(), argument.to_owned()], ..app() }.check();
        assert_eq!(on(Listen::Unix, "--port={port}"), Err(Flaw::Listen));
        assert_eq!(on(Listen::Unix, "nothing"), Err(Flaw::Listen));
        assert_eq!(on(Listen::Tcp { port: 8_888 }, "{socket}"), Err(Flaw::Listen));
        assert_eq!(on(Listen::Tcp { port: 80 }, "{port}"), Err(Flaw::Port));
        assert_eq!(on(Listen::Tcp { port: 8_888 }, "{port}"), Ok(()));
    }

    #[test]
    fn placeholders_are_replaced_wherever_they_stand() {
        let values = |word: &str| (word != "tools").then(|| format!("<{word}>"));
        let whole = App { argv: vec!["{home}/bin/x".to_owned(), "a{socket}b{port}{".to_owned()], ..app() };
        assert_eq!(whole.arguments(&values).unwrap(), ["<home>/bin/x", "a<socket>b<port>{"]);
        let lacking = App { argv: vec!["{tools}/x".to_owned()], ..app() };
        assert_eq!(lacking.arguments(&values), None);
    }

    #[test]
    fn a_health_path_is_a_path_and_a_file_lies_below_the_home() {
        for bad in ["", "healthz", "/a b", "/a#b", "/a\r\nx: y", &format!("/{}", "a".repeat(200))] {
            assert_eq!(App { health_path: bad.to_owned(), ..app() }.check(), Err(Flaw::HealthPath), "{bad}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\0"] {
            let files = vec![AppFile { path: bad.to_owned(), text: String::new() }];
            assert_eq!(App { files, ..app() }.check(), Err(Flaw::Files), "{bad}");
        }
    }
}
