//! What a program printed, as a line of a log: its colours stay, whatever else a terminal would obey goes.
//!
//! A log is read later, in a browser or with `curl` in a terminal. Colours and weights (SGR sequences) are what people
//! read a log by and can do no harm; cursor moves, titles, clipboard writes and answers to the terminal can.

/// The most characters of one colour sequence; a longer one is no colour.
const LONGEST_SEQUENCE: usize = 32;

/// The line without control characters, but with tabs and with its colours.
pub fn log_line(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (kept, skipped) = control(rest);
        text.push_str(kept);
        rest = &rest[skipped..];
    }
    text.push_str(rest);
    text
}

/// What stands at the front, a control character: what of it is kept, and how many bytes it is.
fn control(text: &str) -> (&str, usize) {
    let first = text.chars().next().map_or(0, char::len_utf8);
    let Some(after) = text.strip_prefix('\u{1b}') else { return ("", first) };
    if let Some(parameters) = after.strip_prefix('[') {
        // A control sequence ends at its first letter.
        let Some(end) = parameters.find(|c: char| ('@'..='~').contains(&c)) else { return ("", text.len()) };
        let length = 2 + end + 1;
        let is_colour = text[..length].ends_with('m')
            && length <= LONGEST_SEQUENCE
            && parameters[..end].bytes().all(|b| b.is_ascii_digit() || b == b';' || b == b':');
        return (if is_colour { &text[..length] } else { "" }, length);
    }
    if let Some(words) = after.strip_prefix(['P', 'X', ']', '^', '_']) {
        // A string for the terminal itself ends with BEL or ST, or with the line.
        let bell = words.find('\u{7}').map(|at| at + 1);
        let end = words.find("\u{1b}\\").map(|at| at + 2);
        let length = bell.into_iter().chain(end).min().unwrap_or(words.len());
        return ("", 2 + length);
    }
    // Any other escape is the character after it.
    (after.chars().next()).map_or(("", first), |next| ("", first + next.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_everything_else_a_terminal_would_obey_goes() {
        assert_eq!(log_line("two \u{1b}[1;38;5;9mred\u{1b}[0m\tand\r"), "two \u{1b}[1;38;5;9mred\u{1b}[0m\tand");
        assert_eq!(log_line("a\u{1b}[2Jb\u{1b}[10;5Hc\u{1b}[?25ld"), "abcd");
        assert_eq!(log_line("\u{1b}]0;title\u{7}x\u{1b}]52;c;aGk=\u{1b}\\y\u{1b}P1q\u{1b}\\z"), "xyz");
        assert_eq!(log_line("bell\u{7} null\u{0} c1\u{9b}2J \u{1b}c\u{1b}"), "bell null c12J ");
    }

    #[test]
    fn a_sequence_that_never_ends_takes_the_rest_of_its_line_and_no_more() {
        assert_eq!(log_line("x\u{1b}[12;"), "x");
        assert_eq!(log_line("x\u{1b}]0;no end"), "x");
        assert_eq!(log_line(&format!("x\u{1b}[{}my", "1;".repeat(40))), "xy");
        assert_eq!(log_line("é\u{1b}[31mü"), "é\u{1b}[31mü");
    }
}
