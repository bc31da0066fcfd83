//! The last mebibyte of a terminal's output, addressed by its offset in the whole stream.
//!
//! A client that comes back says how far it had read and gets exactly the rest, if the ring still holds it. Bytes are
//! never parsed or decoded: a terminal parser in this path would be slower than the terminal itself.

use std::collections::VecDeque;

/// How much output one terminal keeps, in bytes.
pub const CAPACITY: usize = 1024 * 1024;

/// A window on the end of a byte stream. Memory grows with use, up to the capacity.
#[derive(Debug)]
pub struct Ring {
    bytes: VecDeque<u8>,
    /// Offset of the first byte that is still held.
    start: u64,
    capacity: usize,
}

impl Ring {
    /// An empty ring that holds at most `capacity` bytes.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: VecDeque::new(), start: 0, capacity }
    }

    /// Offset of the first byte that is still held.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Offset of the next byte that will be written.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Appends; what no longer fits is forgotten from the front.
    pub fn push(&mut self, new: &[u8]) {
        let kept = &new[new.len().saturating_sub(self.capacity)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(self.capacity);
        self.bytes.drain(..over);
        self.start += (over + new.len() - kept.len()) as u64;
        self.bytes.extend(kept);
    }

    /// At most `limit` bytes from `offset` on; nothing where the offset is not held.
    pub fn read(&self, offset: u64, limit: usize) -> Vec<u8> {
        if offset < self.start || offset >= self.end() {
            return Vec::new();
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let to = from.saturating_add(limit).min(self.bytes.len());
        self.bytes.range(from..to).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_read_by_offset() {
        let mut ring = Ring::new(8);
        ring.push(b"abcde");
        assert_eq!((ring.start(), ring.end()), (0, 5));
        assert_eq!(ring.read(2, 100), b"cde");
        assert_eq!(ring.read(5, 100), b"");
    }

    #[test]
    fn the_oldest_bytes_are_forgotten_and_offsets_go_on() {
        let mut ring = Ring::new(8);
        ring.push(b"abcde");
        ring.push(b"fghij");
        assert_eq!((ring.start(), ring.end()), (2, 10));
        assert_eq!(ring.read(2, 100), b"cdefghij");
        assert_eq!(ring.read(1, 100), b"", "an offset that fell out gives nothing");
    }

    #[test]
    fn a_piece_longer_than_the_ring_keeps_its_end() {
        let mut ring = Ring::new(4);
        ring.push(b"xy");
        ring.push(b"0123456789");
        assert_eq!((ring.start(), ring.end()), (8, 12));
        assert_eq!(ring.read(8, 100), b"6789");
    }

    proptest::proptest! {
        #[test]
        fn any_sequence_of_writes_reads_back_as_the_end_of_the_stream(pieces in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..40), 0..20)) {
            let mut ring = Ring::new(32);
            let mut whole = Vec::new();
            for piece in &pieces {
                ring.push(piece);
                whole.extend_from_slice(piece);
                proptest::prop_assert_eq!(ring.end(), whole.len() as u64);
                let held = ring.read(ring.start(), usize::MAX);
                proptest::prop_assert!(held.len() <= 32);
                proptest::prop_assert!(whole.ends_with(&held));
            }
        }
    }
}
