//! How much of a service may wait for partners that are away: steps whose asker has been told that they will be
//! finished.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Steps of one service that may wait so at a time: a few kilobytes each, and each asks once in a second.
const MAX: usize = 10_000;

/// Counts the steps that wait for as long as it takes.
#[derive(Debug, Default)]
pub(crate) struct Patience(AtomicUsize);

impl Patience {
    /// Whether another request may wait so.
    pub(crate) fn has_room(&self) -> bool {
        self.0.load(Ordering::Relaxed) < MAX
    }

    /// Counts a step until the value is dropped; also beyond the limit, for what was promised before a restart is kept.
    pub(crate) fn take(self: Arc<Self>) -> CountedPatience {
        self.0.fetch_add(1, Ordering::Relaxed);
        CountedPatience(self)
    }
}

/// One step's share.
#[derive(Debug)]
pub(crate) struct CountedPatience(Arc<Patience>);

impl Drop for CountedPatience {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_limit_there_is_no_room_and_with_one_less_there_is() {
        let patience = Arc::new(Patience::default());
        let mut waiting: Vec<_> = (0..MAX).map(|_| patience.clone().take()).collect();
        assert!(!patience.has_room());
        waiting.pop();
        assert!(patience.has_room());
    }
}
