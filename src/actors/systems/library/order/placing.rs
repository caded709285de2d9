//! Placing: no order without its rent.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, OrderItem, OrderRejection, OrderStatus, Phase};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Outcome, Step, Unavailable, persist,
    },
    systems::library::{
        rent::{CreateRent, Rent, RentRejection, RentStatus, Rental},
        values::{Field, InvalidValue, first_status, key_of_order},
    },
};

/// The step in which the rent is created. Part of command ids: on disk, never rename.
const CREATE_RENT: &str = "create-rent";

/// When a client may repeat what the rent service kept from being done: when an open breaker lets the
/// next trial through (section 6).
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Requests a book. Answered when its rental is confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// The book's title; not blank, at most [`Order::MAX_CHARACTERS`] (D-3).
    pub item: Option<String>,
    /// `Ordered`; missing or empty means that too (D-1).
    pub status: Option<String>,
    /// How long the rent service has to answer (D-15: 1000 ms).
    pub within: Duration,
}

impl Command<Order> for PlaceOrder {
    const NAME: &'static str = "place-order";
    type Reply = OrderItem;
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, OrderItem> {
        match order.phase {
            Phase::New | Phase::GivenUp => {}
            Phase::Placing => return Err(OrderRejection::Placing),
            Phase::Spent => return Err(OrderRejection::GivenUp),
            Phase::Placed | Phase::Cancelled => return Err(OrderRejection::AlreadyPlaced),
        }
        let Self { item, status, within } = self;
        let item = title(item)?;
        first_status(OrderStatus::Ordered.as_str(), status.as_deref())?;
        let round = order.round.saturating_add(1);
        let started = OrderEvent::PlacingStarted { number: ctx.number, item, round, within };
        Ok(persist([started]).then(Order::create_rent))
    }
}

fn title(item: Option<String>) -> Result<String, InvalidValue> {
    let item = item.filter(|item| !item.trim().is_empty()).ok_or(InvalidValue::Missing(Field::Item))?;
    let most = Order::MAX_CHARACTERS;
    if item.chars().count() > most { Err(InvalidValue::TooLong { field: Field::Item, most }) } else { Ok(item) }
}

/// The rent's answer to [`PlaceOrder`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishPlacing {
    /// The rent, or why there is none.
    pub outcome: Result<Rental, AskError<RentRejection>>,
}

impl Command<Order> for FinishPlacing {
    const NAME: &'static str = "finish-placing";
    type Reply = OrderItem;
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, OrderItem> {
        match order.phase {
            Phase::Placing if ctx.answers.is_none_or(|answered| answered == order.placing_step()) => {}
            Phase::Placed | Phase::Cancelled => return Ok(Effects::reply(order.item_with(OrderStatus::Ordered))),
            Phase::New | Phase::Placing | Phase::GivenUp | Phase::Spent => {
                return Ok(persist([]).not_done(given_up_before()));
            }
        }
        match self.outcome {
            Ok(Rental { rent, .. }) if rent.status == RentStatus::Rented => {
                let placed = order.item_with(OrderStatus::Ordered);
                Ok(persist([OrderEvent::Ordered { item: order.item.clone() }]).reply(placed))
            }
            // A rent is canceled once and for all, and there is one for each order (D-5).
            Ok(Rental { .. }) => {
                let reason = "the rent of this order is canceled".to_owned();
                Ok(persist([OrderEvent::PlacingGivenUp { reason, for_good: true }]).rejected(OrderRejection::GivenUp))
            }
            Err(error) => {
                let given_up = OrderEvent::PlacingGivenUp { reason: error.to_string(), for_good: false };
                let void = OrderEvent::RentVoidRequested { order_id: order.number.get(), round: order.round };
                let may_stand = error.outcome() == Outcome::Unknown;
                let events = if may_stand { vec![given_up, void] } else { vec![given_up] };
                Ok(persist(events).not_done(no_rent(&error)))
            }
        }
    }
}

impl Order {
    /// Titles of real books fit many times.
    pub const MAX_CHARACTERS: usize = 255;

    fn placing_step(&self) -> Step {
        Step(CREATE_RENT, self.round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn create_rent(&self) -> Continuation<Self, OrderItem> {
        let order_id = self.number.get();
        let status = Some(RentStatus::Rented.as_str().to_owned());
        let create = CreateRent { order_id, round: self.round, status };
        Ask::<Rent, _>::once(self.placing_step(), key_of_order(order_id), create, self.within)
            .then(|outcome| FinishPlacing { outcome })
    }
}

/// "Take the request a little later": what clients get when the rent service is to blame.
fn no_rent(error: &AskError<impl Display>) -> Unavailable {
    error.of_partner("library/rent", RETRY_AFTER)
}

/// What is told to whoever comes with an answer to a try that is over.
fn given_up_before() -> Unavailable {
    Unavailable::given_up_before("library/rent", RETRY_AFTER)
}
