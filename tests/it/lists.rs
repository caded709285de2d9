//! Collections of a running store: their names, their pages, what is sorted and filtered.

use serde_json::{Value, json};

use crate::{
    common::{Request, Server},
    shop::{becomes, place, product, quiet},
};

#[test]
fn collections_are_found_in_any_case_and_embedded_in_both_spellings() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 1);
    let order = place(&client, product, 2).created();
    becomes(&client, &format!("/orderStatuses/{order}"), "status", &json!("delivery"));
    for (spelling, canonical) in
        [("orderstatuses", "orderStatuses"), ("PRODUCTPAGES", "productPages"), ("Orders", "orders")]
    {
        let embedded = client.json(&format!("/{spelling}"))["_embedded"].clone();
        assert_eq!(embedded[spelling], embedded[canonical], "{embedded}");
        assert_eq!(embedded[canonical].as_array().unwrap().len(), 1, "{embedded}");
    }
    let embedded = client.json("/orderStatuses")["_embedded"].clone();
    assert_eq!(embedded.as_object().unwrap().len(), 1, "{embedded}");
    client.get(&format!("/orderstatuses/{order}")).is(200);
}

#[test]
fn an_empty_collection_is_an_empty_array() {
    let server = Server::store();
    let client = server.client();
    for collection in ["orders", "deliveries", "products", "payments", "messages"] {
        let body = client.json(&format!("/{collection}"));
        assert_eq!(body["_embedded"][collection], json!([]), "{body}");
        assert_eq!(body["page"], json!({"size": 20, "totalElements": 0, "totalPages": 0, "number": 0}));
        let own = format!("http://{}/{collection}{{?page,size,sort}}", server.listen());
        assert_eq!(body["_links"]["self"], json!({"href": own, "templated": true}));
        assert!(body["_links"].get("next").is_none() && body["_links"]["profile"].is_object());
    }
    for view in ["orderStatuses", "productPages"] {
        let body = client.json(&format!("/{view}"));
        assert_eq!((&body["_embedded"][view], body.get("page")), (&json!([]), None), "{body}");
        let own = format!("http://{}/{view}", server.listen());
        assert_eq!(body["_links"]["self"], json!({"href": own}));
    }
}

#[test]
fn lists_are_paged_sorted_and_filtered() {
    let server = Server::store();
    let client = server.client();
    for (quantity, price) in [(3, 10), (1, 20), (2, 10), (5, 20), (4, 10)] {
        client.send(&Request::new("POST", "/products").json(&json!({"quantity": quantity, "price": price}))).is(201);
    }
    let base = format!("http://{}/products", server.listen());
    let body = client.json("/products?page=1&size=2");
    let ids = |body: &Value| {
        let rows = body["_embedded"]["products"].as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&body), [3, 4]);
    assert_eq!(body["page"], json!({"size": 2, "totalElements": 5, "totalPages": 3, "number": 1}));
    for (relation, page) in [("first", 0), ("prev", 0), ("self", 1), ("next", 2), ("last", 2)] {
        assert_eq!(body["_links"][relation]["href"], json!(format!("{base}?page={page}&size=2")), "{relation}");
    }
    let first = client.json("/products?size=2");
    assert!(first["_links"].get("prev").is_none() && first["_links"]["next"].is_object());
    // Following the links meets every item once.
    let (mut seen, mut next) = (ids(&first), first["_links"]["next"]["href"].clone());
    while let Some(href) = next.as_str() {
        let page = client.json(href.strip_prefix(&format!("http://{}", server.listen())).unwrap());
        seen.extend(ids(&page));
        next = page["_links"]["next"]["href"].clone();
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);

    for (query, expected) in [
        ("sort=quantity", vec![2, 3, 1, 5, 4]),
        ("sort=quantity,desc", vec![4, 5, 1, 3, 2]),
        ("sort=price,desc&sort=quantity,desc", vec![4, 2, 5, 1, 3]),
        ("sort=unknown,desc", vec![1, 2, 3, 4, 5]),
        ("price=10", vec![1, 3, 5]),
        ("price=10&sort=quantity,desc&size=2", vec![5, 1]),
        ("price=10&quantity=2", vec![3]),
        ("price=11", vec![]),
        ("status=register&unknown=1", vec![1, 2, 3, 4, 5]),
        ("id=4", vec![4]),
        ("page=9&size=2", vec![]),
        ("page=abc&size=abc", vec![1, 2, 3, 4, 5]),
        ("page=-1&size=0", vec![1, 2, 3, 4, 5]),
        ("size=5000", vec![1, 2, 3, 4, 5]),
    ] {
        assert_eq!(ids(&client.json(&format!("/products?{query}"))), expected, "{query}");
    }
    let past = client.json("/products?page=9&size=2");
    assert_eq!(past["page"], json!({"size": 2, "totalElements": 5, "totalPages": 3, "number": 9}));
    assert_eq!(client.json("/products?size=5000")["page"]["size"], json!(1000));
    // A view is not paged unless it is asked to.
    quiet(&server);
    let pages = client.json("/productPages?size=2&sort=quantity,desc");
    let quantities: Vec<_> =
        pages["_embedded"]["productPages"].as_array().unwrap().iter().map(|row| &row["quantity"]).collect();
    assert_eq!((quantities, &pages["page"]["totalElements"]), (vec![&json!(5), &json!(4)], &json!(5)));
    assert_eq!(client.json("/productPages?price=20")["_embedded"]["productPages"].as_array().unwrap().len(), 2);
}
