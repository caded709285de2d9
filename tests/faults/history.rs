//! Old history is deleted while the process lives, dies and comes back.

use std::time::Duration;

use serde_json::{Value, json};
use steadfast::{
    Clock, System, Timestamp,
    persistence::{StorageConfig, open},
    store,
};

use crate::{
    common::{Response, Setup, eventually},
    every,
    load::{Act, Command},
    shop::Shop,
};

/// For what only guards against hanging.
const DEADLINE: Duration = Duration::from_secs(90);

const CONFIG: &str = "[storage]\nsegment_bytes = \"64 KiB\"\nlow_space = \"0 B\"\nhistory = \"90d\"\n";

/// Orders that were placed a hundred days ago.
const OLD: u64 = 120;

/// A hundred days ago somebody had a busy day.
async fn long_ago(shop: &Shop) {
    let mut config = StorageConfig::new(shop.data());
    (config.units, config.segment_bytes) = (vec!["alarm".to_owned()], 64 << 10);
    (config.low_space_bytes, config.ballast_bytes) = (0, 0);
    let storage = open(&config).unwrap();
    let start = Clock::system().now().as_millis() - 100 * 86_400_000;
    let clock = Clock::starting_at(Timestamp::from_millis(start));
    let system =
        System::builder(storage.clone()).clock(clock).system(store::NAME, store::services()).start().await.unwrap();
    let register = (0..3).map(|_| Act::Register { quantity: 10_000, price: 10 });
    let place = (0..OLD).map(|n| Act::Place { product: 1 + n % 3, quantity: 1 });
    let cancel = (1..=5).map(|order| Act::CancelOrder { order });
    for (n, act) in register.chain(place).chain(cancel).enumerate() {
        let command = Command { key: format!("old-{n}"), act };
        every::send(&system, &command).await.expect("an answer");
    }
    system.quiesce(Duration::from_mins(1)).await.unwrap();
    system.shutdown(Duration::from_secs(30)).await;
    storage.close();
}

/// What is sent today, each with its key.
fn today(shop: &Shop) -> Vec<Response> {
    let order = |product: u64| json!({"productId": product, "quantity": 2});
    let place = |n: u64| shop.send("POST", "/orders", &format!("place-{n}"), Some(&order(1 + n % 3)));
    let mut answers: Vec<_> = (0..6).map(place).collect();
    answers.push(shop.send("DELETE", "/orders/9", "cancel-9", None));
    answers.push(shop.send("PATCH", "/products/2", "price-2", Some(&json!({"price": 11}))));
    answers
}

fn same(first: &[Response], again: &[Response]) {
    for (first, again) in first.iter().zip(again) {
        assert_eq!((first.status, first.text()), (again.status, again.text()));
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
    }
}

/// Every item that there is, by its number.
fn items(shop: &Shop) -> Vec<String> {
    let orders = (1..=OLD + 6).map(|n| format!("/orders/{n}"));
    let deliveries = (1..=OLD + 6).map(|n| format!("/deliveries/{n}"));
    let products = (1..=3).map(|n| format!("/products/{n}"));
    let look = |path: String| {
        let answer = shop.get(&path);
        // An order that was canceled is shown no more.
        if answer.status == 200 { answer.text() } else { format!("{path}: {}", answer.status) }
    };
    let items: Vec<_> = orders.chain(deliveries).chain(products).map(look).collect();
    assert!(items.iter().filter(|item| item.contains("404")).count() < 30, "{items:?}");
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_deleted_and_the_shop_answers_as_before_also_when_it_is_killed_and_its_tables_are_lost() {
    let mut shop = Shop::of(Setup::default().config(CONFIG).prepare());
    long_ago(&shop).await;
    tokio::task::block_in_place(|| {
        let journal = shop.data().join("main/journal");
        let exists = |name: &str| journal.join(name).exists();
        assert!(exists("0000000003.seg") && !exists("bases"));
        shop.start();
        shop.quiesce();
        let answers = today(&shop);
        shop.quiesce();
        let (before, orders) = (items(&shop), shop.all("orders"));

        // SIGKILL in the middle of it, or right behind it.
        eventually(DEADLINE, "base records are made", || (exists("bases.new") || exists("bases")).then_some(()));
        shop.restart();
        eventually(DEADLINE, "old segments are deleted", || (!exists("0000000001.seg")).then_some(()));
        assert!(exists("bases"));
        shop.quiesce();
        assert_eq!(items(&shop), before);
        assert_eq!(shop.all("orders"), orders, "a view that had read everything goes on");
        same(&answers, &today(&shop));
        shop.kill();

        shop.forget_tables();
        shop.start();
        assert_eq!(items(&shop), before);
        same(&answers, &today(&shop));
        let placed = shop.send("POST", "/orders", "one-more", Some(&json!({"productId": 1, "quantity": 1})));
        assert_eq!(placed.is(201).json()["id"], json!(OLD + 7), "numbers go on");
        // Rows that were folded of what is deleted are lost with the tables, and that is said.
        let list = shop.get("/orders");
        assert_eq!((list.status, list.json()["code"].as_str()), (503, Some("VIEW_INCOMPLETE")), "{list}");
        let consumers = shop.operators("/admin/consumers").is(200).json();
        let consumers: Vec<&Value> = rows(&consumers);
        let refused = |row: &&&Value| row["state"] == "refused" && row["refused"].is_string();
        assert!(consumers.iter().filter(refused).count() > 0, "{consumers:?}");
        assert!(consumers.iter().any(|row| row["state"] == "running"), "policies have their cursors in the journal");
        shop.close();
        assert!(!exists("bases.new") && !exists("0000000001.seg"));
    });
}

/// The rows of an answer, whatever is around them.
fn rows(answer: &Value) -> Vec<&Value> {
    match answer {
        Value::Array(rows) => rows.iter().collect(),
        Value::Object(fields) => fields.values().filter_map(Value::as_array).flatten().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
