//! A fault as it is asked for: what, where, how often, how long, how many it may hit.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    fault::{AppendFault, Fault},
    target::{NoTarget, Scope},
};

/// How often a fault may happen when it says so.
const COUNTS: RangeInclusive<u64> = 1..=1_000_000;

/// How often one fault may poison a journal: the storage supervisor opens it again three times a minute and then gives
/// up, which ends the process.
pub(crate) const MAX_POISONINGS: u64 = 3;

/// How long a fault may last: a day of trouble is no experiment any more.
const LASTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);

/// Base and spread together. No deadline is longer.
const LATENCIES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_mins(10);

/// Letters of an error's reason: it is in every answer and log line.
const REASON: usize = 200;

/// A fault to inject: `FaultPlan::new("stay/pay", Fault::Panic).count(3)`.
///
/// Without anything else it happens always, to everything that its target has, until it is ended.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a plan does nothing until it is injected"]
pub struct FaultPlan {
    pub(crate) target: String,
    pub(crate) fault: Fault,
    pub(crate) count: Option<u64>,
    pub(crate) probability: f64,
    pub(crate) share: f64,
    pub(crate) lasting: Option<Duration>,
    pub(crate) stop_above: Option<f64>,
    pub(crate) seed: Option<u64>,
}

/// Why a fault was not injected. Nothing has changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InjectError {
    /// Nothing is called so.
    #[error("there is no {sort} {target:?}")]
    NoTarget {
        /// What was given.
        target: String,
        /// `service`, `kind`, `entity`, `link` or `storage unit`.
        sort: &'static str,
        /// What there is of that sort.
        there_are: Vec<String>,
    },
    /// Several systems have a kind with this short name: give it in full.
    #[error("{target:?} is in several systems; say which")]
    Ambiguous {
        /// What was given.
        target: String,
        /// The full names.
        there_are: Vec<String>,
    },
    /// This sort of fault cannot happen there.
    #[error("{fault} cannot happen to {target}: {takes}")]
    NotThere {
        /// The sort of fault.
        fault: String,
        /// The target.
        target: String,
        /// What can.
        takes: &'static str,
    },
    /// A value is not within its bounds.
    #[error("{key} is {value}, and must be {bounds}")]
    OutOfBounds {
        /// Which.
        key: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        bounds: String,
    },
    /// A failed or torn append has the journal opened again; too often, and the process ends. So it needs a count.
    #[error(
        "append fail and tear need a count, from 1 to {most}: each has the journal opened again, and its supervisor gives up when that is needed more often"
    )]
    CountNeeded {
        /// The greatest count.
        most: u64,
    },
    /// As many faults are active as may be. End one first.
    #[error("{most} faults are active, and there may be no more; end one first")]
    TooMany {
        /// How many may be.
        most: usize,
    },
}

impl FaultPlan {
    /// `fault` for `target`: a service `store/delivery`, a kind `store.order` (or `order`, when one system has it), an
    /// entity `store.order/17`, a link `link/store.order.delivery`, `storage`, or `storage/<unit>`; in any case.
    pub fn new(target: impl Into<String>, fault: Fault) -> Self {
        let (count, lasting, stop_above, seed) = (None, None, None, None);
        Self { target: target.into(), fault, count, probability: 1.0, share: 1.0, lasting, stop_above, seed }
    }

    /// The same somewhere else.
    pub fn at(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Happens so often, 1 to 1,000,000 times, and ends.
    pub fn count(mut self, times: u64) -> Self {
        self.count = Some(times);
        self
    }

    /// Happens with this probability each time, above 0 and at most 1.
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Happens to at most this share of the entities, above 0 and at most 1: chosen by a hash of their kind and key, so
    /// that it stays with them.
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Ends after this time, 1 ms to 24 h.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasting = Some(time);
        self
    }

    /// Ends by itself when more than this share, above 0 and below 1, of the requests fail that it has nothing to do
    /// with: of the last 5 to 10 seconds, once there were 20 of them.
    pub fn stop_above(mut self, share: f64) -> Self {
        self.stop_above = Some(share);
        self
    }

    /// Draws from this seed, so that a test is the same each time.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Checks everything that can be said without knowing the system.
    ///
    /// # Errors
    /// `OutOfBounds`, `CountNeeded`.
    pub(crate) fn check(&self) -> Result<(), InjectError> {
        within("count", self.count.as_ref(), &COUNTS, |bounds| format!("{} to {}", bounds.start(), bounds.end()))?;
        within("for", self.lasting.as_ref(), &LASTS, |_| "1ms to 24h".to_owned())?;
        part(
            "probability",
            self.probability,
            self.probability > 0.0 && self.probability <= 1.0,
            "above 0 and at most 1",
        )?;
        part("share", self.share, self.share > 0.0 && self.share <= 1.0, "above 0 and at most 1")?;
        if let Some(limit) = self.stop_above {
            part("stop_above", limit, limit > 0.0 && limit < 1.0, "above 0 and below 1")?;
        }
        match &self.fault {
            Fault::Latency { base, spread } => {
                let longest = base.saturating_add(*spread);
                within("latency", Some(&longest), &LATENCIES, |_| "1ms to 10m, base and spread together".to_owned())
            }
            Fault::Error { reason } if reason.chars().count() > REASON => Err(InjectError::OutOfBounds {
                key: "error",
                value: format!("{} letters long", reason.chars().count()),
                bounds: format!("at most {REASON} letters"),
            }),
            Fault::Append(how) if how.poisons() => self.check_poisonings(),
            Fault::Error { .. } | Fault::Panic | Fault::Append(_) | Fault::HealthDown => Ok(()),
        }
    }

    fn check_poisonings(&self) -> Result<(), InjectError> {
        match self.count {
            Some(count) if count <= MAX_POISONINGS => Ok(()),
            Some(_) | None => Err(InjectError::CountNeeded { most: MAX_POISONINGS }),
        }
    }

    /// Checks that it can happen in `scope`.
    ///
    /// # Errors
    /// `NotThere`, `OutOfBounds`.
    pub(crate) fn check_in(&self, scope: &Scope) -> Result<(), InjectError> {
        scope.takes(self.fault.kind()).map_err(|takes| {
            let (fault, target) = (self.fault.kind().to_string(), scope.to_string());
            InjectError::NotThere { fault, target, takes }
        })?;
        let has_one = matches!(scope, Scope::Entity { .. }) || self.fault == Fault::HealthDown;
        if has_one && self.share < 1.0 {
            let bounds = "left out: there is nothing to take a share of".to_owned();
            return Err(InjectError::OutOfBounds { key: "share", value: self.share.to_string(), bounds });
        }
        Ok(())
    }
}

impl InjectError {
    pub(crate) fn of(target: &str, why: NoTarget) -> Self {
        let target = target.to_owned();
        match why {
            NoTarget::Unknown { sort, there_are } => Self::NoTarget { target, sort, there_are },
            NoTarget::Ambiguous { there_are } => Self::Ambiguous { target, there_are },
        }
    }
}

fn within<T: PartialOrd + std::fmt::Debug>(
    key: &'static str,
    value: Option<&T>,
    bounds: &RangeInclusive<T>,
    show: impl Fn(&RangeInclusive<T>) -> String,
) -> Result<(), InjectError> {
    match value {
        Some(value) if !bounds.contains(value) => {
            Err(InjectError::OutOfBounds { key, value: format!("{value:?}"), bounds: show(bounds) })
        }
        Some(_) | None => Ok(()),
    }
}

fn part(key: &'static str, value: f64, is_good: bool, bounds: &str) -> Result<(), InjectError> {
    if is_good {
        Ok(())
    } else {
        Err(InjectError::OutOfBounds { key, value: value.to_string(), bounds: bounds.to_owned() })
    }
}

impl AppendFault {
    /// How often it may happen.
    pub fn most(self) -> u64 {
        if self.poisons() { MAX_POISONINGS } else { *COUNTS.end() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic() -> FaultPlan {
        FaultPlan::new("store/order", Fault::Panic)
    }

    #[test]
    fn a_value_out_of_its_bounds_is_named_with_them() {
        let second = Duration::from_secs(1);
        let latency = |base, spread| FaultPlan::new("store/order", Fault::latency(base, spread));
        let error = |letters: usize| FaultPlan::new("store/order", Fault::error("x".repeat(letters)));
        for (plan, key) in [
            (panic().count(0), "count"),
            (panic().count(1_000_001), "count"),
            (panic().probability(0.0), "probability"),
            (panic().probability(1.5), "probability"),
            (panic().probability(f64::NAN), "probability"),
            (panic().share(-0.1), "share"),
            (panic().lasting(Duration::ZERO), "for"),
            (panic().lasting(86_401 * second), "for"),
            (panic().stop_above(1.0), "stop_above"),
            (latency(Duration::ZERO, Duration::ZERO), "latency"),
            (latency(600 * second, second), "latency"),
            (latency(Duration::MAX, Duration::MAX), "latency"),
            (error(201), "error"),
        ] {
            match plan.check() {
                Err(InjectError::OutOfBounds { key: told, .. }) => assert_eq!(told, key, "{plan:?}"),
                other => panic!("{plan:?}: {other:?}"),
            }
        }
        for plan in [
            panic(),
            panic().count(1).probability(0.15).share(0.01).lasting(second).stop_above(0.5).seed(1),
            latency(Duration::ZERO, second),
            error(200),
            error(0),
        ] {
            assert_eq!(plan.check(), Ok(()), "{plan:?}");
        }
    }

    #[test]
    fn what_poisons_a_journal_happens_at_most_as_often_as_that_is_survived() {
        for how in AppendFault::ALL {
            let plan = FaultPlan::new("storage", Fault::Append(how));
            let needed = Err(InjectError::CountNeeded { most: 3 });
            let expected = |is_good: bool| if is_good { Ok(()) } else { needed.clone() };
            assert_eq!(plan.check(), expected(!how.poisons()), "{how:?}");
            assert_eq!(plan.clone().count(how.most()).check(), Ok(()), "{how:?}");
            assert_eq!(plan.count(4).check(), expected(!how.poisons()), "{how:?}");
        }
    }

    #[test]
    fn each_fault_happens_where_it_makes_sense() {
        let scopes = [
            Scope::Service("s/a".into()),
            Scope::Kind("s.a".into()),
            Scope::Entity { kind: "s.a".into(), id: "1".into(), key: None },
            Scope::Link("s.a.b".into()),
            Scope::Storage(None),
        ];
        for (fault, takes) in [
            (Fault::latency(Duration::from_secs(1), Duration::ZERO), [true; 5]),
            (Fault::error(""), [true, true, true, true, false]),
            (Fault::Panic, [true, true, true, false, false]),
            (Fault::Append(AppendFault::Full), [false, false, false, false, true]),
            (Fault::HealthDown, [true, false, false, false, false]),
        ] {
            let checked = scopes.each_ref().map(|scope| FaultPlan::new("x", fault.clone()).check_in(scope).is_ok());
            assert_eq!(checked, takes, "{fault}");
        }
        let [service, _, entity, ..] = &scopes;
        assert!(panic().share(0.5).check_in(service).is_ok() && panic().share(0.5).check_in(entity).is_err());
        assert!(FaultPlan::new("x", Fault::HealthDown).share(0.5).check_in(service).is_err());
    }
}
