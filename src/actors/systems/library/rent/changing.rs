use serde::{Deserialize, Serialize};

use super::{Phase, Rent, RentEvent, RentItem, RentRejection, RentStatus};
use crate::actors::entity::{Command, CommandContext, Decision, Effects, persist};

/// Cancels the rent of an order that was cancelled. Nothing to do where there is none or it is canceled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelRent;

impl Command<Rent> for CancelRent {
    const NAME: &'static str = "cancel-rent";
    type Reply = ();
    fn decide(self, rent: &Rent, _: &CommandContext) -> Decision<Rent, ()> {
        match rent.phase {
            Phase::Standing => Ok(persist([rent.canceled()]).reply(())),
            Phase::New | Phase::Voided | Phase::Canceled => Ok(Effects::reply(())),
        }
    }
}

/// Makes sure that a round which its order gave up has no rent, whether its creation came before, comes
/// later, or never comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoidRent {
    /// The order.
    pub order_id: u64,
    /// The round that was given up.
    pub round: u32,
}

impl Command<Rent> for VoidRent {
    const NAME: &'static str = "void-rent";
    type Reply = ();
    fn decide(self, rent: &Rent, _: &CommandContext) -> Decision<Rent, ()> {
        let Self { order_id, round } = self;
        match rent.phase {
            Phase::New => Ok(persist([RentEvent::RentVoided { order_id, round }]).reply(())),
            Phase::Voided if round > rent.round => Ok(persist([RentEvent::RentVoided { order_id, round }]).reply(())),
            Phase::Standing if round >= rent.round => Ok(persist([rent.canceled()]).reply(())),
            Phase::Voided | Phase::Standing | Phase::Canceled => Ok(Effects::reply(())),
        }
    }
}

/// Changes a rent: the one change that there is cancels it. What changes nothing is accepted, such as the
/// confirmation by a librarian that earlier versions wanted (D-13).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeRent {
    /// A new order; `None` keeps it, for it is not the client's to clear.
    pub order_id: Option<u64>,
    /// A new status; `None` keeps it, as above.
    pub status: Option<String>,
}

impl Command<Rent> for ChangeRent {
    const NAME: &'static str = "change-rent";
    type Reply = RentItem;
    fn decide(self, rent: &Rent, ctx: &CommandContext) -> Decision<Rent, RentItem> {
        let item = rent.item(ctx.number).ok_or(RentRejection::Gone)?;
        if self.order_id.is_some_and(|order| order != item.order_id) {
            return Err(RentRejection::Immutable);
        }
        let Some(status) = self.status.filter(|status| status != item.status.as_str()) else {
            return Ok(Effects::reply(item));
        };
        if item.status == RentStatus::Rented && status == RentStatus::Canceled.as_str() {
            return Ok(persist([rent.canceled()]).reply(RentItem { status: RentStatus::Canceled, ..item }));
        }
        Err(RentRejection::Immutable)
    }
}

impl Rent {
    fn canceled(&self) -> RentEvent {
        RentEvent::RentCanceled { order_id: self.order_id }
    }
}
