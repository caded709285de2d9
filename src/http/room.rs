//! How many requests of a listener are under way, and who comes first when there is not room for all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;

use super::Problem;

/// When another try has a chance: requests end all the time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Probes and operators: always let in, so that whoever looks can see what is the matter. Their number is that of
    /// their connections.
    Control,
    /// Reads: as long as there is room.
    Read,
    /// All that wants something done: leaves a quarter of the room to reads.
    Work,
}

impl Class {
    /// The class of a request that is neither a probe's nor an operator's.
    pub(crate) fn of(method: &Method) -> Self {
        if [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) { Self::Read } else { Self::Work }
    }

    /// How many may be under way before another of this class is refused.
    fn most(self, room: usize) -> usize {
        match self {
            Self::Control => usize::MAX,
            Self::Read => room,
            Self::Work => room - room / 4,
        }
    }
}

/// The room of a listener. All clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    under_way: Arc<AtomicUsize>,
    most: usize,
}

/// A request's share of the room.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Room {
    /// Room for so many requests.
    pub(crate) fn new(most: usize) -> Self {
        Self { under_way: Arc::default(), most }
    }

    /// Lets a request in, until its place is dropped.
    ///
    /// # Errors
    /// 503: there is no room for its class. Nothing of it was looked at.
    pub(crate) fn enter(&self, class: Class) -> Result<Place, Problem> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        // Counted from here on, so that leaving gives the room back.
        let place = Place(self.under_way.clone());
        if before < class.most(self.most) {
            return Ok(place);
        }
        let problem = Problem::unavailable("OVERLOADED", "too many requests are under way", RETRY_AFTER);
        Err(problem.with("outcome", "not done".into()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_leaves_a_quarter_to_reads_and_control_is_always_let_in() {
        let room = Room::new(4);
        let work: Vec<Place> = (0..3).map(|_| room.enter(Class::Work).unwrap()).collect();
        let refused = room.enter(Class::Work).unwrap_err();
        assert_eq!(refused.status(), 503);
        let read = room.enter(Class::of(&Method::GET)).unwrap();
        assert!(room.enter(Class::Read).is_err(), "five of four");
        let control: Vec<Place> = (0..10).map(|_| room.enter(Class::Control).unwrap()).collect();
        drop((work, control));
        assert!(room.enter(Class::Work).is_ok(), "refusals keep no room");
        drop(read);
        assert_eq!(room.under_way.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_room_for_one_takes_work() {
        assert!(Room::new(1).enter(Class::Work).is_ok());
    }

    #[test]
    fn what_changes_nothing_is_a_read() {
        for (method, class) in [("GET", Class::Read), ("HEAD", Class::Read), ("OPTIONS", Class::Read)] {
            assert_eq!(Class::of(&method.parse().unwrap()), class, "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "BREW"] {
            assert_eq!(Class::of(&method.parse().unwrap()), Class::Work, "{method}");
        }
    }
}
