//! Canceling: nothing that is confirmed is canceled, and nothing that is canceled is ever confirmed (D-15).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, OrderRejection, Phase};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Outcome, Step, Unavailable, persist,
    },
    systems::station::{
        STATION,
        flow::{CallOffReceipt, FlowEntry, StockFlow, StockFlowRejection},
        sale::RETRY_AFTER,
    },
};

/// The step in which the receipt is called off. Part of command ids: on disk, never rename.
pub const CALL_OFF_RECEIPT: &str = "call-off-receipt";

/// Cancels an order. Answered when the station expects nothing of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// How long the station has to answer.
    pub within: Duration,
}

impl Command<Order> for CancelOrder {
    const NAME: &'static str = "cancel-order";
    type Reply = ();
    fn decide(self, order: &Order, _: &CommandContext) -> Decision<Order, ()> {
        match order.phase {
            Phase::Placed => {}
            Phase::Canceling => return Err(OrderRejection::Canceling),
            Phase::New | Phase::Canceled => return Err(OrderRejection::Gone),
        }
        let (round, within) = (order.round.saturating_add(1), self.within);
        Ok(persist([OrderEvent::CancellationStarted { round, within }]).then(Order::call_off_receipt))
    }
}

/// The station's answer to [`CancelOrder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishCancellation {
    /// Whether the receipt is called off, or why not.
    pub outcome: Result<(), AskError<StockFlowRejection>>,
}

impl Command<Order> for FinishCancellation {
    const NAME: &'static str = "finish-cancellation";
    type Reply = ();
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, ()> {
        match order.phase {
            Phase::Canceling if ctx.answers.is_none_or(|answered| answered == order.step()) => {}
            Phase::Canceled => return Ok(Effects::reply(())),
            Phase::New | Phase::Placed | Phase::Canceling => {
                return Ok(persist([]).not_done(Unavailable::given_up_before(STATION, RETRY_AFTER)));
            }
        }
        let error = match self.outcome {
            Ok(()) => return Ok(persist([OrderEvent::OrderCanceled(order.slip.clone())]).reply(())),
            Err(error) => error,
        };
        // Forward: the receipt may be called off, so the order cannot stay. Asking again finds out.
        if error.outcome() == Outcome::Unknown {
            return Ok(persist([]).then(Order::call_off_receipt));
        }
        let given_up = persist([OrderEvent::CancellationGivenUp { reason: error.to_string() }]);
        Ok(if let AskError::Rejected(_) = error {
            given_up.rejected(OrderRejection::Confirmed)
        } else {
            given_up.not_done(error.of_partner(STATION, RETRY_AFTER))
        })
    }
}

impl Order {
    fn step(&self) -> Step {
        Step(CALL_OFF_RECEIPT, self.round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn call_off_receipt(&self) -> Continuation<Self, ()> {
        let receipt = FlowEntry::key_of_receipt(self.number.get());
        Ask::<StockFlow, _>::once(self.step(), receipt, CallOffReceipt, self.within)
            .then(|outcome| FinishCancellation { outcome })
    }
}
