//! Reads the SQL of the store off its sources, so that a test can hold every statement to something without a list that
//! somebody would have to keep: constants whose text begins like a statement, with the file's own macros expanded.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One statement: `users.rs LIST`, and its text.
pub struct Statement {
    pub name: String,
    pub sql: String,
}

/// Every constant of `src/store` that is a statement.
pub fn statements() -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            found.extend(of_file(&text).into_iter().map(|(name, sql)| Statement { name: format!("{file} {name}"), sql }));
        }
    }
    found
}

/// The statement of this name.
pub fn statement(name: &str) -> String {
    statements().into_iter().find(|s| s.name == name).unwrap_or_else(|| panic!("there is no statement {name}")).sql
}

fn of_file(text: &str) -> Vec<(String, String)> {
    let macros = macros(text);
    let mut found = Vec::new();
    for part in text.split("const ").skip(1) {
        let Some((name, rest)) = part.split_once(": &str =") else { continue };
        if !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            continue;
        }
        let mut reader = Reader { rest: rest.trim_start(), macros: &macros, arguments: BTreeMap::new() };
        let sql = reader.expression();
        // A text that ends with a blank is the beginning of a statement, which its function completes.
        let whole = !sql.ends_with([' ', ',']);
        if whole && ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|w| sql.trim_start().starts_with(w)) {
            found.push((name.to_owned(), sql));
        }
    }
    found
}

/// Name -> (parameters, body) of the macros that build text.
fn macros(text: &str) -> BTreeMap<String, (Vec<String>, String)> {
    let mut found = BTreeMap::new();
    for part in text.split("macro_rules! ").skip(1) {
        let Some((name, rest)) = part.split_once(" {") else { continue };
        let Some((head, rest)) = rest.split_once("=> {") else { continue };
        let body = rest.split("\n    };").next().unwrap_or_default();
        let parameters = head.split('$').skip(1).filter_map(|p| p.split(':').next()).map(str::to_owned).collect();
        found.insert(name.to_owned(), (parameters, body.trim().to_owned()));
    }
    found
}

struct Reader<'t> {
    rest: &'t str,
    macros: &'t BTreeMap<String, (Vec<String>, String)>,
    arguments: BTreeMap<String, String>,
}

impl Reader<'_> {
    /// A literal, a parameter of a macro, `concat!(…)`, or a macro of the file.
    fn expression(&mut self) -> String {
        self.blanks();
        if self.rest.starts_with('"') {
            return self.literal();
        }
        let parameter = self.rest.strip_prefix('$').is_some();
        let start = usize::from(parameter);
        let end = self.rest[start..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(self.rest.len(), |i| i + start);
        let name = self.rest[start..end].to_owned();
        self.rest = &self.rest[end..];
        if parameter {
            return self.arguments.get(&name).cloned().unwrap_or_default();
        }
        if !self.rest.starts_with("!(") {
            return String::new();
        }
        self.rest = &self.rest[2..];
        let values = self.list();
        match self.macros.get(&name) {
            Some((parameters, body)) => {
                let arguments = parameters.iter().cloned().zip(values).collect();
                Reader { rest: body, macros: self.macros, arguments }.expression()
            }
            None => values.concat(),
        }
    }

    fn list(&mut self) -> Vec<String> {
        let mut values = Vec::new();
        loop {
            self.blanks();
            match self.rest.chars().next() {
                None => return values,
                Some(')') => {
                    self.rest = &self.rest[1..];
                    return values;
                }
                Some(',') => self.rest = &self.rest[1..],
                Some(_) => {
                    let before = self.rest.len();
                    values.push(self.expression());
                    if self.rest.len() == before {
                        return values;
                    }
                }
            }
        }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with("//") {
            self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        }
    }

    fn literal(&mut self) -> String {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return text;
                }
                '\\' => match chars.next() {
                    Some((at, '\n')) => {
                        let skip = self.rest[at + 1..].chars().take_while(|c| c.is_whitespace()).count();
                        for _ in 0..skip {
                            chars.next();
                        }
                    }
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, other)) => text.push(other),
                    None => break,
                },
                other => text.push(other),
            }
        }
        self.rest = "";
        text
    }
}
