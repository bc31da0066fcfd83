//! What a person's SSH key may sign: a sign-in to an SSH server with this very key, or an object of git.
//!
//! An agent that signs whatever it is shown would be a key for everything that trusts the key. So the bytes are read
//! as exactly one of two forms, to the last byte:
//!
//! * the request of RFC 4252, section 7: session identifier, `SSH_MSG_USERAUTH_REQUEST`, a user name, the service
//!   `ssh-connection`, the method `publickey` or OpenSSH's `publickey-hostbound-v00@openssh.com`, our algorithm and key;
//! * `SSHSIG` (OpenSSH's `PROTOCOL.sshsig`) in the namespace `git`, as `git commit -S` and `git tag -s` make it.

use super::key::{ALGORITHM, PublicKey, UserKey, fingerprint};
use super::wire::{Malformed, Reader};

/// `SSH_MSG_USERAUTH_REQUEST`.
const USERAUTH_REQUEST: u8 = 50;
const SERVICE: &str = "ssh-connection";
const METHOD: &str = "publickey";
const METHOD_HOST_BOUND: &str = "publickey-hostbound-v00@openssh.com";
const SSHSIG: &[u8] = b"SSHSIG";
/// The one namespace of `SSHSIG` that is signed.
const NAMESPACE: &str = "git";

/// Bytes of the hashes that key exchanges use for the session identifier: SHA-1 to SHA-512.
const SESSION_IDENTIFIER: std::ops::RangeInclusive<usize> = 20..=64;
/// The longest user name of an SSH server that is signed in with, in bytes.
const USER_MAX: usize = 128;

/// The longest request, in bytes. A real one has a few hundred.
pub const REQUEST_MAX: usize = 16 * 1024;

/// Why nothing is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    TooLong,
    OtherKey,
    OtherPurpose,
}

impl Refused {
    /// The sentence, as it is recorded.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Malformed => "the request is not encoded as SSH has it",
            Self::TooLong => "the request is too long",
            Self::OtherKey => "the request is for another key",
            Self::OtherPurpose => "only sign-ins to SSH servers and git objects are signed",
        }
    }
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What was signed, for the record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signed {
    /// A sign-in as this user of some server, and the fingerprint of the server's key where the client bound it.
    SignIn { user: String, host_key: Option<String> },
    /// A commit or a tag.
    GitObject,
}

/// One request to sign, understood.
#[derive(Debug)]
pub struct SignRequest<'a> {
    data: &'a [u8],
    what: Signed,
}

impl<'a> SignRequest<'a> {
    /// Reads the contents of an `SSH_AGENTC_SIGN_REQUEST`: key, data, flags. The flags choose among RSA's hashes and
    /// mean nothing here.
    pub fn read(contents: &'a [u8], key: &PublicKey) -> Result<Self, Refused> {
        if contents.len() > REQUEST_MAX {
            return Err(Refused::TooLong);
        }
        let mut reader = Reader::new(contents);
        if reader.string()? != key.blob() {
            return Err(Refused::OtherKey);
        }
        let data = reader.string()?;
        reader.number()?;
        reader.end()?;
        let what = if data.starts_with(SSHSIG) { git_object(data)? } else { sign_in(data, key)? };
        Ok(Self { data, what })
    }

    /// What it is that is signed.
    pub fn what(&self) -> &Signed {
        &self.what
    }

    /// The signature, as SSH carries it.
    pub fn sign(&self, key: &UserKey) -> Vec<u8> {
        key.sign(self.data)
    }
}

fn demand(holds: bool) -> Result<(), Refused> {
    if holds { Ok(()) } else { Err(Refused::OtherPurpose) }
}

fn sign_in(data: &[u8], key: &PublicKey) -> Result<Signed, Refused> {
    let mut reader = Reader::new(data);
    demand(SESSION_IDENTIFIER.contains(&reader.string()?.len()))?;
    demand(reader.byte()? == USERAUTH_REQUEST)?;
    let user = reader.text()?;
    demand(!user.is_empty() && user.len() <= USER_MAX && !user.chars().any(char::is_control))?;
    demand(reader.text()? == SERVICE)?;
    let method = reader.text()?;
    demand(method == METHOD || method == METHOD_HOST_BOUND)?;
    demand(reader.byte()? == 1)?;
    demand(reader.text()? == ALGORITHM)?;
    if reader.string()? != key.blob() {
        return Err(Refused::OtherKey);
    }
    let host_key = if method == METHOD_HOST_BOUND { Some(fingerprint(reader.string()?)) } else { None };
    reader.end()?;
    Ok(Signed::SignIn { user: user.to_owned(), host_key })
}

fn git_object(data: &[u8]) -> Result<Signed, Refused> {
    let mut reader = Reader::new(data);
    reader.take(SSHSIG.len())?;
    demand(reader.text()? == NAMESPACE)?;
    demand(reader.string()?.is_empty())?;
    let hash = reader.text()?;
    let length = reader.string()?.len();
    demand(matches!((hash, length), ("sha256", 32) | ("sha512", 64)))?;
    reader.end()?;
    Ok(Signed::GitObject)
}

#[cfg(test)]
mod tests {
    use super::super::wire::{put_number, put_string};
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    fn strings(parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts {
            put_string(&mut bytes, part);
        }
        bytes
    }

    /// The data of a sign-in with each part as given.
    fn userauth(session: usize, message: u8, user: &str, service: &str, method: &str, key: &[u8], tail: &[u8]) -> Vec<u8> {
        let mut data = strings(&[&vec![9; session]]);
        data.push(message);
        data.extend(strings(&[user.as_bytes(), service.as_bytes(), method.as_bytes()]));
        data.push(1);
        data.extend(strings(&[ALGORITHM.as_bytes(), key]));
        data.extend(tail);
        data
    }

    fn sshsig(namespace: &str, reserved: &[u8], hash: &str, length: usize) -> Vec<u8> {
        let mut data = SSHSIG.to_vec();
        data.extend(strings(&[namespace.as_bytes(), reserved, hash.as_bytes(), &vec![3; length]]));
        data
    }

    fn request(key: &[u8], data: &[u8]) -> Vec<u8> {
        let mut contents = strings(&[key, data]);
        put_number(&mut contents, 0);
        contents
    }

    fn read(key: &PublicKey, data: &[u8]) -> Result<Signed, Refused> {
        SignRequest::read(&request(key.blob(), data), key).map(|r| r.what().clone())
    }

    #[test]
    fn a_sign_in_is_signed_and_the_signature_is_the_keys() {
        let key = UserKey::generate().unwrap();
        let public = key.public("ada");
        let data = userauth(32, 50, "git", SERVICE, METHOD, public.blob(), b"");
        let contents = request(public.blob(), &data);
        let request = SignRequest::read(&contents, &public).unwrap();
        assert_eq!(request.what(), &Signed::SignIn { user: "git".into(), host_key: None });
        let blob = request.sign(&key);
        let mut reader = Reader::new(&blob);
        assert_eq!(reader.text(), Ok(ALGORITHM));
        let signature = reader.string().unwrap();
        assert_eq!(reader.end(), Ok(()));
        let raw = &public.blob()[public.blob().len() - 32..];
        assert!(UnparsedPublicKey::new(&ED25519, raw).verify(&data, signature).is_ok());
    }

    #[test]
    fn a_sign_in_that_is_bound_to_a_host_names_the_hosts_key() {
        let public = UserKey::generate().unwrap().public("ada");
        let host = UserKey::generate().unwrap().public("host");
        let data = userauth(64, 50, "git", SERVICE, METHOD_HOST_BOUND, public.blob(), &strings(&[host.blob()]));
        assert_eq!(read(&public, &data), Ok(Signed::SignIn { user: "git".into(), host_key: Some(host.fingerprint()) }));
    }

    #[test]
    fn git_objects_are_signed_and_no_other_namespace() {
        let public = UserKey::generate().unwrap().public("ada");
        for (hash, length) in [("sha512", 64), ("sha256", 32)] {
            assert_eq!(read(&public, &sshsig("git", b"", hash, length)), Ok(Signed::GitObject));
        }
        for data in [
            sshsig("file", b"", "sha512", 64),
            sshsig("", b"", "sha512", 64),
            sshsig("git", b"x", "sha512", 64),
            sshsig("git", b"", "sha512", 32),
            sshsig("git", b"", "md5", 16),
        ] {
            assert_eq!(read(&public, &data), Err(Refused::OtherPurpose));
        }
        let mut longer = sshsig("git", b"", "sha512", 64);
        longer.push(0);
        assert_eq!(read(&public, &longer), Err(Refused::Malformed));
    }

    #[test]
    fn everything_that_is_no_sign_in_is_refused() {
        let public = UserKey::generate().unwrap().public("ada");
        let own = public.blob();
        let long = "u".repeat(USER_MAX + 1);
        for data in [
            userauth(8, 50, "git", SERVICE, METHOD, own, b""),
            userauth(65, 50, "git", SERVICE, METHOD, own, b""),
            userauth(32, 51, "git", SERVICE, METHOD, own, b""),
            userauth(32, 50, "", SERVICE, METHOD, own, b""),
            userauth(32, 50, &long, SERVICE, METHOD, own, b""),
            userauth(32, 50, "g\nit", SERVICE, METHOD, own, b""),
            userauth(32, 50, "git", "ssh-userauth", METHOD, own, b""),
            userauth(32, 50, "git", SERVICE, "hostbased", own, b""),
            userauth(32, 50, "git", SERVICE, "password", own, b""),
        ] {
            assert_eq!(read(&public, &data), Err(Refused::OtherPurpose));
        }
        for data in [&b""[..], b"hello", &userauth(32, 50, "git", SERVICE, METHOD, own, b"x")] {
            assert_eq!(read(&public, data), Err(Refused::Malformed));
        }
        let bound_to_nothing = userauth(32, 50, "git", SERVICE, METHOD_HOST_BOUND, own, b"");
        assert_eq!(read(&public, &bound_to_nothing), Err(Refused::Malformed));
    }

    #[test]
    fn another_key_is_refused_outside_and_inside() {
        let public = UserKey::generate().unwrap().public("ada");
        let other = UserKey::generate().unwrap().public("ben");
        let data = userauth(32, 50, "git", SERVICE, METHOD, other.blob(), b"");
        assert_eq!(SignRequest::read(&request(other.blob(), &data), &public).err(), Some(Refused::OtherKey));
        assert_eq!(read(&public, &data), Err(Refused::OtherKey));
    }

    #[test]
    fn a_request_is_read_to_its_last_byte_and_has_a_bounded_length() {
        let public = UserKey::generate().unwrap().public("ada");
        let mut contents = request(public.blob(), &userauth(32, 50, "git", SERVICE, METHOD, public.blob(), b""));
        for length in 0..contents.len() {
            assert!(SignRequest::read(&contents[..length], &public).is_err(), "{length}");
        }
        contents.push(0);
        assert_eq!(SignRequest::read(&contents, &public).err(), Some(Refused::Malformed));
        contents.resize(REQUEST_MAX + 1, 0);
        assert_eq!(SignRequest::read(&contents, &public).err(), Some(Refused::TooLong));
    }
}
