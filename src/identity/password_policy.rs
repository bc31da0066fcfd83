//! What a new password must be: long enough, hard to guess, and not built from what everybody knows about its owner.
//!
//! Length counts what a reader would call characters. There are no rules about kinds of characters and no expiry
//! (NIST SP 800-63B): they make passwords worse. Guessing is estimated by zxcvbn, which carries frequency lists; the list
//! here holds stems that it rates too high once people put digits and signs around them. The browser's meter only shows;
//! this decides. Checking takes some milliseconds of computing: run it on the blocking pool.

use super::password::PASSWORD_BYTES_MAX;
use crate::domain::field::FieldRule;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use zeroize::Zeroizing;

/// The configured minimum when nothing is configured.
pub const MIN_LENGTH_DEFAULT: usize = 12;
/// No configuration may go below this (NIST's floor).
pub const MIN_LENGTH_FLOOR: usize = 8;
/// In characters.
pub const MAX_LENGTH: usize = 256;

/// A password that needs at most 10^8 guesses is refused.
const SCORE_MIN: u8 = 3;

/// Words of the product, known to everybody who sees the sign-in page.
const PRODUCT_WORDS: [&str; 6] = ["codex", "codexweb", "codex-web", "workspace", "workspaces", "codexplatform"];

/// Stems of common passwords, in lower case, without digits and signs at their ends.
const COMMON: [&str; 48] = [
    "password",
    "passwort",
    "motdepasse",
    "contraseña",
    "wachtwoord",
    "passphrase",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "changeme",
    "changemenow",
    "changemeplease",
    "letmein",
    "letmeinnow",
    "welcome",
    "welcometo",
    "willkommen",
    "bienvenue",
    "iloveyou",
    "iloveyouforever",
    "administrator",
    "administrador",
    "superuser",
    "rootroot",
    "adminadmin",
    "testtest",
    "testtesttest",
    "secretsecret",
    "topsecret",
    "verysecret",
    "default",
    "defaultpassword",
    "temporary",
    "temppassword",
    "mypassword",
    "thepassword",
    "newpassword",
    "oldpassword",
    "qwertyuiop",
    "qwertyuiopasdf",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "correcthorsebatterystaple",
    "correct horse battery staple",
    "correct-horse-battery-staple",
    "trustnoone",
    "neverforget",
];

/// The rule for new passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// In characters.
    pub min_length: usize,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: MIN_LENGTH_DEFAULT }
    }
}

impl PasswordPolicy {
    /// A minimum below the floor is raised to it, one above the maximum lowered.
    pub fn with_min_length(min_length: usize) -> Self {
        Self { min_length: min_length.clamp(MIN_LENGTH_FLOOR, MAX_LENGTH) }
    }

    /// Checks a new password. `context` is what is known about its owner: user name, e-mail address, name, and the names
    /// of the organization and groups; each is also taken apart into its words.
    pub fn check(&self, password: &str, context: &[&str]) -> Result<(), FieldRule> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(too_long());
        }
        let text = Zeroizing::new(password.nfc().collect::<String>());
        let length = text.graphemes(true).count();
        if length > MAX_LENGTH {
            return Err(too_long());
        }
        if length == 0 {
            return Err(FieldRule::new("required", "Give a password."));
        }
        if length < self.min_length {
            return Err(FieldRule::new("too_short", format!("A password has at least {} characters.", self.min_length)));
        }
        let words = known_words(context);
        if is_made_of(&text, &words) {
            return Err(FieldRule::new("personal", "A password is not made of your name, your address or the name of this product."));
        }
        let bare = Zeroizing::new(stem(&text));
        if bare.is_empty() || COMMON.contains(&bare.as_str()) {
            return Err(FieldRule::new("common", "This password is among the most common ones. Take four or more unrelated words."));
        }
        let known: Vec<&str> = words.iter().map(String::as_str).collect();
        let estimate = zxcvbn::zxcvbn(&text, &known);
        if u8::from(estimate.score()) < SCORE_MIN {
            return Err(FieldRule::new("weak", advice(&estimate)));
        }
        Ok(())
    }
}

fn too_long() -> FieldRule {
    FieldRule::new("too_long", "A password has at most 256 characters.")
}

/// What is left in lower case without digits, signs and blanks at both ends: `!Password2026!` is `password`.
fn stem(text: &str) -> String {
    text.to_lowercase().trim_matches(|c: char| !c.is_alphabetic()).to_owned()
}

/// The context and the product's names as whole and in words of three letters or more; longer ones first.
fn known_words(context: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = PRODUCT_WORDS.iter().map(|word| (*word).to_owned()).collect();
    for text in context {
        let lower = text.to_lowercase();
        words.extend(lower.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        words.push(lower);
    }
    words.retain(|word| word.chars().count() >= 3);
    words.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words
}

/// Whether next to nothing is left once the known words are taken out: a few letters, or a date.
fn is_made_of(text: &str, words: &[String]) -> bool {
    let whole = Zeroizing::new(text.to_lowercase());
    let mut rest = whole.clone();
    for word in words {
        rest = Zeroizing::new(rest.replace(word.as_str(), " "));
    }
    let letters = rest.chars().filter(|c| c.is_alphabetic()).count();
    let characters = rest.chars().filter(|c| c.is_alphanumeric()).count();
    *rest != *whole && letters < 4 && characters < 10
}

fn advice(estimate: &zxcvbn::Entropy) -> String {
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning).map(|warning| warning.to_string());
    let why = warning.map_or_else(String::new, |warning| format!(" {}.", warning.trim_end_matches('.')));
    format!("This password is easy to guess.{why} Take four or more unrelated words, or let a password manager make one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: [&str; 3] = ["alice", "alice.archer@example.com", "Alice Archer"];

    fn code(password: &str) -> &'static str {
        PasswordPolicy::default().check(password, &ALICE).err().map_or("ok", |rule| rule.code)
    }

    #[test]
    fn unrelated_words_and_random_characters_are_accepted() {
        for good in ["vessel orbit mango trellis", "gT7#kq9!vLx2Wp", "dampf röhre kiosk zelle", "犬も歩けば棒に当たる東京駅前"]
        {
            assert_eq!(code(good), "ok", "{good}");
        }
    }

    #[test]
    fn length_counts_characters_and_ends_at_256() {
        assert_eq!(code("short pw 11"), "too_short");
        assert_eq!(code(""), "required");
        assert_eq!(code(&"é".repeat(11)), "too_short");
        assert_eq!(code(&"xq".repeat(129)), "too_long");
        assert_eq!(code(&"ab".repeat(600)), "too_long");
        assert_eq!(PasswordPolicy::with_min_length(20).check("vessel orbit mango", &[]).err().map(|r| r.code), Some("too_short"));
    }

    #[test]
    fn no_configuration_goes_below_eight() {
        assert_eq!(PasswordPolicy::with_min_length(1).min_length, MIN_LENGTH_FLOOR);
    }

    #[test]
    fn common_passwords_are_refused_with_whatever_stands_around_them() {
        for bad in ["password2026!", "!!Password!!12", "changeme123456", "Correct-Horse-Battery-Staple1", "123456789012", "qwertyuiop!!!!"]
        {
            assert_eq!(code(bad), "common", "{bad}");
        }
    }

    #[test]
    fn what_everybody_knows_about_the_owner_is_no_password() {
        for bad in ["alice1234567", "AliceAliceAlice", "alice-archer@example.com", "Archer.Alice.1987", "codex-web-2026", "codexcodex!!!"] {
            assert_eq!(code(bad), "personal", "{bad}");
        }
        assert_eq!(code("alice vessel orbit mango"), "ok");
    }

    #[test]
    fn what_is_easy_to_guess_is_refused_with_a_reason() {
        let rule = PasswordPolicy::default().check("aaaaaaaaaaaaaa", &[]).err();
        assert!(rule.is_some_and(|r| r.code == "weak" && r.message.contains("easy to guess") && r.message.contains("Repeats")));
    }

    #[test]
    fn the_refusal_never_repeats_the_password() {
        for bad in ["sunshine1234", "alicearcher12", "zzzzzzzzzzzz"] {
            let rule = PasswordPolicy::default().check(bad, &ALICE).err();
            assert!(rule.is_some_and(|r| !r.message.contains(bad)), "{bad}");
        }
    }
}
