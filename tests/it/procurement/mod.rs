//! Procurement, as its clients and operators meet it.

mod decisions;
mod page;
mod races;
mod scenarios;

use serde_json::{Value, json};

use crate::{
    acceptance::Script,
    common::{Client, Request, Response, SOON, Server, Setup, eventually},
    shop::{becomes, events, quiet, rows},
};

const PROCUREMENT: Script = Script {
    system: "procurement",
    text: include_str!("../../fixtures/procurement-acceptance.http"),
    commands: 60,
    gateway: 8088,
    services: &[
        ("procurementmanagement", 8081, &["deliverymanagements"]),
        ("procurementrequest", 8082, &["deliveryrequests", "inspectionResults"]),
        ("goodsdelivery", 8083, &["goodsdeliveries"]),
        ("mypage", 8084, &["deliveryStatusInquiries"]),
        ("notification", 8085, &["smsHistories"]),
    ],
};

#[test]
fn procurement_f1_f2_f3_f4_f5_f6_f7_f8_f9_f10_f11_the_acceptance_script() {
    PROCUREMENT.through_our_client();
}

#[test]
fn procurement_f1_f2_f3_f4_f5_f6_f7_f8_f9_f10_f11_the_acceptance_script_through_httpie() {
    PROCUREMENT.through_httpie();
}

fn procurement() -> Server {
    Setup::default().system("procurement").start()
}

/// `stop`, `start` or `restart` of a service of procurement.
#[track_caller]
fn operate(server: &Server, service: &str, verb: &str) {
    server.admin().post(&format!("/admin/services/procurement/{service}/{verb}")).is(200);
}

fn send(client: &Client, method: &str, target: &str, body: &Value) -> Response {
    client.send(&Request::new(method, target).json(body))
}

fn post(client: &Client, proc_no: &str) -> Response {
    send(client, "POST", "/deliveryrequests", &json!({"procNo": proc_no, "procTitle": "title"}))
}

fn pass(client: &Client, request: u64) -> Response {
    send(client, "PATCH", &format!("/deliveryrequests/{request}"), &json!({"inspectionSuccFlag": "true"}))
}

/// The one item of a collection with this procurement number, as the finder has it.
fn of_proc_no(client: &Client, collection: &str, proc_no: &str) -> Option<Value> {
    let answer = client.get(&format!("/{collection}/search/findByProcNo?procNo={proc_no}"));
    (answer.status == 200).then(|| answer.json())
}

/// Waits for the one item with this procurement number; its number.
#[track_caller]
fn comes(client: &Client, collection: &str, proc_no: &str) -> u64 {
    let item = eventually(SOON, &format!("{collection} of {proc_no}"), || of_proc_no(client, collection, proc_no));
    item["id"].as_u64().unwrap()
}

/// A request with its delivery order.
#[track_caller]
fn received(client: &Client, proc_no: &str) -> (u64, u64) {
    let request = post(client, proc_no).created();
    (request, comes(client, "deliverymanagements", proc_no))
}

#[track_caller]
fn assign(client: &Client, order: u64) {
    let company = json!({"companyNo": "c01", "companyNm": "redbull"});
    send(client, "PATCH", &format!("/deliverymanagements/{order}"), &company).is(200);
}

/// A request whose company has filed for inspection: request, order, goods.
#[track_caller]
fn filed(client: &Client, proc_no: &str) -> (u64, u64, u64) {
    let (request, order) = received(client, proc_no);
    assign(client, order);
    let goods = comes(client, "goodsdeliveries", proc_no);
    send(client, "PATCH", &format!("/goodsdeliveries/{goods}"), &json!({"companyPhoneNo": "010"})).is(200);
    comes(client, "inspectionResults", proc_no);
    (request, order, goods)
}

/// The text of every SMS, oldest first.
fn texts(client: &Client) -> Vec<Value> {
    rows(client, "smsHistories").into_iter().map(|row| row["contents"].clone()).collect()
}
