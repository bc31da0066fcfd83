//! Golden files: what the product says, kept under `tests/golden` and compared to the letter.
//!
//! `UPDATE_GOLDEN=1 cargo test` writes them anew; the difference is then reviewed like any other change.

use std::fs;
use std::path::Path;

/// Compares with `tests/golden/NAME`.
pub fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept != text {
        let line =
            kept.lines().zip(text.lines()).position(|(a, b)| a != b).unwrap_or_else(|| kept.lines().count().min(text.lines().count()));
        panic!(
            "tests/golden/{name} differs at line {}:\n  kept: {}\n  now:  {}\nIf the change is meant: UPDATE_GOLDEN=1 cargo test",
            line + 1,
            kept.lines().nth(line).unwrap_or("<end>"),
            text.lines().nth(line).unwrap_or("<end>")
        );
    }
}
