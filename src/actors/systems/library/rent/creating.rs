use serde::{Deserialize, Serialize};

use super::{Phase, Rent, RentEvent, RentItem, RentRejection, RentStatus};
use crate::actors::{
    entity::{Command, CommandContext, Decision, persist},
    systems::library::values::{Field, InvalidValue, first_status},
};

/// Rents a book for an order. Whoever asks again gets the same rent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreateRent {
    /// The order, at least 1; 0 when the client names none. The rent's key has to be of this order.
    pub order_id: u64,
    /// The round of the order that asks, counted from 1; 0 for who asks outside of any.
    pub round: u32,
    /// `Rent`; missing or empty means that too.
    pub status: Option<String>,
}

/// The answer to [`CreateRent`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rental {
    /// The rent of this order. It may be canceled already when it is not new.
    #[serde(flatten)]
    pub rent: RentItem,
    /// Whether there was none before.
    pub new: bool,
}

impl Command<Rent> for CreateRent {
    const NAME: &'static str = "create-rent";
    type Reply = Rental;
    fn decide(self, rent: &Rent, ctx: &CommandContext) -> Decision<Rent, Rental> {
        let Self { order_id, round, status } = self;
        if order_id == 0 {
            return Err(InvalidValue::Missing(Field::OrderId).into());
        }
        first_status(RentStatus::Rented.as_str(), status.as_deref())?;
        if let Some(existing) = rent.item(ctx.number) {
            let taken_over = rent.phase == Phase::Standing && round > rent.round;
            let events = taken_over.then_some(RentEvent::RentTakenOver { round });
            return Ok(persist(events).reply(Rental { rent: existing, new: false }));
        }
        if rent.phase == Phase::Voided && round <= rent.round {
            return Err(RentRejection::Voided);
        }
        let created = RentItem { id: ctx.number.get(), order_id, status: RentStatus::Rented };
        Ok(persist([RentEvent::Rented { order_id, round }]).reply(Rental { rent: created, new: true }))
    }
}
