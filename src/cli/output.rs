//! What commands print: tables for people, JSON for programs, messages on standard error.
//!
//! Names and texts in the database were typed by somebody: control characters in them are shown escaped, so that no
//! name can paint the terminal of the person who lists it.

use serde_json::Value as Json;
use std::io::{self, IsTerminal, Write};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// Where results and messages go.
pub struct Output<'a> {
    pub format: Format,
    pub out: &'a mut dyn Write,
    pub messages: &'a mut dyn Write,
}

impl Output<'_> {
    /// Prints the JSON, or the rows under their headings.
    pub fn table(&mut self, headings: &[&str], rows: &[Vec<String>], json: &Json) -> io::Result<()> {
        if self.format == Format::Json {
            return self.json(json);
        }
        let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
        let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
        for row in &cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
        for row in std::iter::once(&headings).chain(&cells) {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(self.out, "{}", padded.join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Prints one object: names on the left, values on the right.
    pub fn facts(&mut self, facts: &[(&str, String)], json: &Json) -> io::Result<()> {
        if self.format == Format::Json {
            return self.json(json);
        }
        let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in facts {
            writeln!(self.out, "{name:width$}  {}", printable(value))?;
        }
        Ok(())
    }

    /// Prints a document, indented.
    pub fn json(&mut self, json: &Json) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self.out, json)?;
        writeln!(self.out)
    }

    /// Prints text as it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Says something to the person, not to the program that reads the result.
    pub fn say(&mut self, message: &str) -> io::Result<()> {
        writeln!(self.messages, "{message}")
    }
}

/// A stream whose reader may have had enough (`codex-web openapi | head`): what it does not take is dropped, and nobody
/// is told of a failure that was none.
pub struct Patient<W>(pub W);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

/// Colours and links are for terminals only.
pub fn to_terminal() -> bool {
    io::stderr().is_terminal()
}

/// The text with everything that could move the cursor escaped.
pub fn printable(text: &str) -> String {
    let escape = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if escape(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn printed(format: Format, print: impl FnOnce(&mut Output<'_>)) -> String {
        let (mut out, mut messages) = (Vec::new(), Vec::new());
        print(&mut Output { format, out: &mut out, messages: &mut messages });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["ada".to_owned(), "x".to_owned()], vec!["b".to_owned(), "long".to_owned()]];
        let text = printed(Format::Table, |output| output.table(&["NAME", "Y"], &rows, &json!([])).unwrap());
        assert_eq!(text, "NAME  Y\nada   x\nb     long\n");
    }

    #[test]
    fn json_is_the_object_itself() {
        let text = printed(Format::Json, |output| output.facts(&[("Name", "x".into())], &json!({"name": "x"})).unwrap());
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), json!({"name": "x"}));
    }

    #[test]
    fn a_name_cannot_paint_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{202e}"), "a\\u{1b}[31m\\u{a}b\\u{202e}");
    }
}
