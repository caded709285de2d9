//! What agencies change of a request, and the results that they record.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    DeliveryRequest, DeliveryRequestEvent, DeliveryRequestRejection, Inspected, Live, RequestAndResult, Wanted,
    order_of,
};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, Key, persist},
    systems::procurement::values::{Demand, DemandChange, Filing},
};

/// Changes what is demanded, or records the result of the request's inspection, which is created when it is
/// missing (D-6). What is equal to what is stored is no change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeRequest {
    /// The request's number.
    pub id: u64,
    /// The procurement number that the client sent; it cannot change.
    pub proc_no: Option<String>,
    /// What is to be demanded.
    pub demand: DemandChange,
    /// Fields of the result; `None` keeps them.
    pub filing: Filing,
    /// The result to record. A result cannot be cleared, so `None` keeps it.
    pub passed: Option<bool>,
    /// How long the delivery management has to answer (D-13: 1000 ms).
    pub within: Duration,
}

impl Command<DeliveryRequest> for ChangeRequest {
    const NAME: &'static str = "change-request";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, _: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let live = request.at_rest(self.id)?;
        same(&live.proc_no, self.proc_no.as_deref())?;
        let demand = self.demand.over(&live.demand)?;
        let demand = (demand != live.demand).then_some(demand);
        if demand.is_some() && live.assigned {
            return Err(DeliveryRequestRejection::Assigned);
        }
        request.amend(live, Wanted { demand, filing: self.filing, passed: self.passed }, self.within)
    }
}

/// Which inspection result is meant (D-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfResult {
    /// The one with this number.
    Result(u64),
    /// The one of the request with this number.
    Request(u64),
}

/// Records the result of an inspection, or mends its fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordResult {
    /// Which.
    pub of: OfResult,
    /// The procurement number that the client sent; it cannot change.
    pub proc_no: Option<String>,
    /// Fields of the result; `None` keeps them.
    pub filing: Filing,
    /// The result to record. A result cannot be cleared, so `None` keeps it.
    pub passed: Option<bool>,
    /// How long the delivery management has to answer (D-13: 1000 ms).
    pub within: Duration,
}

impl Command<DeliveryRequest> for RecordResult {
    const NAME: &'static str = "record-result";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, _: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let live = request.live.as_ref().filter(|live| live.has(self.of)).ok_or(DeliveryRequestRejection::NoResult)?;
        same(&live.proc_no, self.proc_no.as_deref())?;
        if request.step.is_some() {
            return Err(DeliveryRequestRejection::Busy);
        }
        request.amend(live, Wanted { demand: None, filing: self.filing, passed: self.passed }, self.within)
    }
}

fn same(stored: &Key, given: Option<&str>) -> Result<(), DeliveryRequestRejection> {
    match given {
        Some(given) if given != stored.as_str() => Err(DeliveryRequestRejection::OtherProcNo),
        Some(_) | None => Ok(()),
    }
}

impl Live {
    fn has(&self, of: OfResult) -> bool {
        let result = self.result.as_ref();
        match of {
            OfResult::Result(id) => result.is_some_and(|result| result.id == id),
            OfResult::Request(id) => result.is_some() && self.id == id,
        }
    }
}

impl DeliveryRequest {
    fn amend(&self, live: &Live, wanted: Wanted, within: Duration) -> Decision<Self, RequestAndResult> {
        wanted.filing.check()?;
        let stored = live.result.as_ref();
        let (filing, recorded) =
            stored.map(|Inspected { filing, passed, .. }| (filing.clone(), *passed)).unwrap_or_default();
        let wanted = Wanted { filing: wanted.filing.over(&filing), ..wanted };
        let passed = wanted.passed.filter(|passed| recorded != Some(*passed));
        if passed.is_none() && wanted.filing == filing {
            return Ok(match wanted.demand {
                Some(demand) => persist([live.changed(demand)]).reply_with(Self::item),
                None => Effects::reply(live.item()),
            });
        }
        if live.passed() {
            return Err(DeliveryRequestRejection::Passed);
        }
        let (wanted, round) = (Wanted { passed, ..wanted }, self.next_round());
        match (passed, stored) {
            (Some(true), _) => {
                let order = order_of(live.id);
                let started = DeliveryRequestEvent::AnnouncementStarted { round, order, wanted, within };
                Ok(persist([started]).then(Self::announce))
            }
            (Some(false) | None, Some(stored)) => {
                Ok(persist(self.recorded(live, stored.id, wanted)).reply_with(Self::item))
            }
            (Some(false) | None, None) => {
                Ok(persist([DeliveryRequestEvent::NumberWanted { round, wanted }]).then(Self::draw_result_number))
            }
        }
    }

    /// What makes the result with this number what is wanted.
    pub(super) fn recorded(&self, live: &Live, id: u64, wanted: Wanted) -> Vec<DeliveryRequestEvent> {
        let Wanted { demand, filing, passed } = wanted;
        let (request, proc_no) = (live.id, live.proc_no.clone());
        let stored = live.result.as_ref().and_then(|result| result.passed);
        let result = match passed {
            Some(passed) => {
                let round = self.next_round();
                DeliveryRequestEvent::InspectionResultPatched { id, request, proc_no, filing, passed, round }
            }
            None => DeliveryRequestEvent::InspectionFiled { id, request, filing, passed: stored },
        };
        demand.map(|demand| live.changed(demand)).into_iter().chain([result]).collect()
    }
}

impl Live {
    fn changed(&self, demand: Demand) -> DeliveryRequestEvent {
        DeliveryRequestEvent::ProcurementRequestChanged { id: self.id, proc_no: self.proc_no.clone(), demand }
    }
}
