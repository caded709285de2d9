use super::*;

fn open() -> OpenBooking {
    OpenBooking { details: details(), claim: 1, holds: true, within: LINK }
}

fn approve(attempt: u32) -> ApprovePayment {
    ApprovePayment { book_id: 1, attempt, details: details() }
}

fn given_up(reason: &dyn std::fmt::Display) -> BookingEvent {
    BookingEvent::PayingGivenUp { reason: reason.to_string() }
}

#[test]
fn stay_f5_a_booking_is_there_when_it_is_paid() {
    let then = given::<Booking>([]).when(open());
    assert_eq!(then.state().item(), None, "nobody sees it before");
    let then = then
        .then_events([paying(1)])
        .then_asks::<Payment, _>(&Payment::approval(1, 1), approve(1))
        .then_step(Step("approve-payment", 1))
        .then_waits(LINK)
        .answered::<Payment, ApprovePayment>(Ok(()))
        .then_events([booked()])
        .then_reply(booked_item(1))
        .then_resumes_nothing();
    assert_eq!(then.state().item(), Some(booked_item(1)));
}

#[test]
fn stay_n1_a_booking_that_pay_does_not_approve_is_none() {
    for error in [away(), AskError::Expired(LINK), AskError::Rejected(PaymentRejection::Voided)] {
        let then = given::<Booking>([]).when(open());
        let then = then.answered::<Payment, ApprovePayment>(Err(error.clone()));
        let then = then.then_events([given_up(&error)]).then_not_done(RETRY_AFTER).then_resumes_nothing();
        assert_eq!(then.state().item(), None);
        then.when(CancelBooking).then_rejected(BookingRejection::Gone);
    }
}

#[test]
fn stay_d10_a_payment_whose_outcome_is_not_known_is_voided() {
    for error in [lost(), AskError::Rejected(PaymentRejection::AlreadyRecorded)] {
        given::<Booking>([])
            .when(open())
            .answered::<Payment, ApprovePayment>(Err(error.clone()))
            .then_events([given_up(&error), BookingEvent::PaymentVoidRequested { attempt: 1 }])
            .then_not_done(RETRY_AFTER);
    }
}

#[test]
fn stay_d10_the_next_try_is_paid_under_a_name_of_its_own() {
    let history = || [paying(1), given_up(&"late"), BookingEvent::PaymentVoidRequested { attempt: 1 }];
    let next = BookingEvent::PayingStarted {
        number: Number::new(1),
        details: details(),
        claim: 2,
        holds: true,
        attempt: 2,
        within: LINK,
    };
    given::<Booking>(history())
        .when(OpenBooking { claim: 2, ..open() })
        .then_events([next])
        .then_asks::<Payment, _>(&Payment::approval(1, 2), approve(2));
    given::<Booking>(history()).when(open()).then_rejected(BookingRejection::GivenUp);
    let elsewhere = StayDetails { room_id: Some(2), ..details() };
    given::<Booking>(history())
        .when(OpenBooking { details: elsewhere, ..open() })
        .then_step(Step("approve-payment", 2));
}

#[test]
fn a_booking_that_is_asked_for_again_is_the_same_and_never_another() {
    given::<Booking>([paying(1)]).when(open()).then_rejected(BookingRejection::Paying);
    let histories = [vec![paying(1), booked()], vec![paying(1), booked(), book_canceled()]];
    for history in histories {
        given::<Booking>(history.clone()).when(open()).then_nothing_written().then_reply(booked_item(1));
        let other = OpenBooking { claim: 2, ..open() };
        given::<Booking>(history).when(other).then_rejected(BookingRejection::AlreadyBooked);
    }
}

#[test]
fn an_answer_of_pay_that_comes_too_late_changes_nothing() {
    let late = FinishPaying { outcome: Ok(()) };
    let step = Step("approve-payment", 1);
    let not_done = [vec![], vec![paying(1), given_up(&"late")], vec![paying(1), given_up(&"late"), paying(2)]];
    for history in not_done {
        let then = given::<Booking>(history).answering(step).when(late.clone());
        then.then_nothing_written().then_not_done(RETRY_AFTER);
    }
    let lost = FinishPaying { outcome: Err(lost()) };
    given::<Booking>([paying(1), booked()])
        .answering(step)
        .when(lost)
        .then_nothing_written()
        .then_reply(booked_item(1));
}

#[test]
fn stay_f9_a_booking_is_canceled_at_once_and_its_date_is_free_when_the_guest_is_told() {
    let free = FreeDate { usedate: date("20201010"), claim: 1 };
    let then = given::<Booking>([paying(1), booked()])
        .when(CancelBooking)
        .then_events([book_canceled()])
        .then_asks::<Calendar, _>(&Calendar::of(1), free);
    assert_eq!(then.state().item(), None);
    then.answered::<Calendar, FreeDate>(Ok(()))
        .then_events([BookingEvent::CancellationDone])
        .then_reply(())
        .then_resumes_nothing()
        .when(CancelBooking)
        .then_rejected(BookingRejection::Gone);
    assert_eq!(told(&BookingRejection::Gone), (RefusalClass::Gone, "NO_SUCH_BOOKING", None));
}

#[test]
fn stay_f9_a_calendar_that_does_not_answer_undoes_no_cancellation() {
    for error in [away(), lost()] {
        given::<Booking>([paying(1), booked()])
            .when(CancelBooking)
            .answered::<Calendar, FreeDate>(Err(error))
            .then_events([BookingEvent::CancellationDone])
            .then_reply(());
    }
    given::<Booking>([paying(1), booked(), book_canceled()])
        .when(CancelBooking)
        .then_rejected(BookingRejection::Gone)
        .when(FinishCancellation { outcome: Ok(()) })
        .then_events([BookingEvent::CancellationDone])
        .when(FinishCancellation { outcome: Ok(()) })
        .then_nothing_written();
}

#[test]
fn stay_d8_a_booking_that_holds_no_date_has_none_to_give_back() {
    let (number, within) = (Number::new(1), LINK);
    let shared = BookingEvent::PayingStarted { number, details: details(), claim: 1, holds: false, attempt: 1, within };
    let canceled = BookingEvent::BookCanceled { details: details(), claim: None, attempt: 1 };
    let then = given::<Booking>([shared, booked()]).when(CancelBooking);
    then.then_events([canceled]).then_reply(()).then_resumes_nothing();
}

#[test]
fn stay_d14_past_dates_are_booked_and_canceled() {
    let now = Timestamp::from_millis(4_000_000_000_000); // 2096
    given::<Calendar>([])
        .at(now)
        .when(BookRoom { booking: Key::new("b").unwrap(), wish: wish(), within: LINK })
        .then_step(Step("open-booking", 1));
    given::<Booking>([paying(1), booked()]).at(now).when(CancelBooking).then_events([book_canceled()]);
}

#[test]
fn stay_d4_a_booking_is_fixed_but_may_be_sent_back_as_it_is() {
    let whole = ChangeBooking {
        room_id: Patch::Set(1),
        name: Patch::of(text("호텔")),
        price: Patch::Set(1000),
        address: Patch::of(text("서울")),
        host: Patch::of(text("Superman")),
        guest: Patch::of(text("배트맨")),
        usedate: Patch::of(text("20201010")),
    };
    let booked = || given::<Booking>([paying(1), booked()]);
    for same in [whole.clone(), ChangeBooking::default()] {
        booked().when(same).then_nothing_written().then_reply(booked_item(1));
    }
    for other in [
        ChangeBooking { room_id: Patch::Set(2), ..whole.clone() },
        ChangeBooking { name: Patch::Clear, ..whole.clone() },
        ChangeBooking { price: Patch::Set(1), ..whole.clone() },
        ChangeBooking { address: Patch::Clear, ..whole.clone() },
        ChangeBooking { host: Patch::Set("Batman".into()), ..whole.clone() },
        ChangeBooking { guest: Patch::Clear, ..whole.clone() },
        ChangeBooking { usedate: Patch::Set("20201011".into()), ..whole.clone() },
    ] {
        booked().when(other).then_rejected(BookingRejection::Immutable);
    }
    given::<Booking>([]).when(whole).then_rejected(BookingRejection::Gone);
    assert_eq!(told(&BookingRejection::Immutable), (RefusalClass::Conflict, "IMMUTABLE", None));
}

#[test]
fn bookings_keep_the_laws() {
    let void = BookingEvent::PaymentVoidRequested { attempt: 1 };
    laws::<Booking>([
        vec![paying(1), booked(), book_canceled(), BookingEvent::CancellationDone],
        vec![paying(1), given_up(&"late"), void, paying(2), booked()],
        vec![BookingEvent::BookCanceled { details: StayDetails::default(), claim: None, attempt: 1 }],
        vec![BookingEvent::BookCanceled { details: StayDetails::default(), claim: Some(1), attempt: 1 }],
    ]);
}

#[test]
fn stay_d3_the_bus_sees_bookings_with_their_status_and_what_pay_has_to_void() {
    let shown = |event: BookingEvent| serde_json::to_string(&event.on_bus(Number::new(7))).unwrap();
    let fields = r#""roomId":1,"name":"호텔","price":1000,"address":"서울","host":"Superman","guest":"배트맨","usedate":"20201010""#;
    assert_eq!(shown(booked()), format!(r#"{{"id":7,{fields},"status":"Booked"}}"#));
    assert_eq!(shown(book_canceled()), format!(r#"{{"id":7,{fields},"status":"BookCanceled"}}"#));
    assert_eq!(shown(BookingEvent::PaymentVoidRequested { attempt: 1 }), r#"{"bookId":7}"#);
    assert!([paying(1), given_up(&"no"), BookingEvent::CancellationDone].iter().all(|event| !event.is_public()));
}
