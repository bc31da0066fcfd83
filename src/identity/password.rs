//! Hashing and checking passwords with argon2id, behind a gate.
//!
//! One hash takes 19 MiB and some 20 ms, so forty at once would take 760 MiB: the gate lets a few through, a bounded
//! number wait a bounded time, and the rest hear at once that the server is busy, whether or not the user exists. A
//! sign-in for somebody who does not exist, or has no password, hashes against a dummy of the same cost. Passwords are
//! brought to normalisation form C and changed in no other way. Rules for new passwords are in [`super::password_policy`].

use crate::clock::Entropy;
use crate::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Longer passwords are refused before anything is done with them, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// What one hash costs (OWASP's floor for argon2id with two passes).
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

/// A stored hash may not cost more than this: it could have come with an import.
const MEMORY_KIB_MAX: u32 = 256 * 1_024;
const PASSES_MAX: u32 = 16;

/// How many may hash, and wait to hash, at the same time.
#[derive(Debug, Clone, Copy)]
pub struct GateLimits {
    /// Hashes at once; each takes one core and 19 MiB.
    pub at_once: usize,
    /// Callers that may wait for their turn.
    pub waiting: usize,
    pub wait: Duration,
}

impl GateLimits {
    /// One hash a core, four at most (76 MiB), 64 waiting for up to 5 s.
    pub fn for_cores(cores: usize) -> Self {
        Self { at_once: cores.clamp(1, 4), waiting: 64, wait: Duration::from_secs(5) }
    }
}

/// What comes of checking a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right {
        /// The same password hashed at today's cost, to be stored, where the stored hash was weaker.
        stronger: Option<String>,
    },
}

/// Hashes and checks passwords; share one.
pub struct Passwords {
    gate: Arc<Semaphore>,
    waiting: AtomicUsize,
    limits: GateLimits,
    entropy: Arc<dyn Entropy>,
    /// A hash that no password has.
    dummy: String,
    /// KiB times passes.
    computed: Arc<AtomicU64>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Leaves the queue however its caller leaves.
struct InQueue<'a>(&'a AtomicUsize);

impl Drop for InQueue<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Passwords {
    pub fn new(limits: GateLimits, entropy: Arc<dyn Entropy>) -> Self {
        let mut random = [0; SALT_BYTES + TAG_BYTES];
        entropy.fill(&mut random);
        let (salt, tag) = random.split_at(SALT_BYTES);
        let (salt, tag) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag));
        let dummy = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${tag}");
        Self {
            gate: Arc::new(Semaphore::new(limits.at_once)),
            waiting: AtomicUsize::new(0),
            limits,
            entropy,
            dummy,
            computed: Arc::default(),
        }
    }

    /// The PHC string to store. The password was checked against the policy before.
    pub async fn hash(&self, password: &SecretString) -> Result<String> {
        let text = normalised(password);
        let (salt, computed) = (self.salt(), Arc::clone(&self.computed));
        self.through_gate(move || hash_now(&text, &salt, &computed)).await?
    }

    /// Checks a password against the stored hash; `None` for users who do not exist or have none, which takes as long.
    pub async fn verify(&self, password: &SecretString, stored: Option<&str>) -> Result<Verdict> {
        if password.expose_secret().len() > PASSWORD_BYTES_MAX {
            return Ok(Verdict::Wrong);
        }
        let text = normalised(password);
        let usable = stored.filter(|phc| cost(phc).is_some());
        let (phc, is_dummy) = (usable.unwrap_or(&self.dummy).to_owned(), usable.is_none());
        let (salt, computed) = (self.salt(), Arc::clone(&self.computed));
        self.through_gate(move || {
            let right = verify_now(&text, &phc, &computed) && !is_dummy;
            match right {
                false => Ok(Verdict::Wrong),
                true if is_weaker(&phc) => Ok(Verdict::Right { stronger: Some(hash_now(&text, &salt, &computed)?) }),
                true => Ok(Verdict::Right { stronger: None }),
            }
        })
        .await?
    }

    /// What was computed since the start, in KiB times passes: what attempts cost, whatever the clock says.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Acquire)
    }

    /// How many callers wait for their turn, for the metrics.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    fn salt(&self) -> [u8; SALT_BYTES] {
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        salt
    }

    async fn through_gate<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = self.enter().await?;
        let work = move || {
            // Held by the work, not by the caller: a caller who hangs up must not let one more in.
            let _permit = permit;
            job()
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| Error::internal(format!("hashing a password: {e}")))
    }

    async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = self.gate.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _in_queue = InQueue(&self.waiting);
        if before >= self.limits.waiting {
            return Err(busy());
        }
        match tokio::time::timeout(self.limits.wait, self.gate.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

fn busy() -> Error {
    Error::Unavailable {
        message: "Too many people are signing in at this moment. Try again in a few seconds.".to_owned(),
        retry_after_seconds: 5,
    }
}

fn normalised(password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(password.expose_secret().nfc().collect())
}

fn hash_now(password: &str, salt: &[u8], computed: &AtomicU64) -> Result<String> {
    computed.fetch_add(u64::from(MEMORY_KIB) * u64::from(PASSES), Ordering::AcqRel);
    let fault = |what: String| Error::internal(format!("argon2: {what}"));
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(TAG_BYTES)).map_err(|e| fault(e.to_string()))?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|phc| phc.to_string()).map_err(|e| fault(e.to_string()))
}

fn verify_now(password: &str, phc: &str, computed: &AtomicU64) -> bool {
    let Ok(hash) = PasswordHash::new(phc) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    computed.fetch_add(u64::from(params.m_cost()) * u64::from(params.t_cost()), Ordering::AcqRel);
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// The parameters of a stored hash, if it is one that may be computed.
fn cost(phc: &str) -> Option<Params> {
    let hash = PasswordHash::new(phc).ok()?;
    let is_ours = hash.algorithm.as_str() == "argon2id" && hash.version == Some(0x13) && hash.salt.is_some();
    let tag = hash.hash.as_ref().map_or(0, argon2::password_hash::phc::Output::len);
    let params = Params::try_from(&hash).ok()?;
    let affordable = params.m_cost() <= MEMORY_KIB_MAX && params.t_cost() <= PASSES_MAX && params.p_cost() <= 8;
    (is_ours && tag >= 16 && affordable).then_some(params)
}

fn is_weaker(phc: &str) -> bool {
    cost(phc).is_none_or(|params| params.m_cost() < MEMORY_KIB || params.t_cost() < PASSES)
}

/// Whether a text is a hash that [`Passwords::verify`] would use: for hashes that come with a configuration or an import.
pub fn is_usable_hash(phc: &str) -> bool {
    cost(phc).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemEntropy;

    fn passwords(at_once: usize, waiting: usize, wait: u64) -> Passwords {
        let limits = GateLimits { at_once, waiting, wait: Duration::from_millis(wait) };
        Passwords::new(limits, Arc::new(SystemEntropy))
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    const RIGHT: Result<Verdict> = Ok(Verdict::Right { stronger: None });

    #[test]
    fn the_right_password_is_right_and_others_are_wrong() {
        let p = passwords(1, 1, 5_000);
        block_on(async {
            let phc = p.hash(&secret("correct horse")).await.unwrap();
            assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
            assert_eq!(p.verify(&secret("correct horse"), Some(&phc)).await, RIGHT);
            for wrong in ["Correct horse", "correct horse ", "", "correct"] {
                assert_eq!(p.verify(&secret(wrong), Some(&phc)).await, Ok(Verdict::Wrong), "{wrong}");
            }
        });
    }

    #[test]
    fn two_spellings_of_the_same_characters_are_one_password() {
        let p = passwords(1, 1, 5_000);
        block_on(async {
            let phc = p.hash(&secret("Zoe\u{308} is here")).await.unwrap();
            assert_eq!(p.verify(&secret("Zoë is here"), Some(&phc)).await, RIGHT);
        });
    }

    #[test]
    fn nobody_signs_in_without_a_usable_hash() {
        let p = passwords(1, 1, 5_000);
        block_on(async {
            for stored in [None, Some(""), Some("plain"), Some("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA")] {
                for text in ["", "plain"] {
                    assert_eq!(p.verify(&secret(text), stored).await, Ok(Verdict::Wrong), "{stored:?}");
                }
            }
        });
    }

    #[test]
    fn a_missing_user_costs_what_a_wrong_password_and_a_right_one_cost() {
        let p = passwords(1, 1, 5_000);
        block_on(async {
            let phc = p.hash(&secret("x")).await.unwrap();
            for (password, stored) in [("y", None), ("y", Some(phc.as_str())), ("x", Some(phc.as_str())), ("y", Some("$no$hash"))] {
                let before = p.computed();
                p.verify(&secret(password), stored).await.unwrap();
                assert_eq!(p.computed() - before, u64::from(MEMORY_KIB) * u64::from(PASSES), "{stored:?}");
            }
        });
    }

    #[test]
    fn a_weaker_hash_is_replaced_at_the_next_right_password() {
        let p = passwords(1, 1, 5_000);
        let params = Params::new(8 * 1_024, 1, 1, Some(32)).unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_with_salt(b"pw", &[7; 16]).unwrap().to_string();
        block_on(async {
            let Ok(Verdict::Right { stronger: Some(phc) }) = p.verify(&secret("pw"), Some(&weak)).await else {
                panic!("the weak hash was kept");
            };
            assert_eq!(p.verify(&secret("pw"), Some(&phc)).await, RIGHT);
            assert_eq!(p.verify(&secret("no"), Some(&weak)).await, Ok(Verdict::Wrong));
        });
    }

    #[test]
    fn a_hash_that_costs_too_much_is_not_computed() {
        let salt_and_tag = "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(is_usable_hash(&format!("$argon2id$v=19$m=65536,t=3,p=1${salt_and_tag}")));
        for head in [
            "argon2id$v=19$m=4194304,t=2,p=1",
            "argon2id$v=19$m=19456,t=1000,p=1",
            "argon2i$v=19$m=19456,t=2,p=1",
            "argon2id$v=16$m=19456,t=2,p=1",
        ] {
            assert!(!is_usable_hash(&format!("${head}${salt_and_tag}")), "{head}");
        }
    }

    #[test]
    fn an_over_long_password_is_not_hashed() {
        let p = passwords(1, 0, 0);
        let _held = p.gate.clone().try_acquire_owned().unwrap();
        assert_eq!(block_on(p.verify(&secret(&"x".repeat(1_025)), None)), Ok(Verdict::Wrong));
    }

    #[test]
    fn who_finds_the_queue_full_or_waits_too_long_hears_that_the_server_is_busy() {
        let p = passwords(1, 0, 10_000);
        let _held = p.gate.clone().try_acquire_owned().unwrap();
        assert!(matches!(block_on(p.hash(&secret("x"))), Err(Error::Unavailable { retry_after_seconds: 5, .. })));
        let p = passwords(1, 1, 10);
        let _held = p.gate.clone().try_acquire_owned().unwrap();
        assert!(matches!(block_on(p.verify(&secret("x"), None)), Err(Error::Unavailable { .. })));
        assert_eq!(p.waiting(), 0);
    }

    #[test]
    fn many_at_once_all_get_through_a_gate_for_one() {
        let p = Arc::new(passwords(1, 64, 60_000));
        block_on(async {
            let phc = p.hash(&secret("x")).await.unwrap();
            let password = secret("x");
            let all = (0..8).map(|_| p.verify(&password, Some(&phc)));
            assert!(futures_util::future::join_all(all).await.into_iter().all(|v| v == RIGHT));
        });
    }
}
