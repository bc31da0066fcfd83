//! How the audit log names what somebody typed into the name box when it is nobody's name.
//!
//! People type their password there. So an unknown name is never written down, only a keyed hash of it, cut short: two
//! attempts with the same text can be seen to be the same, and nothing can be read back or tried out without the key.

use crate::error::Result;
use crate::token::seal::MasterKey;
use aws_lc_rs::hmac;

/// Bytes of the hash that are kept.
const KEPT: usize = 8;

/// Makes the stand-ins.
pub struct TypedNames(hmac::Key);

impl std::fmt::Debug for TypedNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypedNames(..)")
    }
}

impl TypedNames {
    pub fn new(master: &MasterKey) -> Result<Self> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, master.derive("typed-name")?.as_slice())))
    }

    /// Sixteen hexadecimal digits that stand for the text.
    pub fn stand_in(&self, typed: &str) -> String {
        crate::domain::hex::encode(&hmac::sign(&self.0, typed.as_bytes()).as_ref()[..KEPT])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn the_same_text_has_the_same_stand_in_on_one_installation_only() {
        let (here, there) = (MasterKey::generate(&SystemEntropy), MasterKey::generate(&SystemEntropy));
        let (here, there) = (TypedNames::new(&here).unwrap(), TypedNames::new(&there).unwrap());
        assert_eq!(here.stand_in("hunter2"), here.stand_in("hunter2"));
        assert_ne!(here.stand_in("hunter2"), here.stand_in("hunter3"));
        assert_ne!(here.stand_in("hunter2"), there.stand_in("hunter2"));
        assert_eq!(here.stand_in("hunter2").len(), 16);
    }
}
