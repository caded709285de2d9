//! Whole deliveries, from the demand to the SMS.

use super::{
    world::{Procurement, Told},
    *,
};

/// A request with its company's filing, so that only the result is missing.
fn filed_story(proc_no: &str) -> Procurement {
    let mut told = Procurement::new();
    assert_eq!(told.post(proc_no, None, &[]), Told::Done);
    told.world.settle();
    let order = told.own_order(proc_no).unwrap();
    assert_eq!(told.assign(order, "redbull"), Told::Done);
    told.world.settle();
    assert_eq!(told.file(proc_no, "010"), Told::Done);
    told.world.settle();
    told
}

#[test]
fn procurement_f1_f2_f3_f4_f5_f6_f7_f8_f11_a_delivery_from_the_demand_to_the_sms() {
    let mut told = filed_story("p01");
    let result = told.result("p01").unwrap();
    assert_eq!((result.id, result.inspection_succ_flag), (2, None), "one counter per service");
    assert_eq!(result.filing.company_phone_no, some("010"));
    assert_eq!(told.retitle("p01", "late"), Told::Refused);

    assert_eq!(told.record("p01", true, &[]), Told::Done);
    assert_eq!(told.order(1).unwrap().inspection_succ_flag, Some(true), "at once, without any policy");
    told.world.settle();
    assert_eq!(told.sms(), [Sms { phone_no: some("010"), contents: some("검수 완료 되었습니다~~~") }]);
    let row = &told.inquiries()[0];
    assert_eq!((row.company_nm.as_deref(), row.inspection_succ_flag), (Some("redbull"), Some(true)));
    assert_eq!(told.record("p01", true, &[]), Told::Done);
    assert_eq!(told.record("p01", false, &[]), Told::Refused);
    assert_eq!(told.cancel("p01"), Told::Refused);
    told.world.settle();
    assert_eq!((told.sms().len(), told.world.kind::<GoodsDelivery>().streams().len()), (1, 1));
    assert!(told.world.dead_letters().is_empty());
}

#[test]
fn procurement_f9_f10_d9_d14_a_canceled_request_leaves_nothing_and_its_number_is_free() {
    let mut told = filed_story("p01");
    assert_eq!(told.cancel("p01"), Told::Done);
    assert_eq!(told.result("p01"), None, "in the same transaction");
    told.world.settle();
    assert_eq!((told.order(1), told.goods("p01"), told.inquiries().len()), (None, None, 0));
    assert_eq!(told.cancel("p01"), Told::Refused);

    assert_eq!(told.post("p01", None, &[]), Told::Done);
    told.world.settle();
    assert_eq!((told.live("p01"), told.own_order("p01"), told.result("p01")), (Some(3), Some(2), None));
    assert!(told.world.dead_letters().is_empty());
}

#[test]
fn procurement_n1_without_the_delivery_management_the_result_waits() {
    let mut told = filed_story("p01");
    told.world.stop("procurementmanagement");
    assert_eq!(told.record("p01", true, &[]), Told::NotDone);
    told.world.settle();
    assert_eq!(told.result("p01").unwrap().inspection_succ_flag, None);
    assert!(told.sms().is_empty());
    told.world.start("procurementmanagement");
    assert_eq!(told.record("p01", true, &[]), Told::Done);
    assert_eq!(told.order(1).unwrap().inspection_succ_flag, Some(true));
}

#[test]
fn procurement_n2_n3_n4_n5_whoever_is_stopped_catches_up() {
    for stopped in ["goodsdelivery", "notification", "mypage", "procurementmanagement"] {
        let mut told = Procurement::new();
        told.world.stop(stopped);
        assert_eq!(told.post("p01", None, &[]), Told::Done, "{stopped}");
        told.world.settle();
        told.world.start(stopped);
        told.world.settle();
        assert_eq!(told.assign(told.own_order("p01").unwrap(), "redbull"), Told::Done);
        told.world.stop(stopped);
        told.world.settle();
        told.world.start(stopped);
        told.world.settle();
        assert_eq!(told.file("p01", "010"), Told::Done);
        told.world.stop(stopped);
        told.world.settle();
        assert!(told.result("p01").is_some(), "{stopped}");
        assert_eq!(told.cancel("p01"), Told::Done);
        told.world.settle();
        told.world.start(stopped);
        told.world.settle();
        assert_eq!((told.order(1), told.goods("p01"), told.inquiries().len()), (None, None, 0), "{stopped}");
    }
    let mut told = Procurement::new();
    assert_eq!(told.post("p01", None, &[]), Told::Done);
    told.world.settle();
    assert_eq!(told.assign(1, "redbull"), Told::Done);
    told.world.settle();
    told.world.stop("procurementrequest");
    assert_eq!(told.file("p01", "010"), Told::Done);
    told.world.settle();
    assert!(told.result("p01").is_none());
    told.world.start("procurementrequest");
    told.world.settle();
    assert!(told.result("p01").is_some(), "N4");
}

#[test]
fn procurement_d15_d2_an_order_that_the_procurement_service_deletes_can_be_posted_again() {
    let mut told = filed_story("p01");
    assert_eq!(told.withdraw(1), Told::Done);
    told.world.settle();
    assert_eq!(told.goods("p01"), None);
    assert_eq!(told.live("p01"), Some(1), "the request stays");
    assert_eq!(told.record("p01", true, &[]), Told::Refused, "nobody could be told");

    let again = told.post_order("p01");
    told.world.settle();
    assert_eq!(told.assign(again, "acme"), Told::Done);
    told.world.settle();
    assert_eq!(told.goods("p01").unwrap().filing.company_nm, some("acme"));
    assert_eq!(told.record("p01", true, &[]), Told::Done);
    assert_eq!(told.order(again).unwrap().inspection_succ_flag, Some(true));
}

#[test]
fn procurement_d2_the_newest_order_goes_with_a_request_whose_own_is_gone() {
    let mut told = filed_story("p01");
    let older = told.post_order("p01");
    let newer = told.post_order("p01");
    assert_eq!(told.withdraw(1), Told::Done);
    told.world.settle();
    assert_eq!(told.record("p01", false, &[]), Told::Done);
    told.world.settle();
    assert_eq!(told.order(newer).unwrap().inspection_succ_flag, Some(false));
    assert_eq!(told.order(older).unwrap().inspection_succ_flag, None);
    assert_eq!(told.cancel("p01"), Told::Done);
    told.world.settle();
    assert_eq!(told.order(newer), None);
    assert!(told.order(older).is_some());
}

#[test]
fn procurement_d10_a_refused_agency_ends_with_a_no_and_without_an_sms() {
    let mut told = Procurement::new();
    assert_eq!(told.post("p03", Some("조달청"), &[]), Told::Done);
    told.world.settle();
    assert_eq!(told.record("p03", true, &[]), Told::Refused);
    told.world.settle();
    assert!(told.result("p03").is_none() && told.sms().is_empty());
}

#[test]
fn procurement_d11_many_orders_of_one_number_have_one_goods_delivery() {
    let mut told = Procurement::new();
    let orders: Vec<_> = (0..8).map(|_| told.post_order("pp01")).collect();
    for order in &orders {
        assert_eq!(told.assign(*order, &format!("c{order}")), Told::Done);
    }
    told.world.settle();
    assert_eq!(told.world.kind::<GoodsNumber>().streams().len(), 1);
    assert!(told.goods("pp01").is_some());
}
