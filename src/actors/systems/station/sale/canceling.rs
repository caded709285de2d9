//! Canceling a sale, and the refusal to change one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Phase, Sale, SaleEvent, SaleItem, SaleRejection};
use crate::actors::entity::{Command, CommandContext, Decision, Effects, persist};

/// Takes a sale back. Done without the station, which catches up (N2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelSale;

impl Command<Sale> for CancelSale {
    const NAME: &'static str = "cancel-sale";
    type Reply = ();
    fn decide(self, sale: &Sale, _: &CommandContext) -> Decision<Sale, ()> {
        match sale.phase {
            Phase::Sold => Ok(persist([SaleEvent::CanceledSold(sale.ticket.clone())]).reply(())),
            Phase::New | Phase::Selling | Phase::GivenUp | Phase::Canceled => Err(SaleRejection::Gone),
        }
    }
}

/// Changes a sale: accepted only when it changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSale {
    /// What the client wants the sale's properties to be, as it sees them.
    pub wanted: Map<String, Value>,
}

impl Command<Sale> for ChangeSale {
    const NAME: &'static str = "change-sale";
    type Reply = SaleItem;
    fn decide(self, sale: &Sale, ctx: &CommandContext) -> Decision<Sale, SaleItem> {
        let item = sale.item(ctx.number).ok_or(SaleRejection::Gone)?;
        let present = serde_json::to_value(&item).unwrap_or_default();
        let is_same = self.wanted.iter().all(|(property, value)| present.get(property) == Some(value));
        if is_same { Ok(Effects::reply(item)) } else { Err(SaleRejection::Immutable) }
    }
}
