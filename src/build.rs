//! Tells cargo to embed the user interface anew when a file is added to it, not only when one is changed.

fn main() {
    println!("cargo:rerun-if-changed=assets");
}
