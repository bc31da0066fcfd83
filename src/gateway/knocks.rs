//! Keys that fit nothing: cookies and codes that nobody was given, counted by the address from which they are shown.
//!
//! Guessing 256 bits is hopeless, but each guess costs a question to the database. An address that showed ten different
//! keys which fit nothing is answered 429 for the next, one more every six seconds, as at the sign-in. Nobody can keep
//! somebody else out that way: a key that fits always opens, also behind the same address. Known visits are not counted
//! at all, and the others of a crowded address take turns at the database instead of being refused unseen. A key that
//! was found to fit nothing is remembered: none of them ever comes to life, and the pages that a signed-out browser
//! still has open ask with the same one again and again, which is no guessing.

use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::identity::address::AddressKey;
use crate::identity::throttle::{AddressCounter, Bounded, refusal};
use crate::token::opaque::TokenHash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Addresses and dead keys that are remembered.
const REMEMBERED: usize = 20_000;
/// Keys of crowded addresses that are looked up at once, and how long one waits for its turn.
const TURNS: usize = 4;
const TURN: Duration = Duration::from_secs(1);

/// Who knocks with keys that fit nothing.
pub struct Knocks {
    state: Mutex<State>,
    turns: Semaphore,
}

struct State {
    addresses: Bounded<AddressKey, AddressCounter>,
    dead: Bounded<[u8; 32], ()>,
}

impl Default for Knocks {
    fn default() -> Self {
        let state = State { addresses: Bounded::new(REMEMBERED), dead: Bounded::new(REMEMBERED) };
        Self { state: Mutex::new(state), turns: Semaphore::new(TURNS) }
    }
}

fn key(hash: &TokenHash) -> [u8; 32] {
    hash.as_bytes().try_into().unwrap_or_default()
}

impl Knocks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this key was looked up before and fits nothing.
    pub fn is_dead(&self, hash: &TokenHash) -> bool {
        self.state().dead.get(&key(hash)).is_some()
    }

    /// The refusal for one more key that fits nothing, where there were too many.
    pub fn refusal(&self, address: IpAddr, now: Millis) -> Option<Error> {
        let wait = self.state().addresses.get(&AddressKey::of(address)).map_or(0, |counter| counter.wait(now));
        (wait > 0).then(|| refusal(wait))
    }

    /// The turn to look a key up: at once, or for crowded addresses when it comes. Refused where it does not.
    pub async fn turn(&self, address: IpAddr, now: Millis) -> Result<Option<SemaphorePermit<'_>>> {
        let Some(refusal) = self.refusal(address, now) else { return Ok(None) };
        match tokio::time::timeout(TURN, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(Some(turn)),
            Ok(Err(_)) | Err(_) => Err(refusal),
        }
    }

    /// Notes a key that fits nothing and never will. The same one again is not counted.
    pub fn unknown(&self, address: IpAddr, hash: &TokenHash, now: Millis) -> Result<()> {
        let mut state = self.state();
        if state.dead.get(&key(hash)).is_some() {
            return Ok(());
        }
        state.dead.touch(key(hash));
        drop(state);
        self.refused(address, now)
    }

    /// Notes a key that opened nothing here and now; each time counts, until there were too many.
    pub fn refused(&self, address: IpAddr, now: Millis) -> Result<()> {
        if let Some(refusal) = self.refusal(address, now) {
            return Err(refusal);
        }
        self.state().addresses.touch(AddressKey::of(address)).failed(None, now);
        if self.refusal(address, now).is_some() {
            tracing::warn!(%address, "too many cookies or codes that open nothing came from one address");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    const NOW: Millis = Millis(1_800_000_000_000);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn hash(n: u32) -> TokenHash {
        TokenHash::of(&n.to_string())
    }

    #[test]
    fn ten_different_keys_may_fit_nothing_and_then_one_in_six_seconds() {
        let knocks = Knocks::default();
        for n in 0..10 {
            assert_eq!(knocks.unknown(HERE, &hash(n), NOW), Ok(()), "{n}");
        }
        assert!(matches!(knocks.unknown(HERE, &hash(10), NOW), Err(Error::RateLimited { retry_after_seconds: 6, .. })));
        assert_eq!(knocks.unknown(THERE, &hash(11), NOW), Ok(()), "another address is not concerned");
        assert_eq!(knocks.unknown(HERE, &hash(12), NOW.plus(20 * SECOND)), Ok(()));
    }

    #[test]
    fn a_page_that_asks_with_the_same_dead_key_again_and_again_guesses_nothing() {
        let knocks = Knocks::default();
        for _ in 0..1_000 {
            assert_eq!(knocks.unknown(HERE, &hash(1), NOW), Ok(()));
        }
        assert!(knocks.is_dead(&hash(1)) && !knocks.is_dead(&hash(2)));
        assert_eq!(knocks.refusal(HERE, NOW), None);
    }

    #[tokio::test]
    async fn whoever_shares_a_crowded_address_gets_a_turn_and_is_refused_only_when_none_comes() {
        let knocks = Knocks::default();
        assert!(knocks.turn(HERE, NOW).await.unwrap().is_none(), "no turns are taken where nobody guesses");
        for n in 0..20 {
            let _ = knocks.unknown(HERE, &hash(n), NOW);
        }
        let mut held = Vec::new();
        for _ in 0..TURNS {
            held.push(knocks.turn(HERE, NOW).await.unwrap().unwrap());
        }
        assert!(matches!(knocks.turn(HERE, NOW).await, Err(Error::RateLimited { .. })));
        held.pop();
        assert!(knocks.turn(HERE, NOW).await.unwrap().is_some());
    }
}
