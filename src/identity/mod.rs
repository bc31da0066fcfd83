//! Proving who is calling: passwords and what guards them, known devices, client addresses, the life of sessions.
//!
//! Pure machinery with its rules; the rows (users, sessions, tokens, codes) are read and written by `store`, and the use
//! cases that join the two are in `ops`. What a caller may do is none of this module's business.

pub mod address;
pub mod caller;
pub mod device;
pub mod master_key;
pub mod password;
pub mod password_policy;
pub mod refresh;
pub mod session;
pub mod signing;
pub mod throttle;
pub mod typed_name;
