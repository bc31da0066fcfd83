//! The known-device cookie: a browser that signed in once is not shut out by strangers who guess at its owner's name.
//!
//! The value is signed, says nothing about the user, and is worth nothing but its own small counter in
//! [`super::throttle`]: it never replaces a password. It is bound to one user; shown for another it is as good as absent.

use crate::clock::{DAY, Entropy, Millis};
use crate::domain::id::UserId;
use crate::error::Result;
use crate::token::opaque::random_text;
use crate::token::seal::MasterKey;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a device stays known after it signed in, in milliseconds.
pub const LIFE: i64 = 180 * DAY;

const VERSION: &str = "1";
/// Bytes of randomness in a device's id.
const ID_BYTES: usize = 16;
/// Longer values are not looked at.
const VALUE_BYTES_MAX: usize = 128;

/// One browser, as far as one user signed in with it. Not a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceId(String);

impl DeviceId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes and checks the cookie's value.
pub struct Devices(hmac::Key);

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Devices(..)")
    }
}

impl Devices {
    pub fn new(master: &MasterKey) -> Result<Self> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, master.derive("device")?.as_slice())))
    }

    /// The cookie's value for a browser in which the user has just signed in: `1.<id>.<seconds>.<mac>`.
    pub fn issue(&self, user: &UserId, now: Millis, entropy: &dyn Entropy) -> String {
        let body = format!("{VERSION}.{}.{}", random_text(ID_BYTES, entropy), now.0.div_euclid(1_000));
        let mac = hmac::sign(&self.0, &Self::signed(user, &body));
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref()))
    }

    /// The device, if this value was made for this user and is not too old.
    pub fn recognise(&self, user: &UserId, value: &str, now: Millis) -> Option<DeviceId> {
        let value = Some(value).filter(|value| value.len() <= VALUE_BYTES_MAX)?;
        let (body, mac) = value.rsplit_once('.')?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&self.0, &Self::signed(user, body), &mac).ok()?;
        let mut parts = body.split('.');
        let (VERSION, id, seconds, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let issued = Millis(seconds.parse::<i64>().ok()?.checked_mul(1_000)?);
        (now.since(issued) < LIFE).then(|| DeviceId(id.to_owned()))
    }

    fn signed(user: &UserId, body: &str) -> Vec<u8> {
        format!("{user}\n{body}").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn bench() -> (Devices, UserId, String) {
        let devices = Devices::new(&MasterKey::generate(&SystemEntropy)).unwrap();
        let user = UserId::fresh(NOW, &SystemEntropy);
        let value = devices.issue(&user, NOW, &SystemEntropy);
        (devices, user, value)
    }

    #[test]
    fn a_device_is_recognised_for_its_user_for_half_a_year() {
        let (devices, user, value) = bench();
        let id = devices.recognise(&user, &value, NOW).unwrap();
        assert_eq!(devices.recognise(&user, &value, NOW.plus(LIFE - 1)), Some(id));
        assert_eq!(devices.recognise(&user, &value, NOW.plus(LIFE)), None);
    }

    #[test]
    fn it_is_worth_nothing_for_another_user_or_on_another_installation() {
        let (devices, user, value) = bench();
        assert_eq!(devices.recognise(&UserId::fresh(NOW, &SystemEntropy), &value, NOW), None);
        assert_eq!(bench().0.recognise(&user, &value, NOW), None);
    }

    #[test]
    fn a_changed_value_is_not_recognised() {
        let (devices, user, value) = bench();
        for at in 0..value.len() - 1 {
            let mut bytes = value.clone().into_bytes();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            assert_eq!(devices.recognise(&user, &String::from_utf8(bytes).unwrap(), NOW), None, "{at}");
        }
        for text in ["", ".", "...", "1.a.b.c", &"a".repeat(1_000)] {
            assert_eq!(devices.recognise(&user, text, NOW), None, "{text}");
        }
    }

    #[test]
    fn the_value_does_not_say_who_it_is_for() {
        let (_, user, value) = bench();
        assert!(!value.contains(user.hex()));
    }
}
