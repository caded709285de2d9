//! Canceling: the request goes, and its inspection result with it (D-9).

use serde::{Deserialize, Serialize};

use super::{DeliveryRequest, DeliveryRequestEvent, DeliveryRequestRejection};
use crate::actors::{
    entity::{Command, CommandContext, Decision, persist},
    systems::procurement::ProcurementSettings,
};

/// Cancels a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelRequest {
    /// The request's number.
    pub id: u64,
}

impl Command<DeliveryRequest> for CancelRequest {
    const NAME: &'static str = "cancel-request";
    type Reply = ();
    fn decide(self, request: &DeliveryRequest, ctx: &CommandContext) -> Decision<DeliveryRequest, ()> {
        let live = request.at_rest(self.id)?;
        if live.passed() && !ctx.settings::<ProcurementSettings>().allow_cancel_after_inspection {
            return Err(DeliveryRequestRejection::Passed);
        }
        let (proc_no, result) = (live.proc_no.clone(), live.result.as_ref().map(|result| result.id));
        Ok(persist([DeliveryRequestEvent::ProcurementRequestCanceled { id: live.id, proc_no, result }]).reply(()))
    }
}
