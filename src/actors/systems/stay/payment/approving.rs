//! Approving the payment of a booking, and what takes that back.

use serde::{Deserialize, Serialize};

use super::{Cause, Payment, PaymentEvent, PaymentRejection, PaymentStatus};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::stay::values::StayDetails,
};

/// Approves what a guest pays for a booking that is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovePayment {
    /// The booking.
    pub book_id: u64,
    /// Which try of it.
    pub attempt: u32,
    /// What of that booking; it has checked it.
    pub details: StayDetails,
}

impl Command<Payment> for ApprovePayment {
    const NAME: &'static str = "approve-payment";
    type Reply = ();
    fn decide(self, payment: &Payment, _: &CommandContext) -> Decision<Payment, ()> {
        match payment {
            Payment::New => {
                let (book_id, details, cause) = (self.book_id, self.details, Cause::Booking);
                Ok(persist([PaymentEvent::PayApproved { book_id, details, cause }]).reply(()))
            }
            Payment::Voided => Err(PaymentRejection::Voided),
            Payment::Written { .. } => Err(PaymentRejection::AlreadyRecorded),
        }
    }
}

/// The booking was canceled: its money goes back, once (F10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefundPayment {
    /// Which try of the booking was paid for.
    pub attempt: u32,
}

impl Command<Payment> for RefundPayment {
    const NAME: &'static str = "refund-payment";
    type Reply = ();
    fn decide(self, payment: &Payment, _: &CommandContext) -> Decision<Payment, ()> {
        Ok(refund(payment, self.attempt, Cause::Booking))
    }
}

/// Makes sure that the approval of a try that was given up does not stand, whether it came before, comes
/// later, or never comes (D-10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoidPayment {
    /// Which try of the booking.
    pub attempt: u32,
}

impl Command<Payment> for VoidPayment {
    const NAME: &'static str = "void-payment";
    type Reply = ();
    fn decide(self, payment: &Payment, _: &CommandContext) -> Decision<Payment, ()> {
        match payment {
            Payment::New => Ok(persist([PaymentEvent::ApprovalVoided]).reply(())),
            Payment::Voided | Payment::Written { .. } => Ok(refund(payment, self.attempt, Cause::Void)),
        }
    }
}

/// Only an approval that stands is refunded.
fn refund(payment: &Payment, attempt: u32, cause: Cause) -> Effects<Payment, ()> {
    let Payment::Written { status: PaymentStatus::PayApproved, book_id, details, refunded: false } = payment else {
        return Effects::reply(());
    };
    let (book_id, details) = (*book_id, details.clone());
    persist([PaymentEvent::RefundDue { book_id, attempt, details, cause }]).reply(())
}
