//! Inspection results: filing, recording, announcing.

use super::*;

fn requested() -> crate::actors::testkit::Given<DeliveryRequest> {
    given::<DeliveryRequest>([posted(1, Demand::default()), filed_as(2, filed(), None)])
}

fn announce(round: u32) -> AnnounceResult {
    AnnounceResult { announcement: Some(round), company: redbull(), passed: true }
}

fn item(passed: Option<bool>) -> RequestAndResult {
    let (proc_no, demand, filing) = (p01(), Demand::default(), filed());
    let result = InspectionResultItem { id: 2, proc_no, filing, inspection_succ_flag: passed };
    let (proc_no, filing) = (p01(), filed());
    let request = DeliveryRequestItem { id: 1, proc_no, demand, filing, inspection_succ_flag: passed };
    RequestAndResult { request: Some(request), result: Some(result) }
}

fn given_up(reason: &impl ToString) -> DeliveryRequestEvent {
    DeliveryRequestEvent::AnnouncementGivenUp { reason: reason.to_string() }
}

#[test]
fn procurement_f6_a_filing_begins_a_result_with_a_number_of_its_own() {
    let file = FileInspection { request: Some(1), filing: filed() };
    let number_wanted = DeliveryRequestEvent::NumberWanted { round: 1, wanted: wanted(filed(), None) };
    given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(file.clone())
        .then_events([number_wanted])
        .then_creates::<RequestNumber, _>(DrawNumber { proc_no: p01(), what: Numbered::Result })
        .answered::<RequestNumber, DrawNumber>(Ok(2))
        .then_events([filed_as(2, filed(), None)])
        .then_reply(item(None))
        .then_resumes_nothing()
        .when(file)
        .then_nothing_written();
}

#[test]
fn procurement_d9_what_is_filed_for_no_request_or_for_another_one_is_nothing() {
    let file = |request| FileInspection { request, filing: filed() };
    given::<DeliveryRequest>([]).when(file(Some(1))).then_nothing_written();
    given::<DeliveryRequest>([posted(3, Demand::default())]).when(file(Some(1))).then_nothing_written();
    let by_procurement = given::<DeliveryRequest>([posted(3, Demand::default())]).when(file(None));
    assert_eq!(by_procurement.events().len(), 1, "an order of the procurement service names no request");
}

#[test]
fn a_new_filing_opens_a_failed_result_again_and_leaves_a_passed_one() {
    let again = Filing { inspection_contents: some("new box"), ..filed() };
    let file = |filing: &Filing| FileInspection { request: Some(1), filing: filing.clone() };
    let failed = || given::<DeliveryRequest>([posted(1, Demand::default()), recorded_as(2, filed(), false, 1)]);
    failed().when(file(&again)).then_events([filed_as(2, again.clone(), None)]);
    failed().when(file(&filed())).then_events([filed_as(2, filed(), None)]);
    given::<DeliveryRequest>([posted(1, Demand::default()), recorded_as(2, filed(), true, 1)])
        .when(file(&again))
        .then_events([filed_as(2, again, Some(true))])
        .when(file(&filed()))
        .then_nothing_written();
}

#[test]
fn a_filing_waits_while_a_step_is_open() {
    given::<DeliveryRequest>([posted(1, Demand::default()), announcing(1, wanted(filed(), Some(true)))])
        .when(FileInspection { request: None, filing: filed() })
        .then_nothing_written()
        .then_not_done(STEP_RETRY);
}

#[test]
fn procurement_f7_f8_a_passed_inspection_is_announced_before_it_is_recorded() {
    requested()
        .when(record(true))
        .then_events([announcing(1, wanted(filed(), Some(true)))])
        .then_asks::<DeliveryManagement, _>(&order_of(1), announce(1))
        .then_step(Step("announce-result", 1))
        .then_waits(LINK)
        .answered::<DeliveryManagement, AnnounceResult>(Ok(()))
        .then_events([recorded_as(2, filed(), true, 2)])
        .then_reply(item(Some(true)))
        .then_resumes_nothing();
}

#[test]
fn a_passed_inspection_is_final_and_repeating_it_is_no_change() {
    let passed = || given::<DeliveryRequest>([posted(1, Demand::default()), recorded_as(2, filed(), true, 1)]);
    passed().when(record(true)).then_nothing_written().then_reply(item(Some(true)));
    passed().when(record(false)).then_rejected(DeliveryRequestRejection::Passed);
    let filing = Filing { company_nm: some("acme"), ..Filing::default() };
    passed().when(RecordResult { filing, ..record(true) }).then_rejected(DeliveryRequestRejection::Passed);
    let nothing = RecordResult { passed: None, ..record(true) };
    passed().when(nothing).then_nothing_written().then_reply(item(Some(true)));
}

#[test]
fn procurement_d8_a_failure_is_recorded_without_the_call_and_may_be_passed_later() {
    requested()
        .when(record(false))
        .then_events([recorded_as(2, filed(), false, 1)])
        .then_reply(item(Some(false)))
        .when(record(false))
        .then_nothing_written()
        .when(record(true))
        .then_events([announcing(2, wanted(filed(), Some(true)))])
        .answered::<DeliveryManagement, AnnounceResult>(Ok(()))
        .then_events([recorded_as(2, filed(), true, 3)]);
}

#[test]
fn procurement_d10_a_refused_agency_leaves_the_result_as_it_was() {
    let refused = AskError::Rejected(ManagementRejection::AgencyRefused);
    requested()
        .when(record(true))
        .answered::<DeliveryManagement, AnnounceResult>(Err(refused))
        .then_events([given_up(&DeliveryRequestRejection::AgencyRefused)])
        .then_rejected(DeliveryRequestRejection::AgencyRefused)
        .then_resumes_nothing()
        .when(RecordResult { passed: None, ..record(true) })
        .then_reply(item(None));
}

#[test]
fn procurement_n1_without_the_delivery_management_nothing_is_recorded() {
    for error in [
        AskError::Unavailable(stopped()),
        AskError::Expired(LINK),
        AskError::Overloaded { retry_after: LINK },
        AskError::Rejected(ManagementRejection::Voided),
    ] {
        let retry_after = if let AskError::Overloaded { retry_after } = error { retry_after } else { RETRY_AFTER };
        requested()
            .when(record(true))
            .answered::<DeliveryManagement, AnnounceResult>(Err(error.clone()))
            .then_events([given_up(&error)])
            .then_not_done(retry_after)
            .then_resumes_nothing()
            .when(record(true))
            .then_step(Step("announce-result", 2));
    }
}

#[test]
fn an_announcement_with_an_unknown_end_is_given_up_and_voided() {
    let error = AskError::TimedOut(LINK);
    let void = DeliveryRequestEvent::ResultVoidRequested { announcement: 1, order: order_of(1) };
    assert_eq!(error.outcome(), Outcome::Unknown);
    requested()
        .when(record(true))
        .answered::<DeliveryManagement, AnnounceResult>(Err(error.clone()))
        .then_events([given_up(&error), void])
        .then_not_done(RETRY_AFTER)
        .then_resumes_nothing();
}

#[test]
fn procurement_d2_when_the_own_order_is_gone_the_newest_one_hears_of_the_result() {
    let gone = || AskError::Rejected(ManagementRejection::Gone);
    let (round, within) = (2, LINK);
    let sought = DeliveryRequestEvent::OrderSought { round, wanted: wanted(filed(), Some(true)), within };
    let (round, order) = (3, NumberedId::number(7));
    let again = DeliveryRequestEvent::AnnouncementStarted { round, order, wanted: wanted(filed(), Some(true)), within };
    let searching = || {
        requested()
            .when(record(true))
            .answered::<DeliveryManagement, AnnounceResult>(Err(gone()))
            .then_events([sought.clone()])
            .then_asks::<OrderRegister, _>(&p01(), FindOrder)
    };
    let told = || {
        searching()
            .answered::<OrderRegister, FindOrder>(Ok(Some(7)))
            .then_events([again.clone()])
            .then_asks::<DeliveryManagement, _>(&NumberedId::number(7), announce(3))
    };
    told().answered::<DeliveryManagement, AnnounceResult>(Ok(())).then_events([recorded_as(2, filed(), true, 4)]);
    let nobody = DeliveryRequestRejection::NoOrder;
    told()
        .answered::<DeliveryManagement, AnnounceResult>(Err(gone()))
        .then_events([given_up(&nobody)])
        .then_rejected(nobody.clone());
    searching().answered::<OrderRegister, FindOrder>(Ok(None)).then_events([given_up(&nobody)]).then_rejected(nobody);
    requested()
        .when(record(true))
        .answered::<DeliveryManagement, AnnounceResult>(Err(AskError::Rejected(ManagementRejection::Unknown)))
        .then_events([given_up(&DeliveryRequestRejection::NoOrder)])
        .then_rejected(DeliveryRequestRejection::NoOrder);
    let lost = AskError::TimedOut(LINK);
    searching()
        .answered::<OrderRegister, FindOrder>(Err(lost.clone()))
        .then_events([given_up(&lost)])
        .then_not_done(RETRY_AFTER);
}

#[test]
fn procurement_d6_a_result_is_found_by_its_own_number_and_by_that_of_its_request() {
    let of = |of| RecordResult { of, passed: None, ..record(true) };
    for found in [OfResult::Result(2), OfResult::Request(1)] {
        requested().when(of(found)).then_reply(item(None));
    }
    for missing in [OfResult::Result(1), OfResult::Request(2)] {
        requested().when(of(missing)).then_rejected(DeliveryRequestRejection::NoResult);
    }
    given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(of(OfResult::Request(1)))
        .then_rejected(DeliveryRequestRejection::NoResult);
}

#[test]
fn procurement_d6_a_request_takes_its_result_too_and_the_result_begins_with_it() {
    let company = Filing::of(&redbull());
    let pass = ChangeRequest { filing: company.clone(), passed: Some(true), ..unchanged() };
    let goal = wanted(company.clone(), Some(true));
    let number_wanted = DeliveryRequestEvent::NumberWanted { round: 2, wanted: goal.clone() };
    let numbering = given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(pass.clone())
        .then_events([announcing(1, goal)])
        .answered::<DeliveryManagement, AnnounceResult>(Ok(()))
        .then_events([number_wanted])
        .then_creates::<RequestNumber, _>(DrawNumber { proc_no: p01(), what: Numbered::Result });
    // The delivery management knows the result: there is no way back.
    numbering
        .answered::<RequestNumber, DrawNumber>(Err(AskError::Overloaded { retry_after: LINK }))
        .then_nothing_written()
        .then_step(Step("draw-result-number", 2))
        .answered::<RequestNumber, DrawNumber>(Ok(2))
        .then_events([recorded_as(2, company, true, 3)])
        .then_resumes_nothing()
        .when(pass)
        .then_nothing_written();
}

#[test]
fn a_failure_of_a_request_without_a_result_draws_its_number_first() {
    let fail = ChangeRequest { passed: Some(false), ..unchanged() };
    given::<DeliveryRequest>([posted(1, Demand::default())])
        .when(fail)
        .then_creates::<RequestNumber, _>(DrawNumber { proc_no: p01(), what: Numbered::Result })
        .answered::<RequestNumber, DrawNumber>(Ok(2))
        .then_events([recorded_as(2, Filing::default(), false, 2)]);
}

#[test]
fn a_change_that_comes_with_a_result_stands_or_falls_with_it() {
    let both = ChangeRequest {
        demand: DemandChange { proc_title: Set::To(some("new")), ..DemandChange::default() },
        passed: Some(true),
        ..unchanged()
    };
    let changed = DeliveryRequestEvent::ProcurementRequestChanged { id: 1, proc_no: p01(), demand: titled("new") };
    requested()
        .when(both.clone())
        .answered::<DeliveryManagement, AnnounceResult>(Ok(()))
        .then_events([changed, recorded_as(2, filed(), true, 2)]);
    requested()
        .when(both)
        .answered::<DeliveryManagement, AnnounceResult>(Err(AskError::Expired(LINK)))
        .then_events([given_up(&AskError::<ManagementRejection>::Expired(LINK))]);
}

#[test]
fn a_late_announcement_changes_nothing() {
    given::<DeliveryRequest>([
        posted(1, Demand::default()),
        filed_as(2, filed(), None),
        announcing(2, wanted(filed(), Some(true))),
    ])
    .answering(Step("announce-result", 1))
    .when(FinishAnnouncement { outcome: Ok(()) })
    .then_nothing_written()
    .then_not_done(RETRY_AFTER);
    requested().when(FinishSearch { outcome: Ok(Some(7)) }).then_nothing_written().then_reply(item(None));
    requested().when(FinishNumbering { outcome: Ok(7) }).then_nothing_written().then_reply(item(None));
}

#[test]
fn numbers_are_drawn_once() {
    let draw = |what| DrawNumber { proc_no: p01(), what };
    given::<RequestNumber>([])
        .numbered(2)
        .when(draw(Numbered::Result))
        .then_events([NumberEvent::NumberDrawn { proc_no: p01(), what: Numbered::Result }])
        .then_reply(2)
        .when(draw(Numbered::Result))
        .then_nothing_written()
        .then_reply(2)
        .when(draw(Numbered::Request))
        .then_rejected(NumberRejection::DrawnForAnother);
    laws::<RequestNumber>([vec![NumberEvent::NumberDrawn { proc_no: p01(), what: Numbered::Request }]]);
    laws::<GoodsNumber>([vec![NumberEvent::NumberDrawn { proc_no: p01(), what: Numbered::Goods }]]);
}
