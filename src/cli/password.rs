//! Reading a new password: from standard input for programs, from the terminal for people; never from an argument,
//! where every user of the machine could read it.

use super::exit::Failure;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};

/// More than any password; a file given by mistake is not read to its end.
const LONGEST: u64 = 4096;

/// A new password, typed twice at a terminal or read whole from standard input without its last line end.
pub fn read(from_stdin: bool) -> Result<SecretString, Failure> {
    if from_stdin {
        return from_reader(std::io::stdin().lock());
    }
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|_| Failure::usage("There is no terminal to ask for the password at: use --password-stdin."))?;
    let first = ask(&mut terminal, "New password: ")?;
    let second = ask(&mut terminal, "Again: ")?;
    if first != second {
        return Err(Failure::failed("The two passwords differ. Nothing was changed."));
    }
    Ok(first.into())
}

fn from_reader(reader: impl Read) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = reader.take(LONGEST + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("The password cannot be read from standard input: {error}.")))?;
    if text.len() as u64 > LONGEST {
        return Err(Failure::usage(format!("The password on standard input is longer than {LONGEST} bytes.")));
    }
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() {
        return Err(Failure::usage("There is no password on standard input."));
    }
    Ok(password.to_owned().into())
}

/// The terminal as it was, put back however the question ends.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    /// No echo, and no signals from keys: an interrupt in the middle must not leave a terminal that hides what is typed.
    fn new(terminal: &'a File) -> Result<Self, Failure> {
        let before = tcgetattr(terminal).map_err(|error| Failure::failed(format!("The terminal cannot be used: {error}.")))?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        let set = tcsetattr(terminal, OptionalActions::Flush, &quiet);
        set.map_err(|error| Failure::failed(format!("The terminal cannot be used: {error}.")))?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

#[allow(clippy::unbuffered_bytes)] // a buffer would swallow what was typed ahead for the next question
fn ask(terminal: &mut File, question: &str) -> Result<String, Failure> {
    terminal.write_all(question.as_bytes())?;
    let typed = {
        let quiet = Quiet::new(terminal)?;
        line(quiet.terminal.bytes())
    };
    terminal.write_all(b"\n")?;
    typed
}

/// One line with the keys that people use in it: erase, kill, and the ways to give up.
fn line(bytes: impl Iterator<Item = std::io::Result<u8>>) -> Result<String, Failure> {
    let mut typed: Vec<u8> = Vec::new();
    for byte in bytes {
        match byte? {
            b'\n' | b'\r' => {
                return String::from_utf8(typed).map_err(|_| Failure::failed("The password is not valid UTF-8. Nothing was changed."));
            }
            0x03 | 0x04 | 0x1a | 0x1c => break,
            0x08 | 0x7f => {
                // A character may be several bytes.
                while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            0x15 => typed.clear(),
            byte if (typed.len() as u64) < LONGEST => typed.push(byte),
            _ => {}
        }
    }
    Err(Failure::failed("Given up. Nothing was changed."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn typed(text: &str) -> Result<String, Failure> {
        line(text.bytes().map(Ok))
    }

    #[test]
    fn keys_work_as_they_do_in_a_shell() {
        assert_eq!(typed("secret\n").unwrap(), "secret");
        assert_eq!(typed("sé\u{7f}ecret\r").unwrap(), "secret");
        assert_eq!(typed("wrong\u{15}right\n").unwrap(), "right");
        assert!(typed("half\u{3}").is_err());
        assert!(typed("no end").is_err());
    }

    #[test]
    fn one_line_end_is_not_part_of_the_password() {
        let read = |text: &str| from_reader(text.as_bytes()).map(|secret| secret.expose_secret().to_owned());
        assert_eq!(read("a b \n").unwrap(), "a b ");
        assert_eq!(read("a\r\n").unwrap(), "a");
        assert_eq!(read("a\n\n").unwrap(), "a\n");
        assert!(read("").is_err() && read("\n").is_err());
        assert!(read(&"x".repeat(5000)).is_err());
    }
}
