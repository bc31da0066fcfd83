//! How long to wait before trying again: longer each time, up to a bound, and never in step with others.

use crate::clock::Entropy;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(20);

/// The pauses after failures in a row.
#[derive(Debug, Default)]
pub struct Backoff(u32);

impl Backoff {
    /// It worked: the next failure begins from the start.
    pub fn reset(&mut self) {
        self.0 = 0;
    }

    /// The next pause: 0.2 s, 0.4 s, … 20 s, of which the second half is left to chance; never shorter than asked for.
    pub fn pause(&mut self, at_least: Option<Duration>, entropy: &dyn Entropy) -> Duration {
        let full = FIRST.saturating_mul(1 << self.0.min(16)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        spread(full, entropy).max(at_least.unwrap_or_default())
    }
}

/// Between half of it and all of it.
pub fn spread(full: Duration, entropy: &dyn Entropy) -> Duration {
    let mut byte = [0_u8];
    entropy.fill(&mut byte);
    full / 2 + full.mul_f64(f64::from(byte[0]) / 510.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.pause(None, &Always(255)).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 20_000, 20_000]);
        backoff.reset();
        assert_eq!(backoff.pause(None, &Always(0)).as_millis(), 100, "half of it is left to chance");
    }

    #[test]
    fn the_pause_that_the_server_asks_for_is_kept() {
        let asked = Some(Duration::from_secs(7));
        assert_eq!(Backoff::default().pause(asked, &Always(255)), Duration::from_secs(7));
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = Backoff(u32::MAX);
        assert_eq!(backoff.pause(None, &Always(255)), LONGEST);
    }
}
