//! Percent-decoding of paths and queries, strict: what is not valid UTF-8 after decoding is refused, and a path segment
//! can never smuggle a separator, a NUL or a dot segment past the routes.

fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let hex = rest.get(..2).and_then(|h| std::str::from_utf8(h).ok())?;
                bytes.push(u8::from_str_radix(hex, 16).ok().filter(|_| hex.bytes().all(|b| b.is_ascii_hexdigit()))?);
                rest = &rest[2..];
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// One name or value of a query.
pub fn decode_query(text: &str) -> Option<String> {
    decode(text, true)
}

/// One segment of a path.
pub fn decode_segment(text: &str) -> Option<String> {
    let decoded = decode(text, false)?;
    let hostile = decoded == "." || decoded == ".." || decoded.chars().any(|c| matches!(c, '/' | '\\') || c.is_control());
    (!hostile).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_segments_are_refused() {
        for segment in ["..", "%2e%2e", "a%2fb", "a%5Cb", "a%00", "%zz", "%f", "%ff", "%0a"] {
            assert_eq!(decode_segment(segment), None, "{segment}");
        }
        assert_eq!(decode_segment("a%20b").as_deref(), Some("a b"));
    }
}
