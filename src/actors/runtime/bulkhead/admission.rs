//! Who may wait for a place of a pool. Pure: the time is given.
//!
//! A pool that is asked for more than it can do is as useful with a short queue as with a long one: either way a place
//! that is given back is taken at once. What a longer queue adds is waiting, and in the end work whose asker has gone.
//! So new work is refused at the door, before anything of it is written, when
//!
//! | | |
//! |---|---|
//! | it would be late | the wait that is expected and the work itself are longer than it has |
//! | the queue is as long as its limit | the limit follows the wait that is measured, see below |
//!
//! And when its turn comes it is refused as late if by then the work itself is longer than the time that is left: what was
//! expected at the door, or not known there, did not hold. Nothing of it has reached the callee either way.
//!
//! What finishes something that was begun is not new work: it waits in a lane of its own, goes first, and is refused
//! only when that lane is full.
//!
//! The limit is found by additive increase and multiplicative decrease (Chiu and Jain, *Analysis of the increase and
//! decrease algorithms for congestion avoidance*, 1989). Its signal is that of `CoDel` (Nichols and Jacobson, *Controlling
//! queue delay*, 2012): the shortest wait in a while. In a burst somebody waits for less than the others; where nobody
//! does, the queue stands and serves nobody. A standing queue may cost as much time as the work does, so that
//! what is let in takes about twice as long as without load; a burst may cost twice as much.

use std::time::Duration;

/// Over so much time the shortest wait is looked for: the interval of `CoDel`.
const WINDOW: Duration = Duration::from_millis(100);
/// And over so many that got a place, for a slow pool.
const ENTERED: u32 = 4;
/// A burst may cost so much time where the work itself takes almost none: nobody notices that, and a queue of hundreds
/// is worked off in it.
const BURST: Duration = Duration::from_millis(25);

/// Decides who may wait.
#[derive(Debug)]
pub(crate) struct Admission {
    /// How long a place was held in the last few cases: each new one counts an eighth.
    mean: Duration,
    /// New work that may wait, as far as the bounds allow.
    limit: usize,
    window: Window,
}

/// What was seen since the limit was last changed.
#[derive(Debug, Default)]
struct Window {
    since: Option<Duration>,
    entered: u32,
    shortest: Duration,
}

/// A pool as it is when somebody asks for a place and none is free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Places.
    pub(crate) size: usize,
    /// Those that wait already, and come before.
    pub(crate) before: usize,
    /// Those that may wait in any case; the bound of memory.
    pub(crate) queue: usize,
}

/// Why somebody may not wait. Nothing was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The queue is as long as it may be.
    Full,
    /// It would not be done in time.
    Late,
}

impl Default for Admission {
    fn default() -> Self {
        Self { mean: Duration::ZERO, limit: usize::MAX, window: Window::default() }
    }
}

impl Admission {
    /// A place was given back that was held for so long.
    pub(crate) fn held(&mut self, time: Duration) {
        self.mean = if self.mean.is_zero() { time } else { self.mean / 8 * 7 + time / 8 };
    }

    /// How long a place is held; zero while nobody knows.
    pub(crate) fn mean(&self) -> Duration {
        self.mean
    }

    /// Somebody got one of `size` places after such a wait.
    pub(crate) fn entered(&mut self, now: Duration, waited: Duration, size: usize) {
        let window = &mut self.window;
        window.shortest = if window.entered == 0 { waited } else { window.shortest.min(waited) };
        window.entered = window.entered.saturating_add(1);
        let since = *window.since.get_or_insert(now);
        if window.entered < ENTERED || now.saturating_sub(since) < WINDOW {
            return;
        }
        let (shortest, bounded) = (window.shortest, self.limit(size));
        self.window = Window { since: Some(now), ..Window::default() };
        self.limit = if shortest > self.mean {
            // In one step to where the wait would be right, but not to less than half.
            let right = ratio(bounded, self.mean, shortest);
            right.clamp(bounded / 2, bounded - bounded.div_ceil(8))
        } else {
            bounded.saturating_add(1)
        };
    }

    /// Whether new work that has to be done `within` a time may wait.
    ///
    /// # Errors
    /// It may not, and nothing of it was begun.
    pub(crate) fn new_work(&self, crowd: Crowd, within: Duration) -> Result<(), NoRoom> {
        if crowd.before >= self.limit(crowd.size).min(crowd.queue) {
            return Err(NoRoom::Full);
        }
        let done = self.wait(crowd.before + 1, crowd.size) + self.mean;
        if done > within { Err(NoRoom::Late) } else { Ok(()) }
    }

    /// Whether work that has a place now is done `within` a time, if it takes as long as the last ones did.
    pub(crate) fn is_in_time(&self, within: Duration) -> bool {
        self.mean <= within
    }

    /// How long the last of `waiting` will wait for one of `size` places.
    pub(crate) fn wait(&self, waiting: usize, size: usize) -> Duration {
        let rounds = waiting.div_ceil(size.max(1));
        self.mean.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    /// How much new work may wait for `size` places: at least so much that a place that is given back is taken at once, at most so much
    /// as costs what a burst may cost.
    pub(crate) fn limit(&self, size: usize) -> usize {
        let least = size.div_ceil(2).max(1);
        let most = ratio(size, BURST.max(self.mean * 2), self.mean);
        self.limit.clamp(least, most.max(least))
    }
}

/// `count * over / under`; all there is when `under` is nothing.
fn ratio(count: usize, over: Duration, under: Duration) -> usize {
    let scaled = (count as u128 * over.as_nanos()).checked_div(under.as_nanos());
    scaled.and_then(|scaled| usize::try_from(scaled).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn of(mean: Duration) -> Admission {
        let mut admission = Admission::default();
        admission.held(mean);
        admission
    }

    /// How many may wait.
    fn allowed(admission: &Admission, size: usize, queue: usize, within: Duration) -> usize {
        (0..100_000)
            .take_while(|before| admission.new_work(Crowd { size, before: *before, queue }, within).is_ok())
            .count()
    }

    #[test]
    fn what_would_be_late_is_refused_and_what_is_just_in_time_is_not() {
        let admission = of(ms(20));
        let crowd = Crowd { size: 4, before: 4, queue: 100 };
        assert_eq!(admission.new_work(crowd, ms(60)), Ok(()), "two rounds of 20 ms, and its own");
        assert_eq!(admission.new_work(crowd, ms(59)), Err(NoRoom::Late));
        assert_eq!(admission.new_work(Crowd { before: 0, ..crowd }, ms(40)), Ok(()));
    }

    #[test]
    fn while_nothing_is_known_only_the_queue_bounds() {
        assert_eq!(allowed(&Admission::default(), 4, 100, ms(1)), 100);
        assert_eq!(allowed(&Admission::default(), 4, 0, ms(1)), 0);
    }

    #[test]
    fn a_burst_may_cost_twice_the_work_and_where_the_work_is_nothing_a_moment() {
        assert_eq!(allowed(&of(ms(20)), 4, 1000, ms(3000)), 8);
        assert_eq!(allowed(&of(ms(500)), 1, 1000, ms(3000)), 2);
        assert_eq!(allowed(&of(Duration::from_micros(100)), 4, 10_000, ms(3000)), 1000);
        assert_eq!(allowed(&of(Duration::from_micros(100)), 4, 64, ms(3000)), 64, "the queue bounds it all the same");
    }

    #[test]
    fn a_standing_queue_shortens_the_limit_and_one_that_empties_gives_it_back_step_by_step() {
        let mut admission = of(ms(20));
        let mut now = Duration::ZERO;
        admission.entered(now, ms(40), 4);
        let mut window = |admission: &mut Admission, waited| {
            for _ in 0..ENTERED {
                now += WINDOW / ENTERED;
                admission.entered(now, waited, 4);
            }
            admission.limit(4)
        };
        assert_eq!(window(&mut admission, ms(40)), 4, "to half, where the wait is right");
        assert_eq!(window(&mut admission, ms(40)), 2, "half of the places: less would leave some empty");
        assert_eq!(window(&mut admission, ms(40)), 2);
        let given_back: Vec<usize> = (0..8).map(|_| window(&mut admission, ms(20))).collect();
        assert_eq!(given_back, [3, 4, 5, 6, 7, 8, 8, 8]);
    }

    #[test]
    fn a_burst_in_which_somebody_waits_little_changes_nothing() {
        let mut admission = of(ms(20));
        for (nth, waited) in [0, 40, 40, 40, 40, 40, 5, 40, 40, 40].into_iter().enumerate() {
            admission.entered(ms(nth as u64 * 40), ms(waited), 4);
        }
        assert_eq!(admission.limit(4), 8);
    }

    /// Numbers that look like chance and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, below: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % below
        }
    }

    /// A pool of places, with work that takes about `work`, in simulated time.
    struct Pool {
        admission: Admission,
        dice: Dice,
        size: usize,
        work: u64,
        /// Ends of the work under way, in microseconds, and how long it takes.
        busy: Vec<(u64, u64)>,
        /// When those that wait came.
        waiting: std::collections::VecDeque<u64>,
        longest_queue: usize,
        /// End and duration, from coming to going, of what was done.
        done: Vec<(u64, u64)>,
        refused: Vec<u64>,
    }

    impl Pool {
        fn new(size: usize, work: u64, seed: u64) -> Self {
            let (busy, waiting) = (Vec::new(), std::collections::VecDeque::new());
            let (admission, dice) = (Admission::default(), Dice(seed));
            Self { admission, dice, size, work, busy, waiting, longest_queue: 0, done: Vec::new(), refused: Vec::new() }
        }

        fn begin(&mut self, now: u64, came: u64) {
            self.admission.entered(Duration::from_micros(now), Duration::from_micros(now - came), self.size);
            let takes = self.work * 9 / 10 + self.dice.roll(self.work / 5);
            self.busy.push((now + takes, takes));
            self.done.push((now + takes, now + takes - came));
        }

        fn run_to(&mut self, until: u64) {
            while let Some(at) = (0..self.busy.len()).min_by_key(|at| self.busy[*at].0)
                && self.busy[at].0 <= until
            {
                let (end, took) = self.busy.swap_remove(at);
                self.admission.held(Duration::from_micros(took));
                if let Some(came) = self.waiting.pop_front() {
                    self.begin(end, came);
                }
            }
        }

        fn ask(&mut self, now: u64, within: Duration) {
            self.run_to(now);
            if self.busy.len() < self.size && self.waiting.is_empty() {
                return self.begin(now, now);
            }
            let crowd = Crowd { size: self.size, before: self.waiting.len(), queue: 10_000 };
            match self.admission.new_work(crowd, within) {
                Ok(()) => self.waiting.push_back(now),
                Err(_) => self.refused.push(now),
            }
            self.longest_queue = self.longest_queue.max(self.waiting.len());
        }

        /// So many requests in a second, at moments that look like chance, from `from` to `to`.
        fn load(&mut self, rate: u64, from: u64, to: u64, within: Duration) {
            let mut now = from;
            while now < to {
                self.ask(now, within);
                now += 1 + self.dice.roll(2 * 1_000_000 / rate);
            }
        }

        /// Done in a second.
        fn goodput(&self, from: u64, to: u64) -> u64 {
            let done = self.done.iter().filter(|(end, _)| (from..to).contains(end)).count();
            done as u64 * SECOND / (to - from)
        }

        fn p99(&self, from: u64, to: u64) -> u64 {
            let took = self.done.iter().filter(|(end, _)| (from..to).contains(end)).map(|(_, took)| *took);
            let mut took: Vec<u64> = took.collect();
            took.sort_unstable();
            took[took.len() * 99 / 100]
        }
    }

    const SECOND: u64 = 1_000_000;

    /// The whole story for several seeds: 30 s at half the capacity, 30 s at four times as much, 10 s at half again.
    #[test]
    fn at_four_times_the_capacity_goodput_stays_and_what_is_let_in_is_quick_and_all_is_well_within_five_seconds() {
        for (size, work) in [(4, 20_000), (1, 50_000), (16, 5_000), (64, 500_000)] {
            for seed in 0..8 {
                let capacity = size as u64 * SECOND / work;
                let mut pool = Pool::new(size, work, seed);
                pool.load(capacity / 2, 0, 30 * SECOND, ms(3000));
                let unloaded = pool.p99(0, 30 * SECOND).max(work);
                pool.load(capacity * 4, 30 * SECOND, 60 * SECOND, ms(3000));
                let (goodput, p99) = (pool.goodput(31 * SECOND, 60 * SECOND), pool.p99(30 * SECOND, 60 * SECOND));
                pool.load(capacity / 2, 60 * SECOND, 70 * SECOND, ms(3000));
                let what = format!("{size} places of {work} us, seed {seed}: {goodput} of {capacity}, p99 {p99}");
                assert!(goodput * 10 >= capacity * 9, "{what}");
                assert!(p99 <= 3 * unloaded.min(work * 11 / 10), "{what}, unloaded {unloaded}");
                assert!(pool.longest_queue as u64 <= (2 * size as u64).max(25_000 * size as u64 / work) + 1, "{what}");
                let refused = |from, to| pool.refused.iter().filter(|at| (from..to).contains(*at)).count();
                assert!(refused(30 * SECOND, 60 * SECOND) > 0, "it was no overload: {what}");
                let late = refused(65 * SECOND, 70 * SECOND);
                let asked = capacity / 2 * 5;
                assert!(late as u64 * 50 <= asked, "{late} of {asked} refused at half the load: {what}");
            }
        }
    }

    #[test]
    fn nothing_that_was_let_in_is_late_when_it_is_as_slow_as_before() {
        for seed in 0..8 {
            let mut pool = Pool::new(4, 20_000, seed);
            // Less than a burst may cost; the work takes at most a tenth longer than it is thought to.
            pool.load(800, 0, 20 * SECOND, ms(45));
            let late = pool.done.iter().skip(100).filter(|(_, took)| *took > 45_000).count();
            assert_eq!(late, 0, "seed {seed}");
            assert!(pool.goodput(SECOND, 20 * SECOND) > 180, "seed {seed}");
        }
    }
}
