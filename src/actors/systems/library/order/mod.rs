//! A customer's request for a book (service order).
//!
//! No request stands without its rent (F2), so placing is recorded as an intent first and finished by the
//! rent's answer. Canceling asks nobody: the rent follows it by a policy (F5).
//!
//! ```text
//!              PlacingStarted            Ordered              OrderCancelled
//!   new, given up --------> placing -----------------> placed ---------------> cancelled
//!        ^                     |                         ^
//!        +---------------------+                         | OrderShipped, noted from the first intent on:
//!            PlacingGivenUp (503)                        | a placed and shipped order cannot be cancelled (D-2)
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rent::Rent;
use crate::actors::entity::{AnyContinuation, Command, Entity, Listed, Number, NumberedId, Presence};

mod changing;
mod event;
mod placing;
mod rejection;

pub use changing::{CancelOrder, ChangeOrder, MarkShipped};
pub(super) use event::ORDER_CANCELED;
pub use event::OrderEvent;
pub use placing::{FinishPlacing, PlaceOrder};
pub use rejection::OrderRejection;

/// A customer's request for a book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    phase: Phase,
    /// The order's own number, which its rent has to name.
    number: Number,
    item: String,
    /// How long the step in progress waits for the rent.
    within: Duration,
    /// The last round of placing.
    round: u32,
    /// The courier has shipped the book.
    shipped: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Placing,
    GivenUp,
    /// Its rent was canceled before the order stood: no try of this order can succeed.
    Spent,
    Placed,
    Cancelled,
}

/// What clients read of an order. Its cancellation is spelled otherwise on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderStatus {
    /// It is requested, and its rental is confirmed.
    Ordered,
    /// The courier has shipped the book.
    Shipped,
    /// The customer has cancelled it.
    #[serde(rename = "Order Cancel")]
    Cancelled,
}

impl OrderStatus {
    /// The status as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "Ordered",
            Self::Shipped => "Shipped",
            Self::Cancelled => "Order Cancel",
        }
    }
}

/// An order as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderItem {
    /// The order's number.
    pub id: u64,
    /// The book's title.
    pub item: String,
    /// How far it is.
    pub status: OrderStatus,
}

impl Entity for Order {
    const KIND: &'static str = "library.order";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = OrderEvent;
    type Rejection = OrderRejection;
    const COMMANDS: &'static [&'static str] =
        &[PlaceOrder::NAME, FinishPlacing::NAME, CancelOrder::NAME, ChangeOrder::NAME, MarkShipped::NAME];
    const ASKS: &'static [&'static str] = &[Rent::KIND];

    fn evolve(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::PlacingStarted { number, item, round, within } => {
                (self.phase, self.number) = (Phase::Placing, *number);
                (self.item, self.round, self.within) = (item.clone(), *round, *within);
            }
            OrderEvent::PlacingGivenUp { for_good, .. } => {
                self.phase = if *for_good { Phase::Spent } else { Phase::GivenUp };
            }
            OrderEvent::RentVoidRequested { .. } => {}
            OrderEvent::Ordered { .. } => self.phase = Phase::Placed,
            OrderEvent::OrderShipped => self.shipped = true,
            OrderEvent::OrderCancelled { .. } => self.phase = Phase::Cancelled,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match self.phase {
            Phase::Placing => vec![self.create_rent().erase()],
            Phase::New | Phase::GivenUp | Phase::Spent | Phase::Placed | Phase::Cancelled => Vec::new(),
        }
    }
}

impl Listed for Order {
    const LIST: &'static str = "library.orders";
    fn presence(&self) -> Presence {
        if self.status().is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

impl Order {
    /// The order as clients see it; `None` when there is none, or not yet. A cancelled one stays (D-4).
    pub fn item(&self) -> Option<OrderItem> {
        self.status().map(|status| self.item_with(status))
    }

    fn item_with(&self, status: OrderStatus) -> OrderItem {
        OrderItem { id: self.number.get(), item: self.item.clone(), status }
    }

    fn status(&self) -> Option<OrderStatus> {
        match self.phase {
            Phase::New | Phase::Placing | Phase::GivenUp | Phase::Spent => None,
            Phase::Placed if self.shipped => Some(OrderStatus::Shipped),
            Phase::Placed => Some(OrderStatus::Ordered),
            Phase::Cancelled => Some(OrderStatus::Cancelled),
        }
    }
}
