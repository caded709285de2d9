//! Requests: posting, changing, canceling.

use super::*;

fn post(demand: Demand) -> PostRequest {
    PostRequest { proc_no: p01(), demand, ticket: key("ticket") }
}

fn draw() -> DrawNumber {
    DrawNumber { proc_no: p01(), what: Numbered::Request }
}

fn item(demand: Demand) -> RequestAndResult {
    let (filing, inspection_succ_flag) = Default::default();
    let request = DeliveryRequestItem { id: 1, proc_no: p01(), demand, filing, inspection_succ_flag };
    RequestAndResult { request: Some(request), result: None }
}

#[test]
fn procurement_f1_a_request_stands_as_soon_as_it_has_its_number() {
    given::<DeliveryRequest>([])
        .when(post(titled("title01")))
        .then_events([posting(1, titled("title01"))])
        .then_asks::<RequestNumber, _>(&NumberedId::Key(key("ticket")), draw())
        .then_step(Step("draw-request-number", 1))
        .answered::<RequestNumber, DrawNumber>(Ok(1))
        .then_events([posted(1, titled("title01"))])
        .then_reply(item(titled("title01")))
        .then_resumes_nothing();
}

#[test]
fn procurement_d2_a_live_request_keeps_its_number_to_itself_and_a_canceled_one_gives_it_back() {
    given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(post(titled("again")))
        .then_rejected(DeliveryRequestRejection::Duplicate)
        .then_nothing_written();
    given::<DeliveryRequest>([posting(1, Demand::default())])
        .when(post(titled("at once")))
        .then_rejected(DeliveryRequestRejection::Busy)
        .then_nothing_written();
    given::<DeliveryRequest>([posted(1, Demand::default()), canceled(1, None)])
        .when(post(titled("again")))
        .then_events([posting(1, titled("again"))])
        .answered::<RequestNumber, DrawNumber>(Ok(3))
        .then_events([posted(3, titled("again"))]);
}

#[test]
fn a_request_without_a_number_is_not_posted_and_may_come_again() {
    let failed = AskError::TimedOut(LINK);
    given::<DeliveryRequest>([])
        .when(post(Demand::default()))
        .answered::<RequestNumber, DrawNumber>(Err(failed.clone()))
        .then_events([DeliveryRequestEvent::PostingGivenUp { reason: failed.to_string() }])
        .then_not_done(STEP_RETRY)
        .then_resumes_nothing()
        .when(post(Demand::default()))
        .then_events([posting(2, Demand::default())]);
}

#[test]
fn a_number_that_was_drawn_for_another_request_is_a_key_that_was_used_before() {
    let taken = AskError::Rejected(NumberRejection::DrawnForAnother);
    let rejection = DeliveryRequestRejection::KeyReused;
    let given_up = || DeliveryRequestEvent::PostingGivenUp { reason: rejection.to_string() };
    given::<DeliveryRequest>([])
        .when(post(Demand::default()))
        .answered::<RequestNumber, DrawNumber>(Err(taken))
        .then_events([given_up()])
        .then_rejected(rejection.clone());
    // The key of a request that was canceled long ago: its number is not given twice.
    given::<DeliveryRequest>([posted(4, Demand::default()), canceled(4, None)])
        .when(post(Demand::default()))
        .answered::<RequestNumber, DrawNumber>(Ok(4))
        .then_events([given_up()])
        .then_rejected(rejection.clone());
}

#[test]
fn procurement_d3_what_is_demanded_has_possible_values() {
    let priced = |price| Demand { proc_price: Some(price), ..Demand::default() };
    let counted = |quantity| Demand { proc_qty: Some(quantity), ..Demand::default() };
    let long = Demand { proc_title: Some("x".repeat(MAX_CHARACTERS + 1)), ..Demand::default() };
    for (demand, why) in [
        (priced(-1), InvalidValue::Negative(Field::ProcPrice)),
        (counted(0.0), InvalidValue::NotPositive(Field::ProcQty)),
        (counted(-0.5), InvalidValue::NotPositive(Field::ProcQty)),
        (counted(f64::NAN), InvalidValue::NotPositive(Field::ProcQty)),
        (long, InvalidValue::TooLong(Field::ProcTitle)),
    ] {
        assert_eq!(demand.check(), Err(why));
    }
    for demand in [priced(0), counted(0.1), titled(&"x".repeat(MAX_CHARACTERS)), Demand::default()] {
        assert_eq!(demand.check(), Ok(()));
    }
    given::<DeliveryRequest>([])
        .when(post(priced(-1)))
        .then_rejected(InvalidValue::Negative(Field::ProcPrice).into())
        .then_nothing_written();
}

#[test]
fn procurement_d3_a_procurement_number_is_required_and_has_a_limit() {
    assert_eq!(proc_no(None), Err(InvalidValue::Missing(Field::ProcNo)));
    assert_eq!(proc_no(Some("")), Err(InvalidValue::Missing(Field::ProcNo)));
    assert!(proc_no(Some(&"x".repeat(Key::MAX_BYTES))).is_ok());
    for bad in ["x".repeat(Key::MAX_BYTES + 1), "a\nb".to_owned()] {
        let refused = proc_no(Some(&bad)).unwrap_err();
        assert!(matches!(refused, InvalidValue::NoKey { field: Field::ProcNo, .. }), "{refused:?}");
    }
}

#[test]
fn procurement_d1_a_change_is_told_until_a_company_is_assigned() {
    let retitled = || ChangeRequest {
        demand: DemandChange { proc_title: Set::To(some("better")), ..DemandChange::default() },
        ..unchanged()
    };
    let (id, demand) = (1, titled("better"));
    let changed = DeliveryRequestEvent::ProcurementRequestChanged { id, proc_no: p01(), demand };
    given::<DeliveryRequest>([posted(1, titled("title01"))])
        .when(retitled())
        .then_events([changed])
        .then_reply(item(titled("better")))
        .when(retitled())
        .then_nothing_written()
        .then_reply(item(titled("better")));
    given::<DeliveryRequest>([posted(1, titled("title01"))])
        .when(MarkAssigned { request: Some(1) })
        .then_events([DeliveryRequestEvent::RequestAssigned { id: 1 }])
        .when(retitled())
        .then_rejected(DeliveryRequestRejection::Assigned)
        .when(unchanged())
        .then_reply(item(titled("title01")));
}

#[test]
fn a_null_clears_what_is_demanded_and_impossible_values_are_refused() {
    let to_price = |price| ChangeRequest {
        demand: DemandChange { proc_price: Set::To(price), ..DemandChange::default() },
        ..unchanged()
    };
    let priced = Demand { proc_price: Some(5), ..Demand::default() };
    given::<DeliveryRequest>([posted(1, priced)]).when(to_price(None)).then_reply(item(Demand::default()));
    given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(to_price(Some(-1)))
        .then_rejected(InvalidValue::Negative(Field::ProcPrice).into());
}

#[test]
fn the_procurement_number_is_fixed() {
    let renamed = ChangeRequest { proc_no: some("p02"), ..unchanged() };
    given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(renamed)
        .then_rejected(DeliveryRequestRejection::OtherProcNo);
    let recorded = RecordResult { proc_no: some("p02"), ..record(true) };
    given::<DeliveryRequest>([posted(1, Demand::default()), filed_as(2, filed(), None)])
        .when(recorded)
        .then_rejected(DeliveryRequestRejection::OtherProcNo);
}

#[test]
fn an_assignment_of_another_request_is_none_of_this_one() {
    for request in [Some(9), None] {
        let marked = given::<DeliveryRequest>([posted(1, Demand::default())]).when(MarkAssigned { request });
        assert_eq!(marked.events().len(), usize::from(request.is_none()), "{request:?}");
    }
    given::<DeliveryRequest>([]).when(MarkAssigned { request: None }).then_nothing_written();
}

#[test]
fn procurement_f9_d9_a_canceled_request_takes_its_result_with_it() {
    given::<DeliveryRequest>([posted(1, Demand::default()), filed_as(2, filed(), Some(false))])
        .when(CancelRequest { id: 1 })
        .then_events([canceled(1, Some(2))])
        .then_reply(())
        .when(CancelRequest { id: 1 })
        .then_rejected(DeliveryRequestRejection::Gone)
        .when(record(true))
        .then_rejected(DeliveryRequestRejection::NoResult);
}

#[test]
fn procurement_d5_a_passed_inspection_stays_unless_the_switch_says_otherwise() {
    let passed = || given::<DeliveryRequest>([posted(1, Demand::default()), recorded_as(2, filed(), true, 1)]);
    passed().when(CancelRequest { id: 1 }).then_rejected(DeliveryRequestRejection::Passed);
    passed()
        .under(ProcurementSettings { allow_cancel_after_inspection: true })
        .when(CancelRequest { id: 1 })
        .then_events([canceled(1, Some(2))]);
    given::<DeliveryRequest>([posted(1, Demand::default()), recorded_as(2, filed(), false, 1)])
        .when(CancelRequest { id: 1 })
        .then_events([canceled(1, Some(2))]);
}

#[test]
fn a_request_with_an_open_step_is_busy() {
    let busy = || given::<DeliveryRequest>([posted(1, Demand::default()), announcing(1, wanted(filed(), Some(true)))]);
    busy().when(CancelRequest { id: 1 }).then_rejected(DeliveryRequestRejection::Busy);
    busy().when(unchanged()).then_rejected(DeliveryRequestRejection::Busy);
    busy().when(CancelRequest { id: 9 }).then_rejected(DeliveryRequestRejection::Gone);
}

#[test]
fn a_late_number_changes_nothing() {
    given::<DeliveryRequest>([posted(1, titled("title01"))])
        .answering(Step("draw-request-number", 1))
        .when(FinishPosting { outcome: Ok(7) })
        .then_nothing_written()
        .then_reply(item(titled("title01")));
    given::<DeliveryRequest>([posting(2, Demand::default())])
        .answering(Step("draw-request-number", 1))
        .when(FinishPosting { outcome: Ok(7) })
        .then_nothing_written()
        .then_not_done(RETRY_AFTER);
}

#[test]
fn the_laws_hold_for_requests() {
    let (round, within, order) = (3, LINK, order_of(1));
    let unnumbered = Wanted { demand: Some(titled("new")), ..wanted(filed(), Some(true)) };
    laws::<DeliveryRequest>([
        vec![posting(1, Demand::default()), DeliveryRequestEvent::PostingGivenUp { reason: "no".to_owned() }],
        vec![
            posting(1, Demand { proc_qty: Some(2.5), proc_price: Some(1000), ..titled("title01") }),
            posted(1, titled("title01")),
            DeliveryRequestEvent::ProcurementRequestChanged { id: 1, proc_no: p01(), demand: titled("new") },
            DeliveryRequestEvent::RequestAssigned { id: 1 },
            announcing(2, unnumbered.clone()),
            DeliveryRequestEvent::OrderSought { round, wanted: unnumbered.clone(), within },
            DeliveryRequestEvent::AnnouncementGivenUp { reason: "no".to_owned() },
            DeliveryRequestEvent::ResultVoidRequested { announcement: 2, order },
            DeliveryRequestEvent::NumberWanted { round: 4, wanted: unnumbered },
            filed_as(2, filed(), None),
            recorded_as(2, filed(), true, 5),
            canceled(1, Some(2)),
        ],
    ]);
}

#[test]
fn what_the_bus_carries_of_a_request_is_in_the_words_of_the_topic() {
    let demand = Demand { proc_price: Some(1000), proc_qty: Some(5.0), ..titled("title01") };
    let bus = |event: DeliveryRequestEvent| serde_json::Value::Object(event.on_bus(Number::NONE));
    assert_eq!(
        bus(posted(1, demand)),
        serde_json::json!({"id": 1, "procNo": "p01", "procTitle": "title01", "procContents": null, "procPrice": 1000,
            "procAgency": null, "procQty": 5.0})
    );
    assert_eq!(bus(canceled(1, Some(2))), serde_json::json!({"id": 1, "procNo": "p01"}));
    assert_eq!(
        bus(recorded_as(2, filed(), true, 1)),
        serde_json::json!({"id": 2, "procNo": "p01", "companyNo": "c01", "companyNm": "redbull",
            "companyPhoneNo": "010-1234-1234", "inspectionSuccFlag": true})
    );
    assert_eq!(bus(filed_as(2, filed(), None)), serde_json::json!({}));
}
