//! Each way of a finder, and filters that fetch something first.

use serde_json::{Value, json};

use super::*;

fn orders(rows: u64, finder: Finder) -> Resource {
    let fields = vec![Field::long("productId"), Field::int("quantity"), Field::text("status")];
    Resource::new("store", "orders", "order", Field::long("id"), fields, Arc::new(Fake::with(rows))).finder(finder)
}

/// The ids that the finder `f` answers for `x=<value>`.
async fn found(resource: &Resource, value: &str) -> Result<Vec<u64>, u16> {
    let response = answer(resource, "GET", &format!("/orders/search/f?x={value}"), &[], "").await;
    if response.status() != 200 {
        return Err(response.status().as_u16());
    }
    let body = object(&response);
    let items = body["_embedded"]["orders"].as_array().cloned().unwrap_or_else(|| vec![body]);
    Ok(items.iter().map(|item| item["id"].as_u64().unwrap()).collect())
}

#[tokio::test]
async fn a_finder_by_key_asks_for_that_item() {
    let one = orders(3, Finder::one("f", Field::text("x"), By::Key));
    assert_eq!(
        (found(&one, "2").await, found(&one, "9").await, found(&one, "").await),
        (Ok(vec![2]), Err(404), Err(404))
    );
    let many = orders(3, Finder::many("f", Field::long("x"), By::Key));
    assert_eq!((found(&many, "2").await, found(&many, "9").await), (Ok(vec![2]), Ok(vec![])));
    assert_eq!((found(&many, "").await, found(&many, "two").await), (Ok(vec![]), Err(400)));
}

#[tokio::test]
async fn a_finder_by_field_looks_at_every_row_and_is_bounded() {
    let many = |rows| orders(rows, Finder::many("f", Field::long("x"), By::Field("productId")));
    assert_eq!(found(&many(3), "1").await, Ok(vec![1, 2, 3]), "not a page");
    assert_eq!(found(&many(40), "1").await.unwrap().len(), 40);
    assert_eq!(found(&many(3), "2").await, Ok(vec![]));
    assert_eq!(found(&many(1000), "1").await.unwrap().len(), Finder::MAX_FOUND);
    assert_eq!(found(&many(1001), "1").await, Err(400));
    let one = |rows| orders(rows, Finder::one("f", Field::long("x"), By::Field("id")));
    assert_eq!((found(&one(3), "3").await, found(&one(100_001), "3").await), (Ok(vec![3]), Err(400)));
}

#[tokio::test]
async fn a_finder_by_keys_reads_the_items_that_are_still_there() {
    let by = By::Keys(Arc::new(|value, limit| {
        let keys: Vec<String> = [3, 9, 1].map(|key: u64| key.to_string()).into_iter().take(limit).collect();
        async move { Ok((if value == json!("p01") { keys } else { vec![] }, false)) }.boxed()
    }));
    let many = orders(3, Finder::many("f", Field::text("x"), by.clone()));
    assert_eq!((found(&many, "p01").await, found(&many, "p02").await), (Ok(vec![3, 1]), Ok(vec![])));
    let response = answer(&many, "GET", "/orders/search/f?x=p01", &[], "").await;
    assert_eq!(response.headers()["x-view-lag"], "behind");
    let one = orders(3, Finder::one("f", Field::text("x"), by));
    assert_eq!((found(&one, "p01").await, found(&one, "p02").await), (Ok(vec![3]), Err(404)));
}

#[tokio::test]
async fn every_spelling_of_a_parameter_is_taken() {
    let one = orders(3, Finder::one("f", Field::text("product_id"), By::Key).also_spelled(&["productId"]));
    for url in ["/orders/search/f?product_id=2", "/orders/search/f?productId=2&other=3"] {
        assert_eq!(object(&answer(&one, "GET", url, &[], "").await)["id"], 2, "{url}");
    }
    let missing = answer(&one, "GET", "/orders/search/f?product=2", &[], "").await;
    assert_eq!((missing.status().as_u16(), &object(&missing)["field"]), (400, &json!("product_id")));
}

#[tokio::test]
async fn a_filter_may_fetch_what_it_needs_once_and_pages_count_what_it_leaves() {
    let fetched = Arc::new(Mutex::new(0));
    let times = fetched.clone();
    let free = Filter::prepared(
        Field::text("usedate"),
        Arc::new(move |date| {
            *times.lock().unwrap() += 1;
            let caught_up = date != json!("20201012");
            let wanted: Wanted = Arc::new(move |item| date != json!("20201010") || item.key != json!(2));
            async move { Ok((wanted, caught_up)) }.boxed()
        }),
    )
    .checked("[0-9]{8}", |date: &Value| match date.as_str() {
        Some(date) if date.len() == 8 => Ok(()),
        _ => Err(Problem::field("usedate", "must be a date")),
    });
    let rooms = Resource::new("stay", "rooms", "room", Field::long("id"), vec![], Arc::new(Fake::with(3))).filter(free);
    let list = object(&answer(&rooms, "GET", "/rooms?usedate=20201010&size=1&page=1", &[], "").await);
    assert_eq!((&list["page"]["totalElements"], &list["_embedded"]["rooms"][0]["id"]), (&json!(2), &json!(3)));
    assert_eq!(list["_links"]["prev"]["href"], "/rooms?page=0&size=1&usedate=20201010");
    assert_eq!(*fetched.lock().unwrap(), 1);
    for (date, lag) in [("20201011", None), ("20201012", Some("behind"))] {
        let list = answer(&rooms, "GET", &format!("/rooms?usedate={date}"), &[], "").await;
        let told = list.headers().get("x-view-lag").map(|lag| lag.to_str().unwrap());
        assert_eq!(told, lag, "what was booked last may be missing on {date}");
    }
    let all = object(&answer(&rooms, "GET", "/rooms?usedate=20201011", &[], "").await);
    assert_eq!(all["page"]["totalElements"], 3);
    let refused = answer(&rooms, "GET", "/rooms?usedate=soon", &[], "").await;
    assert_eq!((refused.status().as_u16(), &object(&refused)["field"]), (400, &json!("usedate")));
}
