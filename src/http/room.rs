//! How many requests of a listener are under way, how large their bodies are together, and who comes first when there is
//! not room for all.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;

use super::{
    Problem,
    crowd::{Crowd, Guest},
};
use crate::RequestMeters;

/// When another try has a chance: requests end all the time.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Bytes of a body that one place is for. A longer body takes more of them, so that all bodies together are bounded.
const PLACE: usize = 128 * 1024;

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

    /// How many places may be taken before another of this class is refused.
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
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: usize,
    taken: AtomicUsize,
    /// The places of requests whose bodies are awaited.
    awaited: Crowd,
    meters: RequestMeters,
}

/// A request's share of the room.
#[derive(Debug)]
pub(crate) struct Place {
    room: Room,
    class: Class,
    taken: usize,
    awaited: Option<(Guest, Share)>,
}

/// How many places one client may have for bodies that are awaited, while more than half of the room is taken.
type Share = usize;

impl Room {
    /// Room for so many requests; whom it refuses is counted in `meters`.
    pub(crate) fn new(places: usize, meters: RequestMeters) -> Self {
        Self(Arc::new(Inner { places, taken: AtomicUsize::new(0), awaited: Crowd::default(), meters }))
    }

    /// Lets a request in, until its place is dropped.
    ///
    /// # Errors
    /// 503: there is no room for its class. Nothing of it was looked at.
    pub(crate) fn enter(&self, class: Class) -> Result<Place, Problem> {
        let before = self.0.taken.fetch_add(1, Ordering::Relaxed);
        // Counted from here on, so that leaving gives the room back.
        let place = Place { room: self.clone(), class, taken: 1, awaited: None };
        if before < class.most(self.0.places) {
            Ok(place)
        } else {
            Err(self.overloaded("too many requests are under way"))
        }
    }

    fn overloaded(&self, message: &'static str) -> Problem {
        self.0.meters.count_shed();
        Problem::unavailable("OVERLOADED", message, RETRY_AFTER).with("outcome", "not done".into())
    }
}

impl Place {
    /// Takes as many places as so many bytes of its body need.
    ///
    /// # Errors
    /// 503: there is no room for them, or too much of it is its client's. Alone, any body has room.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<(), Problem> {
        let more = bytes.div_ceil(PLACE).saturating_sub(self.taken);
        if more == 0 {
            return Ok(());
        }
        let Inner { places, taken, .. } = &*self.room.0;
        let all = taken.fetch_add(more, Ordering::Relaxed) + more;
        self.taken += more;
        if all > self.class.most(*places) && all > self.taken {
            return Err(self.room.overloaded("the bodies of the requests under way are too large together"));
        }
        let of_client = self.awaited.as_mut().map(|(guest, share)| (guest.take(more), *share));
        self.check(of_client)
    }

    /// Counts it among those whose bodies are awaited, if it is not yet one of them; those of its client may be `share`.
    ///
    /// # Errors
    /// 503: more than half of the room is taken, and too much of it by what is awaited from this client.
    pub(super) fn awaits(&mut self, client: impl FnOnce(usize) -> Option<(IpAddr, Share)>) -> Result<(), Problem> {
        if self.awaited.is_some() {
            return Ok(());
        }
        let Some((client, share)) = client(self.room.0.places) else { return Ok(()) };
        let (guest, all) = self.room.0.awaited.enter(client, self.taken);
        self.awaited = Some((guest, share));
        self.check(Some((all, share)))
    }

    /// Its body is there.
    pub(super) fn arrived(&mut self) {
        self.awaited = None;
    }

    fn check(&self, of_client: Option<(usize, Share)>) -> Result<(), Problem> {
        let Inner { places, taken, .. } = &*self.room.0;
        let is_crowded = taken.load(Ordering::Relaxed) > places / 2;
        match of_client {
            Some((all, share)) if is_crowded && all > share && all > self.taken => {
                Err(self.room.overloaded("the bodies of too many requests of this client are awaited"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.0.taken.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_leaves_a_quarter_to_reads_and_control_is_always_let_in() {
        let room = Room::new(4, RequestMeters::default());
        let work: Vec<Place> = (0..3).map(|_| room.enter(Class::Work).unwrap()).collect();
        let refused = room.enter(Class::Work).unwrap_err();
        assert_eq!(refused.status(), 503);
        let read = room.enter(Class::of(&Method::GET)).unwrap();
        assert!(room.enter(Class::Read).is_err(), "five of four");
        let control: Vec<Place> = (0..10).map(|_| room.enter(Class::Control).unwrap()).collect();
        drop((work, control));
        assert!(room.enter(Class::Work).is_ok(), "refusals keep no room");
        drop(read);
        assert_eq!(room.0.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_room_for_one_takes_work() {
        assert!(Room::new(1, RequestMeters::default()).enter(Class::Work).is_ok());
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
