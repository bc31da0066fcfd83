//! A parameter after the question mark, as the route table and the API description have it: its kind, and which values
//! of that kind it takes. The handler decides by itself; a test holds the two together.

/// A query parameter in the API description: name, kind, which values it takes, what it does.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: ParameterKind,
    pub values: Values,
    /// Nothing is answered without it.
    pub required: bool,
    pub words: &'static str,
}

impl Parameter {
    /// Nothing is answered without it.
    #[must_use]
    pub const fn needed(mut self) -> Self {
        self.required = true;
        self
    }

    /// A whole number from the first to the second.
    #[must_use]
    pub const fn within(mut self, from: i64, to: i64) -> Self {
        self.values = Values::Within(from, to);
        self
    }

    /// One of these words.
    #[must_use]
    pub const fn one_of(mut self, words: &'static [&'static str]) -> Self {
        self.values = Values::OneOf(words);
        self
    }

    /// A text of this form, a regular expression as JSON Schema has them.
    #[must_use]
    pub const fn like(mut self, pattern: &'static str) -> Self {
        self.values = Values::Like(pattern);
        self
    }

    /// A text of at most so many characters.
    #[must_use]
    pub const fn up_to(mut self, characters: usize) -> Self {
        self.values = Values::UpTo(characters);
        self
    }

    /// What the server itself has given out, and nothing else.
    #[must_use]
    pub const fn given_out(mut self) -> Self {
        self.values = Values::GivenOut;
        self
    }
}

/// Which values of its kind a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    Any,
    Within(i64, i64),
    OneOf(&'static [&'static str]),
    Like(&'static str),
    UpTo(usize),
    GivenOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    Text,
    Integer,
    Flag,
    Time,
}
