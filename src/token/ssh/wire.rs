//! The encoding of SSH (RFC 4251, section 5): numbers are big-endian, a string is its length in 32 bits and its bytes.
//!
//! Reading is strict and borrows: a length beyond the end is an error, and a caller who wants nothing to follow asks
//! for that with [`Reader::end`].

/// The bytes are not what the encoding says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is not encoded as SSH has it")]
pub struct Malformed;

/// Reads from the front.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }

    pub fn number(&mut self) -> Result<u32, Malformed> {
        self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| Malformed)
    }

    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        self.take(length)
    }

    /// A string that must be UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.string()?).map_err(|_| Malformed)
    }

    /// Nothing may follow.
    pub fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Appends a number.
pub fn put_number(to: &mut Vec<u8>, number: u32) {
    to.extend_from_slice(&number.to_be_bytes());
}

/// Appends a string. One of 4 GiB and more cannot be written; none here comes near.
pub fn put_string(to: &mut Vec<u8>, string: &[u8]) {
    put_number(to, u32::try_from(string.len()).unwrap_or(u32::MAX));
    to.extend_from_slice(string);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut bytes = vec![7];
        put_number(&mut bytes, 0x0102_0304);
        put_string(&mut bytes, b"testing");
        assert_eq!(bytes, b"\x07\x01\x02\x03\x04\x00\x00\x00\x07testing", "as in RFC 4251");
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.byte(), reader.number(), reader.text()), (Ok(7), Ok(0x0102_0304), Ok("testing")));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_length_beyond_the_end_and_a_tail_are_errors() {
        for bytes in [&b"\x00\x00\x00\x02a"[..], b"\xff\xff\xff\xffa", b"\x00\x00", b""] {
            assert_eq!(Reader::new(bytes).string(), Err(Malformed), "{bytes:?}");
        }
        let mut reader = Reader::new(b"\x00\x00\x00\x01ab");
        assert_eq!(reader.string(), Ok(&b"a"[..]));
        assert_eq!(reader.end(), Err(Malformed));
        assert_eq!(Reader::new(b"\x00\x00\x00\x01\xff").text(), Err(Malformed));
    }
}
