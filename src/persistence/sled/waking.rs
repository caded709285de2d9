//! Nobody waits in sled for ever.
//!
//! A thread that waits in sled 0.34 until what it wrote is on the disk is not told when that write fails on certain
//! threads of sled (`pagecache/logger.rs`, `exit_reservation`: the error is stored, and nobody is notified). Any later call
//! that comes to the log sees the error and notifies all. So when a call takes long, another is made beside it. It must not
//! be one that takes sled's lock between batches and everything else (`concurrency_control.rs`), as a flush or a read does: a
//! batch that waits for that lock behind one who waits in vain keeps all others from it. Making and removing a tree takes
//! none and writes to the log each time. One that comes before the error wakes nobody; hence there is another, later and
//! later, until nobody waits.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A call that takes longer is taken for one that may wait in vain: a write takes milliseconds.
const LONG: Duration = Duration::from_secs(1);

/// Calls beside one that waits. The time between them doubles: the last comes after more than an hour.
const MOST: u32 = 12;

/// The calls under way, as far as it matters whether one takes long: those of two generations. A new one begins when the
/// one before the present has ended.
#[derive(Debug, Default)]
struct Calls {
    even: AtomicUsize,
    odd: AtomicUsize,
    present: AtomicUsize,
}

impl Calls {
    fn begin(&self) -> Call<'_> {
        let generation = self.of(self.present.load(Ordering::Acquire));
        generation.fetch_add(1, Ordering::AcqRel);
        Call(generation)
    }

    /// Whether a call goes on that was under way at the last look, too.
    fn takes_long(&self) -> bool {
        let next = self.present.load(Ordering::Acquire).wrapping_add(1);
        let takes_long = self.of(next).load(Ordering::Acquire) > 0;
        if !takes_long {
            self.present.store(next, Ordering::Release);
        }
        takes_long
    }

    const fn of(&self, generation: usize) -> &AtomicUsize {
        if generation.is_multiple_of(2) { &self.even } else { &self.odd }
    }
}

/// A call under way.
struct Call<'a>(&'a AtomicUsize);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Looks after the calls of one opened sled.
#[derive(Debug)]
pub(super) struct Waking {
    calls: Arc<Calls>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waking {
    /// `wake` is called, each time on a thread of its own, while a call takes long.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(super) fn start(wake: impl Fn() + Clone + Send + 'static) -> io::Result<Self> {
        Self::start_with(LONG, wake)
    }

    fn start_with(long: Duration, wake: impl Fn() + Clone + Send + 'static) -> io::Result<Self> {
        let calls = Arc::<Calls>::default();
        let (stop, stopped) = channel::<()>();
        let watched = Arc::clone(&calls);
        let look = move || {
            let (mut looks, mut wakes) = (0_u32, 0);
            while stopped.recv_timeout(long) == Err(RecvTimeoutError::Timeout) {
                if !watched.takes_long() {
                    (looks, wakes) = (0, 0);
                    continue;
                }
                looks += 1;
                if looks >> wakes == 1 && wakes < MOST {
                    wakes += 1;
                    let spawned = thread::Builder::new().name("sled-wake".into()).spawn(wake.clone());
                    if let Err(error) = spawned {
                        tracing::warn!(%error, "nothing wakes who may wait in sled");
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("sled-watch".into()).spawn(look)?;
        Ok(Self { calls, stop: Some(stop), thread: Some(thread) })
    }

    /// Does something that may wait.
    pub(super) fn during<T>(&self, act: impl FnOnce() -> T) -> T {
        let _call = self.calls.begin();
        act()
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("whoever looks after waiting calls of sled panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_call_takes_long_from_the_second_look_on_and_others_do_not_hide_it() {
        let calls = Calls::default();
        assert!(!calls.takes_long());
        let waits = calls.begin();
        assert!(!calls.takes_long(), "it may have begun just now");
        for _ in 0..3 {
            drop(calls.begin());
            assert!(calls.takes_long());
        }
        let later = calls.begin();
        drop(waits);
        assert!(!calls.takes_long());
        assert!(calls.takes_long(), "the later one was under way at the last look");
        drop(later);
        assert!(!calls.takes_long());
    }

    #[test]
    fn one_that_waits_is_woken_also_when_the_first_wake_waits_with_it() {
        let (tell, woken) = channel();
        let (stay, stays) = channel::<()>();
        let wakes = Arc::new(Mutex::new((0, Some(stays))));
        let counted = Arc::clone(&wakes);
        let wake = move || {
            let first = {
                let mut wakes = counted.lock().expect("nobody panics");
                wakes.0 += 1;
                wakes.1.take()
            };
            match first {
                Some(stays) => drop(stays.recv()),
                None => drop(tell.send(())),
            }
        };
        let waking = Waking::start_with(Duration::from_millis(1), wake).expect("a thread");
        waking.during(|| woken.recv()).expect("woken");
        drop((waking, stay));
        assert!(wakes.lock().expect("nobody panics").0 > 1);
    }
}
