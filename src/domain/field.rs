//! Why one value was refused, without the name of the field it stood in.
//!
//! Rules of the domain do not know where their value came from: a JSON body, a flag, a file. They answer with a
//! [`FieldRule`], and whoever read the value puts the field's name in front with [`FieldRule::on`].

use crate::error::{Error, FieldProblem};
use std::borrow::Cow;

/// A broken rule: a stable word for programs and one sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// `required`, `too_short`, `too_long`, `invalid`, `type`, `reserved`, `prefix`, `characters`, `unit`, `range`, …
    pub code: &'static str,
    /// Names the rule, never the person's fault.
    pub message: Cow<'static, str>,
}

impl FieldRule {
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// The problem as it is told: with the path of the field in the body, or the name of the parameter.
    pub fn on(self, field: impl Into<String>) -> FieldProblem {
        FieldProblem::new(field, self.code, self.message)
    }

    /// An error with this one problem.
    pub fn error(self, field: impl Into<String>) -> Error {
        Error::Invalid(vec![self.on(field)])
    }
}

impl std::fmt::Display for FieldRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_becomes_a_problem_of_the_field_it_was_broken_in() {
        let problem = FieldRule::new("required", "Give a name.").on("displayName");
        assert_eq!((problem.field.as_str(), &*problem.code, problem.message.as_str()), ("displayName", "required", "Give a name."));
    }
}
