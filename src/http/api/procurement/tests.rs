use super::*;
use crate::{
    Key,
    http::api::as_shown,
    procurement::{DeliveryManagementItem, DeliveryRequestItem, InspectionResultItem, SmsHistoryItem},
};

#[test]
fn every_item_shows_what_its_entity_tells() {
    let (id, proc_no) = (1, Key::new("p01").unwrap());
    let text = |text: &str| Some(text.to_owned());
    let demand =
        Demand { proc_price: Some(1000), proc_qty: Some(5.0), proc_agency: text("seoul"), ..Demand::default() };
    let company = Company { company_no: text("c01"), company_nm: text("redbull") };
    let filing = Filing { company_phone_no: text("010"), ..Filing::of(&company) };
    let passed = Some(true);

    let request = DeliveryRequestItem {
        id,
        proc_no: proc_no.clone(),
        demand: demand.clone(),
        filing: filing.clone(),
        inspection_succ_flag: passed,
    };
    assert_eq!(
        as_shown(ID, &REQUEST, &request),
        r#"id=1 procNo="p01" procTitle=null procContents=null procPrice=1000 procAgency="seoul" procQty=5.0 companyNo="c01" companyNm="redbull" companyPhoneNo="010" inspectionContents=null inspectionSuccFlag=true"#
    );
    let order = DeliveryManagementItem { id, proc_no: proc_no.clone(), demand, company, inspection_succ_flag: passed };
    assert_eq!(
        as_shown(ID, &ORDER, &order),
        r#"id=1 procNo="p01" procTitle=null procContents=null procPrice=1000 procAgency="seoul" procQty=5.0 companyNo="c01" companyNm="redbull" inspectionSuccFlag=true"#
    );
    let goods = GoodsDeliveryItem { id, proc_no: proc_no.clone(), filing: filing.clone() };
    assert_eq!(
        as_shown(ID, &GOODS, &goods),
        r#"id=1 procNo="p01" companyNo="c01" companyNm="redbull" companyPhoneNo="010" inspectionContents=null"#
    );
    let result = InspectionResultItem { id, proc_no: proc_no.clone(), filing, inspection_succ_flag: None };
    assert_eq!(
        as_shown(ID, &RESULT, &result),
        r#"id=1 procNo="p01" companyNo="c01" companyNm="redbull" companyPhoneNo="010" inspectionContents=null inspectionSuccFlag=null"#
    );
    let (proc_title, company_nm) = (text("title01"), text("redbull"));
    let row = DeliveryStatusInquiry { id, proc_no, proc_title, company_nm, inspection_succ_flag: passed };
    assert_eq!(
        as_shown(ID, &INQUIRY, &row),
        r#"id=1 procNo="p01" procTitle="title01" companyNm="redbull" inspectionSuccFlag=true"#
    );
    let sms =
        SmsHistoryItem { id, sms: Sms { phone_no: text("010"), contents: text("검수 완료 되었습니다~~~") } };
    assert_eq!(as_shown(ID, &SMS, &sms), r#"id=1 phoneNo="010" contents="검수 완료 되었습니다~~~""#);
}

#[test]
fn a_merge_sets_what_was_sent_and_a_null_clears_it() {
    let body = serde_json::json!({"procTitle": null, "procPrice": "7"});
    let fields = Fields::of(&REQUEST, body.as_object().unwrap()).unwrap();
    let change = demand_change(&fields);
    let expected = DemandChange { proc_title: Set::To(None), proc_price: Set::To(Some(7)), ..DemandChange::default() };
    assert_eq!(change, expected);
    let whole = demand_change(&fields.or_nothing(&REQUEST));
    assert_eq!((whole.proc_price, whole.proc_qty), (Set::To(Some(7)), Set::To(None)));
}

#[test]
fn procurement_d13_a_result_waits_one_second_and_its_request_less_than_three() {
    assert_eq!(procurement::ANNOUNCED_WITHIN, Duration::from_secs(1));
    let longest = numbered::WAITS + procurement::ANNOUNCED_WITHIN + BEYOND_LINK;
    assert!(longest < Duration::from_secs(3), "{longest:?}");
}
