//! A list of people as a spreadsheet holds it, read from CSV (RFC 4180): one row for each account that is to be made.
//!
//! The first line names the columns, in any order: `email`, and where wanted `username`, `name`, `groups` (names of groups,
//! separated by semicolons), `ends` (first day without the account) and `manager` (a user name). Commas, semicolons and
//! tabs are understood as separators, because spreadsheets write what their country does. Every value is checked by the
//! rule of its kind; a row keeps what is wrong with it, so that a whole file is corrected at once. Whether a name is free
//! is for the store to say.

use super::email::Email;
use super::field::FieldRule;
use super::names::{PersonName, Username};
use super::spelling::distance;
use crate::clock::Millis;
use crate::error::FieldProblem;

/// Rows of one file.
pub const ROWS_MOST: usize = 500;
/// Groups of one row.
const GROUPS_MOST: usize = 20;

const COLUMNS: [&str; 6] = ["email", "username", "name", "groups", "ends", "manager"];

/// One account that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub email: Email,
    pub username: Username,
    pub name: Option<PersonName>,
    /// As written: names or ids.
    pub groups: Vec<String>,
    pub ends: Option<Millis>,
    /// A user name.
    pub manager: Option<String>,
}

/// One row: what stands in it, and the account it asks for or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, counted from 1.
    pub line: u64,
    /// As written.
    pub email: String,
    pub entry: Result<Entry, Vec<FieldProblem>>,
}

/// Reads a whole file.
pub fn read(text: &str) -> Result<Vec<Row>, FieldRule> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().delimiter(separator(text)).flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| FieldRule::new("invalid", "The first line cannot be read as CSV."))?.clone();
    let columns = header.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let repeated = COLUMNS.iter().find(|name| columns.iter().filter(|column| *column == *name).count() > 1);
    if let Some(name) = repeated {
        return Err(FieldRule::new("invalid", format!("The column {name} stands twice in the first line.")));
    }
    if !columns.contains(&"email") {
        return Err(FieldRule::new("required", "The first line names the columns, and one of them is email."));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| FieldRule::new("invalid", format!("The file is not valid CSV: {error}.")))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        if rows.len() == ROWS_MOST {
            return Err(FieldRule::new("too_long", format!("At most {ROWS_MOST} people are taken at once. Divide the file.")));
        }
        rows.push(row(&columns, &record));
    }
    if rows.is_empty() { Err(FieldRule::new("required", "There is nobody below the first line.")) } else { Ok(rows) }
}

/// What separates the columns of the first line.
fn separator(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let count = |separator: char| first.matches(separator).count();
    if count('\t') > 0 {
        b'\t'
    } else if count(';') > count(',') {
        b';'
    } else {
        b','
    }
}

/// The column that a name of the first line means.
fn column(written: &str) -> Result<&'static str, FieldRule> {
    let plain: String = written.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some(known) = COLUMNS.iter().find(|known| **known == plain) {
        return Ok(*known);
    }
    let shown: String = written.chars().filter(|c| !c.is_control()).take(40).collect();
    let near = COLUMNS.iter().find(|known| distance(&plain, known) <= 2);
    let message = match near {
        Some(known) => format!("There is no column {shown}. Did you mean {known}?"),
        None => format!("There is no column {shown}. Columns are {}.", COLUMNS.join(", ")),
    };
    Err(FieldRule::new("unknown", message))
}

fn row(columns: &[&'static str], record: &csv::StringRecord) -> Row {
    let value =
        |name: &str| columns.iter().position(|column| *column == name).and_then(|at| record.get(at)).filter(|text| !text.is_empty());
    let mut problems = Vec::new();
    let email = checked("email", Email::parse(value("email").unwrap_or_default()), &mut problems);
    let username = match value("username") {
        Some(text) => checked("username", Username::parse(text), &mut problems),
        None => email.as_ref().and_then(|email| {
            let none = || FieldRule::new("required", "The address suggests no user name. Give one.");
            checked("username", email.suggested_username().ok_or_else(none), &mut problems)
        }),
    };
    let name = value("name").and_then(|text| checked("name", PersonName::parse(text), &mut problems));
    let ends = value("ends").and_then(|text| checked("ends", day(text), &mut problems));
    let groups: Vec<String> =
        value("groups").unwrap_or_default().split(';').map(str::trim).filter(|group| !group.is_empty()).map(str::to_owned).collect();
    if groups.len() > GROUPS_MOST {
        problems.push(FieldProblem::new("groups", "too_long", format!("At most {GROUPS_MOST} groups are taken.")));
    }
    if record.len() > columns.len() {
        let message = "This line has more columns than the first. A value that holds the separator stands in quotation marks.";
        problems.push(FieldProblem::new("email", "invalid", message));
    }
    let manager = value("manager").map(str::to_lowercase);
    let entry = match (email, username) {
        (Some(email), Some(username)) if problems.is_empty() => Ok(Entry { email, username, name, groups, ends, manager }),
        _ => Err(problems),
    };
    let line = record.position().map_or(0, csv::Position::line);
    Row { line, email: value("email").unwrap_or_default().to_owned(), entry }
}

fn checked<T>(column: &'static str, parsed: Result<T, FieldRule>, problems: &mut Vec<FieldProblem>) -> Option<T> {
    parsed.map_err(|rule| problems.push(rule.on(column))).ok()
}

fn day(text: &str) -> Result<Millis, FieldRule> {
    Millis::parse(text).ok_or_else(|| FieldRule::new("invalid", "Write the day as 2026-03-31."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(row: &Row) -> Vec<String> {
        row.entry.as_ref().err().into_iter().flatten().map(|problem| format!("{}:{}", problem.field, problem.code)).collect()
    }

    #[test]
    fn a_file_is_read_with_its_columns_in_any_order_and_only_the_address_is_needed() {
        let rows = read("Name,E-Mail,groups\n\"Lind, Sara\",sara.lind@example.org,payments; ledger\n,ben@example.org\n\n").unwrap();
        let sara = rows[0].entry.as_ref().unwrap();
        assert_eq!((sara.username.as_str(), sara.name.as_ref().unwrap().as_str()), ("sara.lind", "Lind, Sara"));
        assert_eq!(sara.groups, ["payments", "ledger"]);
        assert_eq!((rows.len(), rows[1].line, rows[1].entry.as_ref().unwrap().username.as_str()), (2, 3, "ben"));
    }

    #[test]
    fn what_other_spreadsheets_write_is_understood() {
        let semicolons = read("\u{feff}email;name\r\na@example.org;Ada\r\n").unwrap();
        let tabs = read("email\tends\na@example.org\t2030-01-31").unwrap();
        assert_eq!(semicolons[0].entry.as_ref().unwrap().name.as_ref().unwrap().as_str(), "Ada");
        assert_eq!(tabs[0].entry.as_ref().unwrap().ends, Millis::parse("2030-01-31"));
    }

    #[test]
    fn everything_that_is_wrong_with_a_row_is_told_and_the_others_are_read() {
        let rows = read("email,username,ends\nnobody,Big Name,soon\nada@example.org,,\nben@example.org,ben,2030-01-01,extra\n").unwrap();
        assert_eq!(problems(&rows[0]), ["email:invalid", "username:invalid", "ends:invalid"]);
        assert!(rows[1].entry.is_ok());
        assert_eq!(problems(&rows[2]), ["email:invalid"]);
    }

    #[test]
    fn a_first_line_that_is_not_understood_is_refused_as_a_whole() {
        let code = |text: &str| read(text).unwrap_err().code;
        assert_eq!(code("email,rank\na@example.org,1\n"), "unknown");
        assert_eq!(code("name\nAda\n"), "required");
        assert_eq!(code("email,e-mail\na@example.org,b@example.org\n"), "invalid");
        assert_eq!(code("email\n"), "required");
        assert_eq!(code(""), "required");
        assert!(read("emial\nx").unwrap_err().message.contains("Did you mean email?"));
    }

    #[test]
    fn five_hundred_people_are_taken_and_no_more() {
        let file = |count: usize| (0..count).fold("email\n".to_owned(), |text, n| text + &format!("p{n}@example.org\n"));
        assert_eq!(read(&file(500)).unwrap().len(), 500);
        assert_eq!(read(&file(501)).unwrap_err().code, "too_long");
    }
}
