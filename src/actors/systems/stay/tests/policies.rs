use super::*;

fn of_booking(event: BookingEvent) -> Recorded<Booking> {
    recorded(key("b"), 1, 2, event)
}

fn of_payment(event: PaymentEvent) -> Recorded<Payment> {
    recorded(Payment::approval(1, 1), 5, 1, event)
}

fn alarm(receiver: &str, role: Role, message: &str) -> WriteAlarm {
    let (receiver, room, usedate) = (text(receiver), text("호텔"), Some(date("20201010")));
    WriteAlarm { receiver, role, message: message.into(), room, usedate }
}

fn to_guest(message: &str) -> WriteAlarm {
    alarm("배트맨", Role::Guest, message)
}

fn to_host(message: &str) -> WriteAlarm {
    alarm("Superman", Role::Host, message)
}

/// What is nobody's business but the booking's own.
fn intents() -> [BookingEvent; 3] {
    [paying(1), BookingEvent::PayingGivenUp { reason: String::new() }, BookingEvent::CancellationDone]
}

#[test]
fn stay_f6_f7_guest_and_host_are_told_of_the_payment_and_the_booking_once_it_is_made() {
    reacts(&AlarmOnBookings, &of_booking(booked()))
        .then_creates(to_guest("PayApproved"))
        .then_creates(to_host("PayApproved"))
        .then_creates(to_guest("Booked"))
        .then_creates(to_host("Booked"))
        .then_nothing();
    reacts(&AlarmOnPayments, &of_payment(approved(Cause::Booking))).then_nothing();
}

#[test]
fn stay_f11_guest_and_host_are_told_of_the_cancellation_and_the_refund() {
    reacts(&AlarmOnBookings, &of_booking(book_canceled()))
        .then_creates(to_guest("BookCanceled"))
        .then_creates(to_host("BookCanceled"))
        .then_nothing();
    reacts(&AlarmOnPayments, &of_payment(refunded(Cause::Booking)))
        .then_creates(to_guest("PayCanceled"))
        .then_creates(to_host("PayCanceled"))
        .then_nothing();
    reacts(&AlarmOnPayments, &of_payment(refund_due(Cause::Booking))).then_nothing();
}

#[test]
fn stay_d10_nobody_is_told_of_a_booking_that_nobody_has_seen() {
    let void = BookingEvent::PaymentVoidRequested { attempt: 1 };
    for event in intents().into_iter().chain([void]) {
        reacts(&AlarmOnBookings, &of_booking(event)).then_nothing();
    }
    for event in [refund_due(Cause::Void), refunded(Cause::Void), PaymentEvent::ApprovalVoided] {
        reacts(&AlarmOnPayments, &of_payment(event)).then_nothing();
    }
}

#[test]
fn stay_d5_what_a_client_records_is_told_like_any_payment() {
    for (event, name) in [(approved(Cause::Client), "PayApproved"), (refunded(Cause::Client), "PayCanceled")] {
        reacts(&AlarmOnPayments, &of_payment(event))
            .then_creates(to_guest(name))
            .then_creates(to_host(name))
            .then_nothing();
    }
}

#[test]
fn the_alarms_of_one_source_wait_for_each_other() {
    let orders = [AlarmOnBookings::ORDER, AlarmOnPayments::ORDER, AlarmOnReviews::ORDER];
    assert_eq!(orders, [DispatchOrder::PerSource; 3]);
}

#[test]
fn stay_f10_a_canceled_booking_is_refunded_and_one_that_was_given_up_is_voided() {
    let approval = Payment::approval(1, 1);
    reacts(&SettlePayments, &of_booking(book_canceled()))
        .then_sends(&approval, RefundPayment { attempt: 1 })
        .then_nothing();
    reacts(&SettlePayments, &of_booking(BookingEvent::PaymentVoidRequested { attempt: 1 }))
        .then_sends(&approval, VoidPayment { attempt: 1 })
        .then_nothing();
    for event in intents().into_iter().chain([booked()]) {
        reacts(&SettlePayments, &of_booking(event)).then_nothing();
    }
}

#[test]
fn stay_f10_a_refund_that_is_due_becomes_a_row() {
    let record = RecordRefund { book_id: 1, details: details(), cause: Cause::Void };
    reacts(&RecordRefunds, &of_payment(refund_due(Cause::Void)))
        .then_sends(&Payment::refund(1, 1), record)
        .then_nothing();
    for event in [approved(Cause::Booking), refunded(Cause::Booking), PaymentEvent::ApprovalVoided] {
        reacts(&RecordRefunds, &of_payment(event)).then_nothing();
    }
}

#[test]
fn stay_d2_the_calendar_of_a_room_hears_what_the_room_service_says() {
    let of_room = |event| recorded::<Room>(key("r"), 7, 1, event);
    let calendar = Calendar::of(7);
    for event in [RoomEvent::RoomRegistered(hotel()), RoomEvent::RoomChanged(hotel())] {
        reacts(&KnowRooms, &of_room(event)).then_sends(&calendar, NoteRoom(hotel())).then_nothing();
    }
    reacts(&KnowRooms, &of_room(RoomEvent::RoomDeleted(hotel()))).then_sends(&calendar, NoteRoomDeleted).then_nothing();
}

#[test]
fn the_date_of_a_canceled_booking_is_given_back_also_when_the_calendar_did_not_answer() {
    let free = FreeDate { usedate: date("20201010"), claim: 1 };
    reacts(&FreeDates, &of_booking(book_canceled())).then_sends(&Calendar::of(1), free).then_nothing();
    let shared = BookingEvent::BookCanceled { details: details(), claim: None, attempt: 1 };
    for event in intents().into_iter().chain([booked(), shared]) {
        reacts(&FreeDates, &of_booking(event)).then_nothing();
    }
}

#[test]
fn a_review_is_told_to_the_host_and_the_review_service_hears_of_bookings() {
    let text = ReviewText {
        book_id: 1,
        room_id: Some(1),
        name: text("호텔"),
        host: text("Superman"),
        guest: text("배트맨"),
        usedate: Some(date("20201010")),
        score: 4,
        content: None,
    };
    let event = recorded::<Review>(key("v"), 1, 1, ReviewEvent::ReviewRegistered(text));
    reacts(&AlarmOnReviews, &event).then_creates(to_host("ReviewRegistered")).then_nothing();
    let visit = Visit::of(1);
    reacts(&KnowBookings, &of_booking(booked())).then_sends(&visit, NoteBooking(details())).then_nothing();
    reacts(&KnowBookings, &of_booking(book_canceled())).then_sends(&visit, NoteCancellation).then_nothing();
    for event in intents() {
        reacts(&KnowBookings, &of_booking(event)).then_nothing();
    }
}
