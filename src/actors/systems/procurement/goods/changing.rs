//! What companies file, and how a goods delivery ends.

use serde::{Deserialize, Serialize};

use super::{GoodsDelivery, GoodsDeliveryItem, GoodsEvent, GoodsRejection, Open, OrderRef, opening::busy};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::procurement::values::Filing,
};

/// The company files the delivery for inspection. What is equal to what is stored is no change and emits
/// nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeGoods {
    /// The delivery's number.
    pub id: u64,
    /// The procurement number that the client sent; it cannot change.
    pub proc_no: Option<String>,
    /// What is filed; `None` keeps what is stored.
    pub filing: Filing,
}

impl Command<GoodsDelivery> for ChangeGoods {
    const NAME: &'static str = "change-goods";
    type Reply = Option<GoodsDeliveryItem>;
    fn decide(self, goods: &GoodsDelivery, _: &CommandContext) -> Decision<GoodsDelivery, Self::Reply> {
        let open = goods.numbered(self.id)?;
        if self.proc_no.as_deref().is_some_and(|given| given != open.proc_no.as_str()) {
            return Err(GoodsRejection::OtherProcNo);
        }
        self.filing.check()?;
        let filing = self.filing.over(&open.filing);
        if filing == open.filing {
            return Ok(Effects::reply(goods.item()));
        }
        let (id, proc_no, request) = (open.id, open.proc_no.clone(), open.order.and_then(|order| order.request));
        let patched = GoodsEvent::InspectionRequestPatched { id, proc_no, request, filing };
        Ok(persist([patched]).reply_with(GoodsDelivery::item))
    }
}

/// A delivery order is gone: so is its goods delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndDelivery {
    /// The delivery order.
    pub order: OrderRef,
}

impl Command<GoodsDelivery> for EndDelivery {
    const NAME: &'static str = "end-delivery";
    type Reply = ();
    fn decide(self, goods: &GoodsDelivery, _: &CommandContext) -> Decision<GoodsDelivery, ()> {
        if goods.opening.is_some() {
            return Ok(persist([]).not_done(busy()));
        }
        let ends = |open: &&Open| match open.order {
            Some(OrderRef { order, request }) => {
                order == self.order.order || (request.is_some() && request == self.order.request)
            }
            // A client made it, for whatever is delivered under this number.
            None => true,
        };
        match goods.open.as_ref().filter(ends) {
            Some(open) => Ok(persist([GoodsEvent::GoodsDeliveryRemoved { id: open.id }]).reply(())),
            None => Ok(Effects::reply(())),
        }
    }
}

/// A client deletes a goods delivery; the old page offers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoveGoods {
    /// The delivery's number.
    pub id: u64,
}

impl Command<GoodsDelivery> for RemoveGoods {
    const NAME: &'static str = "remove-goods";
    type Reply = ();
    fn decide(self, goods: &GoodsDelivery, _: &CommandContext) -> Decision<GoodsDelivery, ()> {
        let id = goods.numbered(self.id)?.id;
        Ok(persist([GoodsEvent::GoodsDeliveryRemoved { id }]).reply(()))
    }
}

impl GoodsDelivery {
    fn numbered(&self, id: u64) -> Result<&Open, GoodsRejection> {
        self.open.as_ref().filter(|open| open.id == id).ok_or(GoodsRejection::Gone)
    }
}
