//! Which bytes of a file are wanted (RFC 9110, section 14): one range, or the whole. Several ranges at once are
//! answered with the whole file, as the rules allow.

/// Bytes of a file: the first, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub from: u64,
    pub length: u64,
}

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Slice),
    /// It begins behind the end.
    Nothing,
}

/// Reads a `Range` header for a file of this size. What is not understood is ignored.
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(range) = header.and_then(|h| h.trim().strip_prefix("bytes=")).map(str::trim) else { return Wanted::Whole };
    let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else { return Wanted::Whole };
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(first) || !is_number(last) {
        return Wanted::Whole;
    }
    match (number(first), number(last)) {
        (None, Some(suffix)) => match suffix.min(size) {
            0 => Wanted::Nothing,
            length => Wanted::Part(Slice { from: size - length, length }),
        },
        (Some(from), last) if last.is_none_or(|last| last >= from) => {
            if from >= size {
                return Wanted::Nothing;
            }
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            Wanted::Part(Slice { from, length: end - from })
        }
        _ => Wanted::Whole,
    }
}

/// The number of some digits, if there are any. One past all numbers is behind every end.
fn number(digits: &str) -> Option<u64> {
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(from: u64, length: u64) -> Wanted {
        Wanted::Part(Slice { from, length })
    }

    #[test]
    fn one_range_is_cut_out() {
        for (header, answer) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=2-4", part(2, 3)),
            ("bytes=7-", part(7, 3)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-99", part(0, 10)),
            ("bytes=5-99999999999999999999", part(5, 5)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
        ] {
            assert_eq!(wanted(Some(header), 10), answer, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Nothing);
    }

    #[test]
    fn what_is_not_understood_means_the_whole_file() {
        for header in ["", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=+1-2", "bytes=0x1-"]
        {
            assert_eq!(wanted(Some(header), 10), Wanted::Whole, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }
}
