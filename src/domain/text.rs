//! Text that people wrote for people: normalised, of a bounded length, and without characters that deceive the eye.
//!
//! Names and reasons are shown beside other people's names in lists, mails and the audit. A character that cannot be
//! seen, or that turns the direction of what follows, lets one name pass for another, so such characters are refused
//! rather than removed: what is stored is what was sent (in normalisation form C, with the blanks around it cut off).
//! Joiners that some scripts and emoji need are kept where they do something.

use super::field::FieldRule;
use unicode_normalization::UnicodeNormalization;
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

/// How a text is bounded. Lengths count what a reader would call a character (extended grapheme clusters).
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// 0 means that the text may be empty.
    pub min: usize,
    pub max: usize,
    /// Whether line ends and tabs may occur.
    pub lines: bool,
}

/// More bytes than this per visible character is no longer writing: it stacks marks until a line overlaps its neighbours.
const BYTES_PER_CHARACTER: usize = 24;

/// More bytes than this in one character is no writing either, however short the text: marks in a tower. The longest
/// emoji families and the longest syllables of Indic and Tibetan scripts stay well below.
const CHARACTER_MAX: usize = 96;

/// Brings a text into its stored form, or names the rule that it breaks.
pub fn clean(input: &str, bounds: Bounds) -> Result<String, FieldRule> {
    // Measured before any work is done on it, so that a huge text costs nothing.
    if input.len() > bounds.max.saturating_mul(BYTES_PER_CHARACTER).saturating_mul(2) {
        return Err(too_long(bounds.max));
    }
    let lines = if bounds.lines { input.replace("\r\n", "\n") } else { input.to_owned() };
    if lines.chars().any(|c| is_refused_control(c, bounds.lines)) {
        return Err(FieldRule::new("characters", "Control characters are not allowed here."));
    }
    let plain: String = lines.chars().map(|c| if is_odd_blank(c) { ' ' } else { c }).collect();
    let text: String = plain.trim().nfc().collect();
    if let Some(c) = first_invisible(&text) {
        let message = format!("The invisible character U+{:04X} is not allowed here.", u32::from(c));
        return Err(FieldRule::new("characters", message));
    }
    measure(text, bounds)
}

/// The alphabets that share shapes with Latin, so that one of their letters passes for one of another.
const ALIKE: [Script; 6] = [Script::Latin, Script::Cyrillic, Script::Greek, Script::Armenian, Script::Cherokee, Script::Coptic];

/// Refuses a word with letters of two alphabets that look alike, as `аdmin` with the Cyrillic а: Unicode Technical
/// Standard 39, section 5.2, as far as it concerns Latin. Whole words of different alphabets may stand side by side, and
/// scripts that no Latin letter resembles may touch (`版2 release`, `DevOps团队`).
pub fn one_alphabet_per_word(text: &str) -> Result<(), FieldRule> {
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let mut alphabets = word.chars().map(|c| c.script()).filter(|script| ALIKE.contains(script));
        let first = alphabets.next();
        if let Some(other) = alphabets.find(|script| Some(*script) != first) {
            let first = first.map_or("", |script| script.full_name());
            let message =
                format!("“{word}” mixes {first} and {} letters, which look alike. Write each word in one alphabet.", other.full_name());
            return Err(FieldRule::new("characters", message));
        }
    }
    Ok(())
}

fn measure(text: String, bounds: Bounds) -> Result<String, FieldRule> {
    let length = text.graphemes(true).count();
    if length == 0 && bounds.min > 0 {
        return Err(FieldRule::new("required", "It must not be empty."));
    }
    if length < bounds.min {
        return Err(FieldRule::new("too_short", format!("It needs at least {} characters.", bounds.min)));
    }
    if length > bounds.max || text.len() > bounds.max.saturating_mul(BYTES_PER_CHARACTER) {
        return Err(too_long(bounds.max));
    }
    if text.graphemes(true).any(|character| character.len() > CHARACTER_MAX) {
        return Err(FieldRule::new("characters", "Too many marks stand on one character."));
    }
    Ok(text)
}

fn too_long(max: usize) -> FieldRule {
    FieldRule::new("too_long", format!("It may have at most {max} characters."))
}

fn is_refused_control(c: char, lines: bool) -> bool {
    match c {
        '\n' | '\t' => !lines,
        '\u{2028}' | '\u{2029}' => true,
        c => c.is_control(),
    }
}

/// Blanks other than the plain one, which look like it and compare unequal.
fn is_odd_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Characters without a picture of their own: fillers, direction marks, tags, private use, non-characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{10ffff}')
        || (u32::from(c) & 0xfffe) == 0xfffe
}

fn first_invisible(text: &str) -> Option<char> {
    let mut before = ' ';
    for c in text.chars() {
        let useless_joiner = matches!(c, '\u{200c}' | '\u{200d}') && !takes_joiner(before);
        let useless_selector = is_selector(c) && !takes_selector(before);
        if is_invisible(c) || useless_joiner || useless_selector {
            return Some(c);
        }
        before = c;
    }
    matches!(before, '\u{200c}' | '\u{200d}').then_some(before)
}

/// Whether a joiner after this character changes what is seen: Arabic and Indic scripts, and emoji.
fn takes_joiner(before: char) -> bool {
    matches!(before, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{fe0f}' | '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// Characters that choose between pictures of the one before them.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Ideographs, whose forms matter in names, and everything that is no letter: signs and emoji.
fn takes_selector(before: char) -> bool {
    !before.is_alphabetic() || matches!(before, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Bounds = Bounds { min: 1, max: 10, lines: false };
    const LINES: Bounds = Bounds { min: 0, max: 20, lines: true };

    fn code(text: &str, bounds: Bounds) -> Option<&'static str> {
        clean(text, bounds).err().map(|rule| rule.code)
    }

    #[test]
    fn the_same_name_written_in_two_ways_is_stored_in_one() {
        assert_eq!(clean("Zoe\u{308}", LINE), clean("Zoë", LINE));
    }

    #[test]
    fn length_counts_what_a_reader_counts() {
        assert!(clean("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", LINE).is_ok());
        assert_eq!(code("12345678901", LINE), Some("too_long"));
        assert!(clean("1234567890", LINE).is_ok());
    }

    #[test]
    fn a_word_keeps_to_one_of_the_alphabets_that_look_alike() {
        for good in ["Anna Кузнецова", "Ελένη 2", "DevOps团队", "Zoë O’Neill", "команда-ML", "µ-services", "日本語 mix 版2", "𝔹 team", ""]
        {
            assert_eq!(one_alphabet_per_word(good), Ok(()), "{good}");
        }
        for bad in ["аdmin", "Team Αlpha", "Аnna", "ml-rеsearch", "pаypal 2"] {
            let refused = one_alphabet_per_word(bad).expect_err(bad);
            assert_eq!(refused.code, "characters");
            assert!(refused.message.contains("Latin") && refused.message.contains("look alike"), "{}", refused.message);
        }
    }

    #[test]
    fn an_empty_text_is_refused_where_one_is_needed_only() {
        assert_eq!(code(" \u{a0} ", LINE), Some("required"));
        assert_eq!(clean("", LINES), Ok(String::new()));
    }

    #[test]
    fn blanks_around_are_cut_off_and_odd_blanks_become_plain_ones() {
        assert_eq!(clean("  Ann\u{a0}Lee ", LINE).as_deref(), Ok("Ann Lee"));
    }

    #[test]
    fn characters_that_deceive_the_eye_are_refused() {
        for text in
            ["a\u{202e}b", "a\u{200b}b", "ad\u{200d}min", "a\u{feff}", "\u{3164}", "a\u{ad}b", "a\u{e0041}", "a\u{fe0f}b", "a\u{2066}b"]
        {
            assert_eq!(code(text, LINE), Some("characters"), "{text:?}");
        }
    }

    #[test]
    fn joiners_stay_where_a_script_needs_them() {
        assert!(clean("می\u{200c}خواهم", LINE).is_ok());
        assert!(clean("क्\u{200d}ष", LINE).is_ok());
        assert!(clean("葛\u{e0100}城", LINE).is_ok());
        assert!(clean("1\u{fe0f}\u{20e3} ok", LINE).is_ok());
    }

    #[test]
    fn control_characters_are_refused_and_line_ends_only_where_lines_are() {
        assert_eq!(code("a\u{7}", LINES), Some("characters"));
        assert_eq!(code("a\nb", LINE), Some("characters"));
        assert_eq!(clean("a\r\nb", LINES).as_deref(), Ok("a\nb"));
        assert_eq!(code("a\u{1b}[31m", LINE), Some("characters"));
    }

    #[test]
    fn stacked_marks_do_not_slip_under_the_length() {
        let zalgo = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(code(&zalgo, LINE), Some("too_long"));
        let tower = format!("a{} tower", "\u{301}".repeat(60));
        assert_eq!(code(&tower, Bounds { min: 1, max: 500, lines: true }), Some("characters"));
    }
}
