//! The non-functional scenarios of procurement that one process can show: N1 to N5.

use std::fs;

use super::*;
use crate::common::{AT_ONCE, Watch};

/// What procurement shows without its delivery management.
fn world(server: &Server) -> Vec<Vec<Value>> {
    let client = server.client();
    let collections = ["deliveryrequests", "inspectionResults", "goodsdeliveries", "smsHistories"];
    let mut world: Vec<_> = collections.iter().map(|collection| rows(&client, collection)).collect();
    world.push(rows(&client, "deliveryStatusInquiries"));
    world.push(events(server, ""));
    world
}

#[test]
fn procurement_n1_without_procurementmanagement_no_result_is_recorded_and_nothing_changes() {
    let server = procurement();
    let client = server.client();
    filed(&client, "p01");
    quiet(&server);
    operate(&server, "procurementmanagement", "stop");
    let before = world(&server);
    for target in ["/inspectionResults/2", "/inspectionResults/1", "/deliveryrequests/1"] {
        let watch = Watch::start();
        let refused = send(&client, "PATCH", target, &json!({"inspectionSuccFlag": "true"})).is(503);
        assert!(watch.passed() < AT_ONCE, "{target}: {:?}", watch.passed());
        assert_eq!(refused.header("retry-after"), Some("5"), "{refused}");
        assert_eq!(world(&server), before, "{target}");
    }
    client.get("/deliverymanagements").is(503);
    client.get("/deliverymanagements/announceInspectionResult?procNo=p01&inspectionSuccFlag=true").is(503);

    operate(&server, "procurementmanagement", "start");
    let recorded = send(&client, "PATCH", "/inspectionResults/2", &json!({"inspectionSuccFlag": "true"}));
    assert_eq!(recorded.is(200).json()["inspectionSuccFlag"], json!(true));
    assert_eq!(client.json("/deliverymanagements/1")["inspectionSuccFlag"], json!(true));
    quiet(&server);
    assert_eq!(texts(&client).len(), 1);
}

#[test]
fn procurement_n1_a_refused_result_stays_refused_across_a_crash() {
    let mut server = procurement();
    let (request, order, _) = filed(&server.client(), "p01");
    operate(&server, "procurementmanagement", "stop");
    pass(&server.client(), request).is(503);
    server.restart();
    quiet(&server);
    let client = server.client();
    assert_eq!(client.json("/inspectionResults/2")["inspectionSuccFlag"], json!(null));
    assert_eq!(client.json(&format!("/deliverymanagements/{order}"))["inspectionSuccFlag"], json!(null));
    assert_eq!(texts(&client), [Value::Null; 0]);
    pass(&client, request).is(200);
    assert_eq!(client.json(&format!("/deliverymanagements/{order}"))["inspectionSuccFlag"], json!(true));
}

#[test]
fn procurement_n2_without_goodsdelivery_requests_go_on_and_the_flow_completes_after_the_restart() {
    let server = procurement();
    let client = server.client();
    operate(&server, "goodsdelivery", "stop");
    let (request, order) = received(&client, "p01");
    assign(&client, order);
    client.get("/goodsdeliveries/1").is(503);
    client.get(&format!("/inspectionResults/{request}")).is(404);
    operate(&server, "goodsdelivery", "start");
    becomes(&client, "/goodsdeliveries/1", "companyNm", &json!("redbull"));
    client.http("PATCH :8083/goodsdeliveries/1 companyPhoneNo=010").is(200);
    comes(&client, "inspectionResults", "p01");
    pass(&client, request).is(200);
    quiet(&server);
    assert_eq!(texts(&client), ["검수 완료 되었습니다~~~"]);
}

#[test]
fn procurement_n3_without_notification_or_mypage_results_are_recorded_and_told_after_the_restart() {
    let mut server = procurement();
    operate(&server, "notification", "stop");
    operate(&server, "mypage", "stop");
    let (request, order, _) = filed(&server.client(), "p01");
    send(&server.client(), "PATCH", "/inspectionResults/2", &json!({"inspectionSuccFlag": false})).is(200);
    pass(&server.client(), request).is(200);
    for target in ["/smsHistories", "/smsHistories/1", "/deliveryStatusInquiries", "/deliveryStatusInquiries/1"] {
        let watch = Watch::start();
        server.client().get(target).is(503);
        assert!(watch.passed() < AT_ONCE, "{target}: {:?}", watch.passed());
    }
    assert_eq!(server.client().json(&format!("/deliverymanagements/{order}"))["inspectionSuccFlag"], json!(true));
    server.restart();
    quiet(&server);
    let client = server.client();
    assert_eq!(texts(&client), ["검수 불합격 되었습니다", "검수 완료 되었습니다~~~"], "in order");
    let row = client.json(&format!("/deliveryStatusInquiries/{request}"));
    assert_eq!((&row["companyNm"], &row["inspectionSuccFlag"]), (&json!("redbull"), &json!(true)));
}

#[test]
fn procurement_n4_what_is_filed_while_procurementrequest_is_stopped_is_kept() {
    let server = procurement();
    let client = server.client();
    let (request, order) = received(&client, "p01");
    assign(&client, order);
    comes(&client, "goodsdeliveries", "p01");
    quiet(&server);
    operate(&server, "procurementrequest", "stop");
    for target in ["/deliveryrequests", "/deliveryrequests/1", "/inspectionResults", "/inspectionResults/2"] {
        client.get(target).is(503);
    }
    post(&client, "p02").is(503);
    client.http("PATCH :8083/goodsdeliveries/1 companyPhoneNo=010 inspectionContents=box").is(200);
    operate(&server, "procurementrequest", "start");
    becomes(&client, "/inspectionResults/2", "inspectionContents", &json!("box"));
    assert_eq!(client.json(&format!("/deliveryrequests/{request}"))["companyPhoneNo"], json!("010"));
}

#[test]
fn procurement_n5_a_cancellation_without_procurementmanagement_is_completed_after_the_restart() {
    let mut server = procurement();
    let (request, order, goods) = filed(&server.client(), "p01");
    quiet(&server);
    operate(&server, "procurementmanagement", "stop");
    let client = server.client();
    client.http(&format!("DELETE :8082/deliveryrequests/{request}")).is(204);
    client.get("/inspectionResults/2").is(404);
    assert_eq!(rows(&client, "inspectionResults"), [Value::Null; 0], "D-9: in the same transaction");
    client.get(&format!("/goodsdeliveries/{goods}")).is(200);
    server.restart();
    quiet(&server);
    let client = server.client();
    client.get(&format!("/deliverymanagements/{order}")).is(404);
    client.get(&format!("/goodsdeliveries/{goods}")).is(404);
    for collection in ["deliverymanagements", "goodsdeliveries", "deliveryStatusInquiries"] {
        assert_eq!(rows(&client, collection), [Value::Null; 0], "{collection}");
    }
}

#[test]
fn procurement_sms_lie_in_a_storage_unit_of_their_own() {
    let mut server = procurement();
    let (request, ..) = filed(&server.client(), "p01");
    pass(&server.client(), request).is(200);
    quiet(&server);
    assert_eq!(server.terminate().status.code(), Some(0));
    // Whoever loses the one loses nothing of the other, and it is told again from the beginning.
    fs::rename(server.data().join("notification"), server.data().join("../lost")).unwrap();
    server.start();
    quiet(&server);
    let client = server.client();
    assert_eq!(texts(&client), ["검수 완료 되었습니다~~~"]);
    assert_eq!(client.json(&format!("/deliveryrequests/{request}"))["inspectionSuccFlag"], json!(true));
}
