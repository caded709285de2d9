//! Announcing: no passed inspection that the delivery management does not know of (section 6).

use serde::{Deserialize, Serialize};

use super::{
    DeliveryRequest, DeliveryRequestEvent, DeliveryRequestRejection, Live, OWN_WITHIN, OpenStep, RETRY_AFTER,
    RequestAndResult, Wanted, is_late, order_of,
};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, NumberedId, Outcome, Step, persist,
    },
    systems::procurement::{
        management::{
            AnnounceResult, DeliveryManagement, FindOrder, ManagementRejection, OrderRegister, RegisterRejection,
        },
        number::{DrawNumber, NumberRejection, Numbered, RequestNumber},
    },
};

/// The step in which a delivery order hears of a result. Part of command ids: on disk, never rename.
const ANNOUNCE_RESULT: &str = "announce-result";
/// The step that asks which delivery order acts. Part of command ids: on disk, never rename.
const FIND_ORDER: &str = "find-order";
/// The step in which a result's number is drawn. Part of command ids: on disk, never rename.
const DRAW_RESULT_NUMBER: &str = "draw-result-number";

/// The delivery management's answer to an announcement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishAnnouncement {
    /// Whether the delivery order has heard of the result, or why not.
    pub outcome: Result<(), AskError<ManagementRejection>>,
}

impl Command<DeliveryRequest> for FinishAnnouncement {
    const NAME: &'static str = "finish-announcement";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, ctx: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let (live, order, wanted, within) = match (&request.step, &request.live) {
            (Some(OpenStep::Announcing { order, wanted, within }), Some(live))
                if !is_late(ctx, request.announcing_step()) =>
            {
                (live, order, wanted.clone(), *within)
            }
            (Some(_) | None, _) => return Ok(request.as_it_is()),
        };
        match self.outcome {
            Ok(()) => Ok(match &live.result {
                Some(result) => persist(request.recorded(live, result.id, wanted)).reply_with(DeliveryRequest::item),
                None => persist([DeliveryRequestEvent::NumberWanted { round: request.next_round(), wanted }])
                    .then(DeliveryRequest::draw_result_number),
            }),
            Err(AskError::Rejected(ManagementRejection::AgencyRefused)) => {
                Ok(refused(DeliveryRequestRejection::AgencyRefused))
            }
            // The request's own order is gone: another one may act. One that is still to come is not replaced.
            Err(AskError::Rejected(ManagementRejection::Gone)) if *order == order_of(live.id) => {
                let sought = DeliveryRequestEvent::OrderSought { round: request.next_round(), wanted, within };
                Ok(persist([sought]).then(DeliveryRequest::search))
            }
            Err(
                AskError::Rejected(ManagementRejection::Unknown | ManagementRejection::Gone)
                | AskError::NotFound { .. },
            ) => Ok(refused(DeliveryRequestRejection::NoOrder)),
            Err(error) => {
                let given_up = DeliveryRequestEvent::AnnouncementGivenUp { reason: error.to_string() };
                let (announcement, order) = (request.round, order.clone());
                let void = DeliveryRequestEvent::ResultVoidRequested { announcement, order };
                let events = if error.outcome() == Outcome::Unknown { vec![given_up, void] } else { vec![given_up] };
                Ok(persist(events).not_done(error.of_partner(MANAGEMENT, RETRY_AFTER)))
            }
        }
    }
}

/// Who is to blame when a result cannot be announced.
const MANAGEMENT: &str = "procurement/procurementmanagement";

/// The delivery management said no: nothing of the step remains.
fn refused(rejection: DeliveryRequestRejection) -> Effects<DeliveryRequest, RequestAndResult> {
    persist([DeliveryRequestEvent::AnnouncementGivenUp { reason: rejection.to_string() }]).rejected(rejection)
}

/// The answer to the question which delivery order acts, when the request's own is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishSearch {
    /// The number of the newest delivery order, or why nobody knows.
    pub outcome: Result<Option<u64>, AskError<RegisterRejection>>,
}

impl Command<DeliveryRequest> for FinishSearch {
    const NAME: &'static str = "finish-search";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, ctx: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let (wanted, within) = match &request.step {
            Some(OpenStep::Searching { wanted, within }) if !is_late(ctx, request.search_step()) => {
                (wanted.clone(), *within)
            }
            Some(_) | None => return Ok(request.as_it_is()),
        };
        match self.outcome {
            Ok(Some(order)) => {
                let (round, order) = (request.next_round(), NumberedId::number(order));
                let started = DeliveryRequestEvent::AnnouncementStarted { round, order, wanted, within };
                Ok(persist([started]).then(DeliveryRequest::announce))
            }
            Ok(None) => Ok(refused(DeliveryRequestRejection::NoOrder)),
            // A question leaves nothing behind, whatever became of it.
            Err(error) => {
                let given_up = DeliveryRequestEvent::AnnouncementGivenUp { reason: error.to_string() };
                Ok(persist([given_up]).not_done(error.of_partner(MANAGEMENT, RETRY_AFTER)))
            }
        }
    }
}

/// The number for a result that had none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishNumbering {
    /// The number, or why there is none.
    pub outcome: Result<u64, AskError<NumberRejection>>,
}

impl Command<DeliveryRequest> for FinishNumbering {
    const NAME: &'static str = "finish-numbering";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, ctx: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let (live, wanted) = match (&request.step, &request.live) {
            (Some(OpenStep::Numbering { wanted }), Some(live)) if !is_late(ctx, request.numbering_step()) => {
                (live, wanted.clone())
            }
            (Some(_) | None, _) => return Ok(request.as_it_is()),
        };
        match self.outcome {
            Ok(id) => Ok(persist(request.recorded(live, id, wanted)).reply_with(DeliveryRequest::item)),
            // Forward: the delivery management may know the result. The number comes from this very service, so
            // it comes as soon as anything does; the runtime paces the asks.
            Err(_) => Ok(persist([]).then(DeliveryRequest::draw_result_number)),
        }
    }
}

impl DeliveryRequest {
    fn announcing_step(&self) -> Step {
        Step(ANNOUNCE_RESULT, self.round)
    }

    fn search_step(&self) -> Step {
        Step(FIND_ORDER, self.round)
    }

    fn numbering_step(&self) -> Step {
        Step(DRAW_RESULT_NUMBER, self.round)
    }

    fn demanded(&self) -> &Live {
        self.live.as_ref().expect("a request with an open step stays")
    }

    // Each continuation is used by the decision and by recovery, so that they cannot differ.

    pub(super) fn announce(&self) -> Continuation<Self, RequestAndResult> {
        let Some(OpenStep::Announcing { order, wanted: Wanted { filing, .. }, within }) = &self.step else {
            unreachable!("asked only while announcing")
        };
        let announce = AnnounceResult { announcement: Some(self.round), company: filing.company(), passed: true };
        Ask::<DeliveryManagement, _>::once(self.announcing_step(), order.clone(), announce, *within)
            .then(|outcome| FinishAnnouncement { outcome })
    }

    pub(super) fn search(&self) -> Continuation<Self, RequestAndResult> {
        let Some(OpenStep::Searching { within, .. }) = &self.step else { unreachable!("asked only while searching") };
        Ask::<OrderRegister, _>::once(self.search_step(), self.demanded().proc_no.clone(), FindOrder, *within)
            .then(|outcome| FinishSearch { outcome })
    }

    pub(super) fn draw_result_number(&self) -> Continuation<Self, RequestAndResult> {
        let draw = DrawNumber { proc_no: self.demanded().proc_no.clone(), what: Numbered::Result };
        Ask::<RequestNumber, _>::create(self.numbering_step(), draw, OWN_WITHIN)
            .then(|outcome| FinishNumbering { outcome })
    }
}
