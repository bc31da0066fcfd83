//! The document that every page starts from: `index.html`, made for the page at an address.
//!
//! Its head names every script and style that this page needs, so that the browser asks for all of them at once instead
//! of finding them file by file, one round trip after the other; it is read off the scripts themselves. And it says
//! whether the browser shows a session, so that nobody without one asks who they are.

use super::assets::{base, text};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

/// The script that knows all pages.
const MAIN: &str = "app/main.js";
/// Where a page leads that is only for who is signed in.
const SIGN_IN: &str = "/sign-in";

/// A document, before it is made.
pub struct Document {
    /// The script of the page, where the address leads to one.
    page: Option<String>,
    session: bool,
}

impl Document {
    /// The document of an address.
    pub fn of(path: &str, session: bool) -> Self {
        let routes = routes();
        let at = |path: &str| routes.iter().find(|route| route.matches(path));
        let shown = at(path).and_then(|route| if session || route.open { Some(route) } else { at(SIGN_IN) });
        Self { page: shown.map(|route| route.module.clone()), session }
    }

    /// What it is kept under. There are twice as many as pages; no name of a file has a space.
    pub fn key(&self) -> String {
        format!("{} {}", self.page.as_deref().unwrap_or("none"), self.session)
    }

    /// The document; `None` when a part of the program is missing.
    pub fn html(&self) -> Option<String> {
        let plain = text("index.html")?;
        let mut head = String::new();
        for name in needed(self.page.as_deref()).iter().filter(|name| !plain.contains(&format!("\"/{name}\""))) {
            let kind = if is_style(name) { "stylesheet" } else { "modulepreload" };
            let _ = writeln!(head, "<link rel=\"{kind}\" href=\"/{name}\">");
        }
        let html = plain.replacen("</head>", &format!("{head}</head>"), 1);
        let html = html.replace("href=\"/", &format!("href=\"{}", base())).replace("src=\"/", &format!("src=\"{}", base()));
        Some(if self.session { html.replacen("<html ", "<html data-session ", 1) } else { html })
    }
}

/// A page, as the routes in the main script have it.
struct Route {
    pattern: String,
    module: String,
    /// Whether it is for anybody.
    open: bool,
}

impl Route {
    /// As the router in the browser decides.
    fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let fits = self.pattern.split('/').filter(|part| !part.is_empty()).all(|wanted| match parts.next() {
            None => wanted.ends_with('?'),
            Some(part) => wanted.starts_with(':') || wanted == part,
        });
        fits && parts.next().is_none()
    }
}

/// Every page; kept, but in a debug build, whose files may change.
fn routes() -> Arc<Vec<Route>> {
    static KEPT: OnceLock<Arc<Vec<Route>>> = OnceLock::new();
    let read = || Arc::new(routes_of(&text(MAIN).unwrap_or_default()));
    if cfg!(debug_assertions) { read() } else { Arc::clone(KEPT.get_or_init(read)) }
}

fn routes_of(script: &str) -> Vec<Route> {
    let route = |line: &str| {
        let pattern = between(line, "pattern: '", "'")?.to_owned();
        let module = format!("app/{}", between(line, "import('./", "'")?);
        let signed_in = line.contains("signedIn: true");
        Some(Route { pattern, module, open: !signed_in && (line.contains("bare: true") || line.contains("open: true")) })
    };
    script.lines().filter_map(route).collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn is_style(name: &str) -> bool {
    name.ends_with(".css")
}

/// What the main script and the page's import, directly and not, and the styles that these wait for: in this order, once each.
fn needed(page: Option<&str>) -> Vec<String> {
    let mut found: Vec<String> = [MAIN].into_iter().chain(page).map(str::to_owned).collect();
    let mut seen: BTreeSet<String> = found.iter().cloned().collect();
    let mut next = 0;
    while let Some(name) = found.get(next).cloned() {
        next += 1;
        if is_style(&name) {
            continue;
        }
        let Some(script) = text(&name) else { continue };
        for one in imports(&name, &script).into_iter().chain(styles(&script)) {
            if seen.insert(one.clone()) {
                found.push(one);
            }
        }
    }
    found
}

/// The modules that a script imports before it runs; what it imports later, when it needs it, is not among them.
fn imports(name: &str, script: &str) -> Vec<String> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let quoted = |after: &str| {
        let after = after.trim_start_matches(' ');
        let quote = after.chars().next().filter(|first| matches!(first, '\'' | '"'))?;
        let (target, _) = after[1..].split_once(quote)?;
        target.starts_with('.').then(|| resolve(folder, target))
    };
    script.split("from").skip(1).filter_map(quoted).collect()
}

/// The styles that a script loads as it starts.
fn styles(script: &str) -> Vec<String> {
    let quoted = script.lines().filter(|line| line.starts_with("await ")).flat_map(|line| line.split('\''));
    quoted.filter(|text| text.starts_with('/') && is_style(text)).map(|text| text[1..].to_owned()).collect()
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in target.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(path: &str, session: bool) -> String {
        Document::of(path, session).html().unwrap()
    }

    #[test]
    fn a_page_names_its_own_scripts_and_styles_and_no_other_pages() {
        let home = html("/", true);
        for needed in [
            "modulepreload\" href=\"/ui/debug/app/pages/home.js",
            "modulepreload\" href=\"/ui/debug/app/components/gauge.js",
            "modulepreload\" href=\"/ui/debug/vendor/preact.mjs",
        ] {
            assert!(home.contains(needed), "{needed}\n{home}");
        }
        assert!(!home.contains("pages/group.js") && !home.contains("table.css"));
        let users = html("/admin/users", true);
        assert!(users.contains("stylesheet\" href=\"/ui/debug/style/table.css") && users.contains("/app/pages/users.js"));
        assert!(html("/groups/grp_1/members", true).contains("/app/components/group-members.js"));
        assert!(html("/workspaces/new", true).contains("/app/pages/new-workspace.js"), "the first route that fits, as in the browser");
    }

    #[test]
    fn every_file_that_is_named_is_there_and_is_named_once() {
        for route in routes().iter() {
            let page = html(&route.pattern, true);
            assert!(page.contains(&route.module), "{}", route.pattern);
            let mut names: Vec<_> = page.split("href=\"/ui/debug/").skip(1).filter_map(|after| after.split('"').next()).collect();
            for name in &names {
                assert!(text(name).is_some(), "{name}");
            }
            names.sort_unstable();
            assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        }
    }

    #[test]
    fn every_line_of_the_routes_is_understood() {
        let main = text(MAIN).unwrap();
        assert_eq!(routes().len(), main.matches("pattern: ").count());
        assert!(routes().len() > 25);
    }

    #[test]
    fn who_shows_no_session_gets_the_sign_in_page_unless_the_page_is_for_anybody() {
        assert!(html("/admin/users", false).contains("/app/pages/sign-in.js"));
        assert!(!html("/admin/users", false).contains("/app/pages/users.js"));
        assert!(html("/help/user/start", false).contains("/app/pages/help.js"));
        assert!(html("/setup", false).contains("/app/pages/setup.js"));
        assert!(html("/open", false).contains("/app/pages/sign-in.js"), "it stands alone, and is for who is signed in");
        assert!(!html("/", false).contains("data-session") && html("/", true).contains("<html data-session lang="));
    }

    #[test]
    fn an_address_that_leads_nowhere_has_the_frame() {
        let page = html("/no/such/page", true);
        assert!(page.contains("/app/components/shell.js") && !page.contains("/app/pages/"));
    }

    #[test]
    fn imports_are_found_in_written_and_in_packed_scripts() {
        assert_eq!(
            imports("app/pages/a.js", "import { b } from '../lib/b.js';\nexport { c } from './c.js';"),
            ["app/lib/b.js", "app/pages/c.js"]
        );
        assert_eq!(imports("vendor/a.mjs", "import{b}from\"./b.mjs\";const far=()=>import('./d.mjs');\"from here\""), ["vendor/b.mjs"]);
    }
}
