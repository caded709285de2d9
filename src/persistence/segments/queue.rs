//! What waits for the writer.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex},
};

use super::returning::Wanted;
use crate::persistence::{
    Append, AppendDone, AppendError, Appended, Line, Refusal,
    line::{cutting, in_line},
    ready::Ready,
    rules::check_size,
    sync::lock,
};

/// An append, or why it is none, on its way to the writer. What is refused goes through the queue too, so that it is
/// not answered before earlier appends.
pub(in crate::persistence) struct Queued {
    pub(in crate::persistence) ready: Result<Ready, AppendError>,
    pub(in crate::persistence) line: Option<Line>,
    pub(in crate::persistence) done: Done,
}

/// Who is to be told what.
pub(in crate::persistence) type Outcome = (Done, Result<Appended, AppendError>);

impl Queued {
    /// An append, unless it may have no such size or there is another reason to refuse it.
    pub(in crate::persistence) fn new(
        append: Append,
        line: Option<Line>,
        refusal: Option<Refusal>,
        partitions: u16,
        done: AppendDone,
    ) -> Self {
        let refusal = check_size(&append).err().or(refusal);
        let ready = refusal.map_or_else(|| Ok(Ready::new(append, partitions)), |why| Err(AppendError::Refused(why)));
        let done = Done::new(cutting(line.as_ref(), done));
        Self { ready, line, done }
    }

    /// Gives it its place, if it may have one.
    pub(in crate::persistence) fn place(self, place: impl FnOnce(Ready) -> Result<Appended, AppendError>) -> Outcome {
        (self.done, in_line(self.line.as_ref(), || self.ready.and_then(place)))
    }

    /// Refuses it: for a reason of its own, if there is one.
    pub(in crate::persistence) fn refuse(self, refusal: Refusal) -> Outcome {
        self.place(|_| Err(AppendError::Refused(refusal)))
    }

    /// Bytes of its record.
    pub(in crate::persistence) fn size(&self) -> usize {
        self.ready.as_ref().map_or(0, Ready::size)
    }
}

/// Who is told what became of an append: exactly once, even if this process breaks a promise on the way.
pub(in crate::persistence) struct Done(Option<AppendDone>);

impl Done {
    pub(in crate::persistence) fn new(done: AppendDone) -> Self {
        Self(Some(done))
    }

    pub(in crate::persistence) fn tell(mut self, outcome: Result<Appended, AppendError>) {
        if let Some(done) = self.0.take() {
            done(outcome);
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(AppendError::Unknown("the journal's writer stopped".into())));
        }
    }
}

/// Why something was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::persistence) enum NotQueued {
    Full,
    Closed,
}

/// A queue with a limit of appends and one of bytes.
pub(in crate::persistence) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    max_appends: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Queued>,
    bytes: usize,
    closed: bool,
    /// The writer waits until there are so many.
    wanted: Option<usize>,
}

impl State {
    /// Up to the limits, but one if there is one.
    fn take(&mut self, max_appends: usize, max_bytes: usize) -> VecDeque<Queued> {
        let mut bytes = 0;
        let within = |queued: &&Queued| {
            bytes += queued.size();
            bytes <= max_bytes
        };
        let count = self.waiting.iter().take(max_appends).take_while(within).count();
        let count = count.max(1).min(self.waiting.len());
        let taken: VecDeque<_> = self.waiting.drain(..count).collect();
        self.bytes -= taken.iter().map(Queued::size).sum::<usize>();
        taken
    }
}

impl Queue {
    /// Bytes of all records that wait: some seconds of writing for a slow disk, and a known part of memory. One
    /// record always finds room in an empty queue.
    pub(in crate::persistence) const MAX_BYTES: usize = 64 << 20;

    pub(in crate::persistence) fn new(max_appends: usize) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), max_appends }
    }

    /// Never waits. What it does not take is to be told so by the caller.
    pub(in crate::persistence) fn push(&self, queued: Queued) -> Result<(), (NotQueued, Done)> {
        let size = queued.size();
        let mut state = lock(&self.state);
        if state.closed {
            return Err((NotQueued::Closed, queued.done));
        }
        let full = state.waiting.len() >= self.max_appends || state.bytes + size > Self::MAX_BYTES;
        if full && !state.waiting.is_empty() {
            return Err((NotQueued::Full, queued.done));
        }
        state.bytes += size;
        state.waiting.push_back(queued);
        let is_awaited = state.waiting.len() == 1 || state.wanted == Some(state.waiting.len());
        drop(state);
        // The writer waits for the first, or for so many; to notify is a system call, whether anybody waits or not.
        if is_awaited {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits until so many wait, half of what the queue holds at most, or the time is over; says whether they came.
    /// Waits for nothing more once the queue is closed.
    pub(super) fn gather(&self, wanted: Wanted) -> bool {
        let count = wanted.count.min(self.max_appends / 2);
        let mut state = lock(&self.state);
        state.wanted = Some(count);
        let (mut state, _) = self
            .filled
            .wait_timeout_while(state, wanted.within, |state| state.waiting.len() < count && !state.closed)
            .expect("nothing panics while this lock is held");
        state.wanted = None;
        state.waiting.len() >= count
    }

    /// Waits for something, then takes all that is there, up to the limits of one group. `None` when the queue is
    /// closed and empty.
    pub(in crate::persistence) fn take(&self, max_appends: usize, max_bytes: usize) -> Option<VecDeque<Queued>> {
        let mut state = self
            .filled
            .wait_while(lock(&self.state), |state| state.waiting.is_empty() && !state.closed)
            .expect("nothing panics while this lock is held");
        let taken = state.take(max_appends, max_bytes);
        (!taken.is_empty()).then_some(taken)
    }

    /// The same without waiting: perhaps nothing.
    pub(super) fn take_now(&self, max_appends: usize, max_bytes: usize) -> VecDeque<Queued> {
        lock(&self.state).take(max_appends, max_bytes)
    }

    /// How many appends wait.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// Takes no more from now on; what waits can still be taken.
    pub(in crate::persistence) fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::persistence::{Lease, PartitionId, sample};

    fn queued(size: usize) -> Queued {
        let lease = Lease { partition: PartitionId(0), epoch: 1 };
        let mut ready = Ready::new(sample::append(&sample::stream("1"), lease, 0, 1), 1);
        ready.record = vec![0; size];
        Queued { ready: Ok(ready), line: None, done: Done::new(Box::new(|_| ())) }
    }

    fn refused(queue: &Queue, size: usize) -> Option<NotQueued> {
        queue.push(queued(size)).err().map(|(why, _)| why)
    }

    #[test]
    fn what_is_there_is_taken_without_waiting_and_the_first_that_comes_wakes() {
        let queue = Queue::new(9);
        assert!(queue.take_now(9, 9).is_empty());
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| queue.take(9, usize::MAX).map(|taken| taken.len()));
            assert!(queue.push(queued(1)).is_ok());
            assert_eq!(taken.join().unwrap(), Some(1));
        });
        assert!(queue.push(queued(1)).is_ok());
        assert!(queue.push(queued(1)).is_ok());
        assert_eq!(queue.take_now(9, usize::MAX).len(), 2);
    }

    #[test]
    fn the_writer_is_woken_when_as_many_wait_as_it_wants() {
        let queue = Queue::new(100);
        let later = Duration::from_mins(1);
        let gather = |count, within| queue.gather(Wanted { count, within });
        std::thread::scope(|scope| {
            let gathered = scope.spawn(|| gather(3, later));
            for _ in 0..3 {
                assert!(queue.push(queued(1)).is_ok());
            }
            assert!(gathered.join().unwrap());
        });
        assert!(!gather(4, Duration::ZERO), "the time is over");
        // Half of what the queue holds.
        for _ in 3..50 {
            assert!(queue.push(queued(1)).is_ok());
        }
        assert!(gather(51, later));
        std::thread::scope(|scope| {
            assert_eq!(queue.take_now(100, usize::MAX).len(), 50);
            let gathered = scope.spawn(|| gather(1, later));
            queue.close();
            assert!(!gathered.join().unwrap());
        });
    }

    #[test]
    fn more_appends_than_the_limit_are_refused() {
        let queue = Queue::new(2);
        assert_eq!(refused(&queue, 1), None);
        assert_eq!(refused(&queue, 1), None);
        assert_eq!(refused(&queue, 1), Some(NotQueued::Full));
        assert_eq!(queue.take(1, 100).unwrap().len(), 1);
        assert_eq!(refused(&queue, 1), None);
    }

    #[test]
    fn more_bytes_than_the_limit_are_refused_unless_the_queue_is_empty() {
        let queue = Queue::new(10);
        assert_eq!(refused(&queue, Queue::MAX_BYTES + 1), None);
        assert_eq!(refused(&queue, 1), Some(NotQueued::Full));
        assert_eq!(queue.take(10, 1).unwrap().len(), 1);
        assert_eq!(refused(&queue, 1), None);
    }

    #[test]
    fn an_append_that_is_dropped_is_unknown() {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(Done::new(Box::new(move |outcome| sender.send(outcome).unwrap())));
        assert!(matches!(receiver.recv(), Ok(Err(AppendError::Unknown(_)))));
    }

    #[test]
    fn a_group_is_taken_up_to_its_limits() {
        let queue = Queue::new(10);
        for _ in 0..5 {
            assert_eq!(refused(&queue, 10), None);
        }
        assert_eq!(queue.take(10, 25).unwrap().len(), 2);
        assert_eq!(queue.take(2, 1000).unwrap().len(), 2);
        assert_eq!(queue.take(2, 1000).unwrap().len(), 1);
    }

    #[test]
    fn a_closed_queue_gives_what_waits_and_takes_no_more() {
        let queue = Queue::new(10);
        assert_eq!(refused(&queue, 1), None);
        queue.close();
        assert_eq!(refused(&queue, 1), Some(NotQueued::Closed));
        assert_eq!(queue.take(10, 10).unwrap().len(), 1);
        assert!(queue.take(10, 10).is_none());
    }
}
