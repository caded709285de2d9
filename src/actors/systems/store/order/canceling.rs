//! Canceling: no cancellation of an order without the cancellation of its delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, OrderRejection, Phase, given_up_before, is_late, no_delivery};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, NumberedId, Outcome, Step, persist,
    },
    systems::store::delivery::{CancelDelivery, Delivery, DeliveryRejection},
};

/// The step in which the delivery is canceled. Part of command ids: on disk, never rename.
const CANCEL_DELIVERY: &str = "cancel-delivery";

/// Cancels an order. Answered when its delivery is canceled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// How long the delivery service has to answer (D-13: 1000 ms).
    pub within: Duration,
}

impl Command<Order> for CancelOrder {
    const NAME: &'static str = "cancel-order";
    type Reply = ();
    fn decide(self, order: &Order, _: &CommandContext) -> Decision<Order, ()> {
        match order.phase {
            Phase::Placed => {}
            Phase::Canceling => return Err(OrderRejection::Canceling),
            Phase::New | Phase::Placing | Phase::GivenUp | Phase::Canceled => return Err(OrderRejection::Gone),
        }
        let Some(delivery) = order.standing() else {
            return Ok(persist([order.canceled()]).reply(())); // D-12: headquarters was faster
        };
        let started = OrderEvent::CancellationStarted { delivery, round: order.next_round(), within: self.within };
        Ok(persist([started]).then(Order::cancel_delivery))
    }
}

/// The delivery's answer to [`CancelOrder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishCancellation {
    /// Whether the delivery is canceled, or why not.
    pub outcome: Result<(), AskError<DeliveryRejection>>,
}

impl Command<Order> for FinishCancellation {
    const NAME: &'static str = "finish-cancellation";
    type Reply = ();
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, ()> {
        match order.phase {
            Phase::Canceling if !is_late(ctx, order.canceling_step()) => {}
            Phase::Canceled => return Ok(Effects::reply(())),
            Phase::New | Phase::Placing | Phase::GivenUp | Phase::Placed | Phase::Canceling => {
                return Ok(persist([]).not_done(given_up_before()));
            }
        }
        match self.outcome {
            Ok(()) => Ok(persist([order.canceled()]).reply(())),
            Err(AskError::Rejected(DeliveryRejection::Gone) | AskError::NotFound { .. }) => Ok(order.go_on_without()),
            // Forward: the delivery may be canceled, so the order cannot stay. The next round finds out.
            // Rounds have no end, for giving up would break the rule; each takes at most `within`.
            Err(error) if error.outcome() == Outcome::Unknown => {
                let again = OrderEvent::CancellationContinued { delivery: order.asked, round: order.next_round() };
                Ok(persist([again]).then(Order::cancel_delivery))
            }
            Err(error) => {
                let given_up = OrderEvent::CancellationGivenUp { reason: error.to_string() };
                Ok(persist([given_up]).not_done(no_delivery(&error)))
            }
        }
    }
}

impl Order {
    fn canceling_step(&self) -> Step {
        Step(CANCEL_DELIVERY, self.canceling_round)
    }

    fn next_round(&self) -> u32 {
        self.canceling_round.saturating_add(1)
    }

    fn canceled(&self) -> OrderEvent {
        OrderEvent::OrderCanceled { product_id: self.product_id, quantity: self.quantity }
    }

    /// The delivery that was asked is gone: the earliest other goes instead, if one is known. Without
    /// any, the rule is satisfied (D-12).
    fn go_on_without(&self) -> Effects<Self, ()> {
        let mut rest = self.clone();
        rest.forget(self.asked);
        let Some(delivery) = rest.standing() else { return persist([self.canceled()]).reply(()) };
        let gone = OrderEvent::DeliveryFoundGone { delivery: self.asked };
        let next = OrderEvent::CancellationContinued { delivery, round: self.next_round() };
        persist([gone, next]).then(Self::cancel_delivery)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn cancel_delivery(&self) -> Continuation<Self, ()> {
        let delivery = NumberedId::number(self.asked);
        Ask::<Delivery, _>::once(self.canceling_step(), delivery, CancelDelivery, self.within)
            .then(|outcome| FinishCancellation { outcome })
    }
}
