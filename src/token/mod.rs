//! Signed tokens: minting and verifying, and nothing else. No IO, no clock of its own, no knowledge of who may do what:
//! a token carries identity, never authority.

pub mod ticket;
