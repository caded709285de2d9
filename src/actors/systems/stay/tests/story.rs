//! Section 10 and the scenarios, as far as they are rules: what HTTP and stopped processes do to them is
//! tested with the real binary.

use super::{
    world::{Fault, Told, World},
    *,
};

const APPROVED: PaymentStatus = PaymentStatus::PayApproved;
const CANCELED: PaymentStatus = PaymentStatus::PayCanceled;

#[test]
fn stay_f1_to_f11_the_acceptance_script_as_rules() {
    let mut world = World::new();
    world.settle();
    assert_eq!(world.alarms(), [], "rooms are told to nobody");

    assert_eq!(world.book(1, "배트맨", "20201010", &[]), Told::Done);
    assert_eq!(world.booking(1).map(|item| item.status), Some("Booked".to_owned()));
    assert_eq!(world.payments(), [(1, APPROVED)], "immediately");
    world.settle();
    assert_eq!(world.page(1).map(|row| row.status), Some(MypageStatus::Booked));
    assert_eq!(world.alarms_of("배트맨"), ["PayApproved", "Booked"]);
    assert_eq!(world.alarms_of("Superman"), ["PayApproved", "Booked"]);

    assert_eq!(world.book(1, "로빈", "20201010", &[]), Told::Refused("DOUBLE_BOOKING"));
    assert_eq!(world.payments().len(), 1);
    assert_eq!(world.book(2, "홍길동", "20201011", &[]), Told::Done);
    assert!(world.booking(2).is_some(), "a refused booking takes no number");

    assert_eq!(world.cancel(1, &[]), Told::Done);
    assert_eq!(world.booking(1), None);
    assert_eq!(world.book(1, "로빈", "20201010", &[]), Told::Done, "the date is free at once");
    world.settle();
    assert_eq!(world.payments(), [(1, APPROVED), (2, APPROVED), (3, APPROVED), (1, CANCELED)]);
    assert_eq!(world.page(1).map(|row| row.status), Some(MypageStatus::PayCanceled));
    assert_eq!(world.alarms_of("배트맨"), ["PayApproved", "Booked", "BookCanceled", "PayCanceled"]);
    assert_eq!(world.cancel(1, &[]), Told::Refused("NO_SUCH_BOOKING"));
    world.settle();
    assert_eq!(world.payments().len(), 4);

    assert_eq!(world.delete_room(2), Told::Done);
    world.settle();
    assert!(world.booking(2).is_some(), "D-2: bookings of a deleted room stay");
    assert_eq!(world.book(2, "홍길동", "20201012", &[]), Told::Refused("ROOM_DELETED"));
    assert_eq!(world.book(999, "홍길동", "20201012", &[]), Told::Done, "D-2: unknown rooms are booked");
}

#[test]
fn stay_n1_n3_without_pay_nothing_is_booked_and_everything_is_canceled() {
    let mut world = World::new();
    assert_eq!(world.book(1, "배트맨", "20201010", &[]), Told::Done);
    world.settle();
    let (alarms, payments) = (world.alarms(), world.payments());
    world.0.stop("pay");
    assert_eq!(world.book(1, "배트맨", "20201012", &[]), Told::NotDone);
    world.settle();
    assert_eq!((world.alarms(), world.payments()), (alarms, payments), "nothing was stored, nothing published");
    assert!(world.page(2).is_none());

    assert_eq!(world.cancel(1, &[]), Told::Done);
    world.settle();
    assert_eq!(world.page(1).map(|row| row.status), Some(MypageStatus::BookCanceled));
    world.0.start("pay");
    world.settle();
    assert_eq!(world.page(1).map(|row| row.status), Some(MypageStatus::PayCanceled));
    assert_eq!(world.alarms_of("배트맨").last().map(String::as_str), Some("PayCanceled"));
    assert_eq!(world.book(1, "배트맨", "20201012", &[]), Told::Done, "the same call again");
}

#[test]
fn stay_n2_without_alarm_rooms_are_booked_and_no_alarm_is_missed() {
    let mut world = World::new();
    world.0.stop("alarm");
    assert_eq!(world.book(1, "배트맨", "20201010", &[]), Told::Done);
    assert_eq!(world.book(1, "배트맨", "20201011", &[]), Told::Done);
    world.settle();
    assert_eq!(world.alarms(), []);
    world.0.start("alarm");
    world.settle();
    assert_eq!(world.alarms().len(), 8);
}

#[test]
fn stay_n4_without_the_room_service_rooms_are_booked() {
    let mut world = World::new();
    world.0.stop("room");
    assert_eq!(world.book(1, "배트맨", "20201010", &[]), Told::Done);
}

#[test]
fn stay_n10_without_the_review_service_all_else_goes_on_and_later_it_knows_what_happened() {
    let mut world = World::new();
    world.0.stop("review");
    assert_eq!(world.book(1, "배트맨", "20201010", &[]), Told::Done);
    assert_eq!(world.book(1, "로빈", "20201011", &[]), Told::Done);
    assert_eq!(world.cancel(2, &[]), Told::Done);
    world.settle();
    world.0.start("review");
    world.settle();
    assert_eq!(world.review(1, 5), Told::Done);
    assert_eq!(world.review(1, 5), Told::Refused("ALREADY_REVIEWED"));
    assert_eq!(world.review(2, 5), Told::Refused("BOOKING_CANCELED"));
    assert_eq!(world.review(7, 5), Told::Refused("BOOKING_UNKNOWN"));
    world.settle();
    let page = world.page(1).unwrap();
    assert_eq!((page.status, page.score), (MypageStatus::ReviewRegistered, Some(5)));
    assert_eq!(world.alarms_of("Superman").last().map(String::as_str), Some("ReviewRegistered"));
}

#[test]
fn stay_d10_a_payment_that_is_approved_too_late_is_taken_back_and_nobody_is_told() {
    for void_first in [true, false] {
        let mut world = World::new();
        world.settle();
        let faults = [Fault::None, Fault::Late];
        assert_eq!(world.book(1, "배트맨", "20201010", &faults), Told::NotDone);
        while void_first && world.0.react(0) {}
        assert!(world.0.arrive_late());
        world.settle();
        let rows = if void_first { vec![] } else { vec![(1, APPROVED), (1, CANCELED)] };
        assert_eq!((world.payments(), world.alarms()), (rows, vec![]), "void first: {void_first}");
        assert_eq!((world.page(1), world.booking(1)), (None, None));
        assert_eq!(world.book(1, "배트맨", "20201010", &[]), Told::Done, "the date is free");
    }
}
