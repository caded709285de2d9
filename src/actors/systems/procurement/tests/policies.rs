//! What follows from what.

use super::*;

fn request(event: DeliveryRequestEvent) -> Recorded<DeliveryRequest> {
    recorded(p01(), 0, 5, event)
}

fn order(event: ManagementEvent) -> Recorded<DeliveryManagement> {
    recorded(NumberedId::Key(key("order")), 4, 5, event)
}

fn goods(event: GoodsEvent) -> Recorded<GoodsDelivery> {
    recorded(p01(), 0, 5, event)
}

#[test]
fn procurement_f2_d1_f10_a_delivery_order_follows_its_request() {
    let demand = titled("title01");
    let own = order_of(1);
    let receive = ReceiveOrder { request: 1, proc_no: p01(), demand: demand.clone() };
    reacts(&FollowRequests, &request(posted(1, demand.clone()))).then_sends(&own, receive).then_nothing();
    let changed = DeliveryRequestEvent::ProcurementRequestChanged { id: 1, proc_no: p01(), demand: demand.clone() };
    reacts(&FollowRequests, &request(changed)).then_sends(&own, ReviseOrder { demand }).then_nothing();
    let withdraw = WithdrawOrder { for_request: true };
    reacts(&FollowRequests, &request(canceled(1, None))).then_sends(&own, withdraw).then_nothing();
    assert_ne!(order_of(1), order_of(2));
}

#[test]
fn procurement_d8_failures_and_voids_go_to_the_order_by_event_and_passes_do_not() {
    let failed = recorded_as(2, filed(), false, 4);
    reacts(&FollowRequests, &request(failed)).then_sends(&order_of(1), HearFailure { round: 4 }).then_nothing();
    for told in [order_of(1), NumberedId::number(7)] {
        let void = DeliveryRequestEvent::ResultVoidRequested { announcement: 3, order: told.clone() };
        reacts(&FollowRequests, &request(void)).then_sends(&told, VoidAnnouncement { round: 3 }).then_nothing();
    }
    for event in [
        recorded_as(2, filed(), true, 4),
        filed_as(2, filed(), None),
        posting(1, Demand::default()),
        announcing(1, wanted(filed(), None)),
    ] {
        reacts(&FollowRequests, &request(event)).then_nothing();
    }
}

#[test]
fn procurement_d2_posted_orders_are_registered_and_born_ones_are_not() {
    let gone = |request| ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request };
    let note = NoteOrder { order: 4 };
    reacts(&KeepRegister, &order(received(None, Demand::default()))).then_sends(&p01(), note).then_nothing();
    reacts(&KeepRegister, &order(gone(None))).then_sends(&p01(), StrikeOrder { order: 4 }).then_nothing();
    let errand = ManagementEvent::ErrandPassedOn { proc_no: p01(), errand: Errand::Fail(3) };
    reacts(&KeepRegister, &order(errand)).then_sends(&p01(), RunErrand { errand: Errand::Fail(3) }).then_nothing();
    for event in [received(Some(1), Demand::default()), gone(Some(1)), patched(redbull())] {
        reacts(&KeepRegister, &order(event)).then_nothing();
    }
}

#[test]
fn procurement_d2_the_newest_order_runs_the_errands_of_one_that_is_gone() {
    let given = |errand| recorded(p01(), 0, 1, RegisterEvent::ErrandGiven { order: 7, errand });
    let newest = NumberedId::number(7);
    let demand = titled("new");
    reacts(&RunErrands, &given(Errand::Revise(demand.clone())))
        .then_sends(&newest, ReviseOrder { demand })
        .then_nothing();
    reacts(&RunErrands, &given(Errand::Fail(3))).then_sends(&newest, HearFailure { round: 3 }).then_nothing();
    let withdraw = WithdrawOrder { for_request: true };
    reacts(&RunErrands, &given(Errand::Withdraw)).then_sends(&newest, withdraw).then_nothing();
    reacts(&RunErrands, &recorded(p01(), 0, 1, RegisterEvent::OrderNoted { order: 7 })).then_nothing();
}

#[test]
fn procurement_f4_d7_d11_an_assignment_reaches_goods_and_request_and_an_announcement_neither() {
    let reference = OrderRef { order: 4, request: Some(1) };
    let assign = AssignCompany { proc_no: p01(), order: reference, company: redbull() };
    reacts(&DeliverGoods, &order(patched(redbull()))).then_sends(&p01(), assign).then_nothing();
    let mark = MarkAssigned { request: Some(1) };
    reacts(&MarkAssignments, &order(patched(redbull()))).then_sends(&p01(), mark).then_nothing();
    reacts(&MarkAssignments, &order(patched(Company::default()))).then_nothing();
    let announced = ManagementEvent::ResultAnnounced { round: 1, passed: true, company: redbull() };
    reacts(&DeliverGoods, &order(announced.clone())).then_nothing();
    reacts(&MarkAssignments, &order(announced)).then_nothing();
}

#[test]
fn procurement_f10_d15_goods_end_with_their_order() {
    let gone = ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request: Some(1) };
    let end = EndDelivery { order: OrderRef { order: 4, request: Some(1) } };
    reacts(&DeliverGoods, &order(gone.clone())).then_sends(&p01(), end).then_nothing();
    reacts(&MarkAssignments, &order(gone)).then_nothing();
}

#[test]
fn procurement_f6_only_what_the_company_files_reaches_the_request() {
    let patched = GoodsEvent::InspectionRequestPatched { id: 1, proc_no: p01(), request: Some(1), filing: filed() };
    let file = FileInspection { request: Some(1), filing: filed() };
    reacts(&FileInspections, &goods(patched)).then_sends(&p01(), file).then_nothing();
    reacts(&FileInspections, &goods(GoodsEvent::GoodsDeliveryRemoved { id: 1 })).then_nothing();
}

#[test]
fn procurement_f11_d8_every_recorded_result_is_one_sms_in_its_own_words() {
    for (passed, text) in [(true, "검수 완료 되었습니다~~~"), (false, "검수 불합격 되었습니다")] {
        let told = Sms { phone_no: some("010-1234-1234"), contents: some(text) };
        reacts(&SendSms, &request(recorded_as(2, filed(), passed, 1)))
            .then_creates(WriteSms { sms: told })
            .then_nothing();
    }
    let nowhere = Sms { phone_no: None, contents: some("검수 완료 되었습니다~~~") };
    let unreachable = recorded_as(2, Filing::default(), true, 1);
    reacts(&SendSms, &request(unreachable)).then_creates(WriteSms { sms: nowhere }).then_nothing();
    reacts(&SendSms, &request(filed_as(2, filed(), None))).then_nothing();
    assert_eq!(SendSms::ORDER, DispatchOrder::PerSource);
}
