//! Many clients at once: what there is one of per procurement number stays one.

use std::thread;

use super::*;

/// Everybody at once, as many as the issue asks for.
const CLIENTS: usize = 64;

/// The statuses of requests that are sent at the same time.
fn at_once(client: &Client, request: impl Fn(&Client, usize) -> Response + Sync) -> Vec<u16> {
    let request = &request;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS).map(|nth| scope.spawn(move || request(client, nth).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn procurement_d2_of_many_requests_with_one_number_one_stands() {
    let server = procurement();
    let client = server.client();
    let statuses = at_once(&client, |client, _| post(client, "p01"));
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), CLIENTS - 1, "{statuses:?}");
    quiet(&server);
    assert_eq!((rows(&client, "deliveryrequests").len(), rows(&client, "deliverymanagements").len()), (1, 1));
    assert_eq!(post(&client, "p02").created(), 2, "refusals take no number");
}

#[test]
fn procurement_d11_of_many_orders_with_one_number_that_are_patched_at_once_comes_one_goods_delivery() {
    let server = procurement();
    let client = server.client();
    let orders: Vec<u64> = (0..CLIENTS)
        .map(|_| send(&client, "POST", "/deliverymanagements", &json!({"procNo": "pp01"})).created())
        .collect();
    let statuses = at_once(&client, |client, nth| {
        let company = json!({"procNo": "pp01", "companyNo": format!("c{nth}"), "companyNm": "redbull"});
        send(client, "PATCH", &format!("/deliverymanagements/{}", orders[nth]), &company)
    });
    assert_eq!(statuses, [200; CLIENTS]);
    quiet(&server);
    let goods = rows(&client, "goodsdeliveries");
    assert_eq!((goods.len(), &goods[0]["companyNm"]), (1, &json!("redbull")), "{goods:?}");
    assert_eq!(server.admin().json("/admin/dead-letters"), json!([]));
}

#[test]
fn procurement_d6_many_that_record_the_same_result_at_once_all_succeed_and_it_is_recorded_once() {
    let server = procurement();
    let client = server.client();
    let (request, order) = received(&client, "t01");
    let body = json!({"procNo": "t01", "companyNo": "c01", "companyNm": "hehheh99", "inspectionSuccFlag": "true"});
    let target = format!("/deliveryrequests/{request}");
    let statuses = at_once(&client, |client, _| send(client, "PATCH", &target, &body));
    assert_eq!(statuses, [200; CLIENTS]);
    quiet(&server);
    assert_eq!(texts(&client).len(), 1);
    assert_eq!(rows(&client, "inspectionResults").len(), 1);
    let order = client.json(&format!("/deliverymanagements/{order}"));
    assert_eq!((&order["inspectionSuccFlag"], &order["companyNm"]), (&json!(true), &json!("hehheh99")));
}

#[test]
fn procurement_d5_a_race_of_results_and_cancellations_has_one_end_on_both_sides() {
    let server = procurement();
    let client = server.client();
    let (request, order) = received(&client, "p01");
    let statuses = at_once(&client, |client, nth| match nth % 4 {
        0 => client.http(&format!("DELETE :8082/deliveryrequests/{request}")),
        1 => send(client, "PATCH", &format!("/deliveryrequests/{request}"), &json!({"inspectionSuccFlag": false})),
        _ => pass(client, request),
    });
    quiet(&server);
    let canceled = statuses.iter().filter(|status| **status == 204).count();
    if canceled == 1 {
        client.get(&format!("/deliverymanagements/{order}")).is(404);
        assert_eq!(rows(&client, "inspectionResults"), [Value::Null; 0]);
    } else {
        assert_eq!(canceled, 0, "{statuses:?}");
        for target in [format!("/deliveryrequests/{request}"), format!("/deliverymanagements/{order}")] {
            assert_eq!(client.json(&target)["inspectionSuccFlag"], json!(true), "{target}, {statuses:?}");
        }
    }
    let recorded = events(&server, "").iter().filter(|event| event["eventType"] == "InspectionResultPatched").count();
    assert_eq!(texts(&client).len(), recorded);
}
