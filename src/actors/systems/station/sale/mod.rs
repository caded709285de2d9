//! A sale at the point of sale (service POS).
//!
//! The sale and its row in the station's ledger come about together or not at all (D-8), so a sale is recorded as an
//! intent first and finished by the station's answer:
//!
//! ```text
//!                   SaleBegun               Sold            CanceledSold
//!   new, given up -----------> selling -----------> sold ----------------> canceled
//!        ^                        |
//!        +------------------------+
//!               SaleGivenUp (refused, or 503), and SaleVoidRequested when nobody knows what the station did
//! ```
//!
//! Canceling asks nobody: the station hears of it and catches up (N2).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{flow::StockFlow, values::Milli};
use crate::actors::entity::{AnyContinuation, Command, Entity, Listed, Number, NumberedId, Presence};

mod canceling;
mod event;
mod rejection;
mod selling;

pub use canceling::{CancelSale, ChangeSale};
pub use event::{SaleEvent, Ticket};
pub use rejection::SaleRejection;
pub(super) use selling::RETRY_AFTER;
pub use selling::{FinishSale, MakeSale, TAKE_STOCK};

/// The account that every sale goes to; accounts are kept by nobody yet.
const ACCOUNT: u64 = 1;

/// One sale.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sale {
    phase: Phase,
    /// The sale's own number, which its row in the ledger has to name.
    number: Number,
    ticket: Ticket,
    /// How long the step in progress waits for the station.
    within: Duration,
    /// The last try to sell.
    round: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Selling,
    GivenUp,
    Sold,
    Canceled,
}

impl Entity for Sale {
    const KIND: &'static str = "station.sale";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = SaleEvent;
    type Rejection = SaleRejection;
    const COMMANDS: &'static [&'static str] = &[MakeSale::NAME, FinishSale::NAME, CancelSale::NAME, ChangeSale::NAME];
    const ASKS: &'static [&'static str] = &[StockFlow::KIND];

    fn evolve(&mut self, event: &SaleEvent) {
        match event {
            SaleEvent::SaleBegun { number, ticket, round, within } => {
                let (number, round, within) = (*number, *round, *within);
                *self = Self { phase: Phase::Selling, number, ticket: ticket.clone(), within, round };
            }
            SaleEvent::SaleGivenUp { .. } => self.phase = Phase::GivenUp,
            SaleEvent::SaleVoidRequested { .. } => {}
            SaleEvent::Sold(ticket) => (self.phase, self.ticket) = (Phase::Sold, ticket.clone()),
            SaleEvent::CanceledSold(_) => self.phase = Phase::Canceled,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match self.phase {
            Phase::Selling => vec![self.take_stock().erase()],
            Phase::New | Phase::GivenUp | Phase::Sold | Phase::Canceled => Vec::new(),
        }
    }
}

impl Listed for Sale {
    const LIST: &'static str = "station.sales";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New | Phase::Selling | Phase::GivenUp => Presence::Hidden,
            Phase::Sold => Presence::Listed,
            Phase::Canceled => Presence::Removed,
        }
    }
}

/// A sale as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaleItem {
    /// The sale's number.
    pub sale_id: u64,
    /// What was sold.
    pub product_id: String,
    /// Its name on the menu.
    pub product_name: String,
    /// Its price on the menu, per litre.
    pub price: i64,
    /// How many litres.
    pub qty: f64,
    /// For how much.
    pub amount: f64,
    /// The account that it goes to.
    pub account_id: u64,
    /// That account's name; accounts are kept by nobody yet.
    pub account_name: Option<String>,
}

impl Sale {
    /// The sale as clients see it; `None` when there is none, not yet or any more.
    pub fn item(&self, number: Number) -> Option<SaleItem> {
        (self.phase == Phase::Sold).then(|| self.ticket.item(number))
    }
}

/// What a litre sells for, at most; more than any fuel costs in any currency. An amount stays countable.
pub const MAX_PRICE: i64 = 1_000_000_000;

/// `price` times `qty`; `None` beyond what is counted.
fn amount(price: i64, qty: Milli) -> Option<Milli> {
    qty.times(price)
}
