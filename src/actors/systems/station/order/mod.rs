//! An order of fuel from headquarters (service Order).
//!
//! Placing it waits for nobody (N1): logistics hears of it. Canceling it (D-15) goes by the station first, for only
//! the receipt itself knows whether it has been confirmed:
//!
//! ```text
//!         Ordered           CancellationStarted              OrderCanceled
//!   new ---------> placed -----------------------> canceling ---------------> canceled
//!                    ^                                 |
//!                    +---------------------------------+
//!                       CancellationGivenUp (409 when confirmed, or 503)
//! ```
//!
//! How far an order is, [`OrderStatus`](super::OrderStatus) tells.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::flow::StockFlow;
use crate::actors::entity::{AnyContinuation, Command, Entity, Listed, Number, NumberedId, Presence};

mod canceling;
mod event;
mod placing;
mod rejection;

pub use canceling::{CALL_OFF_RECEIPT, CancelOrder, FinishCancellation};
pub use event::{OrderEvent, OrderSlip};
pub use placing::PlaceOrder;
pub use rejection::OrderRejection;

/// One order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    phase: Phase,
    /// The order's own number, by which the station knows its receipt.
    number: Number,
    slip: OrderSlip,
    /// How long the step in progress waits for the station.
    within: Duration,
    /// The last try to cancel.
    round: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Placed,
    Canceling,
    Canceled,
}

impl Entity for Order {
    const KIND: &'static str = "station.order";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = OrderEvent;
    type Rejection = OrderRejection;
    const COMMANDS: &'static [&'static str] = &[PlaceOrder::NAME, CancelOrder::NAME, FinishCancellation::NAME];
    const ASKS: &'static [&'static str] = &[StockFlow::KIND];

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Ordered { number, slip } => {
                *self = Self { phase: Phase::Placed, number: *number, slip: slip.clone(), ..Self::default() };
            }
            OrderEvent::CancellationStarted { round, within } => {
                (self.phase, self.round, self.within) = (Phase::Canceling, *round, *within);
            }
            OrderEvent::CancellationGivenUp { .. } => self.phase = Phase::Placed,
            OrderEvent::OrderCanceled(_) => self.phase = Phase::Canceled,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match self.phase {
            Phase::Canceling => vec![self.call_off_receipt().erase()],
            Phase::New | Phase::Placed | Phase::Canceled => Vec::new(),
        }
    }
}

impl Listed for Order {
    const LIST: &'static str = "station.orders";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Placed | Phase::Canceling => Presence::Listed,
            Phase::Canceled => Presence::Removed,
        }
    }
}

/// An order as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// The order's number.
    pub order_id: u64,
    /// What was ordered.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// How many litres.
    pub qty: f64,
    /// Where to.
    pub dest_addr: String,
    /// On which day, `yyyy-MM-dd`.
    pub order_date: String,
}

impl Order {
    /// The order as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<OrderItem> {
        (self.presence() == Presence::Listed).then(|| self.slip.item(number))
    }
}
