//! What everybody reads.

use super::*;

fn events(events: impl IntoIterator<Item = DeliveryRequestEvent>) -> Vec<Recorded<DeliveryRequest>> {
    (1..).zip(events).map(|(sequence, event)| recorded(p01(), 0, sequence, event)).collect()
}

fn other(event: DeliveryRequestEvent) -> Recorded<DeliveryRequest> {
    recorded(key("p02"), 0, 1, event)
}

fn posted_other() -> DeliveryRequestEvent {
    DeliveryRequestEvent::ProcurementRequestPosted { id: 3, proc_no: key("p02"), demand: titled("title02") }
}

#[test]
fn procurement_f1_f7_the_status_of_a_delivery_follows_request_and_result() {
    let retitled = DeliveryRequestEvent::ProcurementRequestChanged { id: 1, proc_no: p01(), demand: titled("better") };
    let unnamed = Filing { company_nm: None, ..filed() };
    let story = [
        posted(1, titled("title01")),
        retitled,
        filed_as(2, filed(), None),
        recorded_as(2, filed(), false, 1),
        recorded_as(2, unnamed, true, 2),
    ];
    let rows = history::<DeliveryStatusInquiry>().entity(events(story)).entity([other(posted_other())]);
    let rows = rows.then_order_does_not_matter();
    let expected = DeliveryStatusInquiry {
        id: 1,
        proc_no: p01(),
        proc_title: some("better"),
        company_nm: some("redbull"),
        inspection_succ_flag: Some(true),
    };
    assert_eq!(rows.get(&1), Some(&expected), "D-7: a missing name does not wipe the one that is known");
    assert_eq!(rows.listed().count(), 2);
}

#[test]
fn procurement_d14_a_canceled_request_has_no_row_and_the_next_one_has_its_own() {
    let story = [posted(1, titled("title01")), canceled(1, None), posted(4, titled("again"))];
    let rows = history::<DeliveryStatusInquiry>().entity(events(story)).then_order_does_not_matter();
    assert_eq!(rows.listed().map(|row| row.id).collect::<Vec<_>>(), [4]);
}

#[test]
fn procurement_d6_d9_the_lists_show_requests_and_results_under_their_own_numbers() {
    let story = || [posted(1, titled("title01")), filed_as(2, filed(), None), recorded_as(2, filed(), true, 1)];
    let requests = history::<Requests>().entity(events(story())).entity([other(posted_other())]);
    let requests = requests.then_order_does_not_matter();
    let item = requests.get(&1).map(Requests::item).unwrap();
    assert_eq!((item.inspection_succ_flag, &item.filing), (Some(true), &filed()));
    assert_eq!(requests.listed().map(|row| row.item().id).collect::<Vec<_>>(), [1, 3]);
    let results = history::<Results>().entity(events(story())).then_order_does_not_matter();
    assert_eq!(results.get(&2).unwrap().item().inspection_succ_flag, Some(true));

    let ended = || story().into_iter().chain([canceled(1, Some(2))]);
    assert_eq!(history::<Requests>().entity(events(ended())).rows().listed().count(), 0);
    assert_eq!(history::<Results>().entity(events(ended())).rows().listed().count(), 0);
}

#[test]
fn a_changed_demand_is_in_the_list_of_requests() {
    let changed = DeliveryRequestEvent::ProcurementRequestChanged { id: 1, proc_no: p01(), demand: titled("new") };
    let rows = history::<Requests>().entity(events([posted(1, titled("title01")), changed])).rows();
    assert_eq!(rows.get(&1).unwrap().item().demand, titled("new"));
}

#[test]
fn the_list_of_goods_follows_each_delivery() {
    let order = OrderRef { order: 1, request: Some(1) };
    let opened =
        |id| GoodsEvent::GoodsDeliveryOpened { id, proc_no: p01(), order: Some(order), filing: Filing::default() };
    let filed_for = |id| GoodsEvent::InspectionRequestPatched { id, proc_no: p01(), request: Some(1), filing: filed() };
    let story = [
        opened(1),
        filed_for(1),
        GoodsEvent::GoodsDeliveryRemoved { id: 1 },
        opened(2),
        GoodsEvent::CompanyTakenOver { id: 2, order, filing: Filing::of(&redbull()) },
    ];
    let story = (1..).zip(story).map(|(sequence, event)| recorded(p01(), 0, sequence, event));
    let rows = history::<GoodsDeliveries>().entity(story).rows();
    let listed: Vec<_> = rows.listed().map(|row| row.item().clone()).collect();
    assert_eq!(listed, [GoodsDeliveryItem { id: 2, proc_no: p01(), filing: Filing::of(&redbull()) }]);
}

#[test]
fn procurement_d2_the_order_that_acts_is_the_first_of_its_procurement_number() {
    let order = |number, events: Vec<ManagementEvent>| -> Vec<Recorded<DeliveryManagement>> {
        let id = NumberedId::Key(key(&format!("order-{number}")));
        (1..).zip(events).map(|(sequence, event)| recorded(id.clone(), number, sequence, event)).collect()
    };
    let gone = ManagementEvent::ProcurementNoticeCanceled { proc_no: p01(), request: None };
    let rows = history::<OrdersOfProcNo>()
        .entity(order(1, vec![received(Some(1), Demand::default()), patched(redbull())]))
        .entity(order(2, vec![received(None, Demand::default()), gone]))
        .entity(order(3, vec![received(None, Demand::default())]))
        .entity(order(4, vec![received(None, Demand::default())]))
        .then_order_does_not_matter();
    let listed: Vec<_> = rows.listed().map(|row| row.order).collect();
    assert_eq!(listed, [1, 4, 3]);
    let place = OrderPlace { proc_no: p01(), posted: true, order: 3 };
    assert!(ViewKey::to_bytes(&place).starts_with(&OrderPlace::prefix(&p01())));
    assert_eq!(OrderPlace::from_bytes(b"p01"), None);
}
