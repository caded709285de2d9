//! Natural keys, other names of a collection, other keys of an item, and commands put together.

use serde_json::json;

use super::*;

/// Products by text, of which `CD1001` is there.
struct Products;

fn product(key: &str) -> Item {
    let fields = shown(&json!({"price": 2000}));
    Item { key: key.into(), sequence: Some(1), fields }
}

impl Source for Products {
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Seen, Problem>> {
        let found = (key == "CD1001").then(|| product(key));
        async move { Ok((found, true)) }.boxed()
    }
    fn catch_up(&self, _: Duration) -> BoxFuture<'static, Result<bool, Problem>> {
        async { Ok(true) }.boxed()
    }
    fn count(&self) -> BoxFuture<'static, Result<u64, Problem>> {
        async { Ok(1) }.boxed()
    }
    fn scan(&self, after: Option<Vec<u8>>, _: usize, keep: Keep) -> BoxFuture<'static, Result<RowPage, Problem>> {
        let rows = if after.is_some() { vec![] } else { vec!["CD1001"] };
        async move { Ok(RowPage { seen: rows.len(), items: keep.of(rows, product), last: None }) }.boxed()
    }
}

fn products(calls: &Calls) -> Resource {
    let calls = calls.clone();
    let put = action(move |call: Call| {
        let key = call.key.clone().unwrap();
        calls.lock().unwrap().push(call);
        let change = if key == "CD1001" { Change::Changed } else { Change::Created };
        async move { Ok(Done { change, item: product(&key), replayed: false }) }
    });
    let fields = vec![Field::text("productName"), Field::long("price")];
    Resource::new("station", "product", "product", Field::text("productId"), fields, Arc::new(Products))
        .alias("products")
        .natural_key()
        .create(put.clone())
        .change(put)
        .procedure(Procedure::post("sync", vec![], perform(|_| async { Ok(Said::yes()) })))
}

#[tokio::test]
async fn a_natural_key_is_taken_from_the_body_of_a_creation() {
    let calls = Calls::default();
    let products = products(&calls);
    let body = r#"{"productId": "CD 1/2", "price": "2000"}"#;
    let response = answer(&products, "POST", "/product", &[], body).await;
    assert_eq!((response.status().as_u16(), &object(&response)["productId"]), (201, &json!("CD 1/2")));
    assert_eq!(response.headers()["location"], "http://localhost:8088/product/CD%201%2F2");
    assert_eq!(calls.lock().unwrap()[0].key.as_deref(), Some("CD 1/2"));
    answer(&products, "POST", "/product", &[], r#"{"productId": 17}"#).await;
    assert_eq!(calls.lock().unwrap()[1].key.as_deref(), Some("17"));
}

#[tokio::test]
async fn a_creation_without_a_usable_natural_key_is_400_and_names_it() {
    let calls = Calls::default();
    let long = json!({ "productId": "x".repeat(201) }).to_string();
    for body in [
        "{}",
        r#"{"productId": null}"#,
        r#"{"productId": " "}"#,
        r#"{"productId": []}"#,
        &long,
        "{\"productId\": \"a\\nb\"}",
        // They were created, and no path led to them.
        r#"{"productId": "search"}"#,
        r#"{"productId": "sync"}"#,
        r#"{"productId": "."}"#,
        r#"{"productId": ".."}"#,
    ] {
        let response = answer(&products(&calls), "POST", "/product", &[], body).await;
        assert_eq!((response.status().as_u16(), &object(&response)["field"]), (400, &json!("productId")), "{body}");
    }
    assert_eq!(calls.lock().unwrap().len(), 0);
    assert_eq!(answer(&products(&calls), "POST", "/product", &[], r#"{"productId": "..."}"#).await.status(), 201);
    let longest = json!({ "productId": "x".repeat(200) }).to_string();
    assert_eq!(answer(&products(&calls), "POST", "/product", &[], &longest).await.status(), 201);
}

#[tokio::test]
async fn a_replacement_creates_or_replaces_what_its_path_names_as_the_reply_tells() {
    let calls = Calls::default();
    let products = products(&calls);
    let body = r#"{"productId": "other", "price": 1}"#;
    assert_eq!(answer(&products, "PUT", "/product/CD1001", &[], body).await.status(), 200);
    let created = answer(&products, "PUT", "/product/CD%202", &[], body).await;
    assert_eq!(created.status(), 201);
    assert_eq!(created.headers()["location"], "http://localhost:8088/product/CD%202");
    let keys: Vec<_> = calls.lock().unwrap().iter().map(|call| call.key.clone().unwrap()).collect();
    assert_eq!(keys, ["CD1001", "CD 2"]);
}

/// `If-Match: *` was passed over, and the item was created all the same.
#[tokio::test]
async fn a_replacement_of_what_has_to_be_there_does_not_create() {
    let calls = Calls::default();
    let products = products(&calls);
    for (method, key) in [("PUT", "CD1001"), ("PUT", "CD%202"), ("PATCH", "CD1001"), ("PATCH", "CD%202")] {
        answer(&products, method, &format!("/product/{key}"), &[("if-match", "*")], r#"{"price": 1}"#).await;
    }
    let expecting: Vec<_> = calls.lock().unwrap().iter().map(|call| call.expecting).collect();
    assert_eq!(
        expecting,
        [None, Some(u64::MAX), None, None],
        "no entity is there; what cannot create, it refuses itself"
    );
}

#[tokio::test]
async fn two_natural_keys_under_one_idempotency_key_are_two_requests() {
    let calls = Calls::default();
    for key in ["a", "b"] {
        let body = json!({ "productId": key }).to_string();
        answer(&products(&calls), "POST", "/product", &[("idempotency-key", "k")], &body).await;
    }
    let calls = calls.lock().unwrap();
    assert_ne!(calls[0].origin.fingerprint, calls[1].origin.fingerprint);
}

#[tokio::test]
async fn an_alias_lists_under_both_names_and_leads_to_the_first() {
    let products = products(&Calls::default());
    let list = object(&answer(&products, "GET", "/products", &[], "").await);
    assert_eq!(list["_embedded"]["products"], list["_embedded"]["product"]);
    assert_eq!(list["_embedded"]["products"][0]["_links"]["self"]["href"], "/product/CD1001");
    let list = object(&answer(&products, "GET", "/product", &[], "").await);
    assert_eq!(list["_embedded"].as_object().unwrap().len(), 1);
}

/// Results 2 and 3; request 1 has result 2, and request 3 would have result 2 if 3 were no result itself.
fn results(calls: &Calls) -> Resource {
    let calls = calls.clone();
    let merge = action(move |call: Call| {
        calls.lock().unwrap().push(call);
        async { Ok(Done { change: Change::Changed, item: order(2), replayed: false }) }
    });
    Resource::new("procurement", "results", "result", Field::long("id"), vec![], Arc::new(Fake::with(3)))
        .also_by(Arc::new(|segment| {
            let found = (segment == "17" || segment == "3").then(|| "2".to_owned());
            async move { Ok(found) }.boxed()
        }))
        .merge(merge)
}

#[tokio::test]
async fn an_item_is_found_and_commanded_under_another_key_unless_that_is_an_own_one() {
    let calls = Calls::default();
    let results = results(&calls);
    for (asked, own) in [("17", "/results/2"), ("2", "/results/2"), ("3", "/results/3")] {
        let response = answer(&results, "GET", &format!("/results/{asked}"), &[], "").await;
        assert_eq!(object(&response)["_links"]["self"]["href"], own, "{asked}");
    }
    assert_eq!(answer(&results, "GET", "/results/18", &[], "").await.status(), 404);
    for asked in ["/results/17", "/results/2"] {
        answer(&results, "PATCH", asked, &[("idempotency-key", "k"), ("if-match", "\"2\"")], "{}").await;
    }
    let calls = calls.lock().unwrap();
    assert_eq!((calls[0].key.as_deref(), calls[0].expecting), (Some("2"), Some(2)));
    assert_eq!(calls[0].origin.command_id, calls[1].origin.command_id, "both name the same item");
}

#[tokio::test]
async fn a_command_to_another_entity_shows_the_item_of_the_path() {
    let calls = Calls::default();
    let other = {
        let calls = calls.clone();
        action(move |call: Call| {
            calls.lock().unwrap().push(call);
            async { Ok(Done { change: Change::Changed, item: order(99), replayed: true }) }
        })
    };
    let source: Arc<dyn Source> = Arc::new(Fake::with(3));
    let merge = when_sent("flag", shows(source.clone(), other), unchanged(source.clone()));
    let fields = vec![Field::boolean("flag")];
    let requests = Resource::new("procurement", "requests", "request", Field::long("id"), fields, source).merge(merge);
    let recorded = answer(&requests, "PATCH", "/requests/1", &[("if-match", "\"2\"")], r#"{"flag": "true"}"#).await;
    assert_eq!((recorded.status().as_u16(), &object(&recorded)["id"]), (200, &json!(1)));
    assert_eq!(recorded.headers()["idempotency-replayed"], "true");
    assert_eq!(calls.lock().unwrap()[0].expecting, None, "the condition was about the item of the path");
    for (url, tag, body, status) in [
        ("/requests/1", "\"1\"", r#"{"flag": true}"#, 412),
        ("/requests/9", "*", r#"{"flag": true}"#, 404),
        ("/requests/1", "\"2\"", "{}", 200),
    ] {
        assert_eq!(answer(&requests, "PATCH", url, &[("if-match", tag)], body).await.status(), status, "{url} {tag}");
    }
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_item_that_another_entity_answers_with_has_its_own_key_and_no_tag() {
    let asked = action(|_| {
        let mut item = product("room/1");
        item.fields.set("id", json!(7));
        async { Ok(Done { change: Change::Created, item, replayed: false }) }
    });
    let bookings = Resource::new("stay", "bookings", "booking", Field::long("id"), vec![], Arc::new(Fake::with(3)))
        .create(keyed("id", asked));
    let created = answer(&bookings, "POST", "/bookings", &[], "{}").await;
    assert_eq!(created.headers()["location"], "http://localhost:8088/bookings/7");
    assert!(!created.headers().contains_key("etag"));
    assert_eq!(object(&created)["id"], 7);
}
