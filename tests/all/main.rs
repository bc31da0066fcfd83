//! The one integration-test binary: each module tests the real application or one of its seams from outside.

mod contract;
// What one test does not use, another one does.
#[allow(dead_code)]
mod harness;
mod harness_tests;
mod tidy;
