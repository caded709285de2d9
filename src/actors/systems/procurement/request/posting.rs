//! Posting: no two live requests with one procurement number (D-2).

use serde::{Deserialize, Serialize};

use super::{
    DeliveryRequest, DeliveryRequestEvent, DeliveryRequestRejection, OWN_WITHIN, OpenStep, RequestAndResult,
    STEP_RETRY, given_up_before, is_late,
};
use crate::actors::{
    entity::{Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Key, NumberedId, Step, persist},
    systems::procurement::{
        number::{DrawNumber, NumberRejection, Numbered, RequestNumber},
        values::Demand,
    },
};

/// The step in which the request's number is drawn. Part of command ids: on disk, never rename.
const DRAW_REQUEST_NUMBER: &str = "draw-request-number";

/// Files a procurement request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostRequest {
    /// The procurement number; the entity's own key.
    pub proc_no: Key,
    /// What is demanded.
    pub demand: Demand,
    /// The stream of the number to draw: the same for a repeated request, so that one that names another
    /// procurement number is found out.
    pub ticket: Key,
}

impl Command<DeliveryRequest> for PostRequest {
    const NAME: &'static str = "post-request";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, _: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let Self { proc_no, demand, ticket } = self;
        demand.check()?;
        if request.live.is_some() {
            return Err(DeliveryRequestRejection::Duplicate);
        }
        if request.step.is_some() {
            return Err(DeliveryRequestRejection::Busy);
        }
        let round = request.next_round();
        let started = DeliveryRequestEvent::PostingStarted { round, ticket, proc_no, demand };
        Ok(persist([started]).then(DeliveryRequest::draw_request_number))
    }
}

/// The number for [`PostRequest`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishPosting {
    /// The number, or why there is none.
    pub outcome: Result<u64, AskError<NumberRejection>>,
}

impl Command<DeliveryRequest> for FinishPosting {
    const NAME: &'static str = "finish-posting";
    type Reply = RequestAndResult;
    fn decide(self, request: &DeliveryRequest, ctx: &CommandContext) -> Decision<DeliveryRequest, RequestAndResult> {
        let (proc_no, demand) = match &request.step {
            Some(OpenStep::Posting { proc_no, demand, .. }) if !is_late(ctx, request.posting_step()) => {
                (proc_no.clone(), demand.clone())
            }
            Some(_) | None => return Ok(request.as_it_is()),
        };
        let given_up = |reason: String| DeliveryRequestEvent::PostingGivenUp { reason };
        match self.outcome {
            // A number of a request that is long canceled is drawn again only under its old key.
            Ok(id) if id > request.last => {
                let posted = DeliveryRequestEvent::ProcurementRequestPosted { id, proc_no, demand };
                Ok(persist([posted]).reply_with(DeliveryRequest::item))
            }
            Ok(_) | Err(AskError::Rejected(NumberRejection::DrawnForAnother)) => {
                let rejection = DeliveryRequestRejection::KeyReused;
                Ok(persist([given_up(rejection.to_string())]).rejected(rejection))
            }
            // A number that was drawn all the same is never used.
            Err(error) => {
                let why = error.of_partner("procurement/procurementrequest", STEP_RETRY);
                Ok(persist([given_up(error.to_string())]).not_done(why))
            }
        }
    }
}

impl DeliveryRequest {
    fn posting_step(&self) -> Step {
        Step(DRAW_REQUEST_NUMBER, self.round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn draw_request_number(&self) -> Continuation<Self, RequestAndResult> {
        let (ticket, proc_no) = match &self.step {
            Some(OpenStep::Posting { ticket, proc_no, .. }) => (ticket.clone(), proc_no.clone()),
            Some(_) | None => unreachable!("asked only while posting"),
        };
        let draw = DrawNumber { proc_no, what: Numbered::Request };
        Ask::<RequestNumber, _>::once(self.posting_step(), NumberedId::Key(ticket), draw, OWN_WITHIN)
            .then(|outcome| FinishPosting { outcome })
    }

    /// The answer to a follow-up of a step that is over.
    pub(super) fn as_it_is(&self) -> Effects<Self, RequestAndResult> {
        match &self.step {
            None if self.live.is_some() => Effects::reply(self.item()),
            Some(_) | None => persist([]).not_done(given_up_before()),
        }
    }
}
