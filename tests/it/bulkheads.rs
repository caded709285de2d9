//! The bulkheads of services: who is kept apart, how many there are, and that nothing is done twice meanwhile.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    common::{Client, Request, Response, SOON, Server, Setup, eventually},
    shop::{buy, place, product, quiet, rows, stock},
};

/// Long enough for every growth, also on a busy machine.
const GROWN: Duration = Duration::from_secs(40);

fn bulkhead(server: &Server, name: &str) -> Value {
    let all = server.admin().json("/admin/bulkheads");
    let found = all.as_array().unwrap().iter().find(|bulkhead| bulkhead["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("{name} in {all}"))
}

/// In flight and waiting.
fn load(server: &Server, name: &str) -> Value {
    let status = bulkhead(server, name);
    json!([status["in_flight"], status["waiting"]])
}

/// Makes every command of a service take so long, until it is ended.
fn slow(server: &Server, service: &str, latency: &str) -> String {
    let body = json!({"target": service, "fault": {"latency": latency}, "for": "5m"});
    let answer = server.admin().send(&Request::new("POST", "/admin/faults").json(&body)).is(201);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Ends the fault; how often it fired.
fn end(server: &Server, fault: &str) -> u64 {
    let ended = server.admin().send(&Request::new("DELETE", &format!("/admin/faults/{fault}"))).is(200);
    ended.json()["fired"].as_u64().unwrap()
}

const HELD: &str = "[admin]\nfaults = true\n[bulkhead.store.delivery]\nmax = 4\nqueue = 4\n\
                    [link.store.order.delivery]\ntimeout = \"2m\"\n";

/// All places of the delivery are taken by commands that do not end, and as many wait as may. Whoever buys is served as
/// if nothing was: each purchase is answered while not one delivery is.
#[test]
fn buying_goes_on_while_every_delivery_is_held_and_who_finds_no_place_is_told_at_once() {
    let server = Setup::default().config(HELD).start();
    let client = server.client();
    let product = product(&client, 100);
    let fault = slow(&server, "store/delivery", "90s");
    thread::scope(|scope| {
        let orders: Vec<_> = (0..8).map(|_| scope.spawn(|| place(&client, product, 3))).collect();
        eventually(SOON, "all places are taken", || (load(&server, "store/delivery") == json!([4, 4])).then_some(()));
        let refused = place(&client, product, 3).is(503);
        assert!(refused.header("retry-after").is_some(), "{refused}");
        for _ in 0..20 {
            buy(&client, product, 1).created();
            assert_eq!(load(&server, "store/delivery"), json!([4, 4]), "no delivery was answered meanwhile");
        }
        // Nor does anybody behind the purchase wait: the stock is counted by a policy.
        eventually(SOON, "the stock", || (stock(&client, product) == 80).then_some(()));
        assert!(orders.iter().all(|order| !order.is_finished()));
        assert_eq!(load(&server, "store/delivery"), json!([4, 4]));
        let services = server.admin().json("/admin/services");
        let delivery = services.as_array().unwrap().iter().find(|service| service["service"] == "delivery").unwrap();
        assert_eq!(delivery["budget"]["in_flight"], json!(8), "{delivery}");
        assert!(end(&server, &fault) >= 4, "the fault was there");
        for order in orders {
            order.join().unwrap().created();
        }
    });
    quiet(&server);
    assert_eq!(rows(&client, "deliveries").len(), 8, "one for each order, none for the refused one");
    assert_eq!(stock(&client, product), 80 + 8 * 3);
    let status = bulkhead(&server, "store/delivery");
    assert_eq!(json!([status["in_flight"], status["waiting"], status["refused"]]), json!([0, 0, 1]), "{status}");
}

#[test]
fn a_reload_lets_in_who_waits_and_puts_nobody_out() {
    let server = Setup::default().config(&HELD.replace("max = 4", "max = 2")).start();
    let client = server.client();
    let product = product(&client, 100);
    let fault = slow(&server, "store/delivery", "90s");
    thread::scope(|scope| {
        let orders: Vec<_> = (0..5).map(|_| scope.spawn(|| place(&client, product, 1))).collect();
        let becomes = |of: Value| {
            eventually(SOON, "other places", || (load(&server, "store/delivery") == of).then_some(()));
        };
        becomes(json!([2, 3]));
        let configure = |text: &str| fs::write(server.directory().join("supervision.toml"), text).unwrap();
        let reload = |config: &str| {
            configure(config);
            server.admin().post("/admin/reload").is(200).json()["resized"].clone()
        };
        assert_eq!(reload(&HELD.replace("max = 4", "max = 3")), json!(["store/delivery"]));
        becomes(json!([3, 2]));
        assert_eq!(reload(&HELD.replace("max = 4", "max = 1")), json!(["store/delivery"]));
        let status = bulkhead(&server, "store/delivery");
        assert_eq!(json!([status["desired"], status["current"], status["in_flight"]]), json!([1, 3, 3]), "{status}");
        configure("[bulkhead.store.delivry]\nmax = 1\n");
        let refused = server.admin().post("/admin/reload").is(409);
        assert!(refused.text().contains("[bulkhead.store.delivry]"), "{refused}");
        assert_eq!(bulkhead(&server, "store/delivery")["desired"], json!(1), "a bad file changes nothing");
        end(&server, &fault);
        for order in orders {
            order.join().unwrap().created();
        }
    });
    quiet(&server);
    assert_eq!(rows(&client, "deliveries").len(), 5);
}

/// A service under load, as its system is loaded.
struct Loaded {
    system: &'static str,
    service: &'static str,
    /// Of the configuration, besides the bulkhead.
    config: &'static str,
    before: fn(&Client),
    /// The n-th command that reaches the service; 503 when it was not done.
    command: fn(&Client, usize) -> Response,
    /// Where each command that was done is one row.
    effects: &'static str,
}

impl Loaded {
    /// Grows to its most under load, shrinks to its least when idle, and has done each command once.
    fn check(&self) {
        let name = format!("{}/{}", self.system, self.service);
        let config = format!(
            "[admin]\nfaults = true\n{}[bulkhead.{}.{}]\nautoscale = {{ min = 1, max = 10, busy_target = 15, idle = \"1s\" }}\n",
            self.config, self.system, self.service,
        );
        let server = Setup::default().system(self.system).config(&config).start();
        let client = server.client();
        (self.before)(&client);
        quiet(&server);
        let already = rows(&client, self.effects).len();
        let fault = slow(&server, &name, "200ms");
        let series = Mutex::new(vec![1]);
        let look = || {
            let status = bulkhead(&server, &name);
            assert_eq!(json!([status["min"], status["max"]]), json!([1, 10]));
            let desired = status["desired"].as_u64().unwrap();
            assert!((1..=10).contains(&desired) && status["current"].as_u64().unwrap() <= 10, "{status}");
            let mut series = series.lock().unwrap();
            if series.last() != Some(&desired) {
                series.push(desired);
            }
            desired
        };
        let (next, done, is_over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let work = || {
                while !is_over.load(Ordering::Acquire) {
                    let n = next.fetch_add(1, Ordering::AcqRel);
                    loop {
                        let answer = (self.command)(&client, n);
                        match answer.status {
                            200 | 201 => break,
                            503 => assert!(answer.header("retry-after").is_some(), "{answer}"),
                            _ => panic!("{answer}"),
                        }
                    }
                    done.fetch_add(1, Ordering::AcqRel);
                }
            };
            for _ in 0..12 {
                scope.spawn(work);
            }
            eventually(GROWN, "the most", || (look() == 10).then_some(()));
            is_over.store(true, Ordering::Release);
        });
        assert!(end(&server, &fault) > 0, "the fault was there");
        let grown = series.lock().unwrap().clone();
        assert!(grown.is_sorted() && grown.len() > 2, "it grew in steps: {grown:?}");
        eventually(GROWN, "the least", || (look() == 1).then_some(()));
        quiet(&server);
        let effects = rows(&client, self.effects).len() - already;
        assert_eq!(effects, done.load(Ordering::Acquire), "each was done once");
    }
}

#[test]
fn store_n7_the_delivery_follows_its_load_between_one_and_ten() {
    let loaded = Loaded {
        system: "store",
        service: "delivery",
        config: "[link.store.order.delivery]\ntimeout = \"1m\"\n",
        before: |client| assert_eq!(product(client, 1), 1),
        command: |client, _| place(client, 1, 1),
        effects: "deliveries",
    };
    loaded.check();
}

#[test]
fn stay_n6_the_payment_follows_its_load_between_one_and_ten() {
    let loaded = Loaded {
        system: "stay",
        service: "pay",
        config: "[link.stay.booking.pay]\ntimeout = \"1m\"\n",
        before: |client| {
            client.http("POST :8080/rooms name=호텔 price=1000 address=서울 host=Superman").is(201);
        },
        command: |client, n| {
            let usedate = format!("{:04}{:02}{:02}", 2031 + n / 336, 1 + n / 28 % 12, 1 + n % 28);
            client.http(&format!("POST :8080/bookings roomId=1 guest=Robin usedate={usedate}"))
        },
        effects: "payments",
    };
    loaded.check();
}

#[test]
fn library_n7_the_rent_follows_its_load_between_one_and_ten() {
    let loaded = Loaded {
        system: "library",
        service: "rent",
        config: "[link.library.order.rent]\ntimeout = \"1m\"\n",
        before: |_| {},
        command: |client, _| client.http("POST :8088/orders item=COSMOS"),
        effects: "rents",
    };
    loaded.check();
}

#[test]
fn station_n5_the_order_follows_its_load_between_one_and_ten() {
    let loaded = Loaded {
        system: "station",
        service: "Order",
        config: "",
        before: |_| {},
        command: |client, _| {
            let form = [("productId", "CD1001"), ("qty", "10"), ("destAddr", "SK Imme Station")];
            client.send(&Request::new("POST", "/orders/placeOrder").form(&form))
        },
        effects: "orders",
    };
    loaded.check();
}

#[test]
fn procurement_n7_the_management_follows_its_load_between_one_and_ten() {
    let loaded = Loaded {
        system: "procurement",
        service: "procurementmanagement",
        config: "",
        before: |_| {},
        command: |client, n| client.http(&format!("POST :8088/deliverymanagements procNo=pp{n} procTitle=ppTitle")),
        effects: "deliverymanagements",
    };
    loaded.check();
}
