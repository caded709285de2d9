use super::*;

fn approve() -> ApprovePayment {
    ApprovePayment { book_id: 1, attempt: 1, details: details() }
}

fn record(status: &str) -> RecordPayment {
    RecordPayment { book_id: 1, wish: wish(), status: text(status) }
}

#[test]
fn stay_f5_a_payment_is_approved_once() {
    given::<Payment>([])
        .when(approve())
        .then_events([approved(Cause::Booking)])
        .then_reply(())
        .when(approve())
        .then_rejected(PaymentRejection::AlreadyRecorded);
}

#[test]
fn stay_f10_an_approval_is_refunded_at_most_once_and_stays_a_row() {
    let refund = RefundPayment { attempt: 1 };
    let then = given::<Payment>([approved(Cause::Booking)])
        .when(refund.clone())
        .then_events([refund_due(Cause::Booking)])
        .when(refund.clone())
        .then_nothing_written()
        .when(VoidPayment { attempt: 1 })
        .then_nothing_written();
    let row = then.state().item(Number::new(1)).map(|item| item.status);
    assert_eq!(row, Some(PaymentStatus::PayApproved));
    given::<Payment>([]).when(refund.clone()).then_nothing_written().then_reply(());
    given::<Payment>([refunded(Cause::Booking)]).when(refund).then_nothing_written();
}

#[test]
fn stay_d10_a_void_takes_an_approval_back_whether_it_came_before_or_comes_later() {
    let void = VoidPayment { attempt: 1 };
    given::<Payment>([approved(Cause::Booking)]).when(void.clone()).then_events([refund_due(Cause::Void)]);
    let then = given::<Payment>([])
        .when(void.clone())
        .then_events([PaymentEvent::ApprovalVoided])
        .when(void)
        .then_nothing_written()
        .when(approve())
        .then_rejected(PaymentRejection::Voided);
    assert_eq!((then.state().item(Number::new(1)), then.state().presence()), (None, Presence::Removed));
}

#[test]
fn stay_f10_the_refund_is_a_row_of_its_own() {
    let record = RecordRefund { book_id: 1, details: details(), cause: Cause::Booking };
    let then = given::<Payment>([]).numbered(3).when(record.clone()).then_events([refunded(Cause::Booking)]);
    let item = PaymentItem { id: 3, book_id: 1, details: details(), status: PaymentStatus::PayCanceled };
    assert_eq!(then.state().item(Number::new(3)), Some(item));
    then.when(record).then_nothing_written().then_reply(());
}

#[test]
fn stay_d5_a_client_records_one_of_the_two_statuses_and_no_other() {
    let item = |status| PaymentItem { id: 1, book_id: 1, details: details(), status };
    given::<Payment>([])
        .when(record("PayApproved"))
        .then_events([approved(Cause::Client)])
        .then_reply(item(PaymentStatus::PayApproved))
        .when(record("PayApproved"))
        .then_rejected(PaymentRejection::AlreadyRecorded);
    given::<Payment>([])
        .when(record("PayCanceled"))
        .then_events([refunded(Cause::Client)])
        .then_reply(item(PaymentStatus::PayCanceled));
    let wrong = PaymentRejection::from(InvalidValue::WrongStatus("paid".into()));
    given::<Payment>([]).when(record("paid")).then_rejected(wrong.clone());
    assert_eq!(told(&wrong), (RefusalClass::Invalid, "INVALID_STATUS", Some("status")));
    for missing in [None, text("")] {
        let refused = InvalidValue::Missing(Field::Status).into();
        given::<Payment>([]).when(RecordPayment { status: missing, ..record("") }).then_rejected(refused);
    }
    let nobody = InvalidValue::Missing(Field::BookId).into();
    given::<Payment>([]).when(RecordPayment { book_id: 0, ..record("PayApproved") }).then_rejected(nobody);
    let bare = RecordPayment { wish: StayWish::default(), ..record("PayApproved") };
    given::<Payment>([])
        .when(bare)
        .then_reply(PaymentItem { details: StayDetails::default(), ..item(PaymentStatus::PayApproved) });
}

#[test]
fn payments_keep_the_laws() {
    laws::<Payment>([
        vec![approved(Cause::Booking), refund_due(Cause::Booking)],
        vec![refunded(Cause::Void)],
        vec![PaymentEvent::ApprovalVoided],
    ]);
}

#[test]
fn the_bus_sees_payments_as_the_topic_has_them() {
    let shown = |event: PaymentEvent| serde_json::to_string(&event.on_bus(Number::new(7))).unwrap();
    let fields = r#""bookId":1,"roomId":1,"name":"호텔","price":1000,"address":"서울","host":"Superman","guest":"배트맨","usedate":"20201010""#;
    assert_eq!(shown(approved(Cause::Booking)), format!(r#"{{"id":7,{fields},"status":"PayApproved"}}"#));
    assert_eq!(shown(refunded(Cause::Void)), format!(r#"{{"id":7,{fields},"status":"PayCanceled"}}"#));
    assert!([refund_due(Cause::Void), PaymentEvent::ApprovalVoided].iter().all(|event| !event.is_public()));
}
