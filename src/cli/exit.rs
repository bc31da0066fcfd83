//! How a command ends: its exit code, and what it says on standard error.

use crate::config::Problems;
use crate::error::{Description, Error};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Exit codes that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The data directory is in use by another process.
    InUse = 3,
    /// Verification found a problem.
    ProblemFound = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A command that did not do what was asked, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
}

/// What every command returns.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::usage(problems.to_string())
    }
}

impl From<Error> for Failure {
    /// A person at the server's own shell sees what failed: the text of an internal error is told here, unlike in the API.
    fn from(error: Error) -> Self {
        match error {
            Error::Internal(text) => Self::failed(text),
            other => Self::failed(told(&other.describe())),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}

fn told(description: &Description) -> String {
    let mut text = description.message.to_string();
    if description.fields.len() > 1 {
        for field in &description.fields {
            let _ = write!(text, "\n  {}: {}", field.field, field.message);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FieldProblem;

    #[test]
    fn all_invalid_fields_are_told() {
        let error = Error::Invalid(vec![FieldProblem::new("email", "invalid", "no @"), FieldProblem::new("username", "taken", "is taken")]);
        assert_eq!(Failure::from(error).message, "2 fields are not valid.\n  email: no @\n  username: is taken");
    }

    #[test]
    fn the_shell_sees_the_text_of_a_fault() {
        assert_eq!(Failure::from(Error::internal("the database cannot be opened")).message, "the database cannot be opened");
    }
}
