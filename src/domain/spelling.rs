//! How near two names are, for "did you mean".

/// Levenshtein's distance, upper and lower case taken as the same; only the first 64 characters count.
pub fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().take(64).map(|letter| letter.to_ascii_lowercase()).collect::<Vec<char>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edit_counts_once() {
        for (a, b, edits) in
            [("", "", 0), ("", "abc", 3), ("listen", "lisen", 1), ("Email", "email", 0), ("kitten", "sitting", 3), ("tls", "tsl", 2)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }
}
