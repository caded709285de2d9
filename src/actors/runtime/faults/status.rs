//! A fault as operators see it.

use std::{fmt, time::Duration};

use super::{
    fault::{Fault, FaultId},
    plan::FaultPlan,
};
use crate::actors::entity::Timestamp;

/// An injected fault, active or ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FaultStatus {
    /// Its name.
    pub id: FaultId,
    /// Where it acts, in the system's own names.
    pub target: String,
    /// What goes wrong.
    pub fault: Fault,
    /// How often it may happen; `None` for without end.
    pub count: Option<u64>,
    /// How probable it is each time.
    pub probability: f64,
    /// The share of the entities that it may hit.
    pub share: f64,
    /// How long it lasts; `None` for until it is ended.
    pub lasting: Option<Duration>,
    /// The share of failed requests elsewhere above which it ends.
    pub stop_above: Option<f64>,
    /// When it was injected.
    pub since: Timestamp,
    /// How often it has happened.
    pub fired: u64,
    /// How many commands or calls wait in it now; only of a latency.
    pub waiting: u32,
    /// How long it still lasts; only while it is active and has an end.
    pub remaining: Option<Duration>,
    /// Why it ended, and when; `None` while it is active.
    pub ended: Option<(FaultEnd, Timestamp)>,
}

/// Why a fault ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FaultEnd {
    /// Somebody ended it.
    Removed,
    /// Its time was over.
    TimeOver,
    /// It happened as often as it should.
    UsedUp,
    /// Too many requests failed that it had nothing to do with.
    ErrorsElsewhere {
        /// The share of them that did.
        share: f64,
    },
}

impl FaultStatus {
    pub(crate) fn new(id: FaultId, target: String, plan: &FaultPlan, since: Timestamp) -> Self {
        Self {
            id,
            target,
            fault: plan.fault.clone(),
            count: plan.count,
            probability: plan.probability,
            share: plan.share,
            lasting: plan.lasting,
            stop_above: plan.stop_above,
            since,
            fired: 0,
            waiting: 0,
            remaining: plan.lasting,
            ended: None,
        }
    }

    /// Whether it can still happen, or somebody still waits in it.
    pub fn is_active(&self) -> bool {
        self.ended.is_none()
    }

    /// How often it may still happen; `None` for without end.
    pub fn left(&self) -> Option<u64> {
        self.count.map(|count| count.saturating_sub(self.fired))
    }
}

impl FaultEnd {
    /// `removed`, `time_over`, `used_up` or `errors_elsewhere`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::TimeOver => "time_over",
            Self::UsedUp => "used_up",
            Self::ErrorsElsewhere { .. } => "errors_elsewhere",
        }
    }
}

impl fmt::Display for FaultEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Removed => f.write_str("it was ended"),
            Self::TimeOver => f.write_str("its time was over"),
            Self::UsedUp => f.write_str("it happened as often as it should"),
            Self::ErrorsElsewhere { share } => {
                write!(f, "{:.0} % of the requests failed that it had nothing to do with", share * 100.0)
            }
        }
    }
}
