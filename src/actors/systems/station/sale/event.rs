use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ACCOUNT, SaleItem};
use crate::actors::{
    entity::{DomainEvent, Number},
    systems::station::values::{Milli, fields},
};

/// What is sold, and for how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The product.
    pub product_id: String,
    /// Its name on the menu.
    pub product_name: String,
    /// Its price on the menu, per litre.
    pub price: i64,
    /// How many litres.
    pub qty: Milli,
    /// Price times litres.
    pub amount: Milli,
}

impl Ticket {
    pub(super) fn item(&self, number: Number) -> SaleItem {
        let Self { product_id, product_name, price, qty, amount } = self.clone();
        SaleItem {
            sale_id: number.get(),
            product_id,
            product_name,
            price,
            qty: qty.as_f64(),
            amount: amount.as_f64(),
            account_id: ACCOUNT,
            account_name: None,
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        fields([
            ("saleId", number.get().into()),
            ("productId", self.product_id.clone().into()),
            ("productName", self.product_name.clone().into()),
            ("price", self.price.into()),
            ("qty", self.qty.as_f64().into()),
            ("amount", self.amount.as_f64().into()),
            ("accountId", ACCOUNT.into()),
            ("accountName", Value::Null),
        ])
    }
}

/// What happens to a sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SaleEvent {
    /// Internal: a customer wants fuel; the station is asked for it.
    SaleBegun {
        /// The sale's number.
        number: Number,
        /// What is to be sold.
        ticket: Ticket,
        /// Counted from 1 with every try.
        round: u32,
        /// How long the station has to answer.
        within: Duration,
    },
    /// Internal: there will be no such sale, for the station did not agree.
    SaleGivenUp {
        /// Why.
        reason: String,
    },
    /// Whether the station took the fuel for this try is not known; it must not have (D-8).
    SaleVoidRequested {
        /// The product.
        product_id: String,
        /// How much of it.
        qty: Milli,
        /// The try. Not on the bus.
        round: u32,
    },
    /// The fuel is sold, and the station's stock is less.
    Sold(Ticket),
    /// The sale is taken back.
    CanceledSold(Ticket),
}

impl DomainEvent for SaleEvent {
    const PUBLIC: &'static [&'static str] = &["Sold", "CanceledSold", "SaleVoidRequested"];

    fn name(&self) -> &'static str {
        match self {
            Self::SaleBegun { .. } => "SaleBegun",
            Self::SaleGivenUp { .. } => "SaleGivenUp",
            Self::SaleVoidRequested { .. } => "SaleVoidRequested",
            Self::Sold(_) => "Sold",
            Self::CanceledSold(_) => "CanceledSold",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match self {
            Self::Sold(ticket) | Self::CanceledSold(ticket) => ticket.on_bus(number),
            Self::SaleVoidRequested { product_id, qty, round: _ } => fields([
                ("saleId", number.get().into()),
                ("productId", product_id.clone().into()),
                ("qty", qty.as_f64().into()),
            ]),
            Self::SaleBegun { .. } | Self::SaleGivenUp { .. } => Map::new(),
        }
    }
}
