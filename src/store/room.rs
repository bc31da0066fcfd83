//! How much room the disk has, and whether so little that only reading goes on.
//!
//! SQLite would find a full disk by itself, in the middle of whatever somebody did last. Before that happens the server
//! refuses what would write more, while there is still room for what must go on: signing in, stopping, deleting, and the
//! audit entries of these. It comes back by itself, a good deal above the mark, so that it does not flap.

use crate::error::{Error, Result};
use rustix::fs::{StatVfs, statvfs};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The least that is kept free when nobody says anything, in bytes.
const RESERVE: u64 = 128 * 1024 * 1024;

/// What a look at the disk found, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub size: u64,
    pub free: u64,
}

/// The room of the disk that the database lies on.
#[derive(Debug)]
pub struct Room {
    reserve: AtomicU64,
    size: AtomicU64,
    free: AtomicU64,
    short: AtomicBool,
}

impl Default for Room {
    fn default() -> Self {
        let number = AtomicU64::new;
        Self { reserve: number(RESERVE), size: number(0), free: number(0), short: AtomicBool::new(false) }
    }
}

impl Room {
    /// So many bytes are kept free.
    pub fn keep_free(&self, bytes: u64) {
        self.reserve.store(bytes, Ordering::SeqCst);
    }

    pub fn reserve(&self) -> u64 {
        self.reserve.load(Ordering::SeqCst)
    }

    /// Whether only reading goes on.
    pub fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// What the last look found; `None` before the first.
    pub fn space(&self) -> Option<Space> {
        let (size, free) = (self.size.load(Ordering::SeqCst), self.free.load(Ordering::SeqCst));
        (size > 0).then_some(Space { size, free })
    }

    /// Asks the file system of this folder. Answers whether it is short now, if that has changed.
    pub fn look(&self, folder: &Path) -> Result<Option<bool>> {
        let StatVfs { f_blocks, f_bavail, f_frsize, .. } =
            statvfs(folder).map_err(|error| Error::internal(format!("the disk of {} cannot be asked: {error}", folder.display())))?;
        Ok(self.seen(Space { size: f_blocks.saturating_mul(f_frsize), free: f_bavail.saturating_mul(f_frsize) }))
    }

    /// Takes over what was found; answers whether it is short now, if that has changed.
    pub fn seen(&self, space: Space) -> Option<bool> {
        self.size.store(space.size, Ordering::SeqCst);
        self.free.store(space.free, Ordering::SeqCst);
        let (was, reserve) = (self.is_short(), self.reserve());
        let mark = if was { reserve.saturating_add(reserve / 2) } else { reserve };
        let short = space.free < mark;
        self.short.store(short, Ordering::SeqCst);
        (short != was).then_some(short)
    }

    /// A write found the disk full: that counts until the next look.
    pub(super) fn found_full(&self) {
        if !self.short.swap(true, Ordering::SeqCst) {
            tracing::error!("the disk is full: only reading goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_below_the_mark_and_long_enough_well_above_it() {
        let room = Room::default();
        room.keep_free(100);
        let seen = |free| room.seen(Space { size: 1_000, free });
        assert_eq!((seen(500), room.is_short()), (None, false));
        assert_eq!((seen(99), room.is_short()), (Some(true), true));
        assert_eq!((seen(120), room.is_short()), (None, true), "a little above the mark is not enough to come back");
        assert_eq!((seen(150), room.is_short()), (Some(false), false));
    }

    #[test]
    fn a_disk_that_turned_out_full_counts_until_the_next_look() {
        let room = Room::default();
        room.found_full();
        assert!(room.is_short());
        let dir = tempfile::tempdir().unwrap();
        room.keep_free(0);
        assert_eq!(room.look(dir.path()), Ok(Some(false)));
        assert!(room.space().unwrap().size > 0);
        assert!(room.look(&dir.path().join("nothing")).is_err());
    }
}
