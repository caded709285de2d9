//! Answers of a journal, brought from its threads to the runtime's, in their order.
//!
//! ```text
//! journal's thread --bring--> [answers] --one task, while there are any--> feed, effects, whoever waits
//! ```
//! Waking a task from a thread that is none of tokio's takes a lock and often a system call; from a task it takes neither.
//! So a group of answers is brought over with one wake-up, and wakes its askers from there. The task needs no owner of its
//! own: a service that stops waits until each of its appends is answered.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::runtime::Handle;

use super::give_way::give_way;

/// What is to be done with an answer: quick, and never blocking.
type Answer = Box<dyn FnOnce() + Send>;

/// The way from a journal's threads to the tasks. Holds at most what the journal has in hand: its queue and the groups that
/// it has committed and not told.
pub(crate) struct Answers {
    handle: Handle,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    answers: Vec<Answer>,
    /// A task is there that will see them.
    is_seen: bool,
}

impl Answers {
    /// To the runtime that this is called in.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { handle: Handle::current(), waiting: Mutex::default() })
    }

    /// Does it, on a thread of the runtime: at once when this is one, else in turn. A runtime that has ended drops it.
    pub(crate) fn bring(self: &Arc<Self>, answer: impl FnOnce() + Send + 'static) {
        if Handle::try_current().is_ok() {
            return answer();
        }
        let mut waiting = self.waiting();
        waiting.answers.push(Box::new(answer));
        if !std::mem::replace(&mut waiting.is_seen, true) {
            drop(waiting);
            self.handle.spawn(self.clone().see_to_all());
        }
    }

    async fn see_to_all(self: Arc<Self>) {
        loop {
            let answers = {
                let mut waiting = self.waiting();
                waiting.is_seen = !waiting.answers.is_empty();
                std::mem::take(&mut waiting.answers)
            };
            if answers.is_empty() {
                return;
            }
            for answer in answers {
                // One asker's trouble is not the next one's.
                if catch_unwind(AssertUnwindSafe(answer)).is_err() {
                    tracing::error!("whoever waited for an append panicked when told");
                }
            }
            give_way().await; // those who were woken come first
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn answers_of_another_thread_come_in_order_on_the_runtime_s_own_and_a_panic_stops_none() {
        let answers = Answers::new();
        let (sender, mut receiver) = unbounded_channel();
        std::thread::spawn(move || {
            for nth in 0..1000 {
                let sender = sender.clone();
                answers.bring(move || {
                    assert_ne!(nth, 500, "on purpose");
                    sender.send((nth, std::thread::current().id())).expect("the test waits");
                });
            }
        });
        let mut came = Vec::new();
        while let Some((nth, thread)) = receiver.recv().await {
            assert_eq!(thread, std::thread::current().id());
            came.push(nth);
        }
        assert_eq!(came, (0..1000).filter(|nth| *nth != 500).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn on_a_thread_of_the_runtime_it_is_done_at_once() {
        let (sender, mut receiver) = unbounded_channel();
        Answers::new().bring(move || sender.send(1).expect("the test waits"));
        assert_eq!(receiver.try_recv(), Ok(1));
    }
}
