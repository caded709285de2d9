//! What gives money back (service pay).

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::stay::{
        booking::{Booking, BookingEvent},
        payment::{Payment, PaymentEvent, RecordRefund, RefundPayment, VoidPayment},
    },
};

/// A canceled booking is refunded (F10), and the payment of one that was given up must not stand (D-10).
#[derive(Debug)]
pub struct SettlePayments;

impl Policy for SettlePayments {
    const NAME: &'static str = "stay.settle-payments";
    type Source = Booking;
    type Target = Payment;
    fn react(&self, event: &Recorded<Booking>) -> Vec<Dispatch<Payment>> {
        let book_id = event.number.get();
        match event.event {
            BookingEvent::BookCanceled { attempt, .. } => {
                vec![send(&Payment::approval(book_id, attempt), RefundPayment { attempt })]
            }
            BookingEvent::PaymentVoidRequested { attempt } => {
                vec![send(&Payment::approval(book_id, attempt), VoidPayment { attempt })]
            }
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::Booked { .. }
            | BookingEvent::CancellationDone => Vec::new(),
        }
    }
}

/// A refund is a row of the history of its own (D-5).
#[derive(Debug)]
pub struct RecordRefunds;

impl Policy for RecordRefunds {
    const NAME: &'static str = "stay.record-refunds";
    type Source = Payment;
    type Target = Payment;
    fn react(&self, event: &Recorded<Payment>) -> Vec<Dispatch<Payment>> {
        let PaymentEvent::RefundDue { book_id, attempt, details, cause } = &event.event else { return Vec::new() };
        let record = RecordRefund { book_id: *book_id, details: details.clone(), cause: *cause };
        vec![send(&Payment::refund(*book_id, *attempt), record)]
    }
}
