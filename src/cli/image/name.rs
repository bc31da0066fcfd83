//! The name of an image: `repository:tag`, as it is typed and as container runtimes keep it.

use crate::domain::workspace::check_image;

/// What a name without a registry belongs to, by the custom of container runtimes.
const DEFAULT_REGISTRY: &str = "docker.io";

/// A repository and a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    repository: String,
    tag: String,
}

impl Name {
    /// Reads a name; one without a tag gets the version. The error is a sentence for people.
    pub fn parse(text: &str, version: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err("An image that is being made has no digest yet: name it as repository:tag.".to_owned());
        }
        check_image(text).map_err(|rule| rule.message.to_string())?;
        // A colon before a slash belongs to a port.
        let (repository, tag) = match text.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (text, version),
        };
        Ok(Self { repository: repository.to_owned(), tag: tag.to_owned() })
    }

    /// As it was typed, with its tag.
    pub fn full(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// As container runtimes look it up.
    pub fn canonical(&self) -> String {
        let (first, rest) = self.repository.split_once('/').unwrap_or(("", self.repository.as_str()));
        if first.contains(['.', ':']) || first == "localhost" {
            return self.full();
        }
        let path = if first.is_empty() { format!("library/{rest}") } else { self.repository.clone() };
        format!("{DEFAULT_REGISTRY}/{path}:{}", self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_tag_gets_the_version_and_a_port_is_no_tag() {
        let full = |text: &str| Name::parse(text, "1.2").unwrap().full();
        assert_eq!(full("localhost/codex-web"), "localhost/codex-web:1.2");
        assert_eq!(full("host.example:5000/codex-web"), "host.example:5000/codex-web:1.2");
        assert_eq!(full("host.example:5000/codex-web:7"), "host.example:5000/codex-web:7");
    }

    #[test]
    fn runtimes_find_it_by_its_whole_name() {
        let canonical = |text: &str| Name::parse(text, "1").unwrap().canonical();
        assert_eq!(canonical("localhost/codex-web"), "localhost/codex-web:1");
        assert_eq!(canonical("host.example/a/b"), "host.example/a/b:1");
        assert_eq!(canonical("codex-web"), format!("{DEFAULT_REGISTRY}/library/codex-web:1"));
        assert_eq!(canonical("tools/codex-web"), format!("{DEFAULT_REGISTRY}/tools/codex-web:1"));
    }

    #[test]
    fn nonsense_and_digests_are_refused_in_words() {
        for text in ["", "a b", "a//b", "a@sha256:00", "a:b:c d"] {
            assert!(Name::parse(text, "1").is_err(), "{text}");
        }
    }
}
