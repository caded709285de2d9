//! What the owner does with a product.

use serde::{Deserialize, Serialize};

use super::{Phase, Product, ProductEvent, ProductItem, ProductRejection, StockCause, StockStatus};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::store::values::{Field, at_least},
};

/// Registers a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegisterProduct {
    /// The stock that it begins with, at least 0.
    pub quantity: i32,
    /// Its price, at least 0.
    pub price: i32,
}

impl Command<Product> for RegisterProduct {
    const NAME: &'static str = "register-product";
    type Reply = ProductItem;
    fn decide(self, product: &Product, ctx: &CommandContext) -> Decision<Product, ProductItem> {
        if product.phase != Phase::New {
            return Err(ProductRejection::AlreadyRegistered);
        }
        let Self { quantity, price } = self;
        at_least(0, Field::Quantity, quantity)?;
        at_least(0, Field::Price, price)?;
        let status = StockStatus::Register;
        Ok(persist([ProductEvent::ProductRegistered { quantity, price }]).reply(ProductItem {
            id: ctx.number.get(),
            quantity,
            price,
            status,
        }))
    }
}

/// Sets stock and price. Writes nothing when both are what they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeProduct {
    /// The new stock, at least 0; `None` keeps it. A PUT without one sends `Some(0)`, here and below.
    pub quantity: Option<i32>,
    /// The new price, at least 0.
    pub price: Option<i32>,
}

impl Command<Product> for ChangeProduct {
    const NAME: &'static str = "change-product";
    type Reply = ProductItem;
    fn decide(self, product: &Product, ctx: &CommandContext) -> Decision<Product, ProductItem> {
        let item = product.item(ctx.number).ok_or(ProductRejection::Gone)?;
        let (quantity, price) = (self.quantity.unwrap_or(item.quantity), self.price.unwrap_or(item.price));
        if (quantity, price) == (item.quantity, item.price) {
            return Ok(Effects::reply(item));
        }
        if quantity != item.quantity {
            at_least(0, Field::Quantity, quantity)?; // a negative stock (D-8b) may be sent back as it is
        }
        at_least(0, Field::Price, price)?;
        let status = item.status;
        Ok(persist([ProductEvent::StockModified { quantity, price, status, cause: StockCause::Set }])
            .reply(ProductItem { quantity, price, ..item }))
    }
}

/// Takes a product out of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoveProduct;

impl Command<Product> for RemoveProduct {
    const NAME: &'static str = "remove-product";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        product.registered()?;
        Ok(persist([ProductEvent::ProductRemoved]).reply(()))
    }
}
