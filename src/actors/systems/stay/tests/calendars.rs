use super::*;

fn book() -> BookRoom {
    BookRoom { booking: Key::new("b").unwrap(), wish: wish(), within: LINK }
}

fn started(claim: u32, details: StayDetails) -> CalendarEvent {
    CalendarEvent::BookingStarted { claim, booking: Key::new("b").unwrap(), details, holds: true, within: LINK }
}

fn open(claim: u32, details: StayDetails) -> OpenBooking {
    OpenBooking { details, claim, holds: true, within: LINK }
}

fn stood() -> [CalendarEvent; 2] {
    [started(1, details()), CalendarEvent::BookingStood { claim: 1 }]
}

fn double() -> CalendarRejection {
    CalendarRejection::DoubleBooking { room_id: 1, usedate: date("20201010") }
}

#[test]
fn stay_f4_a_booking_takes_its_date_before_it_is_opened() {
    let then = given::<Calendar>([])
        .when(book())
        .then_events([started(1, details())])
        .then_asks::<Booking, _>(&key("b"), open(1, details()))
        .then_step(Step("open-booking", 1));
    assert!(then.state().is_taken(date("20201010")));
    then.answered::<Booking, OpenBooking>(Ok(booked_item(1)))
        .then_events([CalendarEvent::BookingStood { claim: 1 }])
        .then_reply(booked_item(1))
        .then_resumes_nothing();
}

#[test]
fn stay_d8_a_second_booking_of_the_same_room_and_date_is_refused_also_while_the_first_is_paid() {
    let other = BookRoom { wish: StayWish { guest: text("로빈"), ..wish() }, ..book() };
    given::<Calendar>([started(1, details())]).when(other.clone()).then_rejected(double());
    given::<Calendar>(stood()).when(other).then_rejected(double());
    assert_eq!(told(&double()), (RefusalClass::Conflict, "DOUBLE_BOOKING", None));
    assert_eq!(double().to_string(), "room 1 is already booked on 20201010");
    let next_day = StayWish { usedate: text("20201011"), ..wish() };
    let details = next_day.clone().checked().unwrap();
    given::<Calendar>(stood()).when(BookRoom { wish: next_day, ..book() }).then_events([started(2, details)]);
}

#[test]
fn stay_d8_the_switch_off_books_like_the_source_and_holds_no_date() {
    let shared = || StaySettings { exclusive: false, ..StaySettings::default() };
    let then = given::<Calendar>(stood()).under(shared()).when(book());
    let event = CalendarEvent::BookingStarted {
        claim: 2,
        booking: Key::new("b").unwrap(),
        details: details(),
        holds: false,
        within: LINK,
    };
    let open = OpenBooking { holds: false, ..open(2, details()) };
    let then = then.then_events([event]).then_asks::<Booking, _>(&key("b"), open);
    let then = then.answered::<Booking, OpenBooking>(Err(away()));
    assert!(then.state().is_taken(date("20201010")), "the first booking keeps its date");
    given::<Calendar>([]).under(shared()).when(book()).then_step(Step("open-booking", 1));
}

#[test]
fn stay_d1_a_booking_needs_room_guest_and_date_and_no_negative_price() {
    for (wish, refused) in [
        (StayWish { room_id: 0, ..wish() }, InvalidValue::Missing(Field::RoomId)),
        (StayWish { guest: None, ..wish() }, InvalidValue::Missing(Field::Guest)),
        (StayWish { usedate: None, ..wish() }, InvalidValue::Missing(Field::Usedate)),
        (StayWish { usedate: text("2020-10-10"), ..wish() }, InvalidValue::NoDate("2020-10-10".into())),
        (StayWish { usedate: text("20201340"), ..wish() }, InvalidValue::NoDate("20201340".into())),
        (StayWish { price: None, ..wish() }, InvalidValue::Missing(Field::Price)),
        (
            StayWish { price: Some(-1), ..wish() },
            InvalidValue::OutOfRange { field: Field::Price, least: 0, most: i64::MAX },
        ),
    ] {
        given::<Calendar>([]).when(BookRoom { wish, ..book() }).then_rejected(refused.into());
    }
}

#[test]
fn stay_d15_what_the_guest_does_not_say_of_a_known_room_is_filled_and_what_is_said_is_taken() {
    let bare = StayWish { name: None, price: None, address: None, host: None, ..wish() };
    given::<Calendar>([CalendarEvent::RoomNoted(hotel())])
        .when(BookRoom { wish: bare, ..book() })
        .then_events([started(1, details())]);
    let cheap = StayWish { price: Some(1), ..wish() };
    let details = cheap.clone().checked().unwrap();
    given::<Calendar>([CalendarEvent::RoomNoted(hotel())])
        .when(BookRoom { wish: cheap, ..book() })
        .then_events([started(1, details)]);
}

#[test]
fn stay_d2_a_deleted_room_is_not_booked_and_an_unknown_one_is_unless_that_is_switched_off() {
    let deleted = CalendarRejection::RoomDeleted { room_id: 1 };
    given::<Calendar>([CalendarEvent::RoomNoted(hotel()), CalendarEvent::RoomDeletionNoted])
        .when(book())
        .then_rejected(deleted.clone());
    assert_eq!(told(&deleted), (RefusalClass::Conflict, "ROOM_DELETED", None));
    let strict = || StaySettings { strict_rooms: true, ..StaySettings::default() };
    let unknown = CalendarRejection::RoomUnknown { room_id: 1 };
    given::<Calendar>([]).under(strict()).when(book()).then_rejected(unknown.clone());
    assert_eq!(told(&unknown), (RefusalClass::Conflict, "ROOM_UNKNOWN", None));
    given::<Calendar>([CalendarEvent::RoomNoted(hotel())])
        .under(strict())
        .when(book())
        .then_step(Step("open-booking", 1));
}

#[test]
fn stay_n1_a_booking_that_was_not_done_gives_its_date_back_before_the_guest_is_told() {
    let given_up = |reason: &str| CalendarEvent::BookingGivenUp { claim: 1, reason: reason.into() };
    let why = Unavailable::Partner { partner: "stay/pay".into(), reason: "away".into(), retry_after: RETRY_AFTER };
    let then = given::<Calendar>([]).when(book());
    let then = then.answered::<Booking, OpenBooking>(Err(AskError::Unavailable(why.clone())));
    let then = then.then_events([given_up(&why.to_string())]).then_not_done(RETRY_AFTER).then_resumes_nothing();
    assert!(!then.state().is_taken(date("20201010")));
    then.when(book()).then_events([started(2, details())]);
}

#[test]
fn a_request_that_was_used_for_another_booking_is_refused_and_holds_nothing() {
    let refused = BookingRejection::AlreadyBooked;
    let then = given::<Calendar>([]).when(book());
    let then = then.answered::<Booking, OpenBooking>(Err(AskError::Rejected(refused.clone())));
    let given_up = CalendarEvent::BookingGivenUp { claim: 1, reason: refused.to_string() };
    let then = then.then_events([given_up]).then_rejected(refused.into()).then_resumes_nothing();
    assert_eq!(then.state().taken(), 0);
}

#[test]
fn whether_a_booking_stands_is_asked_until_it_is_known() {
    given::<Calendar>([])
        .when(book())
        .answered::<Booking, OpenBooking>(Err(lost()))
        .then_events([CalendarEvent::BookingContinued { claim: 1 }])
        .then_asks::<Booking, _>(&key("b"), open(1, details()))
        .then_step(Step("open-booking", 1))
        .answered::<Booking, OpenBooking>(Ok(booked_item(1)))
        .then_reply(booked_item(1));
}

#[test]
fn a_booking_that_is_paid_for_is_waited_for_and_one_that_was_given_up_is_none() {
    let finish = |refusal| FinishBooking { claim: 1, outcome: Err(AskError::Rejected(refusal)) };
    given::<Calendar>([started(1, details())])
        .when(finish(BookingRejection::Paying))
        .then_events([CalendarEvent::BookingContinued { claim: 1 }])
        .then_step(Step("open-booking", 1))
        .when(finish(BookingRejection::GivenUp))
        .then_not_done(Duration::from_secs(1))
        .then_resumes_nothing();
}

#[test]
fn an_answer_to_a_claim_that_is_over_changes_nothing() {
    let late = FinishBooking { claim: 1, outcome: Ok(booked_item(1)) };
    given::<Calendar>(stood()).when(late.clone()).then_nothing_written().then_not_done(Duration::from_secs(1));
    given::<Calendar>([]).when(late).then_nothing_written();
}

#[test]
fn only_the_booking_that_has_a_date_gives_it_back() {
    let free = |claim| FreeDate { usedate: date("20201010"), claim };
    let freed = CalendarEvent::DateFreed { usedate: date("20201010") };
    given::<Calendar>(stood())
        .when(free(2))
        .then_nothing_written()
        .when(free(1))
        .then_events([freed.clone()])
        .when(free(1))
        .then_nothing_written()
        .when(book())
        .then_events([started(2, details())]);
    let canceled_at_once = given::<Calendar>([started(1, details()), freed]);
    let then = canceled_at_once.when(FinishBooking { claim: 1, outcome: Ok(booked_item(1)) });
    assert!(!then.state().is_taken(date("20201010")), "it was canceled before the calendar heard that it stands");
}

#[test]
fn a_calendar_that_is_full_refuses() {
    let mut full = vec![CalendarEvent::RoomNoted(hotel())];
    let days = (1..).flat_map(|year| (1..=12).flat_map(move |month| (1..=28).map(move |day| (year, month, day))));
    for ((year, month, day), claim) in days.zip(1..=u32::try_from(Calendar::MAX_DATES).unwrap()) {
        let usedate = Some(date(&format!("{year:04}{month:02}{day:02}")));
        full.push(started(claim, StayDetails { usedate, ..details() }));
        full.push(CalendarEvent::BookingStood { claim });
    }
    let last = wish().usedate;
    let but_one = given::<Calendar>(full[..full.len() - 2].to_vec());
    but_one
        .when(BookRoom { wish: StayWish { usedate: last.clone(), ..wish() }, ..book() })
        .then_step(Step("open-booking", u32::try_from(Calendar::MAX_DATES).unwrap()));
    let refused = CalendarRejection::Full { room_id: 1, taken: Calendar::MAX_DATES };
    assert_eq!(told(&refused), (RefusalClass::Conflict, "CALENDAR_FULL", None));
    given::<Calendar>(full)
        .when(BookRoom { wish: StayWish { usedate: last, ..wish() }, ..book() })
        .then_rejected(refused);
}

#[test]
fn stay_d2_a_calendar_writes_only_what_is_new_about_its_room() {
    let dearer = RoomFacts { price: 1200, ..hotel() };
    given::<Calendar>([])
        .when(NoteRoom(hotel()))
        .then_events([CalendarEvent::RoomNoted(hotel())])
        .when(NoteRoom(hotel()))
        .then_nothing_written()
        .when(NoteRoom(dearer.clone()))
        .then_events([CalendarEvent::RoomNoted(dearer)])
        .when(NoteRoomDeleted)
        .then_events([CalendarEvent::RoomDeletionNoted])
        .when(NoteRoomDeleted)
        .then_nothing_written();
}

#[test]
fn calendars_keep_the_laws() {
    let freed = CalendarEvent::DateFreed { usedate: date("20201010") };
    let given_up = CalendarEvent::BookingGivenUp { claim: 2, reason: "no".into() };
    laws::<Calendar>([
        vec![CalendarEvent::RoomNoted(hotel()), started(1, details()), CalendarEvent::BookingStood { claim: 1 }],
        vec![started(1, details()), CalendarEvent::BookingContinued { claim: 1 }, freed],
        vec![CalendarEvent::RoomDeletionNoted, started(2, details()), given_up],
    ]);
}
