//! The rental of a book (service rent). Exactly one for each order (D-5): its key is made of the order's
//! number, so that whoever wants it meets the same stream.
//!
//! ```text
//!        Rented               RentCanceled
//!   new --------> standing ------------------> canceled
//!    |              |  ^ RentTakenOver: a later try of the same order
//!    |              +--+
//!    | RentVoided   Rented, by a later try
//!    +--------> voided --------> standing
//! ```
//!
//! Each try of an order has a *round*. A void names the round that it takes back, so that it cannot hit
//! the rent that a later round made or took over, and refuses a creation of that round that comes late.

use serde::{Deserialize, Serialize};

use crate::actors::entity::{Command, Entity, Listed, Number, NumberedId, Presence};

mod changing;
mod creating;
mod event;
mod rejection;

pub use changing::{CancelRent, ChangeRent, VoidRent};
pub use creating::{CreateRent, Rental};
pub use event::RentEvent;
pub use rejection::RentRejection;

/// The rental of one book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rent {
    phase: Phase,
    order_id: u64,
    /// The last round that this is about: that has the rent, or that was voided.
    round: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Voided,
    Standing,
    Canceled,
}

/// What clients read of a rent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RentStatus {
    /// The rental is confirmed (D-13).
    #[serde(rename = "Rent")]
    Rented,
    /// It was, and is no more.
    #[serde(rename = "Rent Canceled")]
    Canceled,
}

impl RentStatus {
    /// The status as clients and the bus see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rented => "Rent",
            Self::Canceled => "Rent Canceled",
        }
    }
}

/// A rent as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RentItem {
    /// The rent's number.
    pub id: u64,
    /// The order that it is for.
    pub order_id: u64,
    /// Whether it stands.
    pub status: RentStatus,
}

impl Entity for Rent {
    const KIND: &'static str = "library.rent";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = RentEvent;
    type Rejection = RentRejection;
    const COMMANDS: &'static [&'static str] = &[CreateRent::NAME, CancelRent::NAME, VoidRent::NAME, ChangeRent::NAME];

    fn evolve(&mut self, event: &RentEvent) {
        match *event {
            RentEvent::Rented { order_id, round } => *self = Self { phase: Phase::Standing, order_id, round },
            RentEvent::RentTakenOver { round } => self.round = round,
            RentEvent::RentCanceled { .. } => self.phase = Phase::Canceled,
            RentEvent::RentVoided { order_id, round } => *self = Self { phase: Phase::Voided, order_id, round },
        }
    }
}

impl Listed for Rent {
    const LIST: &'static str = "library.rents";
    fn presence(&self) -> Presence {
        if self.status().is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

impl Rent {
    /// The rent as clients see it; `None` when there is none. A canceled one stays.
    pub fn item(&self, number: Number) -> Option<RentItem> {
        self.status().map(|status| RentItem { id: number.get(), order_id: self.order_id, status })
    }

    fn status(&self) -> Option<RentStatus> {
        match self.phase {
            Phase::New | Phase::Voided => None,
            Phase::Standing => Some(RentStatus::Rented),
            Phase::Canceled => Some(RentStatus::Canceled),
        }
    }
}
