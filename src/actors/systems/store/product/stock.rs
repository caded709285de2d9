//! What deliveries and purchases do to the stock. All of it is asked by policies.

use serde::{Deserialize, Serialize};

use super::{Product, ProductEvent, ProductRejection, StockCause, StockStatus};
use crate::actors::entity::{Command, CommandContext, Decision, persist};

impl Product {
    fn moved(&self, by: i64, cause: StockCause) -> Result<ProductEvent, ProductRejection> {
        self.registered()?;
        let total = i64::from(self.quantity).checked_add(by).and_then(|total| i32::try_from(total).ok());
        let quantity = total.ok_or(ProductRejection::OutOfRange { quantity: self.quantity, by })?;
        let status = if by < 0 { StockStatus::Subtract } else { StockStatus::Add };
        Ok(ProductEvent::StockModified { quantity, price: self.price, status, cause })
    }
}

/// Takes in what a delivery brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiveGoods {
    /// How many.
    pub quantity: i32,
}

impl Command<Product> for ReceiveGoods {
    const NAME: &'static str = "receive-goods";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        Ok(persist([product.moved(self.quantity.into(), StockCause::Received)?]).reply(()))
    }
}

/// Gives back what a canceled delivery had brought. If some was sold since, the stock becomes negative
/// (D-8b): only the delivery may block a cancellation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GiveBackGoods {
    /// How many.
    pub quantity: i32,
}

impl Command<Product> for GiveBackGoods {
    const NAME: &'static str = "give-back-goods";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        Ok(persist([product.moved(-i64::from(self.quantity), StockCause::GivenBack)?]).reply(()))
    }
}

/// Takes out what a customer bought, or tells the shortage (D-8).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SellGoods {
    /// The purchase.
    pub payment: u64,
    /// How many.
    pub quantity: i32,
}

impl Command<Product> for SellGoods {
    const NAME: &'static str = "sell-goods";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        product.registered()?;
        let Self { payment, quantity: requested } = self;
        let available = product.quantity;
        if requested <= available {
            return Ok(persist([product.moved(-i64::from(requested), StockCause::Sold)?]).reply(()));
        }
        if product.open_shortages.len() >= Product::MAX_SHORTAGES {
            return Err(ProductRejection::TooManyShortages);
        }
        Ok(persist([ProductEvent::StockShortage { payment, requested, available }]).reply(()))
    }
}

/// Takes back what a customer returns; nothing, when the purchase was answered by a shortage, whoever
/// canceled it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReturnGoods {
    /// The purchase.
    pub payment: u64,
    /// How many.
    pub quantity: i32,
}

impl Command<Product> for ReturnGoods {
    const NAME: &'static str = "return-goods";
    type Reply = ();
    fn decide(self, product: &Product, _: &CommandContext) -> Decision<Product, ()> {
        product.registered()?;
        let Self { payment, quantity } = self;
        let event = if product.open_shortages.contains(&payment) {
            ProductEvent::ShortageClosed { payment }
        } else {
            product.moved(quantity.into(), StockCause::Returned)?
        };
        Ok(persist([event]).reply(()))
    }
}
