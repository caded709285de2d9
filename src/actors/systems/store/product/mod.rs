//! A product and its stock (service product).
//!
//! Stock rises with deliveries and returned purchases and falls with canceled deliveries and purchases.
//! Purchases never make it negative (D-8); a canceled delivery may (D-8b).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{InvalidValue, fields};
use crate::actors::{
    entity::{Command, DomainEvent, Entity, Listed, Number, NumberedId, Presence},
    systems::{Refusal, RefusalClass},
};

mod register;
mod stock;

pub use register::{ChangeProduct, RegisterProduct, RemoveProduct};
pub use stock::{GiveBackGoods, ReceiveGoods, ReturnGoods, SellGoods};

/// Something that the store sells, with its stock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Product {
    phase: Phase,
    quantity: i32,
    price: i32,
    status: StockStatus,
    /// Payments that were answered by a shortage and whose cancellation has not come yet: it must not
    /// return goods that were never taken.
    open_shortages: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Registered,
    Removed,
}

/// What happened last to the stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StockStatus {
    /// Nothing yet.
    #[default]
    Register,
    /// Goods came in.
    Add,
    /// Goods went out.
    Subtract,
}

impl StockStatus {
    /// The status as clients, messages and the bus see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Add => "add",
            Self::Subtract => "subtract",
        }
    }
}

/// Why the stock or the price is another now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StockCause {
    /// The owner set it.
    Set,
    /// A delivery brought goods.
    Received,
    /// A canceled delivery took them away.
    GivenBack,
    /// A customer bought some.
    Sold,
    /// A customer returned them.
    Returned,
}

/// What happens to a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ProductEvent {
    /// The store sells it from now on (D-7).
    ProductRegistered {
        /// The stock that it begins with.
        quantity: i32,
        /// Its price.
        price: i32,
    },
    /// Its stock or price is another.
    StockModified {
        /// The new total.
        quantity: i32,
        /// The price.
        price: i32,
        /// The direction of the last movement.
        status: StockStatus,
        /// Why. Not on the bus.
        cause: StockCause,
    },
    /// A purchase wants more than there is (D-8); nothing was taken.
    StockShortage {
        /// The purchase.
        payment: u64,
        /// How many it wants.
        requested: i32,
        /// How many there are.
        available: i32,
    },
    /// Internal: a purchase that was answered by a shortage is canceled.
    ShortageClosed {
        /// The purchase.
        payment: u64,
    },
    /// The store sells it no more (D-9).
    ProductRemoved,
}

impl DomainEvent for ProductEvent {
    const PUBLIC: &'static [&'static str] = &["ProductRegistered", "StockModified", "StockShortage", "ProductRemoved"];

    fn name(&self) -> &'static str {
        match self {
            Self::ProductRegistered { .. } => "ProductRegistered",
            Self::StockModified { .. } => "StockModified",
            Self::StockShortage { .. } => "StockShortage",
            Self::ShortageClosed { .. } => "ShortageClosed",
            Self::ProductRemoved => "ProductRemoved",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let id = ("id", number.get().into());
        match *self {
            Self::ProductRegistered { quantity, price } => fields([
                id,
                ("quantity", quantity.into()),
                ("price", price.into()),
                ("status", StockStatus::Register.as_str().into()),
            ]),
            Self::StockModified { quantity, price, status, cause: _ } => {
                fields([id, ("quantity", quantity.into()), ("price", price.into()), ("status", status.as_str().into())])
            }
            Self::StockShortage { payment, requested, available } => fields([
                id,
                ("paymentId", payment.into()),
                ("requested", requested.into()),
                ("available", available.into()),
            ]),
            Self::ShortageClosed { .. } => Map::new(),
            Self::ProductRemoved => fields([id]),
        }
    }
}

/// Why a product does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ProductRejection {
    /// The request has a value that no product can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The product was removed, or there never was one.
    #[error("there is no such product (any more)")]
    Gone,
    /// The same product was registered before.
    #[error("the product exists already")]
    AlreadyRegistered,
    /// The stock would leave the range of an `int`.
    #[error("the stock of {quantity} cannot be moved by {by}")]
    OutOfRange {
        /// The stock.
        quantity: i32,
        /// What was to be added.
        by: i64,
    },
    /// [`Product::MAX_SHORTAGES`] purchases wait for their refund.
    #[error("too many purchases of this product wait for their refund")]
    TooManyShortages,
}

impl Refusal for ProductRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_PRODUCT",
            Self::AlreadyRegistered => "ALREADY_REGISTERED",
            Self::OutOfRange { .. } => "STOCK_OUT_OF_RANGE",
            Self::TooManyShortages => "TOO_MANY_SHORTAGES",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::AlreadyRegistered | Self::OutOfRange { .. } | Self::TooManyShortages => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::AlreadyRegistered | Self::OutOfRange { .. } | Self::TooManyShortages => None,
        }
    }
}

impl Entity for Product {
    const KIND: &'static str = "store.product";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = ProductEvent;
    type Rejection = ProductRejection;
    const COMMANDS: &'static [&'static str] = &[
        RegisterProduct::NAME,
        ChangeProduct::NAME,
        RemoveProduct::NAME,
        ReceiveGoods::NAME,
        GiveBackGoods::NAME,
        SellGoods::NAME,
        ReturnGoods::NAME,
    ];

    fn evolve(&mut self, event: &ProductEvent) {
        match *event {
            ProductEvent::ProductRegistered { quantity, price } => {
                *self = Self { phase: Phase::Registered, quantity, price, ..Self::default() };
            }
            ProductEvent::StockModified { quantity, price, status, cause: _ } => {
                (self.quantity, self.price, self.status) = (quantity, price, status);
            }
            ProductEvent::StockShortage { payment, .. } => {
                self.open_shortages.insert(payment);
            }
            ProductEvent::ShortageClosed { payment } => {
                self.open_shortages.remove(&payment);
            }
            ProductEvent::ProductRemoved => *self = Self { phase: Phase::Removed, ..Self::default() },
        }
    }
}

impl Listed for Product {
    const LIST: &'static str = "store.products";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Registered => Presence::Listed,
            Phase::Removed => Presence::Removed,
        }
    }
}

/// A product as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductItem {
    /// The product's number.
    pub id: u64,
    /// Its stock.
    pub quantity: i32,
    /// Its price.
    pub price: i32,
    /// What happened last to the stock.
    pub status: StockStatus,
}

impl Product {
    /// At most this many purchases of one product wait for their refund; then further ones beyond the
    /// stock are refused and become dead letters, which an operator may retry. The numbers are part of
    /// every snapshot, which they may not swell beyond some ten KiB.
    pub const MAX_SHORTAGES: usize = 4096;

    /// The product as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<ProductItem> {
        let Self { quantity, price, status, .. } = *self;
        let item = ProductItem { id: number.get(), quantity, price, status };
        (self.phase == Phase::Registered).then_some(item)
    }

    fn registered(&self) -> Result<(), ProductRejection> {
        if self.phase == Phase::Registered { Ok(()) } else { Err(ProductRejection::Gone) }
    }
}
