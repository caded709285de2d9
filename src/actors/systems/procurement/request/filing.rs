//! What procurementrequest hears of the other services.

use serde::{Deserialize, Serialize};

use super::{DeliveryRequest, DeliveryRequestEvent, RequestAndResult, STEP_RETRY, Wanted, no_partner};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::procurement::values::Filing,
};

/// Takes over what the company filed for inspection: the result begins with it, or has its fields; a failed
/// one is open again. Without a request there is nothing to inspect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileInspection {
    /// The request that the delivery is for, when that is known: another one's does not count.
    pub request: Option<u64>,
    /// What is filed.
    pub filing: Filing,
}

impl Command<DeliveryRequest> for FileInspection {
    const NAME: &'static str = "file-inspection";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, _: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let Some(live) = request.live.as_ref().filter(|live| self.request.is_none_or(|id| live.id == id)) else {
            return Ok(Effects::reply(request.item()));
        };
        if request.step.is_some() {
            let reason = "another step is in progress".to_owned();
            return Ok(persist([]).not_done(no_partner("procurement/procurementrequest", reason, STEP_RETRY)));
        }
        let Some(stored) = &live.result else {
            let wanted = Wanted { demand: None, filing: self.filing, passed: None };
            let round = request.next_round();
            return Ok(persist([DeliveryRequestEvent::NumberWanted { round, wanted }])
                .then(DeliveryRequest::draw_result_number));
        };
        let (filing, passed) = (self.filing.over(&stored.filing), stored.passed.filter(|passed| *passed));
        if filing == stored.filing && passed == stored.passed {
            return Ok(Effects::reply(request.item()));
        }
        let filed = DeliveryRequestEvent::InspectionFiled { id: stored.id, request: live.id, filing, passed };
        Ok(persist([filed]).reply_with(DeliveryRequest::item))
    }
}

/// A company is assigned: what is demanded is fixed from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkAssigned {
    /// The request that the delivery order is for, when that is known: another one's does not count.
    pub request: Option<u64>,
}

impl Command<DeliveryRequest> for MarkAssigned {
    const NAME: &'static str = "mark-assigned";
    type Reply = ();
    fn decide(self, request: &DeliveryRequest, _: &CommandContext) -> Decision<DeliveryRequest, ()> {
        let live = request.live.as_ref().filter(|live| self.request.is_none_or(|id| live.id == id));
        match live {
            Some(live) if !live.assigned => {
                Ok(persist([DeliveryRequestEvent::RequestAssigned { id: live.id }]).reply(()))
            }
            Some(_) | None => Ok(Effects::reply(())),
        }
    }
}
