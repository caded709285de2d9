use serde::Serialize;

use super::*;
use crate::{
    Key,
    procurement::{DeliveryManagementItem, DeliveryRequestItem, InspectionResultItem, SmsHistoryItem},
};

/// What the declaration shows of a representation: key, fields, and nothing that it forgot.
fn as_shown(declared: &[Field], representation: &impl Serialize) -> String {
    let fields = shown(representation);
    let known = |name: &str| name == ID.name || declared.iter().any(|field| field.name == name);
    assert!(fields.keys().all(|name| known(name)), "undeclared: {fields:?}");
    let values = std::iter::once(&ID).chain(declared).map(|field| format!("{}={}", field.name, fields[field.name]));
    values.collect::<Vec<_>>().join(" ")
}

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
        as_shown(&REQUEST, &request),
        r#"id=1 procNo="p01" procTitle=null procContents=null procPrice=1000 procAgency="seoul" procQty=5.0 companyNo="c01" companyNm="redbull" companyPhoneNo="010" inspectionContents=null inspectionSuccFlag=true"#
    );
    let order = DeliveryManagementItem { id, proc_no: proc_no.clone(), demand, company, inspection_succ_flag: passed };
    assert_eq!(
        as_shown(&ORDER, &order),
        r#"id=1 procNo="p01" procTitle=null procContents=null procPrice=1000 procAgency="seoul" procQty=5.0 companyNo="c01" companyNm="redbull" inspectionSuccFlag=true"#
    );
    let goods = GoodsDeliveryItem { id, proc_no: proc_no.clone(), filing: filing.clone() };
    assert_eq!(
        as_shown(&GOODS, &goods),
        r#"id=1 procNo="p01" companyNo="c01" companyNm="redbull" companyPhoneNo="010" inspectionContents=null"#
    );
    let result = InspectionResultItem { id, proc_no: proc_no.clone(), filing, inspection_succ_flag: None };
    assert_eq!(
        as_shown(&RESULT, &result),
        r#"id=1 procNo="p01" companyNo="c01" companyNm="redbull" companyPhoneNo="010" inspectionContents=null inspectionSuccFlag=null"#
    );
    let (proc_title, company_nm) = (text("title01"), text("redbull"));
    let row = DeliveryStatusInquiry { id, proc_no, proc_title, company_nm, inspection_succ_flag: passed };
    assert_eq!(
        as_shown(&INQUIRY, &row),
        r#"id=1 procNo="p01" procTitle="title01" companyNm="redbull" inspectionSuccFlag=true"#
    );
    let sms =
        SmsHistoryItem { id, sms: Sms { phone_no: text("010"), contents: text("검수 완료 되었습니다~~~") } };
    assert_eq!(as_shown(&SMS, &sms), r#"id=1 phoneNo="010" contents="검수 완료 되었습니다~~~""#);
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
