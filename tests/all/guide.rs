//! The guides, held to the product: what they name exists, and what can be generated is.
//!
//! A guide that is nearly right is worse than none. So every word in bold is one that stands on the screen, every
//! setting, command and route in code is looked up where it is defined, every link is followed, and each page of the
//! interface has its section. The two tables of the operator's guide are written from the registry of settings and from
//! the command line: `UPDATE_GOLDEN=1 cargo test` writes them anew.

use clap::CommandFactory;
use codex_web::cli::arguments::Arguments;
use codex_web::config::registry::{DefaultValue, KEYS, Key};
use codex_web::http::routes::ROUTES;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const BOOKS: [&str; 2] = ["user", "operator"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets")
}

/// `book/chapter` and its text.
fn chapters() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for book in BOOKS {
        for entry in fs::read_dir(root().join("guide").join(book)).unwrap() {
            let path = entry.unwrap().path();
            let slug = path.file_stem().unwrap().to_string_lossy().into_owned();
            all.insert(format!("{book}/{slug}"), fs::read_to_string(&path).unwrap());
        }
    }
    all
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// What stands between two marks, anywhere in the prose.
fn between<'a>(text: &'a str, mark: &'a str) -> Vec<&'a str> {
    prose(text).flat_map(|line| line.split(mark).skip(1).step_by(2)).collect()
}

/// The id of a heading, as `assets/app/lib/markdown.js` makes it.
fn slug(heading: &str) -> String {
    let plain = heading.replace(['`', '*'], "").to_lowercase();
    let kept: String = plain.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '_')).collect();
    kept.trim().replace(' ', "-")
}

fn headings(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with("##")).map(|line| slug(line.trim_start_matches('#'))).collect()
}

fn scripts() -> String {
    fn collect(dir: &Path, text: &mut String) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, text);
            } else {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut text = String::new();
    collect(&root().join("app"), &mut text);
    text
}

fn script(name: &str) -> String {
    fs::read_to_string(root().join("app").join(name)).unwrap()
}

/// The patterns of the pages: `/groups/:id/:tab?`.
fn pages() -> Vec<String> {
    let main = script("main.js");
    main.split("{ pattern: '").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned()).collect()
}

fn is_page(path: &str) -> bool {
    pages().iter().any(|pattern| {
        let (wanted, parts): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        parts.len() <= wanted.len()
            && wanted.iter().enumerate().all(|(i, want)| match parts.get(i) {
                None => want.ends_with('?'),
                Some(part) => want.starts_with(':') || want == part,
            })
    })
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn the_contents_name_every_chapter_by_its_title() {
    let list = script("lib/guide.js");
    let mut told = BTreeMap::new();
    for book in list.split("{ slug: '").skip(1) {
        let name = book.split('\'').next().unwrap();
        for one in book.split("chapter('").skip(1) {
            let mut words = one.split('\'');
            told.insert(format!("{name}/{}", words.next().unwrap()), words.nth(1).unwrap().to_owned());
        }
    }
    let titles: BTreeMap<String, String> = chapters()
        .into_iter()
        .map(|(place, text)| (place, text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned()))
        .collect();
    assert_eq!(told, titles);
}

#[test]
fn nothing_is_told_twice_under_the_same_heading() {
    let mut twice = Vec::new();
    for (place, text) in chapters() {
        let mut seen = BTreeSet::new();
        let heads = text.lines().filter(|line| line.starts_with("## ") || line.starts_with("### "));
        twice.extend(heads.filter(|line| !seen.insert(line.to_lowercase())).map(|line| format!("{place}: {line}")));
    }
    assert_none("headings that stand twice in a chapter", twice);
}

#[test]
fn every_page_has_its_section_of_the_guide() {
    let chapters = chapters();
    let help = script("lib/help.js");
    let rows: BTreeMap<&str, &str> = help
        .lines()
        .filter_map(|line| line.trim().strip_prefix('\'')?.split_once("': '"))
        .map(|(pattern, place)| (pattern, place.trim_end_matches("',")))
        .collect();
    let mut wrong: Vec<String> = pages().iter().filter(|p| !rows.contains_key(p.as_str())).map(|p| format!("{p} has none")).collect();
    for (pattern, place) in &rows {
        let page = pattern.split('|').next().unwrap();
        if !pages().iter().any(|known| known == page) {
            wrong.push(format!("{page} is no page"));
        }
        let (chapter, heading) = place.split_once('#').map_or((*place, None), |(c, h)| (c, Some(h)));
        match chapters.get(chapter) {
            None if place.is_empty() => {}
            None => wrong.push(format!("{pattern}: no chapter {chapter}")),
            Some(text) if heading.is_some_and(|h| !headings(text).contains(h)) => wrong.push(format!("{pattern}: no heading {place}")),
            Some(_) => {}
        }
    }
    assert_none("help of pages", wrong);
}

#[test]
fn every_link_leads_somewhere() {
    let chapters = chapters();
    let mut broken = Vec::new();
    for (place, text) in &chapters {
        let book = place.split('/').next().unwrap();
        for target in prose(text).flat_map(|line| line.split("](").skip(1)).map(|rest| rest.split(')').next().unwrap()) {
            let good = if let Some(path) = target.strip_prefix('/') {
                is_page(&format!("/{}", path.split(['?', '#']).next().unwrap()))
            } else if let Some(heading) = target.strip_prefix('#') {
                headings(text).contains(heading)
            } else {
                let (file, heading) = target.split_once('#').map_or((target, None), |(f, h)| (f, Some(h)));
                let other = file.strip_prefix("../").map_or_else(|| format!("{book}/{file}"), str::to_owned);
                let found = other.strip_suffix(".md").and_then(|other| chapters.get(other));
                found.is_some_and(|text| heading.is_none_or(|h| headings(text).contains(h)))
            };
            if !good {
                broken.push(format!("{place}: {target}"));
            }
        }
    }
    assert_none("links that lead nowhere", broken);
}

#[test]
fn words_in_bold_stand_on_the_screen() {
    let screen = scripts();
    let stands = |words: &str| {
        screen.match_indices(words).any(|(at, _)| {
            let inside = |c: char| c.is_alphanumeric() || c == '_';
            !screen[..at].ends_with(inside) && !screen[at + words.len()..].starts_with(inside)
        })
    };
    let mut missing = Vec::new();
    for (place, text) in chapters() {
        missing.extend(between(&text, "**").into_iter().filter(|words| !stands(words)).map(|words| format!("{place}: {words}")));
    }
    assert_none("words that no page shows", missing);
}

#[test]
fn settings_are_called_what_they_are_called() {
    let sections: BTreeSet<&str> = KEYS.iter().map(|key| key.section).collect();
    let mut unknown = Vec::new();
    for (place, text) in chapters() {
        for code in between(&text, "`") {
            let name: &str = code.split([' ', '=']).next().unwrap();
            let setting = name.split_once('.').is_some_and(|(section, rest)| {
                sections.contains(section)
                    && !rest.is_empty()
                    && rest.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            });
            if setting && !KEYS.iter().any(|key| key.path() == name) {
                unknown.push(format!("{place}: {name}"));
            }
        }
    }
    assert_none("settings that do not exist", unknown);
}

/// Whether the command line knows these words, up to the first flag or name.
fn is_command(words: &str) -> bool {
    let mut at = Arguments::command();
    for word in words.split_whitespace() {
        if !word.chars().all(|c| c.is_ascii_lowercase() || c == '-') || word.starts_with('-') {
            break;
        }
        match at.find_subcommand(word) {
            Some(next) => at = next.clone(),
            None => return at.get_positionals().next().is_some(),
        }
    }
    // A command that is only a group of others is not one that can be typed.
    at.get_subcommands().next().is_none() || at.get_name() == "codex-web"
}

#[test]
fn commands_can_be_typed() {
    let mut unknown = Vec::new();
    for (place, text) in chapters() {
        let code = between(&text, "`").into_iter().map(str::to_owned);
        let lines = text.lines().map(str::trim).filter(|l| l.starts_with("codex-web ")).map(str::to_owned);
        for line in code.chain(lines) {
            let Some(words) = line.strip_prefix("codex-web ") else { continue };
            if !is_command(words) {
                unknown.push(format!("{place}: codex-web {words}"));
            }
        }
    }
    assert_none("commands that do not exist", unknown);
}

#[test]
fn routes_are_called_what_they_are_called() {
    let known = |method: &str, path: &str| {
        ROUTES.iter().any(|route| {
            let (wanted, parts): (Vec<_>, Vec<_>) = (route.path.split('/').collect(), path.split('/').collect());
            let named = |(want, part): (&&str, &&str)| want.starts_with('{') || want == part;
            route.method.as_str() == method && wanted.len() == parts.len() && wanted.iter().zip(&parts).all(named)
        })
    };
    let mut unknown = Vec::new();
    for (place, text) in chapters() {
        for code in between(&text, "`") {
            let Some((method, path)) = code.split_once(" /api/").map(|(m, p)| (m, format!("/api/{p}"))) else { continue };
            let path = path.split('?').next().unwrap();
            if !known(method, path) {
                unknown.push(format!("{place}: {method} {path}"));
            }
        }
        // Commands of several lines, by the address that stands in them.
        for command in text.replace("\\\n", " ").lines().filter(|l| l.trim_start().starts_with("curl ")) {
            let Some(path) = command.split("\"$API_URL/").nth(1).and_then(|rest| rest.split(['"', '?']).next()) else { continue };
            let method = command.split("-X ").nth(1).map_or("GET", |rest| rest.split_whitespace().next().unwrap());
            let method = if method == "GET" && command.contains("-d ") { "POST" } else { method };
            if !known(method, &format!("/api/{path}")) {
                unknown.push(format!("{place}: {method} /api/{path}"));
            }
        }
    }
    assert_none("routes that do not exist", unknown);
}

/// Compares a generated chapter with the file, or writes it.
fn generated(name: &str, text: &str) {
    let path = root().join("guide").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(kept == text, "assets/guide/{name} is not what the program has. UPDATE_GOLDEN=1 cargo test writes it anew.\n{line:?}");
}

/// A text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn default_of(key: &Key) -> String {
    match key.default {
        DefaultValue::Text(text) => format!("`{text}`"),
        DefaultValue::Machine(words) => words.to_owned(),
        DefaultValue::Unset => "not set".to_owned(),
    }
}

#[test]
fn the_table_of_settings_is_the_registry() {
    let mut text =
        "# Every setting\n\nWritten from the registry of this version. How a setting is given: [Configuration](configuration.md). \
         A setting that holds at once is changed on the settings page; the others are read at the start.\n"
            .to_owned();
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            write!(text, "\n## {section}\n\n| Setting | Default | Holds | Meaning |\n|---|---|---|---|\n").unwrap();
        }
        let holds = if key.when.as_str() == "runtime" { "at once" } else { "from the next start" };
        let secret = if key.secret { " A secret: it is never shown." } else { "" };
        let meaning = format!("{} Takes {}.{secret}", key.doc, key.kind.words());
        writeln!(text, "| `{}` | {} | {holds} | {} |", key.path(), cell(&default_of(key)), cell(&meaning)).unwrap();
    }
    generated("operator/settings.md", &text);
}

/// The command line leaves the last full stop out.
fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn describe(command: &clap::Command, path: &str, text: &mut String) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let path = format!("{path} {}", sub.get_name());
        let about = sub.get_about().map(|about| sentence(&about.to_string())).unwrap_or_default();
        if sub.get_subcommands().next().is_some() {
            write!(text, "\n## {path}\n\n{about}\n").unwrap();
            describe(sub, &path, text);
            continue;
        }
        let level = if path.split(' ').count() > 2 { "###" } else { "##" };
        write!(text, "\n{level} {path}\n\n{about}\n").unwrap();
        let taken: Vec<_> = sub.get_arguments().filter(|a| !a.is_hide_set() && !a.is_global_set() && a.get_id() != "help").collect();
        if !taken.is_empty() {
            text.push_str("\n| Argument | Meaning |\n|---|---|\n");
        }
        for argument in taken {
            let value = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
            let takes = argument.get_action().takes_values();
            let name = match argument.get_long() {
                Some(long) if takes => format!("--{long} {value}"),
                Some(long) => format!("--{long}"),
                None => value,
            };
            let help = argument.get_help().map(|help| sentence(&help.to_string())).unwrap_or_default();
            writeln!(text, "| `{name}` | {} |", cell(&help)).unwrap();
        }
        let examples = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = examples.lines().filter_map(|l| l.strip_prefix("  ")).map(str::trim).collect();
        if !examples.is_empty() {
            write!(text, "\n```\n{}\n```\n", examples.join("\n")).unwrap();
        }
    }
}

#[test]
fn the_table_of_commands_is_the_command_line() {
    let mut command = Arguments::command();
    command.build();
    let mut text = "# Every command\n\nWritten from the command line of this version; `codex-web --help` and `--help` after any command say the same.\n\n\
         Every command takes `--config FILE`, `--data-dir DIR` and `--output table` or `json`. Results go to standard output, messages to standard error.\n\n\
         | Exit code | Meaning |\n|---|---|\n| 0 | done |\n| 1 | failed |\n| 2 | wrong usage or configuration |\n\
         | 3 | the data directory is in use by another process |\n| 4 | verification found a problem |\n"
        .to_owned();
    describe(&command, "codex-web", &mut text);
    generated("operator/commands.md", &text);
}
