//! Placing: no order without a delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Order, OrderEvent, OrderItem, OrderProgress, OrderRejection, Phase, given_up_before, is_late, no_delivery,
};
use crate::actors::{
    entity::{Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Outcome, Step, persist},
    systems::store::{
        delivery::{CreateDelivery, Delivery, DeliveryItem, DeliveryRejection, DeliveryStatus},
        values::{Field, at_least, first_status, id},
    },
};

/// The step in which the delivery is created. Its rounds derive the delivery's key: on disk, never rename.
pub const CREATE_DELIVERY: &str = "create-delivery";

/// Orders goods. Answered when the delivery exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// What to order; 0 when the client names none. It need not exist (D-10).
    pub product_id: u64,
    /// How many, at least 1.
    pub quantity: i32,
    /// `order`; missing or empty means that too (D-1).
    pub status: Option<String>,
    /// How long the delivery service has to answer (D-13: 1000 ms).
    pub within: Duration,
}

impl Command<Order> for PlaceOrder {
    const NAME: &'static str = "place-order";
    type Reply = OrderItem;
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, OrderItem> {
        match order.phase {
            Phase::New | Phase::GivenUp => {}
            Phase::Placing => return Err(OrderRejection::Placing),
            Phase::Placed | Phase::Canceling | Phase::Canceled => return Err(OrderRejection::AlreadyPlaced),
        }
        let Self { product_id, quantity, status, within } = self;
        id(Field::ProductId, product_id)?;
        at_least(1, Field::Quantity, quantity)?;
        first_status(OrderProgress::Ordered.as_str(), status.as_deref())?;
        let round = order.placing_round.saturating_add(1);
        let started = OrderEvent::PlacingStarted { number: ctx.number, product_id, quantity, round, within };
        Ok(persist([started]).then(Order::create_delivery))
    }
}

/// The delivery's answer to [`PlaceOrder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishPlacing {
    /// The delivery, or why there is none.
    pub outcome: Result<DeliveryItem, AskError<DeliveryRejection>>,
}

impl Command<Order> for FinishPlacing {
    const NAME: &'static str = "finish-placing";
    type Reply = OrderItem;
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, OrderItem> {
        let placed = order.item_with(OrderProgress::Ordered);
        match order.phase {
            Phase::Placing if !is_late(ctx, order.placing_step()) => {}
            Phase::Placed | Phase::Canceling | Phase::Canceled => return Ok(Effects::reply(placed)),
            Phase::New | Phase::Placing | Phase::GivenUp => {
                return Ok(persist([]).not_done(given_up_before()));
            }
        }
        let error = match self.outcome {
            Ok(delivery) => {
                let Order { product_id, quantity, .. } = *order;
                return Ok(persist([OrderEvent::Ordered { product_id, quantity, delivery: delivery.id }]).reply(placed));
            }
            Err(error) => error,
        };
        let given_up = OrderEvent::PlacingGivenUp { reason: error.to_string() };
        let void = OrderEvent::DeliveryVoidRequested { round: order.placing_round };
        let events = if may_stand(&error) { vec![given_up, void] } else { vec![given_up] };
        Ok(persist(events).not_done(no_delivery(&error)))
    }
}

/// Whether the delivery may exist after this answer, or come to exist.
fn may_stand(error: &AskError<DeliveryRejection>) -> bool {
    matches!(error, AskError::Rejected(DeliveryRejection::AlreadyCreated)) || error.outcome() == Outcome::Unknown
}

impl Order {
    fn placing_step(&self) -> Step {
        Step(CREATE_DELIVERY, self.placing_round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn create_delivery(&self) -> Continuation<Self, OrderItem> {
        let create = CreateDelivery {
            order_id: self.number.get(),
            product_id: self.product_id,
            quantity: self.quantity,
            status: Some(DeliveryStatus::Started.as_str().to_owned()),
        };
        Ask::<Delivery, _>::create(self.placing_step(), create, self.within).then(|outcome| FinishPlacing { outcome })
    }
}
