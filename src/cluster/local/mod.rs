//! The embedded local runtime.
