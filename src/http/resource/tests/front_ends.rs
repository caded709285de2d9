//! What the old pages send and read: two Vue pages over axios, one jQuery page.

use serde_json::json;

use super::*;

/// The headers of axios 0.21 and of jQuery 1.4.2.
const AXIOS: [(&str, &str); 3] = [
    ("content-type", "application/json;charset=UTF-8"),
    ("accept", "application/json, text/plain, */*"),
    ("origin", "http://localhost:8080"),
];
const JQUERY: [(&str, &str); 3] = [
    ("content-type", "application/json"),
    ("accept", "application/json, text/javascript, */*"),
    ("x-requested-with", "XMLHttpRequest"),
];

#[tokio::test]
async fn axios_puts_back_the_whole_object_that_it_got_and_only_writable_fields_arrive() {
    let calls = Calls::default();
    let fields = vec![Field::long("productId"), Field::int("quantity"), Field::text("status").read_only()];
    let inner = fake("store", &calls);
    let orders = Resource { shape: Shape { fields, ..inner.shape.clone() }, ..inner };
    let mut whole = object(&answer(&orders, "GET", "/orders/1", &AXIOS, "").await);
    whole["quantity"] = json!("4");
    let own = whole["_links"]["self"]["href"].as_str().unwrap().to_owned();
    let put = answer(&orders, "PUT", &own, &AXIOS, &whole.to_string()).await;
    assert_eq!(put.status(), 200);
    assert_eq!(calls.lock().unwrap()[0].fields.canonical(), r#"{"productId":1,"quantity":4}"#);
    // The page replaces its object by what it gets, and takes the id from the link.
    assert_eq!(object(&put)["_links"]["self"]["href"].as_str().unwrap().rsplit('/').next(), Some("1"));
}

#[tokio::test]
async fn a_generated_vue_page_reads_its_list_under_the_spelling_of_its_path() {
    let rows =
        Resource::new("store", "orderStatuses", "orderStatus", Field::long("id"), vec![], Arc::new(Fake::with(2)));
    let rows = rows.unpaged();
    let list = object(&answer(&rows, "GET", "/orderstatuses", &AXIOS, "").await);
    assert_eq!(list["_embedded"]["orderstatuses"].as_array().unwrap().len(), 2);
    assert_eq!(list["_embedded"]["orderstatuses"], list["_embedded"]["orderStatuses"]);
    assert_eq!((list.get("page"), &list["_links"]["self"]), (None, &json!({"href": "/orderStatuses"})));
}

#[tokio::test]
async fn a_page_may_ask_an_empty_list_for_its_length() {
    for (paged, asked) in [(true, "/alarms"), (false, "/alarms"), (true, "/Alarms")] {
        let none = Resource::new("stay", "alarms", "alarm", Field::long("id"), vec![], Arc::new(Fake::with(0)));
        let none = none.finder(Finder::many("findByReceiver", Field::text("receiver"), By::Field("receiver")));
        let none = if paged { none } else { none.unpaged() };
        let list = object(&answer(&none, "GET", asked, &JQUERY, "").await);
        assert_eq!((&list["_embedded"]["alarms"], &list["_embedded"][&asked[1..]]), (&json!([]), &json!([])));
        let found = object(&answer(&none, "GET", "/alarms/search/findByReceiver?receiver=x", &JQUERY, "").await);
        assert_eq!(found["_embedded"]["alarms"], json!([]));
    }
}

#[tokio::test]
async fn jquery_takes_the_id_from_the_links_of_the_items_relation() {
    let rooms = Resource::new("stay", "rooms", "room", Field::long("id"), vec![], Arc::new(Fake::with(2)));
    let list = object(&answer(&rooms, "GET", "/rooms", &JQUERY, "").await);
    let hrefs: Vec<_> =
        list["_embedded"]["rooms"].as_array().unwrap().iter().map(|room| &room["_links"]["room"]["href"]).collect();
    assert_eq!(hrefs, ["/rooms/1", "/rooms/2"]);
}

#[tokio::test]
async fn jquery_sends_every_value_as_a_text() {
    let calls = Calls::default();
    let body = r#"{"productId":"1","quantity":"3","status":"order","room":{"id":"1"}}"#;
    let created = handle(&calls, "POST", "/orders", &JQUERY, body).await;
    assert_eq!(created.status(), 201);
    assert_eq!(calls.lock().unwrap()[0].fields.canonical(), r#"{"productId":1,"quantity":3,"status":"order"}"#);
}
