//! Amounts as Kubernetes writes them, as exact numbers: `500m`, `2`, `1k`, `4Gi`, `1e3`.
//!
//! The cluster prints what it was given in a form of its own (`1000` comes back as `1k`), so amounts are compared as
//! numbers and written in the simplest form.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Suffixes and how many thousandths of one each is.
const BINARY: [(&str, i128); 6] = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("Ti", 1 << 40), ("Pi", 1 << 50), ("Ei", 1 << 60)];
const DECIMAL: [(&str, i32); 9] = [("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

/// Thousandths of one, rounded up as the cluster rounds; `None` for what is no quantity, or larger than the cluster's largest.
pub fn parse(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (multiplier, power) = scale(suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || number.len() > 24 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = i32::try_from(fraction.len()).ok()?;
    // Thousandths: three powers of ten more.
    let exact = digits.checked_mul(multiplier)?;
    let shift = power - places + 3;
    let tens = 10_i128.checked_pow(shift.unsigned_abs())?;
    let thousandths = if shift >= 0 { exact.checked_mul(tens)? } else { exact.checked_add(tens - 1)? / tens };
    Some(sign * thousandths)
}

/// What a suffix multiplies by, and by which power of ten besides.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    if suffix.is_empty() {
        return Some((1, 0));
    }
    if let Some((_, factor)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((*factor, 0));
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((1, *power));
    }
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    (-24..=24).contains(&power).then_some((1, power))
}

/// Whole units, rounded up: bytes, pods.
pub fn units(quantity: &Quantity) -> Option<i64> {
    let thousandths = parse(&quantity.0)?;
    i64::try_from(thousandths.div_euclid(1_000) + i128::from(thousandths.rem_euclid(1_000) != 0)).ok()
}

/// Thousandths, as cpu is counted.
pub fn milli(quantity: &Quantity) -> Option<i64> {
    i64::try_from(parse(&quantity.0)?).ok()
}

/// Cores, from thousandths of one.
pub fn of_milli(milli: i64) -> Quantity {
    Quantity(if milli % 1_000 == 0 { (milli / 1_000).to_string() } else { format!("{milli}m") })
}

/// Bytes, with the largest binary unit that divides them.
pub fn of_bytes(bytes: i64) -> Quantity {
    let unit = BINARY.iter().rev().find(|(_, factor)| bytes != 0 && i128::from(bytes) % factor == 0);
    Quantity(match unit {
        Some((name, factor)) => format!("{}{name}", i128::from(bytes) / factor),
        None => bytes.to_string(),
    })
}

/// A plain count.
pub fn of_count(count: i64) -> Quantity {
    Quantity(count.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_is_equal_however_it_is_written() {
        for (one, other) in [
            ("1k", "1000"),
            ("0.5", "500m"),
            ("1Gi", "1073741824"),
            ("1e3", "1k"),
            ("1.5Gi", "1536Mi"),
            ("2", "2000m"),
            ("1E", "1000P"),
            ("5E3", "5k"),
        ] {
            assert_eq!(parse(one), parse(other), "{one} {other}");
            assert!(parse(one).is_some());
        }
        assert_eq!(parse("1n"), Some(1), "less than a thousandth counts as one");
        assert_eq!(parse("-1"), Some(-1_000));
        assert_ne!(parse("1G"), parse("1Gi"));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for bad in ["", "Gi", "1gi", "1.2.3", "1 Gi", "e3", "1e", "one", ".", "99999999999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn amounts_are_written_in_their_simplest_form() {
        assert_eq!([2_000, 500, 1_500, 0].map(|m| of_milli(m).0), ["2", "500m", "1500m", "0"]);
        assert_eq!([4 << 30, 512 << 20, 1_000, 1 << 10, 0].map(|b| of_bytes(b).0), ["4Gi", "512Mi", "1000", "1Ki", "0"]);
        for bytes in [1, 1 << 10, 3 << 30, (5 << 40) + 1] {
            assert_eq!(units(&of_bytes(bytes)), Some(bytes));
        }
        assert_eq!(units(&Quantity("1500m".into())), Some(2), "a part of a byte is a byte");
        assert_eq!(milli(&Quantity("100n".into())), Some(1));
    }
}
