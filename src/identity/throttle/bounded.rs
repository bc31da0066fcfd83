//! A map of bounded size that forgets what was not touched for the longest time.
//!
//! Whoever fails to sign in chooses the keys, so the map must not grow with them. It drops its older half at once when
//! it is full: one pass over the map for many insertions, where dropping one entry each time would cost a pass each.

use std::collections::HashMap;
use std::hash::Hash;

/// Touching an entry makes it young again.
#[derive(Debug)]
pub struct Bounded<K, V> {
    entries: HashMap<K, (u64, V)>,
    capacity: usize,
    touches: u64,
}

impl<K: Hash + Eq, V: Default> Bounded<K, V> {
    /// At most `capacity` entries, at least two.
    pub fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity: capacity.max(2), touches: 0 }
    }

    /// The entry, if it is there; looking does not count as touching.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The entry, made if it is not there.
    pub fn touch(&mut self, key: K) -> &mut V {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&key) {
            self.forget_older_half();
        }
        self.touches += 1;
        let entry = self.entries.entry(key).or_default();
        entry.0 = self.touches;
        &mut entry.1
    }

    /// Forgets the entry.
    pub fn remove(&mut self, key: &K) {
        self.entries.remove(key);
    }

    fn forget_older_half(&mut self) {
        let mut ages: Vec<u64> = self.entries.values().map(|(touched, _)| *touched).collect();
        let middle = ages.len() / 2;
        let (_, &mut median, _) = ages.select_nth_unstable(middle);
        self.entries.retain(|_, (touched, _)| *touched >= median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut map = Bounded::<u32, u32>::new(100);
        for key in 0..10_000 {
            *map.touch(key) = key;
            assert!(map.entries.len() <= 100);
        }
    }

    #[test]
    fn what_is_touched_again_and_again_is_kept() {
        let mut map = Bounded::<u32, u32>::new(100);
        for key in 1..10_000 {
            *map.touch(0) += 1;
            map.touch(key);
        }
        assert_eq!(map.get(&0), Some(&9_999));
        assert_eq!(map.get(&1), None);
    }
}
