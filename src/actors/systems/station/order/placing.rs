use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, OrderItem, OrderRejection, OrderSlip, Phase};
use crate::actors::{
    entity::{Command, CommandContext, Decision, persist},
    systems::station::{
        product::ProductItem,
        values::{Field, Milli, positive},
    },
};

/// Orders fuel. Waits for nobody (N1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceOrder {
    /// What to order.
    pub product_id: String,
    /// What headquarters knows of it, looked up by whoever asks; `None` when there is no such product.
    pub product: Option<ProductItem>,
    /// How many litres, more than 0 (D-13).
    pub qty: Milli,
    /// Where to.
    pub dest_addr: String,
    /// The day, `yyyy-MM-dd`, where the asker is: which day it is depends on a zone, which no decision knows.
    pub today: String,
}

impl Command<Order> for PlaceOrder {
    const NAME: &'static str = "place-order";
    type Reply = OrderItem;
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, OrderItem> {
        if order.phase != Phase::New {
            return Err(OrderRejection::AlreadyPlaced);
        }
        let Self { product_id, product, qty, dest_addr, today } = self;
        positive(Field::Qty, qty)?;
        let Some(ProductItem { product_id, product_name, .. }) = product else {
            return Err(OrderRejection::UnknownProduct { product_id });
        };
        let slip = OrderSlip { product_id, product_name, qty, dest_addr, order_date: today };
        let item = slip.item(ctx.number);
        Ok(persist([OrderEvent::Ordered { number: ctx.number, slip }]).reply(item))
    }
}
