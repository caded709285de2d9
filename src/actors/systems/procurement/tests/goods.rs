//! Goods deliveries.

use super::*;

fn of(order: u64, request: Option<u64>) -> OrderRef {
    OrderRef { order, request }
}

fn assign(order: OrderRef, company: Company) -> AssignCompany {
    AssignCompany { proc_no: p01(), order, company }
}

fn number_wanted(round: u32, order: Option<OrderRef>, filing: Filing) -> GoodsEvent {
    GoodsEvent::GoodsNumberWanted { round, proc_no: p01(), order, filing }
}

fn opened(id: u64, order: Option<OrderRef>) -> GoodsEvent {
    GoodsEvent::GoodsDeliveryOpened { id, proc_no: p01(), order, filing: Filing::of(&redbull()) }
}

fn change(filing: Filing) -> ChangeGoods {
    ChangeGoods { id: 1, proc_no: some("p01"), filing }
}

fn acme() -> Company {
    Company { company_no: some("c02"), company_nm: some("acme") }
}

#[test]
fn procurement_f4_d7_a_goods_delivery_begins_with_the_company_of_its_order() {
    let order = of(1, Some(1));
    given::<GoodsDelivery>([])
        .when(assign(order, redbull()))
        .then_events([number_wanted(1, Some(order), Filing::of(&redbull()))])
        .then_creates::<GoodsNumber, _>(DrawNumber { proc_no: p01(), what: Numbered::Goods })
        .then_step(Step("draw-goods-number", 1))
        .answered::<GoodsNumber, DrawNumber>(Ok(1))
        .then_events([opened(1, Some(order))])
        .then_reply(Some(GoodsDeliveryItem { id: 1, proc_no: p01(), filing: Filing::of(&redbull()) }))
        .then_resumes_nothing()
        .when(assign(order, redbull()))
        .then_nothing_written();
}

#[test]
fn procurement_d11_another_order_of_the_same_number_changes_the_one_delivery_there_is() {
    let order = of(9, Some(1));
    let taken_over = GoodsEvent::CompanyTakenOver { id: 1, order, filing: Filing::of(&acme()) };
    given::<GoodsDelivery>([opened(1, Some(of(1, Some(1))))])
        .when(assign(of(9, None), acme()))
        .then_events([taken_over])
        .when(EndDelivery { order: of(1, Some(1)) })
        .then_events([GoodsEvent::GoodsDeliveryRemoved { id: 1 }]);
    given::<GoodsDelivery>([number_wanted(1, None, Filing::default())])
        .when(assign(of(9, None), acme()))
        .then_nothing_written()
        .then_not_done(STEP_RETRY);
}

#[test]
fn a_number_that_is_demanded_again_has_another_delivery_whatever_comes_first() {
    let live = || given::<GoodsDelivery>([opened(1, Some(of(1, Some(1))))]);
    live()
        .when(assign(of(2, Some(3)), acme()))
        .then_events([
            GoodsEvent::GoodsDeliveryRemoved { id: 1 },
            number_wanted(1, Some(of(2, Some(3))), Filing::of(&acme())),
        ])
        .answered::<GoodsNumber, DrawNumber>(Ok(2))
        .when(EndDelivery { order: of(1, Some(1)) })
        .then_nothing_written()
        .when(assign(of(1, Some(1)), redbull()))
        .then_nothing_written()
        .when(EndDelivery { order: of(2, Some(3)) })
        .then_events([GoodsEvent::GoodsDeliveryRemoved { id: 2 }]);
}

#[test]
fn an_open_delivery_goes_forward_until_it_has_its_number() {
    given::<GoodsDelivery>([])
        .when(assign(of(1, Some(1)), redbull()))
        .answered::<GoodsNumber, DrawNumber>(Err(AskError::TimedOut(LINK)))
        .then_nothing_written()
        .then_step(Step("draw-goods-number", 1))
        .answered::<GoodsNumber, DrawNumber>(Ok(1))
        .then_events([opened(1, Some(of(1, Some(1))))]);
    given::<GoodsDelivery>([opened(1, None)])
        .answering(Step("draw-goods-number", 9))
        .when(FinishOpening { outcome: Ok(7) })
        .then_nothing_written();
}

#[test]
fn procurement_f5_what_the_company_files_is_told_once() {
    let phone = Filing { company_phone_no: some("010-1234-1234"), ..Filing::default() };
    let (id, request) = (1, Some(1));
    let patched = GoodsEvent::InspectionRequestPatched { id, proc_no: p01(), request, filing: filed() };
    given::<GoodsDelivery>([opened(1, Some(of(1, Some(1))))])
        .when(change(phone.clone()))
        .then_events([patched])
        .when(change(phone))
        .then_nothing_written()
        .when(change(Filing::default()))
        .then_reply(Some(GoodsDeliveryItem { id: 1, proc_no: p01(), filing: filed() }));
}

#[test]
fn what_does_not_fit_the_delivery_is_refused() {
    let open = || given::<GoodsDelivery>([opened(1, None)]);
    let long = Filing { inspection_contents: Some("x".repeat(MAX_CHARACTERS + 1)), ..Filing::default() };
    open().when(change(long)).then_rejected(InvalidValue::TooLong(Field::InspectionContents).into());
    let renamed = ChangeGoods { proc_no: some("p02"), ..change(filed()) };
    open().when(renamed).then_rejected(GoodsRejection::OtherProcNo);
    open().when(ChangeGoods { id: 2, ..change(filed()) }).then_rejected(GoodsRejection::Gone);
    given::<GoodsDelivery>([]).when(change(filed())).then_rejected(GoodsRejection::Gone);
}

#[test]
fn the_old_page_may_make_and_delete_a_delivery() {
    let open = OpenGoods { proc_no: p01(), filing: Filing::of(&redbull()) };
    given::<GoodsDelivery>([])
        .when(open.clone())
        .then_events([number_wanted(1, None, Filing::of(&redbull()))])
        .when(open.clone())
        .then_rejected(GoodsRejection::Busy);
    given::<GoodsDelivery>([opened(1, None)])
        .when(open)
        .then_rejected(GoodsRejection::Duplicate)
        .when(RemoveGoods { id: 1 })
        .then_events([GoodsEvent::GoodsDeliveryRemoved { id: 1 }])
        .when(RemoveGoods { id: 1 })
        .then_rejected(GoodsRejection::Gone);
}

#[test]
fn procurement_f10_a_delivery_ends_with_its_order_and_with_no_other() {
    let removed = GoodsEvent::GoodsDeliveryRemoved { id: 1 };
    let end = |order| EndDelivery { order };
    let live = || given::<GoodsDelivery>([opened(1, Some(of(1, Some(1))))]);
    live().when(end(of(1, Some(1)))).then_events([removed.clone()]).when(end(of(1, Some(1)))).then_nothing_written();
    live().when(end(of(7, None))).then_nothing_written();
    given::<GoodsDelivery>([opened(1, None)]).when(end(of(7, None))).then_events([removed]);
    given::<GoodsDelivery>([]).when(end(of(7, None))).then_nothing_written();
    let opening = given::<GoodsDelivery>([number_wanted(1, None, Filing::default())]);
    opening.when(end(of(7, None))).then_not_done(STEP_RETRY);
}

#[test]
fn the_laws_hold_for_goods() {
    let order = of(1, Some(1));
    laws::<GoodsDelivery>([vec![
        number_wanted(1, Some(order), Filing::default()),
        opened(1, Some(order)),
        GoodsEvent::CompanyTakenOver { id: 1, order, filing: Filing::of(&acme()) },
        GoodsEvent::InspectionRequestPatched { id: 1, proc_no: p01(), request: Some(1), filing: filed() },
        GoodsEvent::GoodsDeliveryRemoved { id: 1 },
    ]]);
}
