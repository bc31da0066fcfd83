//! Amounts of cpu, memory and storage: read as Kubernetes writes them, counted as whole numbers, printed in one way.
//!
//! Cpu is counted in thousandths of a core, memory and storage in bytes; all arithmetic is on checked integers, because
//! a rounded quota is a wrong one. Read: cores (`2`, `0.5`) or thousandths (`500m`); memory and storage with one of the
//! units `Ki Mi Gi Ti Pi`. Decimal units (`GB`, `G`) and bare numbers are refused on purpose: a person who writes `64`
//! or `64GB` means something that this would not give them.

use super::field::FieldRule;
use serde_json::Value;

/// Thousandths in one core.
pub const CORE: i64 = 1_000;
pub const KIB: i64 = 1 << 10;
pub const MIB: i64 = 1 << 20;
pub const GIB: i64 = 1 << 30;
pub const TIB: i64 = 1 << 40;
pub const PIB: i64 = 1 << 50;

/// No amount may be larger: a million cores, one exbibyte, a million workspaces. Sums of many stay far from overflow.
pub const CPU_MAX: i64 = 1_000_000 * CORE;
pub const BYTES_MAX: i64 = 1_024 * PIB;
pub const COUNT_MAX: i64 = 1_000_000;

const UNITS: [(&str, &str, i64); 5] = [("Pi", "PiB", PIB), ("Ti", "TiB", TIB), ("Gi", "GiB", GIB), ("Mi", "MiB", MIB), ("Ki", "KiB", KIB)];

const CPU_RULE: &str = "Write cores, for example 2 or 0.5, or thousandths of a core, for example 500m.";
const BYTES_RULE: &str = "Write the unit as Gi or Mi, for example 64Gi.";

/// A decimal number without sign or exponent, as whole and fractional digits.
fn decimal(text: &str) -> Option<(i64, &str)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction.trim_end_matches('0')),
        Some(_) => return None,
        None => (text, ""),
    };
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    whole.parse().ok().map(|whole| (whole, fraction))
}

/// `(whole + 0.fraction) * unit`, if that is a whole number and fits.
fn scaled(whole: i64, fraction: &str, unit: i64) -> Option<i64> {
    let mut total = whole.checked_mul(unit)?;
    if !fraction.is_empty() {
        let places = u32::try_from(fraction.len()).ok().filter(|n| *n <= 18)?;
        let parts = fraction.parse::<i128>().ok()?.checked_mul(i128::from(unit))?;
        let divisor = 10_i128.checked_pow(places)?;
        if parts % divisor != 0 {
            return None;
        }
        total = total.checked_add(i64::try_from(parts / divisor).ok()?)?;
    }
    Some(total)
}

fn in_range(amount: i64, max: i64, shown_max: &str) -> Result<i64, FieldRule> {
    match amount {
        0 => Err(FieldRule::new("range", "It must be more than zero.")),
        n if n > max => Err(FieldRule::new("range", format!("It may be at most {shown_max}."))),
        n => Ok(n),
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads cpu into thousandths of a core.
pub fn parse_cpu(text: &str) -> Result<i64, FieldRule> {
    let invalid = || FieldRule::new("invalid", CPU_RULE);
    let too_much = || FieldRule::new("range", "It may be at most 1000000 cores.");
    if text.is_empty() {
        return Err(FieldRule::new("required", CPU_RULE));
    }
    if let Some(thousandths) = text.strip_suffix('m') {
        if !all_digits(thousandths) {
            return Err(invalid());
        }
        return in_range(thousandths.parse().map_err(|_| too_much())?, CPU_MAX, "1000000 cores");
    }
    if all_digits(text) && text.parse::<i64>().is_err() {
        return Err(too_much());
    }
    let (whole, fraction) = decimal(text).ok_or_else(invalid)?;
    if fraction.len() > 3 {
        return Err(FieldRule::new("invalid", "The smallest step is a thousandth of a core: 0.001 or 1m."));
    }
    in_range(scaled(whole, fraction, CORE).ok_or_else(too_much)?, CPU_MAX, "1000000 cores")
}

/// Reads memory or storage into bytes. The amount is a whole number of Ki.
pub fn parse_bytes(text: &str) -> Result<i64, FieldRule> {
    if text.is_empty() {
        return Err(FieldRule::new("required", BYTES_RULE));
    }
    let unit = UNITS.iter().find_map(|(suffix, _, size)| text.strip_suffix(suffix).map(|number| (number, *size)));
    let Some((number, size)) = unit else {
        return Err(FieldRule::new("unit", BYTES_RULE));
    };
    if all_digits(number) && number.parse::<i64>().is_err() {
        return Err(FieldRule::new("range", "It may be at most 1024Pi."));
    }
    let (whole, fraction) = decimal(number).ok_or_else(|| FieldRule::new("invalid", BYTES_RULE))?;
    if whole > BYTES_MAX / size {
        return Err(FieldRule::new("range", "It may be at most 1024Pi."));
    }
    match scaled(whole, fraction, size) {
        Some(bytes) if bytes % KIB == 0 => in_range(bytes, BYTES_MAX, "1024Pi"),
        _ => Err(FieldRule::new("invalid", "Write a whole number of a smaller unit, for example 512Mi.")),
    }
}

/// Reads cpu from JSON: a string, or a number of cores.
pub fn cpu_from_json(value: &Value) -> Result<i64, FieldRule> {
    match value {
        Value::String(text) => parse_cpu(text),
        Value::Number(number) => parse_cpu(&number.to_string()),
        _ => Err(FieldRule::new("type", CPU_RULE)),
    }
}

/// Reads memory or storage from JSON: a string with a unit. A number has none, so it is refused with that rule.
pub fn bytes_from_json(value: &Value) -> Result<i64, FieldRule> {
    match value {
        Value::String(text) => parse_bytes(text),
        Value::Number(_) => Err(FieldRule::new("unit", BYTES_RULE)),
        _ => Err(FieldRule::new("type", BYTES_RULE)),
    }
}

/// Reads a count of workspaces: a whole number from 1 to a million.
pub fn count_from_json(value: &Value) -> Result<i64, FieldRule> {
    let rule = "Write a whole number, for example 20.";
    let Value::Number(number) = value else {
        return Err(FieldRule::new("type", rule));
    };
    match number.as_i64() {
        Some(n) if n < 1 => Err(FieldRule::new("range", "It must be at least 1.")),
        Some(n) => in_range(n, COUNT_MAX, "1000000"),
        None if number.is_u64() => Err(FieldRule::new("range", "It may be at most 1000000.")),
        None => Err(FieldRule::new("invalid", rule)),
    }
}

/// `whole.fraction` in thousandths without needless zeros.
fn thousandths(amount: i64) -> String {
    let (whole, rest) = (amount / CORE, (amount % CORE).abs());
    let sign = if amount < 0 && whole == 0 { "-" } else { "" };
    if rest == 0 {
        return whole.to_string();
    }
    let fraction = format!("{rest:03}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// Cpu as the API prints it: `500m` is `0.5`.
pub fn print_cpu(milli: i64) -> String {
    thousandths(milli)
}

/// Memory and storage as the API prints them: the largest unit that leaves a whole number (`1024Mi` is `1Gi`). Amounts
/// that are no whole number of Ki, which only measuring gives, are printed as bare bytes.
pub fn print_bytes(bytes: i64) -> String {
    if bytes == 0 {
        return "0".to_owned();
    }
    match UNITS.iter().find(|(_, _, size)| bytes % size == 0) {
        Some((suffix, _, size)) => format!("{}{suffix}", bytes / size),
        None => bytes.to_string(),
    }
}

/// Cpu for people: `2 cores`, `1 core`, `0.5 cores`.
pub fn human_cpu(milli: i64) -> String {
    format!("{} {}", print_cpu(milli), if milli == CORE { "core" } else { "cores" })
}

/// Memory and storage for people, split into number and unit: at most two decimals, in the largest unit below it.
pub fn human_bytes_parts(bytes: i64) -> (String, &'static str) {
    let size = bytes.unsigned_abs();
    match UNITS.iter().find(|(_, _, unit)| size >= unit.unsigned_abs()) {
        Some((_, name, unit)) => {
            let hundredths = (i128::from(bytes) * 100 + i128::from(unit / 2) * i128::from(bytes.signum())) / i128::from(*unit);
            let tenths_of_thousandths = i64::try_from(hundredths * 10).unwrap_or(i64::MAX);
            (thousandths(tenths_of_thousandths), name)
        }
        None => (bytes.to_string(), "bytes"),
    }
}

/// Memory and storage for people: `40 GiB`, `1.5 GiB`, `512 MiB`.
pub fn human_bytes(bytes: i64) -> String {
    let (number, unit) = human_bytes_parts(bytes);
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn code<T>(result: Result<T, FieldRule>) -> &'static str {
        result.err().map_or("ok", |rule| rule.code)
    }

    #[test]
    fn cpu_is_cores_or_thousandths() {
        for (text, milli) in [("20", 20_000), ("0.5", 500), ("500m", 500), ("1.250", 1_250), ("0.001", 1), ("2.0", 2_000), ("007", 7_000)] {
            assert_eq!(parse_cpu(text), Ok(milli), "{text}");
        }
    }

    #[test]
    fn nonsense_for_cpu_is_refused() {
        for text in
            ["-1", "+1", "NaN", "inf", "1 ", " 1", "1 m", "1.5m", "m", ".5", "5.", "1e3", "0x10", "1,5", "2Gi", "two", "1k", "٢", "0.0001"]
        {
            assert_eq!(code(parse_cpu(text)), "invalid", "{text:?}");
        }
        for text in ["0", "0m", "0.0", "0.000", "1000001", "99999999999999999999", "99999999999999999999m", "9223372036854775807"] {
            assert_eq!(code(parse_cpu(text)), "range", "{text:?}");
        }
        assert_eq!(code(parse_cpu("")), "required");
    }

    #[test]
    fn memory_has_a_binary_unit() {
        for (text, bytes) in
            [("64Gi", 64 * GIB), ("1024Mi", GIB), ("1.5Gi", 1536 * MIB), ("1Ti", TIB), ("4Ki", 4096), ("1024Pi", BYTES_MAX)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_for_memory_is_refused() {
        for text in ["64GB", "64G", "64gi", "64", "64GiB", "64Gb", "64M", "64 ", "64Gi ", "NaN"] {
            assert_eq!(code(parse_bytes(text)), "unit", "{text:?}");
        }
        for text in ["-1Gi", "+1Gi", "1 Gi", " 1Gi", "Gi", "1e3Gi", ".5Gi", "1.Gi", "0.1Gi", "0.5Ki", "1,5Gi", "NaNGi"] {
            assert_eq!(code(parse_bytes(text)), "invalid", "{text:?}");
        }
        for text in ["0Gi", "0.0Gi", "1025Pi", "99999999999999999999Gi", "9223372036854775807Ki"] {
            assert_eq!(code(parse_bytes(text)), "range", "{text:?}");
        }
    }

    #[test]
    fn json_numbers_are_cores_but_never_bytes() {
        assert_eq!(cpu_from_json(&json!(2)), Ok(2_000));
        assert_eq!(cpu_from_json(&json!(0.5)), Ok(500));
        assert_eq!(cpu_from_json(&json!(2.0)), Ok(2_000));
        assert_eq!(code(cpu_from_json(&json!(-1))), "invalid");
        assert_eq!(code(cpu_from_json(&json!(1e-9))), "invalid");
        assert_eq!(code(cpu_from_json(&json!(true))), "type");
        assert_eq!(code(bytes_from_json(&json!(64))), "unit");
        assert_eq!(code(bytes_from_json(&json!(null))), "type");
    }

    #[test]
    fn a_count_is_a_whole_positive_number() {
        assert_eq!(count_from_json(&json!(20)), Ok(20));
        assert_eq!(code(count_from_json(&json!(0))), "range");
        assert_eq!(code(count_from_json(&json!(-3))), "range");
        assert_eq!(code(count_from_json(&json!(1.5))), "invalid");
        assert_eq!(code(count_from_json(&json!("20"))), "type");
        assert_eq!(code(count_from_json(&json!(18_446_744_073_709_551_615_u64))), "range");
    }

    #[test]
    fn printing_is_canonical() {
        assert_eq!(print_cpu(500), "0.5");
        assert_eq!(print_cpu(2_000), "2");
        assert_eq!(print_cpu(1_250), "1.25");
        assert_eq!(print_cpu(0), "0");
        assert_eq!(print_bytes(1024 * MIB), "1Gi");
        assert_eq!(print_bytes(1536 * MIB), "1536Mi");
        assert_eq!(print_bytes(0), "0");
        assert_eq!(print_bytes(1000), "1000");
    }

    #[test]
    fn people_read_units_they_know() {
        assert_eq!(human_cpu(1_000), "1 core");
        assert_eq!(human_cpu(500), "0.5 cores");
        assert_eq!(human_bytes(40 * GIB), "40 GiB");
        assert_eq!(human_bytes(1536 * MIB), "1.5 GiB");
        assert_eq!(human_bytes(GIB / 3), "341.33 MiB");
        assert_eq!(human_bytes(12), "12 bytes");
        assert_eq!(human_bytes(-(2 * GIB)), "-2 GiB");
    }

    proptest! {
        #[test]
        fn what_cpu_prints_it_reads_back(milli in 1..=CPU_MAX) {
            prop_assert_eq!(parse_cpu(&print_cpu(milli)), Ok(milli));
            let thousandths = format!("{milli}m");
            prop_assert_eq!(parse_cpu(&thousandths), Ok(milli));
        }

        #[test]
        fn what_bytes_print_they_read_back(kib in 1..=BYTES_MAX / KIB) {
            prop_assert_eq!(parse_bytes(&print_bytes(kib * KIB)), Ok(kib * KIB));
        }

        #[test]
        fn printing_twice_changes_nothing(text in "[0-9]{1,6}(\\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|Pi)") {
            if let Ok(bytes) = parse_bytes(&text) {
                let printed = print_bytes(bytes);
                prop_assert_eq!(parse_bytes(&printed).map(print_bytes), Ok(printed));
            }
        }

        #[test]
        fn no_text_whatever_panics(text in any::<String>(), amount in any::<i64>()) {
            let _ = (parse_cpu(&text), parse_bytes(&text), print_cpu(amount), print_bytes(amount), human_cpu(amount), human_bytes(amount));
        }

        #[test]
        fn nothing_accepted_is_zero_or_negative(text in "[-+0-9.eEmKMGTPi ]{0,12}") {
            if let Ok(n) = parse_cpu(&text) { prop_assert!(n > 0 && n <= CPU_MAX); }
            if let Ok(n) = parse_bytes(&text) { prop_assert!(n > 0 && n <= BYTES_MAX); }
        }
    }
}
