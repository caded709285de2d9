//! Delivery orders and their register.

use super::*;

fn standing(request: Option<u64>) -> crate::actors::testkit::Given<DeliveryManagement> {
    given::<DeliveryManagement>([received(request, titled("title01"))])
}

fn assign(company: Company) -> ChangeOrder {
    ChangeOrder { proc_no: some("p01"), demand: DemandChange::default(), company }
}

fn announce(announcement: Option<u32>, passed: bool) -> AnnounceResult {
    AnnounceResult { announcement, company: Company::default(), passed }
}

fn announced(round: u32, passed: bool) -> ManagementEvent {
    ManagementEvent::ResultAnnounced { round, passed, company: Company::default() }
}

fn flag(order: &DeliveryManagement) -> Option<bool> {
    order.item(Number::new(1)).unwrap().inspection_succ_flag
}

#[test]
fn procurement_f2_f3_an_order_is_received_and_gets_a_company() {
    let demand = titled("title01");
    given::<DeliveryManagement>([])
        .when(ReceiveOrder { request: 1, proc_no: p01(), demand: demand.clone() })
        .then_events([received(Some(1), demand.clone())])
        .when(ReceiveOrder { request: 1, proc_no: p01(), demand: Demand::default() })
        .then_nothing_written()
        .when(assign(redbull()))
        .then_events([patched(redbull())])
        .when(assign(redbull()))
        .then_nothing_written()
        .when(assign(Company::default()))
        .then_nothing_written()
        .then_reply(DeliveryManagementItem {
            id: 1,
            proc_no: p01(),
            demand,
            company: redbull(),
            inspection_succ_flag: None,
        });
}

#[test]
fn an_order_that_nobody_has_cannot_be_changed() {
    given::<DeliveryManagement>([]).when(assign(redbull())).then_rejected(ManagementRejection::Gone);
    let renamed = ChangeOrder { proc_no: some("p02"), ..assign(redbull()) };
    standing(Some(1)).when(renamed).then_rejected(ManagementRejection::OtherProcNo);
    let long = Company { company_nm: Some("x".repeat(MAX_CHARACTERS + 1)), ..redbull() };
    standing(Some(1)).when(assign(long)).then_rejected(InvalidValue::TooLong(Field::CompanyNm).into());
}

#[test]
fn procurement_d2_d3_the_procurement_service_may_post_as_many_orders_as_it_likes() {
    let post = |proc_no: Option<&str>, price| PostOrder {
        proc_no: proc_no.map(str::to_owned),
        demand: Demand { proc_price: price, ..Demand::default() },
        company: Company::default(),
    };
    let posted = given::<DeliveryManagement>([]).numbered(3).when(post(Some("p01"), None));
    posted
        .then_events([received(None, Demand::default())])
        .when(post(Some("p01"), None))
        .then_rejected(ManagementRejection::AlreadyPosted);
    let none = given::<DeliveryManagement>([]).when(post(None, None));
    none.then_rejected(InvalidValue::Missing(Field::ProcNo).into());
    let negative = given::<DeliveryManagement>([]).when(post(Some("p01"), Some(-1)));
    negative.then_rejected(InvalidValue::Negative(Field::ProcPrice).into());
}

#[test]
fn procurement_f8_d7_d11_an_announcement_sets_the_flag_and_wipes_no_company() {
    let order = given::<DeliveryManagement>([received(Some(1), titled("title01")), patched(redbull())])
        .when(announce(Some(1), true))
        .then_events([ManagementEvent::ResultAnnounced { round: 1, passed: true, company: redbull() }]);
    assert_eq!(flag(order.state()), Some(true));
    assert!(order.events().iter().all(|event| !event.is_public()), "D-11");
    order.when(assign(Company { company_nm: some("acme"), ..redbull() })).then_rejected(ManagementRejection::Passed);
}

#[test]
fn procurement_d10_the_procurement_service_itself_is_refused() {
    let own = Demand { proc_agency: some(REFUSED_AGENCY), ..Demand::default() };
    for (announcement, passed) in [(Some(1), true), (None, true), (None, false)] {
        given::<DeliveryManagement>([received(Some(1), own.clone())])
            .when(announce(announcement, passed))
            .then_rejected(ManagementRejection::AgencyRefused)
            .then_nothing_written();
    }
}

#[test]
fn an_order_that_is_not_there_hears_nothing() {
    let gone = ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request: Some(1) };
    given::<DeliveryManagement>([]).when(announce(Some(1), true)).then_rejected(ManagementRejection::Unknown);
    let order = || given::<DeliveryManagement>([received(Some(1), Demand::default()), gone.clone()]);
    order().when(announce(None, true)).then_rejected(ManagementRejection::Gone);
    order().when(VoidAnnouncement { round: 1 }).then_nothing_written();
}

#[test]
fn a_voided_announcement_counts_neither_before_nor_after() {
    let before = standing(Some(1)).when(announce(Some(1), true)).when(VoidAnnouncement { round: 1 });
    assert_eq!(flag(before.state()), None);
    before.when(VoidAnnouncement { round: 1 }).then_nothing_written();
    let after = standing(Some(1)).when(VoidAnnouncement { round: 1 });
    after.when(announce(Some(1), true)).then_rejected(ManagementRejection::Voided);
}

#[test]
fn voiding_gives_back_what_was_before_that_announcement_in_every_order() {
    // What comes, and what the flag is in the end: round 2 failed, round 3 was given up, round 4 stands or not.
    let void = ManagementEvent::AnnouncementVoided { round: 3 };
    let events = [announced(2, false), announced(3, true), void];
    for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0]] {
        let history = order.map(|at: usize| events[at].clone());
        let order = given::<DeliveryManagement>([received(Some(1), Demand::default())].into_iter().chain(history));
        assert_eq!(flag(order.state()), Some(false), "{order:?}");
        let later = order.when(announce(Some(4), true));
        assert_eq!(flag(later.state()), Some(true));
    }
}

#[test]
fn procurement_d8_a_failure_that_comes_late_does_not_undo_a_later_pass() {
    let order = standing(Some(1)).when(announce(Some(2), true)).when(HearFailure { round: 1 });
    assert_eq!(flag(order.state()), Some(true));
    let order = order.when(VoidAnnouncement { round: 2 });
    assert_eq!(flag(order.state()), Some(false));
}

#[test]
fn procurement_d16_whoever_announces_without_a_round_overwrites_what_is_known() {
    let order = standing(None).when(announce(None, true));
    assert_eq!(flag(order.state()), Some(true));
    order.when(announce(None, true)).then_nothing_written();
    let order = standing(Some(1)).when(announce(Some(4), true)).when(announce(None, false));
    assert_eq!(flag(order.state()), Some(false));
}

#[test]
fn few_results_and_voids_are_remembered_and_older_announcements_are_refused() {
    let most = u32::try_from(DeliveryManagement::MAX_VOIDED).unwrap();
    let voids = (2..=most + 1).map(|round| ManagementEvent::AnnouncementVoided { round });
    let events = [received(Some(1), Demand::default())].into_iter().chain(voids);
    let order = || given::<DeliveryManagement>(events.clone());
    order().when(announce(Some(1), true)).then_rejected(ManagementRejection::Voided);
    order().when(announce(Some(most + 2), true)).then_reply(());
    let few = given::<DeliveryManagement>(events.clone().take(3));
    few.when(announce(Some(1), true)).then_reply(());
    let heard = (1..=20).map(|round| announced(round, round % 2 == 0));
    let order = given::<DeliveryManagement>([received(Some(1), Demand::default())].into_iter().chain(heard));
    assert_eq!(flag(order.state()), Some(true));
    let results = serde_json::to_value(order.state()).unwrap()["results"].as_array().unwrap().len();
    assert_eq!(results, DeliveryManagement::MAX_RESULTS);
}

#[test]
fn procurement_f10_d15_an_order_goes_once_for_its_request_or_for_the_procurement_service() {
    for for_request in [true, false] {
        let withdrawn = standing(Some(1)).when(WithdrawOrder { for_request });
        let gone = ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request: Some(1) };
        let withdrawn = withdrawn.then_events([gone]);
        withdrawn.when(WithdrawOrder { for_request: false }).then_rejected(ManagementRejection::Gone);
    }
}

#[test]
fn procurement_d2_an_order_that_is_gone_passes_on_what_its_request_wants() {
    let gone = |request| ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request };
    let passed_on = |errand| ManagementEvent::ErrandPassedOn { proc_no: p01(), errand };
    let order = || given::<DeliveryManagement>([received(Some(1), Demand::default()), gone(Some(1))]);
    order().when(WithdrawOrder { for_request: true }).then_events([passed_on(Errand::Withdraw)]);
    order().when(HearFailure { round: 3 }).then_events([passed_on(Errand::Fail(3))]);
    let demand = titled("new");
    order().when(ReviseOrder { demand: demand.clone() }).then_events([passed_on(Errand::Revise(demand))]);
    // Whom nobody asked for passes nothing on: there would be no end.
    let other = given::<DeliveryManagement>([received(None, Demand::default()), gone(None)]);
    other.when(WithdrawOrder { for_request: true }).then_nothing_written();
}

#[test]
fn procurement_d1_an_order_follows_its_request() {
    let demand = titled("new");
    standing(Some(1))
        .when(ReviseOrder { demand: demand.clone() })
        .then_events([ManagementEvent::DeliveryOrderRevised { demand: demand.clone() }])
        .when(ReviseOrder { demand })
        .then_nothing_written();
}

#[test]
fn procurement_d2_the_register_knows_the_newest_orders() {
    let noted = |order| RegisterEvent::OrderNoted { order };
    let most = u64::try_from(OrderRegister::MAX_ORDERS).unwrap();
    given::<OrderRegister>([]).when(FindOrder).then_reply(None);
    given::<OrderRegister>([]).when(RunErrand { errand: Errand::Withdraw }).then_nothing_written();
    given::<OrderRegister>([])
        .when(NoteOrder { order: 5 })
        .then_events([noted(5)])
        .when(NoteOrder { order: 3 })
        .when(NoteOrder { order: 3 })
        .then_nothing_written()
        .when(FindOrder)
        .then_reply(Some(5))
        .when(RunErrand { errand: Errand::Fail(1) })
        .then_events([RegisterEvent::ErrandGiven { order: 5, errand: Errand::Fail(1) }])
        .when(StrikeOrder { order: 5 })
        .then_events([RegisterEvent::OrderStruck { order: 5 }])
        .when(StrikeOrder { order: 5 })
        .then_nothing_written()
        .when(FindOrder)
        .then_reply(Some(3));
    let full = given::<OrderRegister>((2..=most + 1).map(noted)).when(NoteOrder { order: 1 }).then_nothing_written();
    let kept = full.when(NoteOrder { order: most + 2 }).then_events([noted(most + 2)]);
    let orders = serde_json::to_value(kept.state()).unwrap()["orders"].as_array().unwrap().clone();
    assert_eq!((orders.len(), orders[0].as_u64()), (OrderRegister::MAX_ORDERS, Some(3)));
}

#[test]
fn the_laws_hold_for_orders() {
    laws::<DeliveryManagement>([vec![
        received(Some(1), titled("title01")),
        ManagementEvent::DeliveryOrderRevised { demand: titled("new") },
        patched(redbull()),
        announced(1, true),
        ManagementEvent::AnnouncementVoided { round: 1 },
        ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request: Some(1) },
        ManagementEvent::ErrandPassedOn { proc_no: p01(), errand: Errand::Withdraw },
        ManagementEvent::ErrandPassedOn { proc_no: p01(), errand: Errand::Fail(1) },
        ManagementEvent::ErrandPassedOn { proc_no: p01(), errand: Errand::Revise(titled("new")) },
    ]]);
    laws::<OrderRegister>([vec![
        RegisterEvent::OrderNoted { order: 1 },
        RegisterEvent::ErrandGiven { order: 1, errand: Errand::Withdraw },
        RegisterEvent::OrderStruck { order: 1 },
    ]]);
}
