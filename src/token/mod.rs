//! Making and checking credentials: signed tokens, opaque tokens, keys, and the seal over secrets at rest. No IO.
//!
//! A token says who, never what: rights are looked up on every request. [`strict`] is the only way in for a signed
//! token, whatever its kind; [`opaque`] is for everything that has a row in the database.

pub mod access;
pub mod api;
pub mod keys;
pub mod machine;
pub mod opaque;
pub mod proof;
pub mod seal;
pub mod ssh;
pub mod strict;
pub mod ticket;
