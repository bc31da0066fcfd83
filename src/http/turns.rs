//! One at a time by key: two requests with the same `Idempotency-Key` wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;

type Waiting = HashMap<String, Arc<tokio::sync::Mutex<()>>>;

/// The keys that are in use now.
#[derive(Default)]
pub struct Turns(Mutex<Waiting>);

impl Turns {
    /// Waits until nobody else holds the key; dropping the guard passes it on.
    pub async fn wait(&self, key: String) -> OwnedMutexGuard<()> {
        let turn = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Only the map itself holds what nobody waits for.
            waiting.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(waiting.entry(key).or_default())
        };
        turn.lock_owned().await
    }
}
