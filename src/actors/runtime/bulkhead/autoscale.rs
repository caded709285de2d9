//! How many workers a pool should have, from how busy those are that it has. Pure: the time is given.
//!
//! | the pool was | so many are wanted | when |
//! |---|---|---|
//! | busier than its target, by more than a tenth | as would be busy by the target, at most twice as many as before | at once |
//! | as busy as its target, within a tenth | as there are | |
//! | less busy | as would be busy by the target | once nothing more was wanted for [`Scale::idle`] |
//! | in need of one more, because somebody waits or was turned away | at least one more | at once |
//!
//! What was turned away counts as if it had been worked ([`Load::asked`]): a pool that refuses what it cannot do in time is
//! never too busy to see how much more is asked of it.
//!
//! Never fewer than [`Scale::min`], never more than [`Scale::max`].

use std::{collections::VecDeque, time::Duration};

use super::meter::{Load, Meter, Share};

/// How far from its target a share may be without anything changing: a tenth of it. Without this a pool would
/// follow every flicker.
const TOLERANCE: u64 = 10;

/// Between how many workers a pool follows its load, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    /// At least so many; not 0.
    pub(crate) min: usize,
    /// At most so many; not less than `min`.
    pub(crate) max: usize,
    /// How busy its workers should be, in percent; not 0.
    pub(crate) busy_target: u32,
    /// How long fewer must have been enough before there are fewer.
    pub(crate) idle: Duration,
}

/// How many workers a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// Always so many.
    Fixed(usize),
    /// As many as its load asks for.
    Scaled(Scale),
}

impl Size {
    /// The fewest and the most that it has.
    pub(crate) fn bounds(self) -> (usize, usize) {
        match self {
            Self::Fixed(size) => (size, size),
            Self::Scaled(scale) => (scale.min, scale.max),
        }
    }
}

/// Decides the number of workers, look by look.
#[derive(Debug)]
struct Autoscaler {
    scale: Scale,
    /// What was wanted in the last [`Scale::idle`], newest last; only what nothing newer exceeds, so that numbers
    /// fall and there are at most as many as between `min` and `max`.
    wanted: VecDeque<(Duration, usize)>,
}

impl Autoscaler {
    fn new(scale: Scale) -> Self {
        Self { scale, wanted: VecDeque::new() }
    }

    /// How many there should be from `now` on, when there were `current`, so much was asked of them, and somebody `waits`.
    fn decide(&mut self, now: Duration, asked: Share, waits: bool, current: usize) -> usize {
        let Scale { min, max, idle, .. } = self.scale;
        let wanted = self.wanted(asked, waits, current).clamp(min, max);
        while self.wanted.back().is_some_and(|(_, earlier)| *earlier <= wanted) {
            self.wanted.pop_back();
        }
        self.wanted.push_back((now, wanted));
        while self.wanted.len() > 1 && self.wanted.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= idle) {
            self.wanted.pop_front();
        }
        let most = self.wanted.front().map_or(wanted, |(_, most)| *most);
        let next = if wanted > current { wanted.min(current.saturating_mul(2)) } else { current.min(most) };
        next.clamp(min, max)
    }

    fn wanted(&self, asked: Share, waits: bool, current: usize) -> usize {
        let (share, target) = (u64::from(asked.basis_points()), u64::from(self.scale.busy_target) * 100);
        let is_near = share.abs_diff(target) * TOLERANCE <= target;
        let needed = (as_u64(current) * share).div_ceil(target);
        let wanted = if is_near { current } else { usize::try_from(needed).unwrap_or(usize::MAX) };
        if waits { wanted.max(current.saturating_add(1)) } else { wanted }
    }
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// The size of one pool: how busy it is, and how many workers it should have.
#[derive(Debug)]
pub(crate) struct Sizer {
    size: Size,
    scaler: Option<Autoscaler>,
    desired: usize,
    meter: Meter,
    /// Whether anybody was turned away since the last look whose work is not known.
    missed: bool,
    load: Load,
}

impl Sizer {
    pub(crate) fn new(size: Size) -> Self {
        let (desired, _) = size.bounds();
        Self { size, scaler: scaler(size), desired, meter: Meter::default(), missed: false, load: Load::default() }
    }

    /// How many workers there should be.
    pub(crate) fn desired(&self) -> usize {
        self.desired
    }

    /// How busy they were between the last two looks.
    pub(crate) fn share(&self) -> Share {
        self.load.busy
    }

    /// Another size from now on; one that follows its load stays where it is, as far as the bounds allow.
    pub(crate) fn resize(&mut self, size: Size) {
        if self.size != size {
            let (min, max) = size.bounds();
            (self.size, self.scaler, self.desired) = (size, scaler(size), self.desired.clamp(min, max));
        }
    }

    /// So many are busy from `now` on.
    pub(crate) fn measure(&mut self, now: Duration, busy: usize) {
        self.meter.set(now, busy, self.desired);
    }

    /// Somebody was turned away, whose work would take about so long; zero where nobody knows.
    pub(crate) fn miss(&mut self, work: Duration) {
        self.meter.miss(work);
        self.missed |= work.is_zero();
    }

    /// Closes the time since the last look, and decides how many there should be from now on.
    pub(crate) fn look(&mut self, now: Duration, busy: usize, waits: bool) {
        self.measure(now, busy);
        self.load = self.meter.take();
        let waits = std::mem::take(&mut self.missed) || waits;
        if let Some(scaler) = &mut self.scaler {
            self.desired = scaler.decide(now, self.load.asked, waits, self.desired);
            self.measure(now, busy);
        }
    }
}

fn scaler(size: Size) -> Option<Autoscaler> {
    match size {
        Size::Fixed(_) => None,
        Size::Scaled(scale) => Some(Autoscaler::new(scale)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCALE: Scale = Scale { min: 1, max: 10, busy_target: 15, idle: Duration::from_secs(30) };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// The sizes of a pool that is looked at every second while so many calls are under way in each.
    fn follow(scale: Scale, calls: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut sizer = Sizer::new(Size::Scaled(scale));
        let looks = calls.into_iter().zip(1..).map(|(calls, second)| {
            let busy = calls.min(sizer.desired());
            sizer.measure(seconds(second - 1), busy);
            sizer.look(seconds(second), busy, calls > busy);
            sizer.desired()
        });
        looks.collect()
    }

    #[test]
    fn it_doubles_within_seconds_under_load_and_stops_at_the_most() {
        assert_eq!(follow(SCALE, [4; 6]), [2, 4, 8, 10, 10, 10]);
    }

    #[test]
    fn it_shrinks_only_after_the_load_was_gone_for_the_whole_idle_time() {
        let calls = [vec![4; 5], vec![0; 40]].concat();
        let sizes = follow(SCALE, calls);
        assert_eq!(sizes[4], 10);
        let first_smaller = sizes.iter().skip(5).position(|size| *size < 10).expect("it shrinks");
        // The last look that wanted ten was the fifth second's.
        assert_eq!(first_smaller, 29, "{sizes:?}");
        assert_eq!(sizes.last(), Some(&1));
    }

    #[test]
    fn a_load_that_comes_back_within_the_idle_time_finds_the_pool_as_it_was() {
        let calls = [vec![4; 5], vec![0; 20], vec![4; 1], vec![0; 29]].concat();
        assert!(follow(SCALE, calls).iter().skip(4).all(|size| *size == 10));
    }

    #[test]
    fn it_settles_where_its_workers_are_as_busy_as_they_should_be() {
        let scale = Scale { min: 1, max: 64, busy_target: 50, idle: seconds(5) };
        let sizes = follow(scale, [8; 30]);
        assert_eq!(sizes.last(), Some(&16), "{sizes:?}");
    }

    #[test]
    fn who_waits_gets_another_worker_although_all_should_be_busy() {
        let scale = Scale { busy_target: 100, ..SCALE };
        assert_eq!(follow(scale, [3; 4]), [2, 3, 3, 3]);
    }

    #[test]
    fn who_is_turned_away_is_room_that_is_missing_although_nobody_waits_and_few_are_busy() {
        let mut sizer = Sizer::new(Size::Scaled(Scale { min: 2, max: 100, busy_target: 50, idle: seconds(30) }));
        let grown: Vec<_> = (1..=6)
            .map(|second| {
                sizer.measure(seconds(second - 1), 1);
                (0..20).for_each(|_| sizer.miss(Duration::from_millis(500)));
                sizer.look(seconds(second), 1, false);
                sizer.desired()
            })
            .collect();
        assert_eq!(grown, [4, 8, 16, 22, 22, 22], "1 and 10 at a time, each half of its time");
        sizer.miss(Duration::ZERO);
        sizer.look(seconds(7), 1, false);
        assert_eq!(sizer.desired(), 23, "one more, although nobody knows how long its work is");
    }

    #[test]
    fn another_size_holds_at_once_and_within_its_bounds() {
        let mut sizer = Sizer::new(Size::Fixed(7));
        sizer.look(seconds(1), 7, true);
        assert_eq!(sizer.desired(), 7, "a fixed one follows nothing");
        sizer.resize(Size::Scaled(SCALE));
        assert_eq!(sizer.desired(), 7);
        sizer.resize(Size::Scaled(Scale { max: 3, ..SCALE }));
        assert_eq!(sizer.desired(), 3);
        sizer.resize(Size::Fixed(64));
        assert_eq!(sizer.desired(), 64);
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_bounds_and_never_more_than_doubles(
            calls in proptest::collection::vec(0usize..200, 1..200), min in 1usize..5, more in 0usize..20,
            busy_target in 1u32..=100, idle in 0u64..60,
        ) {
            let scale = Scale { min, max: min + more, busy_target, idle: seconds(idle) };
            let mut before = min;
            for size in follow(scale, calls) {
                prop_assert!((scale.min..=scale.max).contains(&size));
                prop_assert!(size <= before * 2);
                before = size;
            }
        }

        #[test]
        fn what_it_remembers_is_bounded_by_its_bounds(shares in proptest::collection::vec(0usize..=10, 1..500)) {
            let mut scaler = Autoscaler::new(SCALE);
            for (busy, second) in shares.into_iter().zip(0..) {
                let mut meter = Meter::default();
                meter.set(Duration::ZERO, busy, 10);
                meter.set(seconds(1), busy, 10);
                scaler.decide(seconds(second), meter.take().asked, false, 10);
                prop_assert!(scaler.wanted.len() <= SCALE.max - SCALE.min + 1);
            }
        }
    }
}
