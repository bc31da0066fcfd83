//! A person's SSH key: the key itself, the encodings of SSH, and what the key may be used to sign.
//!
//! The key signs two things only, sign-ins to SSH servers and git objects, and [`request`] is where everything else
//! is refused: whoever can run a program in a workspace can ask for signatures, so a request is not believed but taken
//! apart. Deliberately absent: any other kind of key, certificates, and reading keys that people bring along.

pub mod key;
pub mod request;
pub mod wire;

pub use key::{PublicKey, UserKey};
pub use request::{Refused, SignRequest, Signed};
