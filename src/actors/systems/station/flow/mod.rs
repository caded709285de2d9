//! A row of the ledger: fuel that came, went or is expected (service Station).
//!
//! A row is keyed by what causes it, so that each cause moves the stock once: `order-7` is the receipt of an order,
//! `sale-7` a sale, `canceled-sale-7` its cancellation; a correction by hand has the key of its request. The row
//! begins, asks the [`Stock`] of its product to move, and is written when that has moved:
//!
//! ```text
//!         Received (0 of n)             MovementBegun            Received
//!   new -------------------> expected --------------> moving -------------> recorded
//!    |                          |  ^                   |  ^                    |
//!    |      MovementBegun       |  +-MovementGivenUp---+  |                    | ReversalBegun
//!    +--------------------------|-------------------------+                    v
//!    |                          |            (back to new, too)            reversing --ReversalGivenUp--> recorded
//!    |  SaleVoided,             | ReceiptCalledOff                             | SaleReversed
//!    +--ReceiptCalledOff------> gone <-----------------------------------------+
//! ```
//!
//! A row that is gone refuses what comes late: a sale that POS has given up, a shipment of a canceled order.

use serde::{Deserialize, Serialize};

use super::stock::Stock;
use crate::actors::entity::{AnyContinuation, Command, Entity, Listed, Number, NumberedId, Presence};

mod event;
mod moving;
mod receipt;
mod rejection;
mod voiding;

pub use event::{FlowEntry, StockFlowEvent};
pub use moving::{FinishMovement, MOVE_STOCK, RecordFlow};
pub use receipt::{CallOffReceipt, ConfirmReceipt, ExpectReceipt};
pub use rejection::StockFlowRejection;
pub use voiding::{FinishReversal, REVERSE_SALE, VoidSale};

/// One row of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StockFlow {
    phase: Phase,
    /// The row's own number, by which the stock knows it.
    number: Number,
    /// The row as it stands.
    entry: Option<FlowEntry>,
    /// The row as it will be when the stock has moved.
    pending: Option<FlowEntry>,
    /// The last try to move the stock.
    round: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Expected,
    Moving,
    Recorded,
    Reversing,
    Gone,
}

impl Entity for StockFlow {
    const KIND: &'static str = "station.stock-flow";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = StockFlowEvent;
    type Rejection = StockFlowRejection;
    const COMMANDS: &'static [&'static str] = &[
        ExpectReceipt::NAME,
        ConfirmReceipt::NAME,
        CallOffReceipt::NAME,
        RecordFlow::NAME,
        FinishMovement::NAME,
        VoidSale::NAME,
        FinishReversal::NAME,
    ];
    const ASKS: &'static [&'static str] = &[Stock::KIND];

    fn evolve(&mut self, event: &StockFlowEvent) {
        match event {
            StockFlowEvent::Received(entry) => {
                self.phase = if entry.is_expected() { Phase::Expected } else { Phase::Recorded };
                (self.entry, self.pending) = (Some(entry.clone()), None);
            }
            StockFlowEvent::MovementBegun { number, entry, round } => {
                (self.phase, self.number, self.round) = (Phase::Moving, *number, *round);
                self.pending = Some(entry.clone());
            }
            StockFlowEvent::MovementGivenUp { .. } => {
                self.phase = if self.entry.is_some() { Phase::Expected } else { Phase::New };
                self.pending = None;
            }
            StockFlowEvent::ReversalBegun { number, round } => {
                (self.phase, self.number, self.round) = (Phase::Reversing, *number, *round);
            }
            StockFlowEvent::ReversalGivenUp { .. } => self.phase = Phase::Recorded,
            StockFlowEvent::SaleVoided | StockFlowEvent::ReceiptCalledOff | StockFlowEvent::SaleReversed(_) => {
                (self.phase, self.entry, self.pending) = (Phase::Gone, None, None);
            }
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match self.phase {
            Phase::Moving if self.pending.is_some() => vec![self.move_stock().erase()],
            Phase::Reversing if self.entry.is_some() => vec![self.reverse().erase()],
            Phase::New | Phase::Expected | Phase::Moving | Phase::Recorded | Phase::Reversing | Phase::Gone => {
                Vec::new()
            }
        }
    }
}

impl Listed for StockFlow {
    const LIST: &'static str = "station.stock-flows";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::Gone => Presence::Removed,
            Phase::New | Phase::Expected | Phase::Moving | Phase::Recorded | Phase::Reversing => {
                if self.entry.is_some() { Presence::Listed } else { Presence::Hidden }
            }
        }
    }
}

/// A row as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockFlowItem {
    /// The row's number.
    pub stock_id: u64,
    /// The product.
    pub product_id: String,
    /// Its name, when whoever wrote the row knew it.
    pub product_name: Option<String>,
    /// What came (positive) or went (negative), in litres.
    pub qty: f64,
    /// Of a receipt, what is expected.
    pub qty_to_be: Option<f64>,
    /// Why, in the words of whoever wrote the row.
    pub reason: Option<String>,
    /// The order that it is a receipt of.
    pub order_id: Option<u64>,
    /// The sale that it belongs to.
    pub sale_id: Option<u64>,
}

impl StockFlow {
    /// The row as clients see it; `None` when there is none, not yet or any more.
    pub fn item(&self, number: Number) -> Option<StockFlowItem> {
        Some(self.entry.as_ref()?.item(number))
    }
}
