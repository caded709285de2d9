//! A delivery: headquarters brings goods for an order (service delivery).
//!
//! | state | entered by | legal |
//! |---|---|---|
//! | new | | create, void |
//! | standing | [`CreateDelivery`] | cancel, void |
//! | canceled | [`CancelDelivery`] or [`VoidDelivery`] | nothing |
//! | voided | [`VoidDelivery`] before the creation came | nothing: a late creation is refused |

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{Field, InvalidValue, at_least, fields, first_status, id, keeps};
use crate::actors::{
    entity::{
        Command, CommandContext, Decision, DomainEvent, Effects, Entity, Listed, Number, NumberedId, Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One delivery of goods for an order. Several for one order are allowed (D-16).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    phase: Phase,
    order_id: u64,
    product_id: u64,
    quantity: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Standing,
    Canceled,
    Voided,
}

/// How far a delivery is; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// The goods are brought.
    #[serde(rename = "delivery")]
    Started,
    /// They are not, or are taken back.
    #[serde(rename = "cancel delivery")]
    Canceled,
}

impl DeliveryStatus {
    /// The status as clients and the bus see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "delivery",
            Self::Canceled => "cancel delivery",
        }
    }
}

/// What happens to a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DeliveryEvent {
    /// Headquarters delivers.
    DeliveryStarted {
        /// The order that it is for.
        order_id: u64,
        /// What is delivered.
        product_id: u64,
        /// How many of it.
        quantity: i32,
    },
    /// Headquarters delivers no more.
    DeliveryCanceled {
        /// The order that it was for.
        order_id: u64,
        /// What is not delivered.
        product_id: u64,
        /// How many of it.
        quantity: i32,
    },
    /// Internal: whoever wanted it gave up before it was created; it never will be.
    CreationVoided,
}

impl DomainEvent for DeliveryEvent {
    const PUBLIC: &'static [&'static str] = &["DeliveryStarted", "DeliveryCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::DeliveryStarted { .. } => "DeliveryStarted",
            Self::DeliveryCanceled { .. } => "DeliveryCanceled",
            Self::CreationVoided => "CreationVoided",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let (order_id, product_id, quantity, status) = match *self {
            Self::DeliveryStarted { order_id, product_id, quantity } => {
                (order_id, product_id, quantity, DeliveryStatus::Started)
            }
            Self::DeliveryCanceled { order_id, product_id, quantity } => {
                (order_id, product_id, quantity, DeliveryStatus::Canceled)
            }
            Self::CreationVoided => return Map::new(),
        };
        fields([
            ("id", number.get().into()),
            ("orderId", order_id.into()),
            ("productId", product_id.into()),
            ("quantity", quantity.into()),
            ("status", status.as_str().into()),
        ])
    }
}

/// Why a delivery does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum DeliveryRejection {
    /// The request has a value that no delivery can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The delivery was canceled, or there never was one.
    #[error("there is no such delivery (any more)")]
    Gone,
    /// The same delivery was created before.
    #[error("the delivery exists already")]
    AlreadyCreated,
    /// Whoever wanted the delivery has given up waiting for it.
    #[error("the delivery was called off before it was created")]
    Voided,
    /// The request changes what is fixed when a delivery is created.
    #[error("a delivery cannot be changed, only canceled")]
    Immutable,
}

impl Refusal for DeliveryRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_DELIVERY",
            Self::AlreadyCreated => "ALREADY_CREATED",
            Self::Voided => "DELIVERY_VOIDED",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::AlreadyCreated | Self::Voided | Self::Immutable => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::AlreadyCreated | Self::Voided | Self::Immutable => None,
        }
    }
}

impl Entity for Delivery {
    const KIND: &'static str = "store.delivery";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = DeliveryEvent;
    type Rejection = DeliveryRejection;
    const COMMANDS: &'static [&'static str] =
        &[CreateDelivery::NAME, CancelDelivery::NAME, VoidDelivery::NAME, ChangeDelivery::NAME];

    fn evolve(&mut self, event: &DeliveryEvent) {
        match *event {
            DeliveryEvent::DeliveryStarted { order_id, product_id, quantity } => {
                *self = Self { phase: Phase::Standing, order_id, product_id, quantity };
            }
            DeliveryEvent::DeliveryCanceled { .. } => self.phase = Phase::Canceled,
            DeliveryEvent::CreationVoided => self.phase = Phase::Voided,
        }
    }
}

impl Listed for Delivery {
    const LIST: &'static str = "store.deliveries";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Standing => Presence::Listed,
            Phase::Canceled | Phase::Voided => Presence::Removed,
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
    /// What is delivered.
    pub product_id: u64,
    /// How many of it.
    pub quantity: i32,
    /// `delivery`, as long as it stands.
    pub status: DeliveryStatus,
}

impl Delivery {
    /// The delivery as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<DeliveryItem> {
        let Self { phase: Phase::Standing, order_id, product_id, quantity } = *self else { return None };
        Some(DeliveryItem { id: number.get(), order_id, product_id, quantity, status: DeliveryStatus::Started })
    }

    fn canceled(&self) -> DeliveryEvent {
        let Self { order_id, product_id, quantity, .. } = *self;
        DeliveryEvent::DeliveryCanceled { order_id, product_id, quantity }
    }
}

/// Starts a delivery: asked by an order that is placed, or by headquarters itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreateDelivery {
    /// The order that it is for; 0 when the client names none. It need not exist (D-16).
    pub order_id: u64,
    /// What to deliver; 0 when the client names none.
    pub product_id: u64,
    /// How many, at least 1.
    pub quantity: i32,
    /// `delivery`; missing or empty means that too. The source silently stores any other (D-2).
    pub status: Option<String>,
}

impl Command<Delivery> for CreateDelivery {
    const NAME: &'static str = "create-delivery";
    type Reply = DeliveryItem;
    fn decide(self, delivery: &Delivery, ctx: &CommandContext) -> Decision<Delivery, DeliveryItem> {
        match delivery.phase {
            Phase::New => {}
            Phase::Standing | Phase::Canceled => return Err(DeliveryRejection::AlreadyCreated),
            Phase::Voided => return Err(DeliveryRejection::Voided),
        }
        let Self { order_id, product_id, quantity, status } = self;
        id(Field::OrderId, order_id)?;
        id(Field::ProductId, product_id)?;
        at_least(1, Field::Quantity, quantity)?;
        first_status(DeliveryStatus::Started.as_str(), status.as_deref())?;
        let status = DeliveryStatus::Started;
        Ok(persist([DeliveryEvent::DeliveryStarted { order_id, product_id, quantity }]).reply(DeliveryItem {
            id: ctx.number.get(),
            order_id,
            product_id,
            quantity,
            status,
        }))
    }
}

/// Cancels a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelDelivery;

impl Command<Delivery> for CancelDelivery {
    const NAME: &'static str = "cancel-delivery";
    type Reply = ();
    fn decide(self, delivery: &Delivery, _: &CommandContext) -> Decision<Delivery, ()> {
        match delivery.phase {
            Phase::Standing => Ok(persist([delivery.canceled()]).reply(())),
            Phase::New | Phase::Canceled | Phase::Voided => Err(DeliveryRejection::Gone),
        }
    }
}

/// Makes sure that a delivery whose order was given up does not stand, whether its creation came before,
/// comes later, or never comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoidDelivery;

impl Command<Delivery> for VoidDelivery {
    const NAME: &'static str = "void-delivery";
    type Reply = ();
    fn decide(self, delivery: &Delivery, _: &CommandContext) -> Decision<Delivery, ()> {
        match delivery.phase {
            Phase::New => Ok(persist([DeliveryEvent::CreationVoided]).reply(())),
            Phase::Standing => Ok(persist([delivery.canceled()]).reply(())),
            Phase::Canceled | Phase::Voided => Ok(Effects::reply(())),
        }
    }
}

/// Changes a delivery: accepted only when it changes nothing. The source lets clients change numbers
/// without an event, so that stock and delivery part ways; D-4 forbids that for orders and payments,
/// and here the reason is the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeDelivery {
    /// A new order; `None` keeps it. A PUT without one sends `Some(0)`, here and below.
    pub order_id: Option<u64>,
    /// A new product.
    pub product_id: Option<u64>,
    /// A new quantity.
    pub quantity: Option<i32>,
    /// A new status; a PUT without one keeps it, for it is not the client's.
    pub status: Option<String>,
}

impl Command<Delivery> for ChangeDelivery {
    const NAME: &'static str = "change-delivery";
    type Reply = DeliveryItem;
    fn decide(self, delivery: &Delivery, ctx: &CommandContext) -> Decision<Delivery, DeliveryItem> {
        let item = delivery.item(ctx.number).ok_or(DeliveryRejection::Gone)?;
        let same = keeps(&item.order_id, self.order_id.as_ref())
            && keeps(&item.product_id, self.product_id.as_ref())
            && keeps(&item.quantity, self.quantity.as_ref())
            && keeps(&item.status.as_str(), self.status.as_deref().as_ref());
        if same { Ok(Effects::reply(item)) } else { Err(DeliveryRejection::Immutable) }
    }
}
