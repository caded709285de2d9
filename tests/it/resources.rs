//! The resource layer over a running system: natural keys, procedures, finders, filters, ports of services.

use serde_json::{Value, json};

use crate::depot::{Answer, Depot};

#[tokio::test(flavor = "multi_thread")]
async fn natural_keys_are_created_replaced_and_listed_by_their_text() {
    let depot = Depot::start().await;
    for (key, qty) in [("CD10", "5"), ("CD1", "20000"), ("배 1", "0")] {
        let body = json!({"wareId": key, "name": "GAS", "qty": qty}).to_string();
        let created = depot.call("POST", "/ware", &body).await;
        assert_eq!(created.status, 201, "{created:?}");
    }
    let ware = depot.call("GET", "/wares/CD1", "").await;
    let own = r#""_links":{"self":{"href":"/ware/CD1"},"ware":{"href":"/ware/CD1"}}"#;
    assert_eq!(ware.text, format!(r#"{{"wareId":"CD1","name":"GAS","qty":20000.0,{own}}}"#));
    let list = depot.call("GET", "/wares", "").await.json();
    let keys: Vec<_> = list["_embedded"]["wares"].as_array().unwrap().iter().map(|ware| &ware["wareId"]).collect();
    assert_eq!(keys, ["CD1", "CD10", "배 1"]);
    assert_eq!(list["page"]["totalElements"], 3);
    let replaced = depot.call("PUT", "/ware/CD1", r#"{"qty": 1}"#).await;
    assert_eq!((replaced.status, replaced.json()["name"].clone()), (200, Value::Null));
    assert_eq!(replaced.header("etag"), Some("\"2\""));
    let created = depot.call("PUT", "/ware/CD%202", r#"{"qty": 1}"#).await;
    assert_eq!((created.status, created.header("location")), (201, Some("http://depot/ware/CD%202")));
    let merged = depot.call("PATCH", "/ware/CD1", r#"{"name": "Diesel"}"#).await;
    assert_eq!((merged.status, &merged.json()["name"], &merged.json()["qty"]), (200, &json!("Diesel"), &json!(1.0)));
    let refused = depot.call("PATCH", "/ware/CD1", r#"{"qty": -1}"#).await;
    assert_eq!(
        (refused.status, &refused.json()["field"], &refused.json()["code"]),
        (400, &json!("qty"), &json!("INVALID_QTY"))
    );
    assert_eq!(depot.call("PATCH", "/ware/CD3", "{}").await.json()["code"], "NO_SUCH_WARE");
    for nothing in ["/ware/CD3", "/ware/%0A", "/ware/search/findByWareId?wareId=CD3"] {
        assert_eq!(depot.call("GET", nothing, "").await.status, 404, "{nothing}");
    }
    let found = depot.call("GET", "/ware/search/findByWareId?wareId=CD10", "").await;
    assert_eq!(found.json()["qty"], json!(5.0));
    let some = depot.call("GET", "/ware?minQty=1&qty=1", "").await.json();
    assert_eq!(some["page"]["totalElements"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_says_yes_or_no_and_fails_like_everything_else() {
    let depot = Depot::start().await;
    depot.call("PUT", "/ware/CD1", r#"{"qty": 10}"#).await;
    let sell = async |query: &str| depot.call("POST", &format!("/ware/sell?{query}"), "").await;
    let sold = sell("wareId=CD1&qty=4").await;
    assert_eq!((sold.status, sold.text.as_str(), sold.header("x-reason")), (200, "true", None));
    assert_eq!(sold.header("location"), Some("http://depot/ware/1"));
    for (query, reason) in [
        ("wareId=CD1&qty=7", "INSUFFICIENT_STOCK"),
        ("wareId=CD9&qty=1", "NO_SUCH_WARE"),
        ("wareId=a%0Ab&qty=1", "NOT_FOUND"),
    ] {
        let no = sell(query).await;
        assert_eq!((no.status, no.text.as_str(), no.header("x-reason")), (200, "false", Some(reason)), "{query}");
    }
    for (query, field) in [("wareId=CD1&qty=0", "qty"), ("wareId=CD1", "qty"), ("qty=1", "wareId")] {
        let refused = sell(query).await;
        assert_eq!((refused.status, refused.json()["field"].clone()), (400, json!(field)), "{query}");
    }
    assert_eq!(depot.call("GET", "/ware/CD1", "").await.json()["qty"], json!(6.0));
    assert_eq!(depot.call("POST", "/ware/place", "").await.text, "depot, 1");
    depot.system.stop_service("depot/stock").await.unwrap();
    for url in ["/ware/sell?wareId=CD1&qty=1", "/ware/place"] {
        let down = depot.call("POST", url, "").await;
        assert_eq!((down.status, down.header("retry-after")), (503, Some("1")), "{url}");
    }
    assert_eq!(depot.call("GET", "/tickets", "").await.status, 200, "the other service goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procedure_under_an_idempotency_key_is_done_once() {
    let depot = Depot::start().await;
    depot.call("PUT", "/ware/CD1", r#"{"qty": 10}"#).await;
    for replayed in [None, Some("true"), Some("true")] {
        let sold = depot.once("k", "POST", "/ware/sell", r#"{"wareId": "CD1", "qty": 4}"#).await;
        assert_eq!((sold.text.as_str(), sold.header("idempotency-replayed")), ("true", replayed));
    }
    assert_eq!(depot.call("GET", "/ware/CD1", "").await.json()["qty"], json!(6.0));
    assert_eq!(depot.once("k", "POST", "/ware/sell", r#"{"wareId": "CD1", "qty": 5}"#).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_tells_whether_an_item_is_new_and_a_removed_one_may_stay_readable() {
    let depot = Depot::start().await;
    let open = async |code: &str| depot.call("POST", "/tickets", &json!({ "code": code }).to_string()).await;
    let (first, again) = (open("a").await, open("a").await);
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json(), again.json());
    assert_eq!(again.header("location"), None);
    assert_eq!(open("b").await.header("location"), Some("http://depot/tickets/2"));
    assert_eq!(open(" ").await.json()["field"], "code");
    assert_eq!(depot.call("DELETE", "/tickets/1", "").await.status, 204);
    assert_eq!(depot.call("GET", "/tickets/1", "").await.json()["closed"], true);
    assert_eq!(depot.call("DELETE", "/tickets/1", "").await.status, 409);
    assert_eq!(depot.call("DELETE", "/tickets/9", "").await.status, 404);
    for (number, said, reason) in [
        ("2", "true", None),
        ("2", "false", Some("INSUFFICIENT_STOCK")),
        ("9", "false", Some("NOT_FOUND")),
        ("-1", "false", Some("NOT_FOUND")),
    ] {
        let answer = depot.call("POST", &format!("/closeTicket?ticketId={number}"), "").await;
        assert_eq!((answer.text.as_str(), answer.header("x-reason")), (said, reason), "{number}");
    }
    assert_eq!(depot.call("GET", "/closeTicket", "").await.header("allow"), Some("POST, OPTIONS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_view_are_items_and_find_filter_and_resolve_others() {
    let depot = Depot::start().await;
    for code in ["a", "b", "7"] {
        depot.call("POST", "/tickets", &json!({ "code": code }).to_string()).await;
    }
    let code = depot.call("GET", "/codes/b", "").await;
    assert!(code.text.starts_with(r#"{"code":"b","number":2,"closed":false,"_links""#), "{code:?}");
    for (url, id) in [("/tickets/b", 2), ("/tickets/7", 3), ("/tickets/2", 2), ("/tickets/search/findByCode?code=a", 1)]
    {
        let ticket = depot.call("GET", url, "").await.json();
        assert_eq!((&ticket["id"], &ticket["_links"]["self"]["href"]), (&json!(id), &json!(format!("/tickets/{id}"))));
    }
    let ids = |list: Value| -> Vec<u64> {
        list["_embedded"]["tickets"].as_array().unwrap().iter().map(|ticket| ticket["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(depot.call("GET", "/tickets/search/listByCode?code=b", "").await.json()), [2]);
    assert!(ids(depot.call("GET", "/tickets/search/listByCode?code=x", "").await.json()).is_empty());
    assert_eq!(ids(depot.call("GET", "/tickets?notCode=b", "").await.json()), [1, 3]);
    for nothing in ["/tickets/x", "/codes/x", "/tickets/search/findByCode?code=x"] {
        assert_eq!(depot.call("GET", nothing, "").await.status, 404, "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_of_a_service_knows_its_own_resources_and_its_own_health() {
    let depot = Depot::start().await;
    let (stock, desk) = (depot.port("stock"), depot.port("desk"));
    let get = async |port, url| Answer::of(port, "GET", url, &[("origin", "http://page")], "").await;
    depot.call("PUT", "/ware/CD1", r#"{"qty": 10}"#).await;
    assert_eq!(get(&stock, "/ware/CD1").await.status, 200);
    assert_eq!(get(&desk, "/ware/CD1").await.status, 404);
    let root = get(&desk, "/").await.json();
    assert_eq!(root["_links"].as_object().unwrap().keys().collect::<Vec<_>>(), ["tickets", "codes", "profile"]);
    assert_eq!(get(&stock, "/ware").await.header("access-control-allow-origin"), None);
    let health = async || {
        let (stock, desk) = (get(&stock, "/actuator/health").await, get(&desk, "/actuator/health").await);
        [(stock.status, stock.json()["status"].clone()), (desk.status, desk.json()["status"].clone())]
    };
    let (up, down) = ((200, json!("UP")), (503, json!("DOWN")));
    assert_eq!(health().await, [up.clone(), up.clone()]);
    depot.system.stop_service("depot/stock").await.unwrap();
    assert_eq!(health().await, [down, up.clone()]);
    assert_eq!(get(&stock, "/actuator/health/liveness").await.status, 200);
    assert_eq!((get(&stock, "/ware/CD1").await.status, get(&desk, "/tickets").await.status), (503, 200));
    depot.system.start_service("depot/stock").await.unwrap();
    assert_eq!(health().await, [up.clone(), up]);
}
