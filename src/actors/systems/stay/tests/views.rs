use super::*;

fn booking(number: u64, events: impl IntoIterator<Item = BookingEvent>) -> Vec<Recorded<Booking>> {
    let id = key(&format!("booking-{number}"));
    (1..).zip(events).map(|(sequence, event)| recorded(id.clone(), number, sequence, event)).collect()
}

fn row(event: PaymentEvent) -> Vec<Recorded<Payment>> {
    vec![recorded(key("refund"), 9, 1, event)]
}

fn review(score: i64) -> Vec<Recorded<Review>> {
    let StayDetails { room_id, name, host, guest, usedate, .. } = details();
    let text = ReviewText { book_id: 1, room_id, name, host, guest, usedate, score, content: None };
    vec![recorded(key("review"), 1, 1, ReviewEvent::ReviewRegistered(text))]
}

fn item(status: MypageStatus, score: Option<i64>) -> MypageItem {
    MypageItem { id: 1, book_id: 1, details: details(), score, status }
}

#[test]
fn stay_f8_a_guest_reads_what_became_of_a_booking() {
    let before = history::<Mypage>().entity(booking(1, [paying(1)])).rows();
    assert_eq!(before.listed().count(), 0);
    let rows = history::<Mypage>().entity(booking(1, [paying(1), booked()])).rows();
    assert_eq!(rows.get(&1).unwrap().item(1), Some(item(MypageStatus::Booked, None)));
    let shown = serde_json::to_string(&rows.get(&1).unwrap().item(1)).unwrap();
    let expected = concat!(
        r#"{"id":1,"bookId":1,"roomId":1,"name":"호텔","price":1000,"address":"서울","host":"Superman","#,
        r#""guest":"배트맨","usedate":"20201010","score":null,"status":"Booked"}"#
    );
    assert_eq!(shown, expected);
}

#[test]
fn stay_d11_a_status_only_moves_forward_in_whatever_order_events_come() {
    let canceled = || booking(1, [paying(1), booked(), book_canceled(), BookingEvent::CancellationDone]);
    let all = history::<Mypage>().entity(canceled()).entity(row(refunded(Cause::Booking))).entity(review(4));
    let rows = all.then_order_does_not_matter();
    assert_eq!(rows.get(&1).unwrap().item(1), Some(item(MypageStatus::PayCanceled, Some(4))));
    let pay_is_down = history::<Mypage>().entity(canceled()).then_order_does_not_matter();
    assert_eq!(pay_is_down.get(&1).unwrap().item(1), Some(item(MypageStatus::BookCanceled, None)));
    let reviewed = history::<Mypage>().entity(booking(1, [booked()])).entity(review(5)).then_order_does_not_matter();
    assert_eq!(reviewed.get(&1).unwrap().item(1), Some(item(MypageStatus::ReviewRegistered, Some(5))));
}

#[test]
fn stay_d10_a_voided_payment_makes_no_row() {
    let void = BookingEvent::PaymentVoidRequested { attempt: 1 };
    let given_up = BookingEvent::PayingGivenUp { reason: String::new() };
    let rows = history::<Mypage>()
        .entity(booking(1, [paying(1), given_up, void]))
        .entity(row(refunded(Cause::Void)))
        .then_order_does_not_matter();
    assert!(rows.get(&1).is_none());
    let unheard = history::<Mypage>().entity(row(refunded(Cause::Client))).rows();
    assert_eq!(unheard.listed().count(), 0, "a row without its booking is kept back");
}

#[test]
fn stay_f3_d7_a_date_is_occupied_from_booking_to_cancellation() {
    let rows = history::<OccupiedDates>()
        .entity(booking(1, [paying(1), booked()]))
        .entity(booking(2, [paying(1), booked(), book_canceled()]))
        .entity(booking(3, [paying(1)]))
        .then_order_does_not_matter();
    assert_eq!(rows.get(&(20_201_010, 1)).map(|row| row.room_id), Some(1));
    assert_eq!(rows.listed().count(), 1);
}

#[test]
fn lists_show_what_stands_and_forget_what_is_gone() {
    let rows = history::<Listing<Booking>>()
        .entity(booking(1, [paying(1), booked()]))
        .entity(booking(2, [paying(1), booked(), book_canceled(), BookingEvent::CancellationDone]))
        .entity(booking(3, [paying(1)]))
        .then_order_does_not_matter();
    assert_eq!(rows.listed().map(|row| row.number.get()).collect::<Vec<_>>(), [1]);
}
