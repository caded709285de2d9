//! Places that walks along a stream have passed, so that its next page need not walk all of it again.
//!
//! A stream is linked backwards, and its pages are read forwards: each page would begin with a walk from the tip. A long
//! walk therefore leaves a mark at every 64th record, and the next page begins at the mark behind it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use crate::persistence::{StreamId, record::Location, sync::lock};

/// Records between two marks.
const STEP: usize = 64;

/// Streams whose marks are kept; the least recently read is forgotten. As many long streams are seldom read at once.
const STREAMS: usize = 32;

/// Marks of one stream, 1 MiB of them: beyond four million records the older ones are walked again.
const MARKS: usize = 1 << 16;

/// A record of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// Sequence before the record's first event.
    expected: u64,
    location: Location,
}

/// Marks from the newest record to the oldest, [`STEP`] records from each other.
type Marks = Arc<[Mark]>;

#[derive(Debug, Default)]
pub(super) struct Trails(Mutex<VecDeque<(StreamId, Marks)>>);

/// A walk that is under way.
#[derive(Debug)]
pub(super) struct Walk {
    start: Option<Location>,
    passed: usize,
    marks: Vec<Mark>,
}

impl Trails {
    /// A walk to the page of at most `limit` records behind `after`.
    pub(super) fn walk(&self, stream: &StreamId, after: u64, limit: usize) -> Walk {
        let known = lock(&self.0).iter().find(|(of, _)| of == stream).map(|(_, marks)| Arc::clone(marks));
        let start = known.and_then(|marks| {
            // The newest mark at or before the page's first record; the page ends `limit` records behind it.
            let before = marks.partition_point(|mark| mark.expected > after);
            let steps = limit.div_ceil(STEP).checked_add(1)?;
            marks.get(before.checked_sub(steps)?).map(|mark| mark.location)
        });
        Walk { start, passed: 0, marks: Vec::new() }
    }

    /// Keeps the marks of a walk that began at the tip and was long.
    pub(super) fn remember(&self, stream: &StreamId, walk: Walk) {
        if walk.start.is_some() || walk.marks.len() < 2 {
            return;
        }
        let mut trails = lock(&self.0);
        trails.retain(|(of, _)| of != stream);
        trails.push_back((stream.clone(), walk.marks.into()));
        if trails.len() > STREAMS {
            trails.pop_front();
        }
    }
}

impl Walk {
    /// Where it begins; `None` for the stream's tip.
    pub(super) fn start(&self) -> Option<Location> {
        self.start
    }

    pub(super) fn passed(&mut self, location: Location, expected: u64) {
        if self.passed.is_multiple_of(STEP) && self.marks.len() < MARKS {
            self.marks.push(Mark { expected, location });
        }
        self.passed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::sample::stream;

    /// A stream of `records` records of one event, at bytes 1, 2, 3, ...
    fn walked(trails: &Trails, key: &str, records: u32) {
        let mut walk = trails.walk(&stream(key), 0, 10);
        for n in (0..records).rev() {
            walk.passed(Location { segment: 1, byte: n + 1 }, u64::from(n));
        }
        trails.remember(&stream(key), walk);
    }

    #[test]
    fn a_page_is_begun_near_its_end_and_never_before_it() {
        let trails = Trails::default();
        walked(&trails, "1", 1000);
        for after in 0..1000_u32 {
            let start = trails.walk(&stream("1"), u64::from(after), 10).start();
            let last = (after + 10).min(1000);
            let byte = start.map_or(1000, |start| start.byte);
            assert!(byte >= last, "after {after} it begins at {byte}");
            assert!(byte <= last.saturating_add(3 * 64), "after {after} it begins at {byte}");
        }
        assert_eq!(trails.walk(&stream("2"), 0, 10).start(), None);
        assert_eq!(trails.walk(&stream("1"), 0, usize::MAX).start(), None);
    }

    #[test]
    fn short_streams_leave_no_trail_and_only_so_many_are_kept() {
        let trails = Trails::default();
        walked(&trails, "short", 64);
        assert!(lock(&trails.0).is_empty());
        for n in 0..STREAMS + 5 {
            walked(&trails, &n.to_string(), 65);
        }
        assert_eq!(lock(&trails.0).len(), STREAMS);
        assert_eq!(lock(&trails.0)[0].0, stream("5"));
    }
}
