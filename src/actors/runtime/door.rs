//! The door of a service: open, or held while its incarnation is replaced. Who comes meanwhile waits here, within its own
//! deadline, and is let in by the next incarnation: nobody is refused.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{sync::Notify, time::Instant};

use super::mailbox::MAILBOX_RETRY;
use crate::actors::entity::AskError;

#[derive(Debug, Default)]
pub(crate) struct Door {
    is_held: AtomicBool,
    /// Somebody sees to the replacement, also after the next incarnation has opened the door.
    is_owned: AtomicBool,
    waiting: AtomicUsize,
    opened: Notify,
}

/// Holds a door until it is dropped, or until the next incarnation opens it. In any case nobody else does before it is
/// dropped.
#[derive(Debug)]
#[must_use = "the door is open again when this is dropped"]
pub(crate) struct Held(Arc<Door>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.open();
        self.0.is_owned.store(false, Ordering::Release);
    }
}

/// One who waits.
struct Waiter<'a>(&'a Door);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    /// Sequentially consistent with the count of what is in flight: who sees an open door after being counted is seen by
    /// whoever holds it and then counts.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held.load(Ordering::SeqCst)
    }

    /// Who waits now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// From now on who comes waits; `None` while somebody else has it in hand.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Held> {
        if self.is_owned.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.is_held.store(true, Ordering::SeqCst);
        Some(Held(self.clone()))
    }

    pub(crate) fn open(&self) {
        self.is_held.store(false, Ordering::SeqCst);
        self.opened.notify_waiters();
    }

    /// Waits until it is open, beside fewer than `most` others and at most until `deadline`.
    ///
    /// # Errors
    /// `Overloaded` or `Expired`; nothing was begun.
    pub(crate) async fn passed<R>(&self, most: usize, deadline: Instant) -> Result<(), AskError<R>> {
        let came = Instant::now();
        let waiter = Waiter(self);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(AskError::Overloaded { retry_after: MAILBOX_RETRY });
        }
        let passed = async {
            loop {
                let opened = self.opened.notified();
                tokio::pin!(opened);
                opened.as_mut().enable();
                if !self.is_held() {
                    return;
                }
                opened.await;
            }
        };
        let in_time = tokio::time::timeout_at(deadline, passed).await;
        drop(waiter);
        in_time.map_err(|_| AskError::Expired(deadline.saturating_duration_since(came)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_to_a_held_door_waits_until_it_opens_or_the_time_is_up() {
        let door = Arc::<Door>::default();
        let soon = Instant::now() + Duration::from_secs(1);
        assert_eq!(door.passed::<()>(1, soon).await, Ok(()));
        let held = door.hold().expect("open");
        assert!(door.hold().is_none(), "one at a time");
        let mut waits = Box::pin(door.passed::<()>(1, soon));
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(door.waiting(), 1);
        assert!(matches!(door.passed::<()>(1, soon).await, Err(AskError::Overloaded { .. })), "a second");
        drop(held);
        assert_eq!(waits.await, Ok(()));
        let _held = door.hold().expect("open again");
        assert_eq!(door.passed::<()>(1, soon).await, Err(AskError::Expired(Duration::from_secs(1))));
        assert_eq!((door.waiting(), door.is_held()), (0, true));
    }

    /// The new incarnation opens it before whoever replaced the old one is through: another replacement that began then had
    /// its door opened by the end of the first.
    #[test]
    fn nobody_else_holds_an_open_door_before_the_replacement_is_over() {
        let door = Arc::<Door>::default();
        let first = door.hold().expect("open");
        door.open();
        assert!(!door.is_held());
        assert!(door.hold().is_none(), "one at a time");
        assert!(!door.is_held(), "and who comes passes");
        drop(first);
        let second = door.hold().expect("over");
        assert!(door.is_held());
        drop(second);
    }
}
