//! Selling: no sale without its row in the station's ledger.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Phase, Sale, SaleEvent, SaleItem, SaleRejection, Ticket, amount};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Outcome, Step, Unavailable, persist,
    },
    systems::station::{
        STATION,
        flow::{FlowEntry, RecordFlow, StockFlow, StockFlowItem, StockFlowRejection},
        product::ProductItem,
        values::{Field, InvalidValue, Milli, positive},
    },
};

/// The step in which the station writes its row. Part of command ids: on disk, never rename.
pub const TAKE_STOCK: &str = "take-stock";

/// When a client may repeat what the station kept from being done.
pub(in crate::actors::systems::station) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Sells fuel. Answered when the station's stock is less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MakeSale {
    /// What is wanted.
    pub product_id: String,
    /// What the menu says of it, looked up by whoever asks; `None` when it is not on the menu. The price is the
    /// one that the customer was shown.
    pub product: Option<ProductItem>,
    /// How many litres, more than 0 (D-13).
    pub qty: Milli,
    /// How long the station has to answer (D-8: 1000 ms).
    pub within: Duration,
}

impl Command<Sale> for MakeSale {
    const NAME: &'static str = "make-sale";
    type Reply = SaleItem;
    fn decide(self, sale: &Sale, ctx: &CommandContext) -> Decision<Sale, SaleItem> {
        match sale.phase {
            Phase::New | Phase::GivenUp => {}
            Phase::Selling => return Err(SaleRejection::Selling),
            Phase::Sold | Phase::Canceled => return Err(SaleRejection::AlreadySold),
        }
        let Self { product_id, product, qty, within } = self;
        positive(Field::Qty, qty)?;
        let Some(ProductItem { product_id, product_name, price }) = product else {
            return Err(SaleRejection::UnknownProduct { product_id });
        };
        let amount = amount(price, qty).ok_or(InvalidValue::TooLarge(Field::Qty))?;
        let ticket = Ticket { product_id, product_name, price, qty, amount };
        let round = sale.round.saturating_add(1);
        Ok(persist([SaleEvent::SaleBegun { number: ctx.number, ticket, round, within }]).then(Sale::take_stock))
    }
}

/// The station's answer to [`MakeSale`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishSale {
    /// The row, or why there is none.
    pub outcome: Result<StockFlowItem, AskError<StockFlowRejection>>,
}

impl Command<Sale> for FinishSale {
    const NAME: &'static str = "finish-sale";
    type Reply = SaleItem;
    fn decide(self, sale: &Sale, ctx: &CommandContext) -> Decision<Sale, SaleItem> {
        let item = sale.ticket.item(sale.number);
        match sale.phase {
            Phase::Selling if ctx.answers.is_none_or(|answered| answered == sale.step()) => {}
            Phase::Sold | Phase::Canceled => return Ok(Effects::reply(item)),
            Phase::New | Phase::Selling | Phase::GivenUp => {
                return Ok(persist([]).not_done(Unavailable::given_up_before(STATION, RETRY_AFTER)));
            }
        }
        let Err(error) = self.outcome else {
            return Ok(persist([SaleEvent::Sold(sale.ticket.clone())]).reply(item));
        };
        let mut events = vec![SaleEvent::SaleGivenUp { reason: error.to_string() }];
        if error.outcome() == Outcome::Unknown {
            let Ticket { product_id, qty, .. } = sale.ticket.clone();
            events.push(SaleEvent::SaleVoidRequested { product_id, qty, round: sale.round });
        }
        Ok(if let AskError::Rejected(rejection) = error {
            persist(events).rejected(SaleRejection::Refused(rejection))
        } else {
            persist(events).not_done(error.of_partner(STATION, RETRY_AFTER))
        })
    }
}

impl Sale {
    fn step(&self) -> Step {
        Step(TAKE_STOCK, self.round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn take_stock(&self) -> Continuation<Self, SaleItem> {
        let (number, Ticket { product_id, product_name, qty, .. }) = (self.number.get(), self.ticket.clone());
        let row = FlowEntry::key_of_sale(number, self.round);
        let entry = FlowEntry::sale(number, product_id, Some(product_name), qty);
        Ask::<StockFlow, _>::once(self.step(), row, RecordFlow { entry }, self.within)
            .then(|outcome| FinishSale { outcome })
    }
}
