//! A list of people as somebody pastes or uploads it: one a line, or CSV with a column for the role.
//!
//! What people have is a column of a spreadsheet, an export of another system, or names in a mail. A line is a user name
//! or an e-mail address, and after a comma, a semicolon or a tab the role. A first line that names its columns says which
//! is which; columns that are not known are left alone.

use super::field::FieldRule;
use super::group::GroupRole;

/// More lines than this belong into a program.
pub const MOST_LINES: usize = 1_000;

/// Somebody who is to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In the text, from 1.
    pub number: u64,
    /// User name or e-mail address, in lower case.
    pub who: String,
    /// What stands in the role's column; `Err` is what cannot be read.
    pub role: Result<Option<GroupRole>, String>,
}

/// Where the columns are.
struct Columns {
    who: usize,
    role: Option<usize>,
}

const WHO: [&str; 6] = ["username", "user name", "user", "login", "email", "e-mail"];

/// Reads the list; what is no list at all names the rule that it breaks.
pub fn parse(text: &str) -> Result<Vec<Line>, FieldRule> {
    let text = text.trim_start_matches('\u{feff}');
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(FieldRule::new("invalid", "A list has no control characters."));
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let mut columns = Columns { who: 0, role: Some(1) };
    let mut lines = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|_| FieldRule::new("invalid", "A quote in this list is not closed."))?;
        let number = record.position().map_or(0, |position| line_at(text, position.byte()));
        if index == 0
            && let Some(named) = header(&record)
        {
            columns = named;
            continue;
        }
        let who = record.get(columns.who).unwrap_or_default().to_lowercase();
        if who.is_empty() {
            continue;
        }
        lines.push(Line { number, who, role: role(columns.role.and_then(|at| record.get(at)).unwrap_or_default()) });
        if lines.len() > MOST_LINES {
            return Err(FieldRule::new("too_long", format!("At most {MOST_LINES} people at once.")));
        }
    }
    if lines.is_empty() {
        return Err(FieldRule::new("required", "Give at least one user name or e-mail address."));
    }
    Ok(lines)
}

/// The line of the text in which a record begins. Empty lines before it are counted, but are no part of it.
fn line_at(text: &str, byte: u64) -> u64 {
    let at = usize::try_from(byte).unwrap_or(text.len()).min(text.len());
    let ends = text.as_bytes().iter().skip(at).take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let before = text.as_bytes().iter().take(at + ends).filter(|b| **b == b'\n').count();
    1 + u64::try_from(before).unwrap_or(u64::MAX - 1)
}

/// Whatever of the three stands first in the text; a list of bare names has none.
fn delimiter(text: &str) -> u8 {
    text.bytes().find(|b| matches!(b, b',' | b';' | b'\t')).unwrap_or(b',')
}

fn header(record: &csv::StringRecord) -> Option<Columns> {
    let names: Vec<String> = record.iter().map(str::to_lowercase).collect();
    let who = WHO.iter().find_map(|word| names.iter().position(|name| name == word))?;
    Some(Columns { who, role: names.iter().position(|name| name == "role") })
}

fn role(text: &str) -> Result<Option<GroupRole>, String> {
    match text.to_lowercase().as_str() {
        "" => Ok(None),
        "admin" | "group admin" => Ok(Some(GroupRole::Admin)),
        word => GroupRole::parse(word).map(Some).ok_or_else(|| text.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(u64, String, Result<Option<GroupRole>, String>)> {
        parse(text).unwrap().into_iter().map(|line| (line.number, line.who, line.role)).collect()
    }

    #[test]
    fn a_column_of_names_is_a_list() {
        assert_eq!(read("ada\n\n Ben@Example.org \r\n"), [(1, "ada".to_owned(), Ok(None)), (3, "ben@example.org".to_owned(), Ok(None))]);
    }

    #[test]
    fn columns_are_found_by_their_names_whatever_divides_them() {
        let rows = read("\u{feff}Name;E-Mail;Role\nAda Lovelace;ada@example.org;admin\n\"Ben; the other\";ben@example.org;\n");
        assert_eq!(rows, [(2, "ada@example.org".to_owned(), Ok(Some(GroupRole::Admin))), (3, "ben@example.org".to_owned(), Ok(None))]);
        assert_eq!(read("ada\tmember\nben\tchief")[1].2, Err("chief".to_owned()));
        assert_eq!(read("login,team\nada,blue")[0].2, Ok(None), "a column of something else is no role");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        assert_eq!(parse(" \n,\n").unwrap_err().code, "required");
        assert_eq!(parse("ada\u{0}\nben").unwrap_err().code, "invalid");
        assert_eq!(parse(&"x\n".repeat(MOST_LINES + 1)).unwrap_err().code, "too_long");
    }

    proptest! {
        #[test]
        fn no_text_whatever_panics(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
