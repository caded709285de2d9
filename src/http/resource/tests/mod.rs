//! A resource that needs no runtime: rows in memory, commands as closures.

mod finding;
mod front_ends;
mod keys;
mod procedures;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;

use super::*;
use crate::http::{
    Item,
    hal::{Place, tests::order},
    request::{Response, tests::request},
};

/// Orders 1 to `rows`, made when asked for.
pub(crate) struct Fake {
    rows: u64,
    behind: bool,
}

impl Fake {
    pub(crate) fn with(rows: u64) -> Self {
        Self { rows, behind: false }
    }
}

impl Source for Fake {
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Seen, Problem>> {
        let found = key.parse().ok().filter(|number| (1..=self.rows).contains(number)).map(order);
        let caught_up = !self.behind;
        async move { Ok((found, caught_up)) }.boxed()
    }
    fn catch_up(&self, _: Duration) -> BoxFuture<'static, Result<bool, Problem>> {
        let caught_up = !self.behind;
        async move { Ok(caught_up) }.boxed()
    }
    fn count(&self) -> BoxFuture<'static, Result<u64, Problem>> {
        let rows = self.rows;
        async move { Ok(rows) }.boxed()
    }
    fn scan(&self, after: Option<Vec<u8>>, limit: usize, keep: Keep) -> BoxFuture<'static, Result<RowPage, Problem>> {
        let first = after.map_or(1, |key| u64::from_be_bytes(key.try_into().unwrap()) + 1);
        let rows: Vec<u64> = (first..=self.rows).take(limit).collect();
        let (seen, last) = (rows.len(), rows.last().map(|key| key.to_be_bytes().to_vec()));
        async move { Ok(RowPage { items: keep.of(rows, order), seen, last }) }.boxed()
    }
}

/// What the commands of [`fake`] were called with.
pub(crate) type Calls = Arc<Mutex<Vec<Call>>>;

/// Three orders of a store; every command is remembered and answers order 1.
pub(crate) fn fake(system: &'static str, calls: &Calls) -> Resource {
    let action = |change: Change| -> Action {
        let calls = calls.clone();
        action(move |call: Call| {
            let known = call.key.as_deref().is_none_or(|key| key == "1");
            calls.lock().unwrap().push(call);
            async move {
                let done = Done { change, item: order(1), replayed: false };
                if known { Ok(done) } else { Err(Problem::not_found("there is no such order")) }
            }
        })
    };
    let fields = vec![Field::long("productId"), Field::int("quantity"), Field::text("status")];
    let by = || {
        By::Items(Arc::new(move |value, _| {
            let items = if value == 1 { vec![order(1)] } else { vec![] };
            async move { Ok(Found { items, caught_up: true }) }.boxed()
        }))
    };
    let finder = |name, single| {
        let parameter = Field::long("order_id");
        Finder { single, ..Finder::one(name, parameter, by()).also_spelled(&["orderId"]) }
    };
    Resource::new(system, "orders", "order", Field::long("id"), fields, Arc::new(Fake::with(3)))
        .create(action(Change::Created))
        .replace(action(Change::Changed))
        .merge(action(Change::Changed))
        .remove(action(Change::Removed))
        .finder(finder("findByOrderId", true))
        .finder(finder("listByOrderId", false))
        .single_by(finder("", true))
}

async fn handle(calls: &Calls, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Response {
    answer(&fake("store", calls), method, url, headers, body).await
}

/// What `resource` answers, whatever the collection in the URL is called.
async fn answer(resource: &Resource, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let request = request(method, url, headers, body);
    let segments = request.segments().unwrap();
    let (asked, rest) = segments.split_first().unwrap();
    let place = Place { base: "http://localhost:8088".into(), asked: asked.clone().into_owned() };
    let answer = resource.handle(&request, resource.target(rest).unwrap(), &place).await;
    answer.unwrap_or_else(|problem| problem.respond(&request))
}

fn object(response: &Response) -> serde_json::Value {
    serde_json::from_str(&text(response)).unwrap()
}

async fn status(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    handle(&Calls::default(), method, url, headers, body).await.status().as_u16()
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body().to_vec()).unwrap().replace("http://localhost:8088", "")
}

const ITEM: &str = concat!(
    r#"{"id":1,"productId":1,"quantity":3,"status":"order","#,
    r#""_links":{"self":{"href":"/orders/1"},"order":{"href":"/orders/1"}}}"#
);

#[tokio::test]
async fn a_creation_answers_201_with_address_item_and_entity_tag() {
    let calls = Calls::default();
    let body = r#"{"id":"9","productId":"1","quantity":"3","status":"order","_links":{}}"#;
    let response = handle(&calls, "POST", "/orders", &[], body).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["location"], "http://localhost:8088/orders/1");
    assert_eq!(response.headers()["content-type"], "application/hal+json;charset=UTF-8");
    assert_eq!(response.headers()["etag"], "\"2\"");
    assert_eq!(text(&response), ITEM);
    let call = &calls.lock().unwrap()[0];
    assert_eq!(call.fields.canonical(), r#"{"productId":1,"quantity":3,"status":"order"}"#);
}

#[tokio::test]
async fn a_replacement_has_every_field_and_a_merge_what_was_sent() {
    let calls = Calls::default();
    for method in ["PUT", "PATCH"] {
        let response = handle(&calls, method, "/orders/1", &[], r#"{"status":null}"#).await;
        assert_eq!((response.status(), text(&response)), (StatusCode::OK, ITEM.to_owned()));
    }
    let calls = calls.lock().unwrap();
    assert_eq!(calls[0].fields.canonical(), r#"{"productId":null,"quantity":0,"status":null}"#);
    assert_eq!(calls[1].fields.canonical(), r#"{"status":null}"#);
    assert_eq!(calls[1].key.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_removal_answers_204_without_a_body() {
    let response = handle(&Calls::default(), "DELETE", "/orders/1", &[], "").await;
    assert_eq!((response.status(), response.body().len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(status("DELETE", "/orders/2", &[], "").await, 404);
}

#[tokio::test]
async fn what_the_client_got_wrong_never_reaches_a_command() {
    let calls = Calls::default();
    for (method, url, headers, body, expected) in [
        ("POST", "/orders", vec![], "", 400),
        ("POST", "/orders", vec![], r#"{"quantity":"abc"}"#, 400),
        ("POST", "/orders", vec![("content-type", "text/plain")], "{}", 415),
        ("PATCH", "/orders/1", vec![], "[]", 415),
        ("POST", "/orders", vec![("idempotency-key", "")], "{}", 400),
        ("PUT", "/orders", vec![], "{}", 405),
        ("POST", "/orders/1", vec![], "{}", 405),
        ("DELETE", "/orders/1", vec![("if-match", "W/\"1\"")], "", 412),
    ] {
        assert_eq!(handle(&calls, method, url, &headers, body).await.status(), expected, "{method} {url} {headers:?}");
    }
    assert_eq!(calls.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_command_carries_key_condition_and_correlation() {
    let calls = Calls::default();
    let headers = [("idempotency-key", "k"), ("if-match", "\"7\""), ("x-request-id", "r")];
    handle(&calls, "PUT", "/ORDERS/1", &headers, "{}").await;
    handle(&calls, "PUT", "/orders/1", &[("idempotency-key", "k"), ("if-match", "\"2\", \"7\"")], "{}").await;
    handle(&calls, "PUT", "/orders/1", &[("if-match", "*")], "{}").await;
    // A repetition with several tags was 412 after it had been done: here, where nobody knows what was done.
    handle(&calls, "PUT", "/orders/1", &[("if-match", "\"8\", \"9\"")], "{}").await;
    let calls = calls.lock().unwrap();
    assert_eq!((calls[0].expecting, &*calls[0].origin.correlation), (Some(7), "r"));
    assert!(calls[0].origin.repeatable);
    assert_eq!(calls[0].origin.command_id, calls[1].origin.command_id, "the spelling of the path does not matter");
    assert_eq!(calls[0].origin.fingerprint, calls[1].origin.fingerprint);
    assert_eq!(calls[1].expecting, Some(2), "the item is at 2");
    assert_eq!((calls[2].expecting, calls[2].origin.repeatable), (None, false));
    assert_eq!(calls[3].expecting, Some(8), "the entity refuses it, unless it has done it");
}

#[tokio::test]
async fn a_form_and_its_json_are_the_same_request() {
    let calls = Calls::default();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    handle(&calls, "POST", "/orders", &form, "status=order&productId=1").await;
    handle(&calls, "POST", "/orders", &[], r#"{"productId":" 1","status":"order"}"#).await;
    let calls = calls.lock().unwrap();
    assert_eq!(calls[0].origin.fingerprint, calls[1].origin.fingerprint);
}

#[tokio::test]
async fn an_item_that_the_client_knows_is_304() {
    assert_eq!(text(&handle(&Calls::default(), "GET", "/orders/1", &[], "").await), ITEM);
    for (tag, expected) in
        [("\"2\"", 304), ("*", 304), ("\"1\", \"2\"", 304), ("\"1\"", 200), ("W/\"2\"", 304), ("x", 200)]
    {
        assert_eq!(status("GET", "/orders/1", &[("if-none-match", tag)], "").await, expected, "{tag}");
    }
    for unknown in ["/orders/4", "/orders/abc", "/orders/-1"] {
        assert_eq!(status("GET", unknown, &[], "").await, 404, "{unknown}");
    }
}

#[tokio::test]
async fn a_list_has_items_links_and_page() {
    let expected = format!(
        concat!(
            r#"{{"_embedded":{{"orders":[{}]}},"_links":{{"first":{{"href":"/orders?page=0&size=1"}},"#,
            r#""self":{{"href":"/orders?page=0&size=1"}},"next":{{"href":"/orders?page=1&size=1"}},"#,
            r#""last":{{"href":"/orders?page=2&size=1"}},"profile":{{"href":"/profile/orders"}},"#,
            r#""search":{{"href":"/orders/search"}}}},"#,
            r#""page":{{"size":1,"totalElements":3,"totalPages":3,"number":0}}}}"#
        ),
        ITEM
    );
    let response = handle(&Calls::default(), "GET", "/orders?size=1", &[], "").await;
    assert_eq!(text(&response), expected);
    assert!(!response.headers().contains_key("x-view-lag"));
    assert_eq!(status("GET", "/orders?quantity=x", &[], "").await, 400);
}

#[tokio::test]
async fn what_could_not_catch_up_says_so() {
    let source = Fake { rows: 1, behind: true };
    let by_key = |name, single| Finder { single, ..Finder::one(name, Field::long("id"), By::Key) };
    let resource = Resource::new("store", "orders", "order", Field::long("id"), vec![], Arc::new(source))
        .finder(by_key("findById", true))
        .finder(by_key("listById", false));
    for url in ["/orders", "/orders/1", "/orders/search/findById?id=1", "/orders/search/listById?id=1"] {
        assert_eq!(answer(&resource, "GET", url, &[], "").await.headers()["x-view-lag"], "behind", "{url}");
    }
    let known = answer(&resource, "GET", "/orders/1", &[("if-none-match", "\"2\"")], "").await;
    assert_eq!((known.status().as_u16(), &known.headers()["x-view-lag"]), (304, &"behind".parse().unwrap()));
}

#[tokio::test]
async fn finders_answer_one_item_or_a_list() {
    let calls = Calls::default();
    for single in
        ["/orders?orderId=1", "/orders/search/findByOrderId?order_id=1", "/orders/search/findByOrderId?orderId=1"]
    {
        assert_eq!(text(&handle(&calls, "GET", single, &[], "").await), ITEM, "{single}");
    }
    for (url, expected) in [
        ("/orders?orderId=9", 404),
        ("/orders/search/findByOrderId?orderId=9", 404),
        ("/orders/search/findByOrderId", 400),
        ("/orders/search/findByNothing", 404),
        ("/orders/search/listByOrderId?orderId=9", 200),
    ] {
        assert_eq!(status("GET", url, &[], "").await, expected, "{url}");
    }
    let list = text(&handle(&calls, "GET", "/orders/search/listByOrderId?orderId=1", &[], "").await);
    let own = r#""_links":{"self":{"href":"/orders/search/listByOrderId?orderId=1"}}}"#;
    assert_eq!(list, format!(r#"{{"_embedded":{{"orders":[{ITEM}]}},{own}"#));
    let searches = text(&handle(&calls, "GET", "/orders/search", &[], "").await);
    assert!(searches.contains(r#""href":"/orders/search/findByOrderId{?order_id}","templated":true"#), "{searches}");
}

#[tokio::test]
async fn methods_that_are_not_offered_are_405_and_options_lists_the_others() {
    for (url, allow) in [
        ("/orders", "GET, HEAD, POST, OPTIONS"),
        ("/orders/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("/orders/search", "GET, HEAD, OPTIONS"),
    ] {
        let response = handle(&Calls::default(), "OPTIONS", url, &[], "").await;
        assert_eq!(
            (response.status(), &response.headers()["allow"]),
            (StatusCode::OK, &allow.parse().unwrap()),
            "{url}"
        );
        let response = handle(&Calls::default(), "TRACE", url, &[], "").await;
        assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &allow.parse().unwrap()), "{url}");
    }
    let readable = Resource::new("store", "rows", "row", Field::long("id"), vec![], Arc::new(Fake::with(1)));
    let place = Place { base: String::new(), asked: "rows".into() };
    let refused = readable.handle(&request("POST", "/rows", &[], "{}"), Target::Collection, &place).await.unwrap_err();
    assert_eq!(refused.status(), 405);
}
