//! Calls that are no methods of an item.

use http::Method;
use serde_json::json;

use super::*;

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];

/// Remembers each call and says what it is told to.
fn says(calls: &Calls, said: Result<Said, Problem>) -> Perform {
    let calls = calls.clone();
    perform(move |call| {
        calls.lock().unwrap().push(call);
        let said = said.clone();
        async move { said }
    })
}

/// The orders of the gas station: placing one takes a product, a quantity and, if need be, an address.
fn orders(calls: &Calls, said: Result<Said, Problem>) -> Resource {
    let fields = vec![Field::text("productId"), Field::double("qty")];
    let parameters = vec![Field::text("productId").required(), Field::double("qty").required(), Field::text("dest")];
    Resource::new("station", "orders", "order", Field::long("orderId"), fields, Arc::new(Fake::with(3)))
        .procedure(Procedure::post("placeOrder", parameters, says(calls, said)))
        .procedure(Procedure::post("station", vec![], says(calls, Ok(Said::text("SK Imme, ST0001")))))
        .procedure(Procedure::get("announce", vec![Field::boolean("flag").required()], says(calls, Ok(Said::yes()))))
}

#[tokio::test]
async fn a_query_a_form_and_a_json_object_are_the_same_call_and_the_query_wins() {
    let calls = Calls::default();
    let orders = orders(&calls, Ok(Said::yes()));
    for (url, headers, body) in [
        ("/orders/placeOrder", &FORM[..], "productId=CD1001&qty=20000&dest=SK+Imme"),
        ("/orders/placeOrder?productId=CD1001&qty=20000&dest=SK%20Imme", &[], ""),
        ("/orders/placeOrder", &[], r#"{"productId": "CD1001", "qty": 20000, "dest": "SK Imme", "other": []}"#),
        ("/orders/placeOrder?qty=20000", &FORM[..], "productId=CD1001&qty=nonsense&dest=SK+Imme"),
    ] {
        let response = answer(&orders, "POST", url, headers, body).await;
        assert_eq!((response.status().as_u16(), text(&response)), (200, "true".to_owned()), "{url} {body}");
        assert_eq!(response.headers()["content-type"], "application/json;charset=UTF-8");
    }
    for call in calls.lock().unwrap().iter() {
        assert_eq!(call.fields.canonical(), r#"{"productId":"CD1001","qty":20000.0,"dest":"SK Imme"}"#);
        assert_eq!((call.key.as_deref(), call.expecting), (None, None));
    }
    assert_eq!(calls.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_parameter_that_is_missing_or_no_number_is_400_and_named() {
    let calls = Calls::default();
    let orders = orders(&calls, Ok(Said::yes()));
    for (body, named) in [
        ("productId=CD1001", "qty"),
        ("productId=CD1001&qty=", "qty"),
        ("productId=CD1001&qty=abc", "qty"),
        ("productId=CD1001&qty=NaN", "qty"),
        ("productId=+&qty=1", "productId"),
        ("", "productId"),
    ] {
        let response = answer(&orders, "POST", "/orders/placeOrder", &FORM, body).await;
        assert_eq!((response.status().as_u16(), &object(&response)["field"]), (400, &json!(named)), "{body}");
    }
    let media = [("content-type", "text/plain")];
    assert_eq!(answer(&orders, "POST", "/orders/placeOrder", &media, "qty=1").await.status(), 415);
    assert_eq!(answer(&orders, "GET", "/orders/announce?flag=yes", &[], "").await.status(), 400);
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_no_has_its_reason_a_made_item_its_address_and_a_failure_its_status() {
    let calls = Calls::default();
    let place =
        async |said| answer(&orders(&calls, said), "POST", "/orders/placeOrder?productId=CD1001&qty=1", &[], "").await;
    let no = place(Ok(Said::no("INSUFFICIENT_STOCK"))).await;
    assert_eq!((no.status().as_u16(), text(&no)), (200, "false".to_owned()));
    assert_eq!(no.headers()["x-reason"], "INSUFFICIENT_STOCK");
    let made = place(Ok(Said { replayed: true, ..Said::yes().made(7) })).await;
    assert_eq!(made.headers()["location"], "http://localhost:8088/orders/7");
    assert_eq!(made.headers()["idempotency-replayed"], "true");
    assert!(!made.headers().contains_key("x-reason"));
    let down = place(Err(Problem::unavailable("UNAVAILABLE", "stopped", Duration::from_secs(1)))).await;
    assert_eq!((down.status().as_u16(), &down.headers()["retry-after"]), (503, &"1".parse().unwrap()));
}

#[tokio::test]
async fn a_text_is_not_quoted() {
    let response = answer(&orders(&Calls::default(), Ok(Said::yes())), "POST", "/orders/station", &FORM, "").await;
    assert_eq!((response.status().as_u16(), text(&response)), (200, "SK Imme, ST0001".to_owned()));
    assert_eq!(response.headers()["content-type"], "text/plain;charset=UTF-8");
}

#[tokio::test]
async fn a_call_with_an_idempotency_key_is_the_same_command_again() {
    let calls = Calls::default();
    let orders = orders(&calls, Ok(Said::yes()));
    for key in ["k", "k", "l"] {
        let headers = [FORM[0], ("idempotency-key", key)];
        answer(&orders, "POST", "/ORDERS/placeOrder", &headers, "productId=CD1001&qty=1").await;
    }
    let calls = calls.lock().unwrap();
    let origin = |n: usize| (&calls[n].origin.command_id, &calls[n].origin.stream, calls[n].origin.fingerprint);
    assert!(calls[0].origin.repeatable);
    assert_eq!(origin(0), origin(1));
    assert_ne!((origin(0).0, origin(0).1), (origin(2).0, origin(2).1));
}

#[tokio::test]
async fn a_procedure_has_its_method_and_no_other_and_a_head_never_does_what_its_get_does() {
    let calls = Calls::default();
    let orders = orders(&calls, Ok(Said::yes()));
    for (method, url, allow) in [
        ("GET", "/orders/placeOrder", "POST, OPTIONS"),
        ("DELETE", "/orders/station", "POST, OPTIONS"),
        ("HEAD", "/orders/announce?flag=true", "GET, OPTIONS"),
        ("POST", "/orders/announce?flag=true", "GET, OPTIONS"),
    ] {
        let response = answer(&orders, method, url, &[], "").await;
        assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &allow.parse().unwrap()), "{url}");
    }
    assert_eq!(calls.lock().unwrap().len(), 0);
    assert_eq!(text(&answer(&orders, "GET", "/orders/announce?flag=TRUE", &[], "").await), "true");
    assert_eq!(answer(&orders, "GET", "/orders/1", &[], "").await.status(), 200, "items are still there");
}

#[tokio::test]
async fn a_collection_may_be_called_itself_and_have_no_items() {
    let calls = Calls::default();
    let flow = Procedure::post("", vec![Field::double("qty").required()], says(&calls, Ok(Said::yes())));
    let fields = vec![Field::double("qty")];
    let flows =
        Resource::new("station", "stockFlows", "stockFlow", Field::long("stockId"), fields, Arc::new(Fake::with(1)))
            .procedure(flow.clone());
    assert_eq!(text(&answer(&flows, "POST", "/stockFlows", &[], r#"{"qty": -5}"#).await), "true");
    assert_eq!(object(&answer(&flows, "GET", "/stockFlows", &[], "").await)["page"]["totalElements"], 1);
    let cancel = Resource::without_items("station", "cancelSales").procedure(flow);
    let stocks = Resource::without_items("station", "stocks").procedure(Procedure::post(
        "confirmStock",
        vec![],
        says(&calls, Ok(Said::yes())),
    ));
    for (resource, url, status, allow) in [
        (&flows, "/stockFlows", 405, "GET, HEAD, POST, OPTIONS"),
        (&cancel, "/cancelSales", 405, "POST, OPTIONS"),
        (&stocks, "/stocks", 405, "OPTIONS"),
        (&stocks, "/stocks/confirmStock", 405, "POST, OPTIONS"),
    ] {
        let refused = answer(resource, "PUT", url, &[], "{}").await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (status, &allow.parse().unwrap()));
        let options = answer(resource, "OPTIONS", url, &[], "").await;
        assert_eq!((options.status().as_u16(), &options.headers()["allow"]), (200, &allow.parse().unwrap()));
    }
    assert_eq!(answer(&cancel, "GET", "/cancelSales", &[], "").await.status(), 405);
    for nowhere in ["/stocks/1", "/stocks/search", "/stocks/search/x"] {
        assert_eq!(answer(&stocks, "GET", nowhere, &[], "").await.status(), 404, "{nowhere}");
    }
}

#[test]
fn whatever_changes_something_takes_a_role_also_by_get() {
    let calls = Calls::default();
    let internal = Procedure::get("internal", Vec::new(), says(&calls, Ok(Said::yes()))).internal();
    let orders = orders(&calls, Ok(Said::yes())).commanded_by(&["clerk"]).procedure(internal);
    let item = |name: &str| orders.named(Target::Item(name.to_owned()));
    for (method, target, roles) in [
        (Method::GET, item("announce"), Some(&["clerk"][..])),
        (Method::GET, item("internal"), Some(&[][..])),
        (Method::POST, item("placeOrder"), Some(&["clerk"][..])),
        (Method::DELETE, item("1"), Some(&["clerk"][..])),
        (Method::GET, item("1"), None),
        (Method::HEAD, item("announce"), None),
        (Method::OPTIONS, item("announce"), None),
        (Method::GET, Target::Collection, None),
        (Method::GET, Target::Search, None),
    ] {
        assert_eq!(orders.commanders_of(&method, &target), roles, "{method} {target:?}");
    }
}
