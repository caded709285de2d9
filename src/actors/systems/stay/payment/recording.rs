//! Writing rows.

use serde::{Deserialize, Serialize};

use super::{Cause, Payment, PaymentEvent, PaymentItem, PaymentRejection, PaymentStatus};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::stay::values::{Field, StayDetails, StayWish, id, required},
};

/// Records a payment as a client says it (`POST /payments`). It is a row and an event like any other; no
/// booking stands or falls with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPayment {
    /// The booking; 0 when the client names none.
    pub book_id: u64,
    /// What of that booking. Nothing of it is required.
    pub wish: StayWish,
    /// `PayApproved` or `PayCanceled` (D-5).
    pub status: Option<String>,
}

impl Command<Payment> for RecordPayment {
    const NAME: &'static str = "record-payment";
    type Reply = PaymentItem;
    fn decide(self, payment: &Payment, ctx: &CommandContext) -> Decision<Payment, PaymentItem> {
        if *payment != Payment::New {
            return Err(PaymentRejection::AlreadyRecorded);
        }
        let given = self.status.filter(|status| !status.is_empty());
        let status = PaymentStatus::parse(&required(Field::Status, given)?)?;
        let (book_id, details, cause) = (id(Field::BookId, self.book_id)?, self.wish.checked()?, Cause::Client);
        let item = PaymentItem { id: ctx.number.get(), book_id, details: details.clone(), status };
        let event = match status {
            PaymentStatus::PayApproved => PaymentEvent::PayApproved { book_id, details, cause },
            PaymentStatus::PayCanceled => PaymentEvent::PayCanceled { book_id, details, cause },
        };
        Ok(persist([event]).reply(item))
    }
}

/// Writes the row that says that an approval was canceled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordRefund {
    /// The booking.
    pub book_id: u64,
    /// What of that booking.
    pub details: StayDetails,
    /// Whose doing it is.
    pub cause: Cause,
}

impl Command<Payment> for RecordRefund {
    const NAME: &'static str = "record-refund";
    type Reply = ();
    fn decide(self, payment: &Payment, _: &CommandContext) -> Decision<Payment, ()> {
        match payment {
            Payment::New => {
                let Self { book_id, details, cause } = self;
                Ok(persist([PaymentEvent::PayCanceled { book_id, details, cause }]).reply(()))
            }
            Payment::Voided | Payment::Written { .. } => Ok(Effects::reply(())),
        }
    }
}
