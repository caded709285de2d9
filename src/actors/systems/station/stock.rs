//! The stock of one product (service Station): the one writer of its total.
//!
//! The total is the sum of the movements. Each is asked for by a row of the ledger, a
//! [`StockFlow`](super::StockFlow), as a step of its own: one that is asked for again, before or after a crash, is
//! recognised by its command id and moves nothing twice. What a row is for, and whether it may still come, is the
//! row's business.
//!
//! What clients read as `StockSummary` is this entity itself: when a sale is answered, its total is there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{StationSettings, values::Milli};
use crate::actors::{
    entity::{Command, CommandContext, Decision, DomainEvent, Entity, Key, Listed, Number, Presence, persist},
    systems::{Refusal, RefusalClass},
};

/// What there is of one product.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stock {
    product_id: Option<String>,
    product_name: Option<String>,
    total: Milli,
}

/// What happens to a stock. All of it is internal: the bus carries the rows of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StockEvent {
    /// The total is another.
    StockMoved {
        /// The number of the row that it is for.
        flow: u64,
        /// The product.
        product_id: String,
        /// Its name, when the row knows one.
        product_name: Option<String>,
        /// By how much.
        by: Milli,
        /// The total from now on.
        total: Milli,
    },
}

impl DomainEvent for StockEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::StockMoved { .. } => "StockMoved",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why a stock is not moved.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum StockRejection {
    /// There is less than is wanted (D-12).
    #[error("there are {available} and not {wanted}")]
    Insufficient {
        /// What there is.
        available: Milli,
        /// What is wanted.
        wanted: Milli,
    },
    /// The total would be more than the station counts.
    #[error("the stock of {total} cannot be moved by {by}")]
    OutOfRange {
        /// What there is.
        total: Milli,
        /// What was to be added.
        by: Milli,
    },
}

impl Refusal for StockRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "INSUFFICIENT_STOCK",
            Self::OutOfRange { .. } => "STOCK_OUT_OF_RANGE",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Conflict
    }
}

impl Entity for Stock {
    const KIND: &'static str = "station.stock";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = StockEvent;
    type Rejection = StockRejection;
    const COMMANDS: &'static [&'static str] = &[MoveStock::NAME];

    fn evolve(&mut self, event: &StockEvent) {
        let StockEvent::StockMoved { product_id, product_name, total, .. } = event;
        self.product_id = Some(product_id.clone());
        if product_name.is_some() {
            self.product_name.clone_from(product_name);
        }
        self.total = *total;
    }
}

impl Listed for Stock {
    const LIST: &'static str = "station.stock-summaries";
    fn presence(&self) -> Presence {
        if self.product_id.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

/// A row of `StockSummary` as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockSummaryItem {
    /// The product.
    pub product_id: String,
    /// Its name, when any movement told one.
    pub product_name: Option<String>,
    /// What there is, in litres.
    pub qty: f64,
}

impl Stock {
    /// The stock as clients see it; `None` before the first movement.
    pub fn item(&self, _: Number) -> Option<StockSummaryItem> {
        let product_id = self.product_id.clone()?;
        Some(StockSummaryItem { product_id, product_name: self.product_name.clone(), qty: self.total.as_f64() })
    }

    /// What there is.
    pub fn total(&self) -> Milli {
        self.total
    }
}

/// Moves the stock. What is asked for is moved as often as it is asked for under another command id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoveStock {
    /// The number of the row that it is for.
    pub flow: u64,
    /// The product, which is the stock's own key.
    pub product_id: String,
    /// Its name, when the row knows one.
    pub product_name: Option<String>,
    /// By how much; negative takes out.
    pub by: Milli,
}

impl Command<Stock> for MoveStock {
    const NAME: &'static str = "move-stock";
    type Reply = ();
    fn decide(self, stock: &Stock, ctx: &CommandContext) -> Decision<Stock, ()> {
        let Self { flow, product_id, product_name, by } = self;
        let total = stock.total.plus(by).ok_or(StockRejection::OutOfRange { total: stock.total, by })?;
        let takes_too_much = by < Milli::ZERO && total < Milli::ZERO;
        if takes_too_much && !ctx.settings::<StationSettings>().allow_negative_stock {
            return Err(StockRejection::Insufficient { available: stock.total, wanted: by.negated() });
        }
        Ok(persist([StockEvent::StockMoved { flow, product_id, product_name, by, total }]).reply(()))
    }
}
