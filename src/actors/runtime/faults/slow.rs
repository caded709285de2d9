//! Appends that wait on purpose, as for a slow disk: in the order in which they came, so that none overtakes another.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, time::Instant};

use super::control::{Delay, FaultControl};
use crate::persistence::{Append, AppendDone, AppendError, Journal, Line, Refusal};

/// The appends of one storage unit that wait. As many as services may have under way, and then in the journal's queue.
pub(crate) struct Slow {
    handle: Handle,
    unit: Arc<str>,
    journal: Arc<dyn Journal>,
    control: Arc<FaultControl>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Whether whoever comes has to wait behind others; a task sees to them then.
    is_held: bool,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    append: Append,
    line: Option<Line>,
    done: AppendDone,
    /// What it waits in, and until when; nothing, when it only waits for those before it.
    delays: Vec<(Delay, Instant)>,
}

impl Slow {
    /// In front of this journal. Called within the runtime that will hand the appends over.
    pub(crate) fn new(unit: Arc<str>, journal: Arc<dyn Journal>, control: Arc<FaultControl>) -> Arc<Self> {
        Arc::new(Self { handle: Handle::current(), unit, journal, control, held: Mutex::default() })
    }

    /// Hands an append over: now, or when its time has come and that of all before it.
    pub(crate) fn hand_over(self: &Arc<Self>, append: Append, line: Option<Line>, done: AppendDone) {
        let delays = self.control.slows(&self.unit, &append.stream, &append.correlation);
        let mut held = self.held();
        if !held.is_held && delays.is_empty() {
            drop(held);
            return self.journal.hand_over(append, line, done);
        }
        held.waiting.push_back(Waiting { append, line, done, delays });
        if !std::mem::replace(&mut held.is_held, true) {
            drop(held);
            self.control.holds();
            self.handle.spawn(self.clone().see_to_all());
        }
    }

    async fn see_to_all(self: Arc<Self>) {
        loop {
            let next = {
                let mut held = self.held();
                let next = held.waiting.pop_front();
                held.is_held = next.is_some();
                next
            };
            let Some(Waiting { append, line, done, delays }) = next else { return self.control.holds_no_more() };
            for (delay, until) in &delays {
                delay.lasts(*until).await;
            }
            // One asker's trouble is not the next one's.
            let told = catch_unwind(AssertUnwindSafe(|| match self.control.poisoned(&self.unit) {
                Some(reason) => done(Err(AppendError::Refused(Refusal::Poisoned(reason)))),
                None => self.journal.hand_over(append, line, done),
            }));
            if told.is_err() {
                tracing::error!("whoever waited for an append panicked when told");
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
