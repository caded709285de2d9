//! A purchase by a customer (service payment). It never waits for the stock: what cannot be sold is
//! refunded afterwards (D-8).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{Field, InvalidValue, at_least, fields, id, keeps};
use crate::actors::{
    entity::{
        Command, CommandContext, Decision, DomainEvent, Effects, Entity, Listed, Number, NumberedId, Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One purchase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    phase: Phase,
    product_id: u64,
    quantity: i32,
    price: i32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Approved,
    Canceled,
}

/// Why a purchase was canceled by the store itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelReason {
    /// There was not enough of the product.
    #[serde(rename = "STOCK_SHORTAGE")]
    StockShortage,
}

impl CancelReason {
    /// The reason as the bus shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StockShortage => "STOCK_SHORTAGE",
        }
    }
}

/// What happens to a purchase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PaymentEvent {
    /// The customer paid.
    PayApproved {
        /// What was bought.
        product_id: u64,
        /// How many.
        quantity: i32,
        /// For how much, in total (D-3).
        price: i32,
    },
    /// The money went back.
    PayCanceled {
        /// What was bought.
        product_id: u64,
        /// How many.
        quantity: i32,
        /// How much went back.
        price: i32,
        /// Why, when it was not the customer's wish.
        reason: Option<CancelReason>,
    },
}

impl DomainEvent for PaymentEvent {
    const PUBLIC: &'static [&'static str] = &["PayApproved", "PayCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::PayApproved { .. } => "PayApproved",
            Self::PayCanceled { .. } => "PayCanceled",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let (product_id, quantity, price, reason) = match *self {
            Self::PayApproved { product_id, quantity, price } => (product_id, quantity, price, None),
            Self::PayCanceled { product_id, quantity, price, reason } => (product_id, quantity, price, reason),
        };
        let mut fields = fields([
            ("id", number.get().into()),
            ("productId", product_id.into()),
            ("quantity", quantity.into()),
            ("price", price.into()),
        ]);
        if let Some(reason) = reason {
            fields.insert("reason".to_owned(), reason.as_str().into());
        }
        fields
    }
}

/// Why a purchase does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum PaymentRejection {
    /// The request has a value that no purchase can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The purchase was canceled, or there never was one.
    #[error("there is no such payment (any more)")]
    Gone,
    /// The same purchase was paid before.
    #[error("the payment exists already")]
    AlreadyApproved,
    /// The request changes what was paid for (D-4).
    #[error("a payment cannot be changed, only canceled")]
    Immutable,
}

impl Refusal for PaymentRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_PAYMENT",
            Self::AlreadyApproved => "ALREADY_APPROVED",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::AlreadyApproved | Self::Immutable => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::AlreadyApproved | Self::Immutable => None,
        }
    }
}

impl Entity for Payment {
    const KIND: &'static str = "store.payment";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = PaymentEvent;
    type Rejection = PaymentRejection;
    const COMMANDS: &'static [&'static str] =
        &[Pay::NAME, CancelPayment::NAME, RefundShortage::NAME, ChangePayment::NAME];

    fn evolve(&mut self, event: &PaymentEvent) {
        match *event {
            PaymentEvent::PayApproved { product_id, quantity, price } => {
                *self = Self { phase: Phase::Approved, product_id, quantity, price };
            }
            PaymentEvent::PayCanceled { .. } => self.phase = Phase::Canceled,
        }
    }
}

impl Listed for Payment {
    const LIST: &'static str = "store.payments";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Approved => Presence::Listed,
            Phase::Canceled => Presence::Removed,
        }
    }
}

/// A purchase as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentItem {
    /// The payment's number.
    pub id: u64,
    /// What was bought.
    pub product_id: u64,
    /// How many.
    pub quantity: i32,
    /// For how much, in total.
    pub price: i32,
}

impl Payment {
    /// The purchase as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<PaymentItem> {
        let Self { phase: Phase::Approved, product_id, quantity, price } = *self else { return None };
        Some(PaymentItem { id: number.get(), product_id, quantity, price })
    }

    fn canceled(&self, reason: Option<CancelReason>) -> PaymentEvent {
        let Self { product_id, quantity, price, .. } = *self;
        PaymentEvent::PayCanceled { product_id, quantity, price, reason }
    }
}

/// Buys something. Whether there is enough of it, or any, shows later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pay {
    /// What to buy; 0 when the client names none. It need not exist (D-10).
    pub product_id: u64,
    /// How many, at least 1.
    pub quantity: i32,
    /// For how much in total, at least 0.
    pub price: i32,
}

impl Command<Payment> for Pay {
    const NAME: &'static str = "pay";
    type Reply = PaymentItem;
    fn decide(self, payment: &Payment, ctx: &CommandContext) -> Decision<Payment, PaymentItem> {
        if payment.phase != Phase::New {
            return Err(PaymentRejection::AlreadyApproved);
        }
        let Self { product_id, quantity, price } = self;
        id(Field::ProductId, product_id)?;
        at_least(1, Field::Quantity, quantity)?;
        at_least(0, Field::Price, price)?;
        Ok(persist([PaymentEvent::PayApproved { product_id, quantity, price }]).reply(PaymentItem {
            id: ctx.number.get(),
            product_id,
            quantity,
            price,
        }))
    }
}

/// Cancels a purchase, as its customer wishes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelPayment;

impl Command<Payment> for CancelPayment {
    const NAME: &'static str = "cancel-payment";
    type Reply = ();
    fn decide(self, payment: &Payment, _: &CommandContext) -> Decision<Payment, ()> {
        match payment.phase {
            Phase::Approved => Ok(persist([payment.canceled(None)]).reply(())),
            Phase::New | Phase::Canceled => Err(PaymentRejection::Gone),
        }
    }
}

/// Cancels a purchase for which there were not enough goods (D-8). If its customer was faster, there is
/// nothing left to refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundShortage;

impl Command<Payment> for RefundShortage {
    const NAME: &'static str = "refund-shortage";
    type Reply = ();
    fn decide(self, payment: &Payment, _: &CommandContext) -> Decision<Payment, ()> {
        match payment.phase {
            Phase::Approved => Ok(persist([payment.canceled(Some(CancelReason::StockShortage))]).reply(())),
            Phase::Canceled => Ok(Effects::reply(())),
            Phase::New => Err(PaymentRejection::Gone),
        }
    }
}

/// Changes a purchase: accepted only when it changes nothing (D-4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangePayment {
    /// A new product; `None` keeps it. A PUT without one sends `Some(0)`, here and below.
    pub product_id: Option<u64>,
    /// A new quantity.
    pub quantity: Option<i32>,
    /// A new price.
    pub price: Option<i32>,
}

impl Command<Payment> for ChangePayment {
    const NAME: &'static str = "change-payment";
    type Reply = PaymentItem;
    fn decide(self, payment: &Payment, ctx: &CommandContext) -> Decision<Payment, PaymentItem> {
        let item = payment.item(ctx.number).ok_or(PaymentRejection::Gone)?;
        let same = keeps(&item.product_id, self.product_id.as_ref())
            && keeps(&item.quantity, self.quantity.as_ref())
            && keeps(&item.price, self.price.as_ref());
        if same { Ok(Effects::reply(item)) } else { Err(PaymentRejection::Immutable) }
    }
}
