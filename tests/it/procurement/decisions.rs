//! Decisions of section 11 that clients can see.

use super::*;

/// The internal call, made by hand.
fn announce(client: &Client, parameters: &str) -> Response {
    client.get(&format!("/deliverymanagements/announceInspectionResult?{parameters}"))
}

#[test]
fn procurement_d16_f8_the_announcement_answers_true_or_false_and_sets_the_flag() {
    let server = procurement();
    let client = server.client();
    let posted = send(&client, "POST", "/deliverymanagements", &json!({"procNo": "pp01", "companyNo": "c01"}));
    let order = posted.created();
    let told = announce(&client, "procNo=pp01&companyNo=&companyNm=redbull&inspectionSuccFlag=true").is(200);
    assert_eq!((told.text().as_str(), told.header("x-reason")), ("true", None));
    let shown = client.json(&format!("/deliverymanagements/{order}"));
    let (no, name, flag) = (&shown["companyNo"], &shown["companyNm"], &shown["inspectionSuccFlag"]);
    assert_eq!((no, name, flag), (&json!("c01"), &json!("redbull"), &json!(true)), "D-7: null never overwrites");

    let newest = send(&client, "POST", "/deliverymanagements", &json!({"procNo": "pp01"})).created();
    assert_eq!(announce(&client, "procNo=pp01&inspectionSuccFlag=false").is(200).text(), "true");
    assert_eq!(client.json(&format!("/deliverymanagements/{newest}"))["inspectionSuccFlag"], json!(false), "D-2");

    let refused = announce(&client, "procNo=nobody&inspectionSuccFlag=true").is(200);
    assert_eq!((refused.text().as_str(), refused.header("x-reason")), ("false", Some("NO_SUCH_DELIVERY_ORDER")));
    send(&client, "POST", "/deliverymanagements", &json!({"procNo": "own", "procAgency": "조달청"})).is(201);
    let refused = announce(&client, "procNo=own&inspectionSuccFlag=true").is(200);
    assert_eq!((refused.text().as_str(), refused.header("x-reason")), ("false", Some("AGENCY_REFUSED")));
    announce(&client, "inspectionSuccFlag=true").is(400);
    announce(&client, "procNo=pp01").is(400);
    announce(&client, "procNo=pp01&inspectionSuccFlag=yes").is(400);
    quiet(&server);
    assert_eq!(events(&server, ""), [Value::Null; 0], "D-11: an announcement is no event");
}

#[test]
fn procurement_d15_an_order_that_is_deleted_takes_its_goods_and_may_be_sent_again() {
    let server = procurement();
    let client = server.client();
    let (request, order, goods) = filed(&client, "p01");
    client.http(&format!("DELETE :8081/deliverymanagements/{order}")).is(204);
    eventually(SOON, "no goods", || (client.get(&format!("/goodsdeliveries/{goods}")).status == 404).then_some(()));
    client.get(&format!("/deliveryrequests/{request}")).is(200);
    assert_eq!(pass(&client, request).is(409).json()["code"], json!("NO_DELIVERY_ORDER"));
    let again = send(&client, "POST", "/deliverymanagements", &json!({"procNo": "p01"})).created();
    assign(&client, again);
    comes(&client, "goodsdeliveries", "p01");
    quiet(&server);
    pass(&client, request).is(200);
    assert_eq!(client.json(&format!("/deliverymanagements/{again}"))["inspectionSuccFlag"], json!(true));
}

#[test]
fn procurement_d4_each_collection_is_at_the_port_of_its_service() {
    let server = Setup::default().system("procurement").flag("--service-ports=free").start();
    let service = Client::new(server.service_address("procurement/procurementrequest"));
    service.get("/deliveryrequests").is(200);
    service.get("/inspectionResults").is(200);
    service.get("/goodsdeliveries").is(404);
}

#[test]
fn procurement_d5_a_switch_allows_to_cancel_after_a_passed_inspection() {
    let switch = "[systems.procurement]\nallow_cancel_after_inspection = true";
    let server = Setup::default().system("procurement").config(switch).start();
    let client = server.client();
    let (request, order, _) = filed(&client, "p01");
    pass(&client, request).is(200);
    client.http(&format!("DELETE :8082/deliveryrequests/{request}")).is(204);
    quiet(&server);
    client.get(&format!("/deliverymanagements/{order}")).is(404);
    for collection in ["inspectionResults", "goodsdeliveries", "deliveryStatusInquiries"] {
        assert_eq!(rows(&client, collection), [Value::Null; 0], "{collection}");
    }
}

#[test]
fn procurement_d1_a_change_reaches_order_and_view_and_is_refused_after_the_assignment() {
    let server = procurement();
    let client = server.client();
    let (request, order) = received(&client, "p01");
    client.http(&format!("PATCH :8082/deliveryrequests/{request} procTitle=better procQty=2.5")).is(200);
    becomes(&client, &format!("/deliverymanagements/{order}"), "procQty", &json!(2.5));
    becomes(&client, &format!("/deliveryStatusInquiries/{request}"), "procTitle", &json!("better"));
    assign(&client, order);
    quiet(&server);
    let late = client.http(&format!("PATCH :8082/deliveryrequests/{request} procTitle=late")).is(409);
    assert_eq!(late.json()["code"], json!("ALREADY_ASSIGNED"));
    client.http(&format!("PATCH :8082/deliveryrequests/{request} procTitle=better")).is(200);
    client.http(&format!("PATCH :8082/deliveryrequests/{request} procNo=p02")).is(409);
    client.http(&format!("PATCH :8081/deliverymanagements/{order} procNo=p02")).is(409);
}

#[test]
fn procurement_d2_an_idempotency_key_is_good_for_one_request() {
    let mut server = procurement();
    let send = |client: &Client, body: &Value| {
        client.send(&Request::new("POST", "/deliveryrequests").json(body).header("Idempotency-Key", "k"))
    };
    let body = json!({"procNo": "p01", "procTitle": "title"});
    let first = send(&server.client(), &body).is(201);
    server.restart();
    let again = send(&server.client(), &body).is(201);
    // Links are rendered anew, for the address of the present run.
    let told = |answer: &Response| (answer.json()["id"].clone(), answer.json()["procTitle"].clone());
    assert_eq!((told(&again), again.header("idempotency-replayed")), (told(&first), Some("true")));
    send(&server.client(), &json!({"procNo": "p01", "procTitle": "other"})).is(422);
    send(&server.client(), &json!({"procNo": "p02", "procTitle": "title"})).is(422);
    server.client().http("DELETE :8082/deliveryrequests/1").is(204);
    assert_eq!(told(&send(&server.client(), &body).is(201)), told(&first));
    assert_eq!(rows(&server.client(), "deliveryrequests"), [Value::Null; 0]);
    assert_eq!(post(&server.client(), "p02").created(), 2, "refusals take no number");
}

#[test]
fn procurement_d6_results_and_requests_are_found_and_versioned() {
    let server = procurement();
    let client = server.client();
    let (request, ..) = filed(&client, "p01");
    quiet(&server);
    for collection in
        ["deliveryrequests", "deliverymanagements", "goodsdeliveries", "inspectionResults", "deliveryStatusInquiries"]
    {
        let search = client.json(&format!("/{collection}/search"));
        assert!(search["_links"]["findByProcNo"]["href"].is_string(), "{collection}: {search}");
        assert_eq!(of_proc_no(&client, collection, "p01").unwrap()["procNo"], json!("p01"), "{collection}");
        assert_eq!(of_proc_no(&client, collection, "p09"), None, "{collection}");
        assert_eq!(rows(&client, collection).len(), 1, "{collection}");
        let none = client.json(&format!("/{collection}?procNo=p09"));
        assert_eq!(none["_embedded"][collection], json!([]), "{collection}");
    }
    let by_alias = client.get(&format!("/inspectionResults/{request}")).is(200);
    assert_eq!(by_alias.json(), client.json("/inspectionResults/2"), "D-6: the canonical address");
    assert!(by_alias.json()["_links"]["self"]["href"].as_str().unwrap().ends_with("/inspectionResults/2"));
    client.get("/inspectionResults/9").is(404);
    client.get("/deliveryrequests/2").is(404);

    let tag = by_alias.header("etag").unwrap().to_owned();
    let conditional = |tag: &str| {
        let body = json!({"inspectionContents": "box"});
        client.send(&Request::new("PATCH", "/inspectionResults/2").json(&body).header("If-Match", tag))
    };
    conditional(&tag).is(200);
    conditional(&tag).is(412);
    assert_eq!(client.json(&format!("/deliveryrequests/{request}"))["inspectionContents"], json!("box"));
}

#[test]
fn procurement_d13_a_link_that_is_too_short_leaves_nothing_on_either_side() {
    let short = "[link.procurement.procurementrequest.procurementmanagement]\ntimeout = \"1ms\"\n";
    let mut server = Setup::default().system("procurement").config(short).start();
    let (request, order, _) = filed(&server.client(), "p01");
    for _ in 0..20 {
        let client = server.client();
        let status = pass(&client, request).status;
        assert!([200, 503, 504].contains(&status), "{status}");
        quiet(&server);
        let flag = |target: String| server.client().json(&target)["inspectionSuccFlag"].clone();
        let (here, there) =
            (flag(format!("/deliveryrequests/{request}")), flag(format!("/deliverymanagements/{order}")));
        assert_eq!(here, there, "{status}");
        assert!(status != 200 || here == json!(true), "{status}");
    }
    server.reconfigure("");
    server.restart();
    pass(&server.client(), request).is(200);
    quiet(&server);
    assert_eq!(texts(&server.client()).len(), 1);
}
