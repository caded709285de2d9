//! What the old Vue page sends: item 7 of the front ends.

use super::*;

/// What the page does with an object that it shows: a PUT of the whole of it, to the path of its `self` link.
fn edit(client: &Client, shown: &Value, change: impl FnOnce(&mut Value)) -> Response {
    let mut object = shown.clone();
    change(&mut object);
    send(client, "PUT", &path(shown), &object)
}

fn path(shown: &Value) -> String {
    let href = shown["_links"]["self"]["href"].as_str().unwrap();
    let (_, path) = href.trim_start_matches("http://").split_once('/').unwrap();
    format!("/{path}")
}

#[test]
fn procurement_d6_the_page_edits_whole_objects_with_their_links_like_a_patch() {
    let server = procurement();
    let client = server.client();
    post(&client, "p01").created();
    let order = comes(&client, "deliverymanagements", "p01");
    let order = client.json(&format!("/deliverymanagements/{order}"));
    assert!(order["_links"]["deliverymanagement"]["href"].is_string());

    let request = client.json("/deliveryrequests/1");
    let retitled = edit(&client, &request, |object| object["procTitle"] = json!("better")).is(200).json();
    assert_eq!((&retitled["procTitle"], &retitled["_links"]), (&json!("better"), &request["_links"]));
    becomes(&client, &path(&order), "procTitle", &json!("better"));
    becomes(&client, "/deliveryStatusInquiries/1", "procTitle", &json!("better"));

    let order = client.json(&path(&order));
    let assigned = edit(&client, &order, |object| object["companyNm"] = json!("redbull")).is(200).json();
    edit(&client, &assigned, |_| {}).is(200);
    let goods = comes(&client, "goodsdeliveries", "p01");
    let goods = client.json(&format!("/goodsdeliveries/{goods}"));
    edit(&client, &goods, |object| object["companyPhoneNo"] = json!("010")).is(200);
    let result = comes(&client, "inspectionResults", "p01");
    let result = client.json(&format!("/inspectionResults/{result}"));
    let stale = client.json("/deliveryrequests/1");
    let passed = edit(&client, &result, |object| object["inspectionSuccFlag"] = json!(true)).is(200).json();
    assert_eq!((&passed["inspectionSuccFlag"], &passed["companyPhoneNo"]), (&json!(true), &json!("010")));
    // What the page read before the result was recorded clears nothing.
    assert_eq!(edit(&client, &stale, |_| {}).is(200).json()["inspectionSuccFlag"], json!(true));
    edit(&client, &stale, |object| object["procTitle"] = json!("late")).is(409);

    quiet(&server);
    let sms = client.json("/smsHistories/1");
    edit(&client, &sms, |object| object["contents"] = json!("told")).is(200);
    assert_eq!(texts(&client), ["told"]);
    client.http(&format!("DELETE :8088{}", path(&sms))).is(204);
    // Nothing was told twice.
    let types: Vec<_> = events(&server, "").into_iter().map(|event| event["eventType"].clone()).collect();
    for once in ["ProcurementRequestChanged", "DeliveryRequestPatched", "InspectionRequestPatched"] {
        assert_eq!(types.iter().filter(|name| **name == once).count(), 1, "{once}: {types:?}");
    }
}

#[test]
fn procurement_the_page_makes_and_deletes_rows() {
    let server = procurement();
    let client = server.client();
    for (collection, body) in [
        ("deliveryrequests", json!({"procNo": "p01"})),
        ("deliverymanagements", json!({"procNo": "p02", "companyNo": "c01"})),
        ("goodsdeliveries", json!({"procNo": "p03", "companyPhoneNo": "010"})),
        ("smsHistories", json!({"phoneNo": "010", "contents": "hello"})),
    ] {
        let made = send(&client, "POST", &format!("/{collection}"), &body).is(201);
        let shown = made.json();
        assert_eq!(made.header("location"), shown["_links"]["self"]["href"].as_str(), "{collection}");
        assert_eq!(client.json(&path(&shown)), shown, "{collection}");
        client.http(&format!("DELETE :8088{}", path(&shown))).is(204);
        client.http(&format!("DELETE :8088{}", path(&shown))).is(404);
        client.get(&path(&shown)).is(404);
    }
    send(&client, "POST", "/goodsdeliveries", &json!({"procNo": "p03"})).is(201);
    send(&client, "POST", "/goodsdeliveries", &json!({"procNo": "p03"})).is(409);
}

#[test]
fn procurement_empty_collections_and_both_spellings_and_preflight() {
    let server = procurement();
    let client = server.client();
    let collections = [
        "deliveryrequests",
        "deliverymanagements",
        "goodsdeliveries",
        "inspectionResults",
        "deliveryStatusInquiries",
        "smsHistories",
    ];
    for collection in collections {
        let list = client.json(&format!("/{collection}"));
        assert_eq!(list["_embedded"][collection], json!([]), "{collection}");
        assert_eq!(list.get("page").is_some(), collection != "deliveryStatusInquiries", "{collection}");
        let lower = collection.to_lowercase();
        let list = client.json(&format!("/{lower}"));
        assert_eq!((&list["_embedded"][collection], &list["_embedded"][&lower]), (&json!([]), &json!([])));
        let preflight = Request::new("OPTIONS", &format!("/{collection}"))
            .header("Origin", "http://localhost:8080")
            .header("Access-Control-Request-Method", "PUT")
            .header("Access-Control-Request-Headers", "content-type");
        let allowed = client.send(&preflight).is(200);
        assert_eq!(allowed.header("access-control-allow-origin"), Some("http://localhost:8080"));
        assert!(allowed.header("access-control-allow-methods").unwrap().contains("PUT"));
        assert_eq!(allowed.header("access-control-allow-headers"), Some("content-type"));
    }
    post(&client, "p01").created();
    let shown = eventually(SOON, "a row", || {
        let list = client.json("/deliverystatusinquiries");
        list["_embedded"]["deliverystatusinquiries"].as_array().filter(|rows| rows.len() == 1).map(|_| list.clone())
    });
    assert_eq!(shown["_embedded"]["deliverystatusinquiries"], shown["_embedded"]["deliveryStatusInquiries"]);
    let row = &shown["_embedded"]["deliveryStatusInquiries"][0];
    assert!(row["_links"]["deliveryStatusInquiry"]["href"].as_str().unwrap().ends_with("/deliveryStatusInquiries/1"));
}
