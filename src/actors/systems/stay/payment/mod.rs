//! A row of the payment history (service pay): an approval, or a cancellation of one (D-5). The history is
//! append-only; each row is an entity of its own, with a number of its own.
//!
//! | row | its key | written by |
//! |---|---|---|
//! | approval of a booking | `approval/<booking>/<attempt>` | [`ApprovePayment`], the synchronous call |
//! | its cancellation | `refund/<booking>/<attempt>` | [`RecordRefund`], at most once |
//! | what clients record | drawn, or of the `Idempotency-Key` | [`RecordPayment`] |
//!
//! Since the key of an approval follows from booking and attempt, one writer decides about each of them:
//!
//! ```text
//!        PayApproved             RefundDue                            PayCanceled
//!   new -------------> approved -----------> approved, refunded ====> a row of its own
//!    |
//!    | ApprovalVoided (the void came first, D-10)
//!    +----------------> voided: a late approval is refused
//! ```

use serde::{Deserialize, Serialize};

use super::values::{InvalidValue, StayDetails};
use crate::actors::{
    entity::{Command, Entity, Key, Listed, Number, NumberedId, Presence},
    systems::{Refusal, RefusalClass},
};

mod approving;
mod event;
mod recording;

pub use approving::{ApprovePayment, RefundPayment, VoidPayment};
pub use event::{Cause, PaymentEvent, PaymentStatus};
pub use recording::{RecordPayment, RecordRefund};

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Payment {
    /// Nothing is written yet.
    #[default]
    New,
    /// Whoever wanted the approval gave up before it came; it never will be.
    Voided,
    /// It is written.
    Written {
        /// What of.
        status: PaymentStatus,
        /// For which booking.
        book_id: u64,
        /// What of that booking.
        details: StayDetails,
        /// Whether the money of this approval goes back.
        refunded: bool,
    },
}

/// Why a payment does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum PaymentRejection {
    /// The request has a value that no payment can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The same row was written before.
    #[error("the payment exists already")]
    AlreadyRecorded,
    /// Whoever wanted the approval has given up waiting for it.
    #[error("the payment was called off before it was approved")]
    Voided,
}

impl Refusal for PaymentRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::AlreadyRecorded => "ALREADY_RECORDED",
            Self::Voided => "PAYMENT_VOIDED",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::AlreadyRecorded | Self::Voided => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::AlreadyRecorded | Self::Voided => None,
        }
    }
}

/// A payment as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentItem {
    /// The payment's number.
    pub id: u64,
    /// The booking that it is for.
    pub book_id: u64,
    /// What of that booking.
    #[serde(flatten)]
    pub details: StayDetails,
    /// What it is a row of.
    pub status: PaymentStatus,
}

impl Entity for Payment {
    const KIND: &'static str = "stay.payment";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = PaymentEvent;
    type Rejection = PaymentRejection;
    const COMMANDS: &'static [&'static str] =
        &[ApprovePayment::NAME, RefundPayment::NAME, VoidPayment::NAME, RecordPayment::NAME, RecordRefund::NAME];

    fn evolve(&mut self, event: &PaymentEvent) {
        match event {
            PaymentEvent::PayApproved { book_id, details, cause: _ } => {
                *self = Self::written(PaymentStatus::PayApproved, *book_id, details);
            }
            PaymentEvent::PayCanceled { book_id, details, cause: _ } => {
                *self = Self::written(PaymentStatus::PayCanceled, *book_id, details);
            }
            PaymentEvent::RefundDue { .. } => {
                if let Self::Written { refunded, .. } = self {
                    *refunded = true;
                }
            }
            PaymentEvent::ApprovalVoided => *self = Self::Voided,
        }
    }
}

impl Listed for Payment {
    const LIST: &'static str = "stay.payments";
    fn presence(&self) -> Presence {
        match self {
            Self::New => Presence::Hidden,
            Self::Written { .. } => Presence::Listed,
            Self::Voided => Presence::Removed,
        }
    }
}

impl Payment {
    /// The approval that this attempt of a booking asks for.
    pub fn approval(book_id: u64, attempt: u32) -> NumberedId {
        Self::row_of("approval", book_id, attempt)
    }

    /// The row that says that this approval was canceled.
    pub fn refund(book_id: u64, attempt: u32) -> NumberedId {
        Self::row_of("refund", book_id, attempt)
    }

    /// On disk: never change.
    fn row_of(what: &str, book_id: u64, attempt: u32) -> NumberedId {
        NumberedId::Key(Key::new(format!("{what}/{book_id}/{attempt}")).expect("words and digits are a key"))
    }

    fn written(status: PaymentStatus, book_id: u64, details: &StayDetails) -> Self {
        Self::Written { status, book_id, details: details.clone(), refunded: false }
    }

    /// The payment as clients see it; `None` when there is none.
    pub fn item(&self, number: Number) -> Option<PaymentItem> {
        let Self::Written { status, book_id, details, refunded: _ } = self else { return None };
        Some(PaymentItem { id: number.get(), book_id: *book_id, details: details.clone(), status: *status })
    }
}
