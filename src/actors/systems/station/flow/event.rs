use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::StockFlowItem;
use crate::actors::{
    entity::{DomainEvent, Key, Number, NumberedId},
    systems::station::values::{Milli, fields},
};

/// The reason that POS gives for the row of a sale (D-2).
const SALE: &str = "SALE";
/// The reason of the row that takes a sale back.
const CANCELED_SALE: &str = "CANCELED_SALE";

/// What a row says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowEntry {
    /// The product.
    pub product_id: String,
    /// Its name, if known.
    pub product_name: Option<String>,
    /// What came (positive) or went (negative).
    pub qty: Milli,
    /// Of a receipt, what is expected.
    pub qty_to_be: Option<Milli>,
    /// Why.
    pub reason: Option<String>,
    /// The order that it is a receipt of.
    pub order_id: Option<u64>,
    /// The sale that it belongs to.
    pub sale_id: Option<u64>,
}

impl FlowEntry {
    /// The expected receipt of an order.
    pub fn expected(order_id: u64, product_id: String, product_name: String, qty: Milli) -> Self {
        let (product_name, qty_to_be, order_id) = (Some(product_name), Some(qty), Some(order_id));
        Self { product_id, product_name, qty: Milli::ZERO, qty_to_be, reason: None, order_id, sale_id: None }
    }

    /// A sale of `qty`, which is positive.
    pub fn sale(sale_id: u64, product_id: String, product_name: Option<String>, qty: Milli) -> Self {
        Self::correction(product_id, product_name, qty.negated(), None).of_sale(sale_id)
    }

    /// The same row, when it is that of a sale.
    #[must_use]
    pub fn of_sale(self, sale_id: u64) -> Self {
        Self { reason: self.reason.or_else(|| Some(SALE.to_owned())), sale_id: Some(sale_id), ..self }
    }

    /// The cancellation of such a sale.
    pub fn canceled_sale(sale_id: u64, product_id: String, product_name: String, qty: Milli) -> Self {
        let reason = Some(CANCELED_SALE.to_owned());
        Self { sale_id: Some(sale_id), ..Self::correction(product_id, Some(product_name), qty, reason) }
    }

    /// A correction by hand.
    pub fn correction(product_id: String, product_name: Option<String>, qty: Milli, reason: Option<String>) -> Self {
        Self { product_id, product_name, qty, qty_to_be: None, reason, order_id: None, sale_id: None }
    }

    /// The stream of the receipt of this order.
    pub fn key_of_receipt(order: u64) -> NumberedId {
        named(format!("order-{order}"))
    }

    /// The stream of the row of this sale; a sale that was taken back and is tried again has a new one.
    pub fn key_of_sale(sale: u64, round: u32) -> NumberedId {
        named(if round <= 1 { format!("sale-{sale}") } else { format!("sale-{sale}-{round}") })
    }

    /// The stream of the row that takes this sale back.
    pub fn key_of_cancellation(sale: u64) -> NumberedId {
        named(format!("canceled-sale-{sale}"))
    }

    /// A receipt of which nothing has come yet.
    pub(super) fn is_expected(&self) -> bool {
        self.order_id.is_some() && self.qty == Milli::ZERO
    }

    pub(super) fn item(&self, number: Number) -> StockFlowItem {
        let Self { product_id, product_name, qty, qty_to_be, reason, order_id, sale_id } = self.clone();
        let (stock_id, qty, qty_to_be) = (number.get(), qty.as_f64(), qty_to_be.map(Milli::as_f64));
        StockFlowItem { stock_id, product_id, product_name, qty, qty_to_be, reason, order_id, sale_id }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        fields([
            ("stockId", number.get().into()),
            ("orderId", self.order_id.into()),
            ("productId", self.product_id.clone().into()),
            ("productName", self.product_name.clone().into()),
            ("qty", self.qty.as_f64().into()),
            ("qtyToBe", self.qty_to_be.map(Milli::as_f64).into()),
            ("reason", self.reason.clone().into()),
            ("saleId", self.sale_id.into()),
        ])
    }
}

fn named(key: String) -> NumberedId {
    NumberedId::Key(Key::new(key).expect("a word and two numbers are a key"))
}

/// What happens to a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StockFlowEvent {
    /// The row is written, or written anew, and the stock has moved by as much.
    Received(FlowEntry),
    /// Internal: the stock is asked to move.
    MovementBegun {
        /// The row's number.
        number: Number,
        /// The row as it will be.
        entry: FlowEntry,
        /// Counted from 1 with every try.
        round: u32,
    },
    /// Internal: the stock has not moved, and the row is what it was before.
    MovementGivenUp {
        /// Why.
        reason: String,
    },
    /// Internal: the order of an expected receipt is canceled, whether the receipt was there or not (D-15).
    ReceiptCalledOff,
    /// Internal: POS has given up this sale before it was known here; it never will be (D-8).
    SaleVoided,
    /// Internal: POS has given up this sale; the stock is asked for what it took (D-8).
    ReversalBegun {
        /// The row's number.
        number: Number,
        /// Goes on counting where the movement was.
        round: u32,
    },
    /// Internal: the stock has not given it back.
    ReversalGivenUp {
        /// Why.
        reason: String,
    },
    /// The row is no more, for its sale never came about (D-8).
    SaleReversed(FlowEntry),
}

impl DomainEvent for StockFlowEvent {
    const PUBLIC: &'static [&'static str] = &["Received", "SaleReversed"];

    fn name(&self) -> &'static str {
        match self {
            Self::Received(_) => "Received",
            Self::MovementBegun { .. } => "MovementBegun",
            Self::MovementGivenUp { .. } => "MovementGivenUp",
            Self::ReceiptCalledOff => "ReceiptCalledOff",
            Self::SaleVoided => "SaleVoided",
            Self::ReversalBegun { .. } => "ReversalBegun",
            Self::ReversalGivenUp { .. } => "ReversalGivenUp",
            Self::SaleReversed(_) => "SaleReversed",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match self {
            Self::Received(entry) | Self::SaleReversed(entry) => entry.on_bus(number),
            Self::MovementBegun { .. }
            | Self::MovementGivenUp { .. }
            | Self::ReceiptCalledOff
            | Self::SaleVoided
            | Self::ReversalBegun { .. }
            | Self::ReversalGivenUp { .. } => Map::new(),
        }
    }
}
