//! The delivery of a rented book (service delivery). At most one for each order: its key is made of the
//! order's number.
//!
//! ```text
//!        Shipped(Ship)         Shipped(Shipped)
//!   new --------------> ship -----------------> shipped
//!    |                   |                         | recall: the cancellation arrived too late to stop it
//!    |  DeliveryCanceled v                         v
//!    +--------------> canceled <-------------------+
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{InvalidValue, of_order};
use crate::actors::{
    entity::{Command, DomainEvent, Entity, Listed, Number, NumberedId, Presence},
    systems::{Refusal, RefusalClass},
};

mod shipping;

pub use shipping::{CancelDelivery, ChangeDelivery, RequestDelivery};

/// The delivery of one book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `None` before there is one.
    status: Option<DeliveryStatus>,
    order_id: u64,
}

/// How far a delivery is; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// It waits for the courier.
    #[serde(rename = "Ship")]
    Requested,
    /// The courier has shipped the book.
    Shipped,
    /// It is called off, or the book recalled.
    #[serde(rename = "Ship Canceled")]
    Canceled,
}

impl DeliveryStatus {
    /// The status as clients and the bus see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "Ship",
            Self::Shipped => "Shipped",
            Self::Canceled => "Ship Canceled",
        }
    }
}

/// What happens to a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DeliveryEvent {
    /// The delivery team has the request, or has shipped the book: the old bus knows both by one name.
    Shipped {
        /// The order that it is for.
        order_id: u64,
        /// Which of the two.
        status: DeliveryStatus,
    },
    /// The book is not brought, or is taken back.
    DeliveryCanceled {
        /// The order that it was for.
        order_id: u64,
    },
}

impl DomainEvent for DeliveryEvent {
    const PUBLIC: &'static [&'static str] = &["Shipped", "DeliveryCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::Shipped { .. } => "Shipped",
            Self::DeliveryCanceled { .. } => "DeliveryCanceled",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match *self {
            Self::Shipped { order_id, status } => of_order(number, order_id, status.as_str()),
            Self::DeliveryCanceled { order_id } => of_order(number, order_id, DeliveryStatus::Canceled.as_str()),
        }
    }
}

/// Why a delivery does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum DeliveryRejection {
    /// The request has a value that no delivery can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There never was such a delivery.
    #[error("there is no such delivery")]
    Gone,
    /// The book is on its way, or was: the courier's part is done.
    #[error("the delivery is \"{}\", and so it stays", .0.as_str())]
    Final(DeliveryStatus),
    /// The request changes what is fixed when a delivery is created.
    #[error("the order of a delivery cannot be changed")]
    Immutable,
}

impl Refusal for DeliveryRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_DELIVERY",
            Self::Final(DeliveryStatus::Canceled) => "DELIVERY_CANCELED",
            Self::Final(DeliveryStatus::Requested | DeliveryStatus::Shipped) => "ALREADY_SHIPPED",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::Final(_) | Self::Immutable => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::Final(_) | Self::Immutable => None,
        }
    }
}

/// A delivery as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryItem {
    /// The delivery's number.
    pub id: u64,
    /// The order that it is for.
    pub order_id: u64,
    /// How far it is.
    pub status: DeliveryStatus,
}

impl Entity for Delivery {
    const KIND: &'static str = "library.delivery";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = DeliveryEvent;
    type Rejection = DeliveryRejection;
    const COMMANDS: &'static [&'static str] = &[RequestDelivery::NAME, CancelDelivery::NAME, ChangeDelivery::NAME];

    fn evolve(&mut self, event: &DeliveryEvent) {
        let (status, order_id) = match *event {
            DeliveryEvent::Shipped { order_id, status } => (status, order_id),
            DeliveryEvent::DeliveryCanceled { order_id } => (DeliveryStatus::Canceled, order_id),
        };
        *self = Self { status: Some(status), order_id };
    }
}

impl Listed for Delivery {
    const LIST: &'static str = "library.deliveries";
    fn presence(&self) -> Presence {
        if self.status.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

impl Delivery {
    /// The delivery as clients see it; `None` when there is none. A canceled one stays.
    pub fn item(&self, number: Number) -> Option<DeliveryItem> {
        self.status.map(|status| DeliveryItem { id: number.get(), order_id: self.order_id, status })
    }
}
