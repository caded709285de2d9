//! The requests that the edge answered, by route. A route is a pattern that somebody declared, never a path that a
//! client chose, so there are as many as there were at the start.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::super::system::System;
use crate::measure::{Buckets, Histogram};

/// The methods that are told apart; all others are one.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// The statuses that our answers have, ascending; all others are one.
const STATUSES: [u16; 32] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413,
    414, 415, 417, 422, 429, 431, 500, 503, 504,
];

/// What is counted of one route: whoever answers its requests has this at hand, and looks nothing up.
#[derive(Debug)]
pub struct RouteMeter {
    system: &'static str,
    service: &'static str,
    route: String,
    /// By method and status: the known ones, and one for the rest.
    counts: [[AtomicU64; STATUSES.len() + 1]; METHODS.len()],
    seconds: Buckets,
}

impl RouteMeter {
    fn new(system: &'static str, service: &'static str, route: String) -> Arc<Self> {
        let counts = std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)));
        Arc::new(Self { system, service, route, counts, seconds: Buckets::default() })
    }

    /// The system whose resource it is; empty for what belongs to none.
    pub fn system(&self) -> &'static str {
        self.system
    }

    /// The service whose resource it is; empty for what belongs to none.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The pattern.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// A request was answered.
    pub fn answered(&self, method: &str, status: u16, took: Duration) {
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let status = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
        if let Some(count) = self.counts.get(method).and_then(|counts| counts.get(status)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.seconds.took(took);
    }

    fn figures(&self) -> RouteFigures {
        let status = |at: usize| STATUSES.get(at).map_or_else(|| "other".to_owned(), u16::to_string);
        let counts = METHODS.iter().zip(&self.counts).flat_map(|(method, counts)| {
            let counts = counts.iter().enumerate().map(|(at, count)| (at, count.load(Ordering::Relaxed)));
            counts.filter(|(_, count)| *count > 0).map(move |(at, count)| (*method, status(at), count))
        });
        RouteFigures {
            system: self.system,
            service: self.service,
            route: self.route.clone(),
            answered: counts.collect(),
            seconds: self.seconds.read(),
        }
    }
}

/// What was answered on one route since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFigures {
    /// The system whose resource it is; empty for what belongs to none.
    pub system: &'static str,
    /// The service whose resource it is; empty for what belongs to none.
    pub service: &'static str,
    /// The pattern, as `/orders/{id}`.
    pub route: String,
    /// Method, status, and how often that was answered; those that were.
    pub answered: Vec<(&'static str, String, u64)>,
    /// How long the answers took, in microseconds.
    pub seconds: Histogram,
}

type Key = (&'static str, &'static str, String);

/// The counters of all listeners. All clones are one.
#[derive(Clone, Default)]
pub struct RequestMeters(Arc<Inner>);

#[derive(Default)]
struct Inner {
    routes: Mutex<BTreeMap<Key, Arc<RouteMeter>>>,
    shed: AtomicU64,
    lines: AtomicU64,
    lines_dropped: AtomicU64,
}

impl RequestMeters {
    /// Where requests are counted that have no route: an unknown path, or one that was refused unseen.
    pub const UNMATCHED: &'static str = "unmatched";

    /// The counters of a route, the same for all listeners. Called when a listener is put together, with declared
    /// patterns only: what is made here is there for ever.
    pub fn route(&self, system: &'static str, service: &'static str, route: impl Into<String>) -> Arc<RouteMeter> {
        let route = route.into();
        let mut routes = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = routes.entry((system, service, route.clone()));
        meter.or_insert_with(|| RouteMeter::new(system, service, route)).clone()
    }

    /// A request was refused unseen, because too many were under way.
    pub fn count_shed(&self) {
        self.0.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that were refused unseen.
    pub fn shed(&self) -> u64 {
        self.0.shed.load(Ordering::Relaxed)
    }

    /// A line for the access log was taken, or dropped since too many waited.
    pub fn count_line(&self, taken: bool) {
        let count = if taken { &self.0.lines } else { &self.0.lines_dropped };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Lines for the access log that were taken, and that were dropped.
    pub fn lines(&self) -> (u64, u64) {
        (self.0.lines.load(Ordering::Relaxed), self.0.lines_dropped.load(Ordering::Relaxed))
    }

    /// Every route on which something was answered.
    pub fn figures(&self) -> Vec<RouteFigures> {
        let routes: Vec<_> = self.0.routes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        routes.iter().map(|route| route.figures()).filter(|route| route.seconds.count > 0).collect()
    }
}

impl fmt::Debug for RequestMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMeters").field("shed", &self.shed()).finish_non_exhaustive()
    }
}

impl System {
    /// What its listeners have answered.
    pub fn requests(&self) -> RequestMeters {
        self.inner.requests.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_route_method_and_status_and_unknown_ones_are_one() {
        let meters = RequestMeters::default();
        let orders = meters.route("store", "order", "/orders");
        assert!(Arc::ptr_eq(&orders, &meters.route("store", "order", "/orders")), "listeners share it");
        meters.route("store", "order", "/never");
        for (method, status) in [("POST", 201), ("POST", 201), ("POST", 504), ("BREW", 418), ("GET", 503), ("GET", 299)]
        {
            orders.answered(method, status, Duration::from_millis(1));
        }
        let figures = meters.figures();
        assert_eq!(figures.len(), 1, "what was never asked is not shown");
        let told: Vec<(&str, &str, u64)> =
            figures[0].answered.iter().map(|(method, status, count)| (*method, status.as_str(), *count)).collect();
        let expected =
            [("GET", "503", 1), ("GET", "other", 1), ("POST", "201", 2), ("POST", "504", 1), ("other", "other", 1)];
        assert_eq!(told, expected);
        assert_eq!((figures[0].seconds.count, figures[0].seconds.sum), (6, 6000));
    }
}
