//! The receipt of an order: expected, then confirmed once, or called off.

use serde::{Deserialize, Serialize};

use super::{FlowEntry, Phase, StockFlow, StockFlowEvent, StockFlowItem, StockFlowRejection};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::station::values::{Field, Milli, positive},
};

/// Expects what is shipped for an order. One that was called off before is not expected any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectReceipt {
    /// The row, with nothing received yet.
    pub entry: FlowEntry,
}

impl Command<StockFlow> for ExpectReceipt {
    const NAME: &'static str = "expect-receipt";
    type Reply = ();
    fn decide(self, flow: &StockFlow, _: &CommandContext) -> Decision<StockFlow, ()> {
        match flow.phase {
            Phase::New => Ok(persist([StockFlowEvent::Received(self.entry)]).reply(())),
            Phase::Expected | Phase::Moving | Phase::Recorded | Phase::Reversing | Phase::Gone => {
                Ok(Effects::reply(()))
            }
        }
    }
}

/// Confirms that an expected receipt has come. Answered when the stock has moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfirmReceipt {
    /// How much of it (D-14); `None` for all. The rest is expected no more.
    pub qty: Option<Milli>,
}

impl Command<StockFlow> for ConfirmReceipt {
    const NAME: &'static str = "confirm-receipt";
    type Reply = StockFlowItem;
    fn decide(self, flow: &StockFlow, ctx: &CommandContext) -> Decision<StockFlow, StockFlowItem> {
        if let Some(qty) = self.qty {
            positive(Field::Qty, qty)?;
        }
        let expected = match flow.phase {
            Phase::Expected => flow.entry.clone().ok_or(StockFlowRejection::NoExpectedReceipt)?,
            Phase::Moving => return Err(StockFlowRejection::Confirming),
            Phase::Recorded | Phase::Reversing => return Err(StockFlowRejection::AlreadyConfirmed),
            Phase::New | Phase::Gone => return Err(StockFlowRejection::NoExpectedReceipt),
        };
        let to_be = expected.qty_to_be.unwrap_or(Milli::ZERO);
        let qty = self.qty.unwrap_or(to_be);
        if qty > to_be {
            return Err(StockFlowRejection::MoreThanExpected);
        }
        Ok(persist([flow.begun(ctx.number, FlowEntry { qty, ..expected })]).then(StockFlow::move_stock))
    }
}

/// Makes sure that the receipt of a canceled order is never confirmed, whether it is expected already, will be, or
/// never is (D-15).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallOffReceipt;

impl Command<StockFlow> for CallOffReceipt {
    const NAME: &'static str = "call-off-receipt";
    type Reply = ();
    fn decide(self, flow: &StockFlow, _: &CommandContext) -> Decision<StockFlow, ()> {
        match flow.phase {
            Phase::New | Phase::Expected => Ok(persist([StockFlowEvent::ReceiptCalledOff]).reply(())),
            Phase::Gone => Ok(Effects::reply(())),
            Phase::Moving => Err(StockFlowRejection::Confirming),
            Phase::Recorded | Phase::Reversing => Err(StockFlowRejection::AlreadyConfirmed),
        }
    }
}
