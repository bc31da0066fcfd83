//! The one integration-test binary: each module tests the real application or one of its seams from outside.

mod contract;
mod tidy;
