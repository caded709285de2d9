//! A goods delivery begins, or gets another company.

use serde::{Deserialize, Serialize};

use super::{GoodsDelivery, GoodsDeliveryItem, GoodsEvent, GoodsRejection, OWN_WITHIN, OrderRef, STEP_RETRY};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Key, Step, Unavailable, persist,
    },
    systems::procurement::{
        number::{DrawNumber, GoodsNumber, NumberRejection, Numbered},
        values::{Company, Filing},
    },
};

/// The step in which the delivery's number is drawn. Part of command ids: on disk, never rename.
const DRAW_GOODS_NUMBER: &str = "draw-goods-number";

/// A delivery order has a company: the goods delivery begins, or has this company from now on (D-11). Emits
/// nothing in public.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssignCompany {
    /// Its procurement number; the entity's own key.
    pub proc_no: Key,
    /// The delivery order.
    pub order: OrderRef,
    /// Its company; what is not given stays (D-7).
    pub company: Company,
}

impl Command<GoodsDelivery> for AssignCompany {
    const NAME: &'static str = "assign-company";
    type Reply = Option<GoodsDeliveryItem>;
    fn decide(self, goods: &GoodsDelivery, _: &CommandContext) -> Decision<GoodsDelivery, Self::Reply> {
        if goods.opening.is_some() {
            return Ok(persist([]).not_done(busy()));
        }
        let Self { proc_no, order, company } = self;
        let filing = Filing::of(&company);
        let Some(open) = &goods.open else { return Ok(goods.begin([], proc_no, Some(order), filing)) };
        let stands_for = open.order.and_then(|order| order.request);
        match (order.request, stands_for) {
            // Of a request that is long canceled: the number is demanded again.
            (Some(new), Some(old)) if new < old => Ok(Effects::reply(goods.item())),
            // The old one's end is on its way.
            (Some(new), Some(old)) if new > old => {
                let removed = GoodsEvent::GoodsDeliveryRemoved { id: open.id };
                Ok(goods.begin([removed], proc_no, Some(order), filing))
            }
            (request, _) => {
                let order = OrderRef { request: request.or(stands_for), ..order };
                let filing = filing.over(&open.filing);
                if open.order == Some(order) && filing == open.filing {
                    return Ok(Effects::reply(goods.item()));
                }
                Ok(persist([GoodsEvent::CompanyTakenOver { id: open.id, order, filing }])
                    .reply_with(GoodsDelivery::item))
            }
        }
    }
}

/// A client makes a goods delivery without waiting for a delivery order; the old page offers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenGoods {
    /// Its procurement number; the entity's own key.
    pub proc_no: Key,
    /// What it is.
    pub filing: Filing,
}

impl Command<GoodsDelivery> for OpenGoods {
    const NAME: &'static str = "open-goods";
    type Reply = Option<GoodsDeliveryItem>;
    fn decide(self, goods: &GoodsDelivery, _: &CommandContext) -> Decision<GoodsDelivery, Self::Reply> {
        self.filing.check()?;
        if goods.open.is_some() {
            return Err(GoodsRejection::Duplicate);
        }
        if goods.opening.is_some() {
            return Err(GoodsRejection::Busy);
        }
        Ok(goods.begin([], self.proc_no, None, self.filing))
    }
}

/// The number for a goods delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishOpening {
    /// The number, or why there is none.
    pub outcome: Result<u64, AskError<NumberRejection>>,
}

impl Command<GoodsDelivery> for FinishOpening {
    const NAME: &'static str = "finish-opening";
    type Reply = Option<GoodsDeliveryItem>;
    fn decide(self, goods: &GoodsDelivery, ctx: &CommandContext) -> Decision<GoodsDelivery, Self::Reply> {
        let is_late = ctx.answers.is_some_and(|answered| answered != goods.opening_step());
        let Some(opening) = goods.opening.clone().filter(|_| !is_late) else { return Ok(Effects::reply(goods.item())) };
        match self.outcome {
            Ok(id) => {
                let super::Opening { proc_no, order, filing } = opening;
                let opened = GoodsEvent::GoodsDeliveryOpened { id, proc_no, order, filing };
                Ok(persist([opened]).reply_with(GoodsDelivery::item))
            }
            // Forward: the number comes from this very service, as soon as anything does.
            Err(_) => Ok(persist([]).then(GoodsDelivery::draw_number)),
        }
    }
}

/// What a policy is told that meets an open step.
pub(super) fn busy() -> Unavailable {
    Unavailable::Partner {
        partner: "procurement/goodsdelivery".to_owned(),
        reason: "the goods delivery is being made".to_owned(),
        retry_after: STEP_RETRY,
    }
}

impl GoodsDelivery {
    fn begin<const N: usize>(
        &self,
        before: [GoodsEvent; N],
        proc_no: Key,
        order: Option<OrderRef>,
        filing: Filing,
    ) -> Effects<Self, Option<GoodsDeliveryItem>> {
        let round = self.round.saturating_add(1);
        let wanted = GoodsEvent::GoodsNumberWanted { round, proc_no, order, filing };
        persist(before.into_iter().chain([wanted])).then(Self::draw_number)
    }

    fn opening_step(&self) -> Step {
        Step(DRAW_GOODS_NUMBER, self.round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn draw_number(&self) -> Continuation<Self, Option<GoodsDeliveryItem>> {
        let proc_no = &self.opening.as_ref().expect("asked only while opening").proc_no;
        let draw = DrawNumber { proc_no: proc_no.clone(), what: Numbered::Goods };
        Ask::<GoodsNumber, _>::create(self.opening_step(), draw, OWN_WITHIN).then(|outcome| FinishOpening { outcome })
    }
}
