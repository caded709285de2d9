//! An order of goods from headquarters (service order).
//!
//! Neither placing nor canceling happens without the delivery (D-15), so both are recorded as intents
//! first and finished by the delivery's answer:
//!
//! ```text
//!              PlacingStarted            Ordered              CancellationStarted            OrderCanceled
//!   new, given up --------> placing -----------------> placed --------------------> canceling -----------> canceled
//!        ^                     |                         ^                            |    ^ |
//!        +---------------------+                         +----------------------------+    +-+
//!            PlacingGivenUp (503)                           CancellationGivenUp (503)     CancellationContinued
//! ```
//!
//! Placing goes back when the delivery's outcome stays unknown; canceling goes forward.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, DeliveryStatus};
use crate::actors::entity::{
    AnyContinuation, AskError, Command, CommandContext, Entity, Listed, Number, NumberedId, Presence, Step, Unavailable,
};

mod canceling;
mod changing;
mod event;
mod placing;
mod rejection;

pub use canceling::{CancelOrder, FinishCancellation};
pub use changing::{ChangeOrder, MarkDelivery};
pub use event::OrderEvent;
pub use placing::{CREATE_DELIVERY, FinishPlacing, PlaceOrder};
pub use rejection::OrderRejection;

/// When a client may repeat what the delivery service kept from being done (section 6).
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// An order of goods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    phase: Phase,
    /// The order's own number, which its delivery has to name.
    number: Number,
    product_id: u64,
    quantity: i32,
    /// How long the step in progress waits for the delivery.
    within: Duration,
    /// The last round of placing.
    placing_round: u32,
    /// The last round of canceling.
    canceling_round: u32,
    /// The delivery that the last round of canceling asks.
    asked: u64,
    /// The delivery made for this order, as long as it is not known to be canceled.
    own: Option<u64>,
    /// Deliveries that headquarters started for this order by itself, smallest first.
    others: Vec<u64>,
    /// The delivery with the greatest number, and how far it is.
    latest: Option<(u64, DeliveryStatus)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Placing,
    GivenUp,
    Placed,
    Canceling,
    Canceled,
}

/// What clients read of an order's progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderProgress {
    /// It is placed.
    #[serde(rename = "order")]
    Ordered,
    /// Headquarters delivers.
    #[serde(rename = "delivery")]
    Delivering,
    /// Headquarters canceled the delivery; the order is still open.
    #[serde(rename = "cancel delivery")]
    DeliveryCanceled,
}

impl OrderProgress {
    /// The progress as clients and the bus see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "order",
            Self::Delivering => DeliveryStatus::Started.as_str(),
            Self::DeliveryCanceled => DeliveryStatus::Canceled.as_str(),
        }
    }
}

/// An order as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderItem {
    /// The order's number.
    pub id: u64,
    /// What was ordered.
    pub product_id: u64,
    /// How many.
    pub quantity: i32,
    /// How far it is.
    pub status: OrderProgress,
}

impl Entity for Order {
    const KIND: &'static str = "store.order";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = OrderEvent;
    type Rejection = OrderRejection;
    const COMMANDS: &'static [&'static str] = &[
        PlaceOrder::NAME,
        FinishPlacing::NAME,
        CancelOrder::NAME,
        FinishCancellation::NAME,
        ChangeOrder::NAME,
        MarkDelivery::NAME,
    ];
    const ASKS: &'static [&'static str] = &[Delivery::KIND];

    fn evolve(&mut self, event: &OrderEvent) {
        match *event {
            OrderEvent::PlacingStarted { number, product_id, quantity, round, within } => {
                *self = Self {
                    phase: Phase::Placing,
                    number,
                    product_id,
                    quantity,
                    within,
                    placing_round: round,
                    ..Self::default()
                };
            }
            OrderEvent::PlacingGivenUp { .. } => self.phase = Phase::GivenUp,
            OrderEvent::DeliveryVoidRequested { .. } => {}
            OrderEvent::Ordered { delivery, .. } => {
                self.phase = Phase::Placed;
                self.others.retain(|other| *other != delivery);
                self.own = (self.latest != Some((delivery, DeliveryStatus::Canceled))).then_some(delivery);
            }
            OrderEvent::CancellationStarted { delivery, round, within } => {
                (self.phase, self.within) = (Phase::Canceling, within);
                (self.asked, self.canceling_round) = (delivery, round);
            }
            OrderEvent::CancellationContinued { delivery, round } => {
                (self.asked, self.canceling_round) = (delivery, round);
            }
            OrderEvent::DeliveryFoundGone { delivery } => self.forget(delivery),
            OrderEvent::CancellationGivenUp { .. } => self.phase = Phase::Placed,
            OrderEvent::DeliveryMarked { delivery, status } => self.mark(delivery, status),
            OrderEvent::OrderCanceled { .. } => self.phase = Phase::Canceled,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match self.phase {
            Phase::Placing => vec![self.create_delivery().erase()],
            Phase::Canceling => vec![self.cancel_delivery().erase()],
            Phase::New | Phase::GivenUp | Phase::Placed | Phase::Canceled => Vec::new(),
        }
    }
}

impl Listed for Order {
    const LIST: &'static str = "store.orders";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New | Phase::Placing | Phase::GivenUp => Presence::Hidden,
            Phase::Placed | Phase::Canceling => Presence::Listed,
            Phase::Canceled => Presence::Removed,
        }
    }
}

impl Order {
    /// At most this many deliveries are remembered that headquarters started by itself, those with the
    /// smallest numbers; load tests start thousands (D-16). The order's own is remembered besides.
    pub const MAX_OTHERS: usize = 32;

    /// The order as clients see it; `None` when there is none, not yet or any more.
    pub fn item(&self) -> Option<OrderItem> {
        (self.presence() == Presence::Listed).then(|| self.item_with(self.progress()))
    }

    fn item_with(&self, status: OrderProgress) -> OrderItem {
        OrderItem { id: self.number.get(), product_id: self.product_id, quantity: self.quantity, status }
    }

    fn progress(&self) -> OrderProgress {
        match self.latest {
            None => OrderProgress::Ordered,
            Some((_, DeliveryStatus::Started)) => OrderProgress::Delivering,
            Some((_, DeliveryStatus::Canceled)) => OrderProgress::DeliveryCanceled,
        }
    }

    /// The delivery that has to be canceled first: the order's own, then the earliest other.
    fn standing(&self) -> Option<u64> {
        self.own.or_else(|| self.others.first().copied())
    }

    /// The delivery with the greatest number counts, and of that one the furthest status: so it does not
    /// matter in which order deliveries are heard of (D-17). `OrderStatus` has the same rule.
    fn mark(&mut self, delivery: u64, status: DeliveryStatus) {
        self.latest = self.latest.max(Some((delivery, status)));
        match status {
            DeliveryStatus::Canceled => self.forget(delivery),
            DeliveryStatus::Started if self.own == Some(delivery) => {}
            DeliveryStatus::Started => {
                if let Err(at) = self.others.binary_search(&delivery) {
                    self.others.insert(at, delivery);
                    self.others.truncate(Self::MAX_OTHERS);
                }
            }
        }
    }

    fn forget(&mut self, delivery: u64) {
        self.own = self.own.filter(|own| *own != delivery);
        self.others.retain(|other| *other != delivery);
    }
}

/// Whether a follow-up answers a step that is over. The runtime drops such answers; a rule that moves
/// goods does not rely on it.
fn is_late(ctx: &CommandContext, open: Step) -> bool {
    ctx.answers.is_some_and(|answered| answered != open)
}

/// "Not done, come back later": what clients get when the delivery service is to blame (D-13).
fn no_delivery(error: &AskError<impl Display>) -> Unavailable {
    error.of_partner("store/delivery", RETRY_AFTER)
}

/// What is told to whoever comes with an answer to a try that is over.
fn given_up_before() -> Unavailable {
    Unavailable::given_up_before("store/delivery", RETRY_AFTER)
}
