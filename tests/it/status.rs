//! The status of a command: 504 and 202 lead to what became of it, also after a crash.

use std::{sync::Arc, time::Duration};

use ::http::HeaderMap;
use serde_json::{Value, json};
use steadfast::{
    Clock, SupervisionConfig, System, Timestamp,
    http::{self, HttpLimits, HttpServer, Listener, Readiness},
    library,
    persistence::{self, MemoryStore, Storage, StorageConfig},
    procurement, station, stay, store,
};

use crate::common::{Client, Request, SOON, Server, Setup, eventually};

/// A store in memory, without a socket: its disks can be held, so that a partner is too slow. Deliveries have a journal of
/// their own, so that an order waits for each append of what it leads to.
struct Shop {
    storage: Storage,
    system: System,
    server: HttpServer,
}

/// An answer, its addresses without the host.
#[derive(Debug, Clone)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

const DELIVERIES: &str = "deliveries";

impl Answer {
    fn header(&self, name: &str) -> String {
        let text = self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        text.replace("http://shop", "")
    }

    /// The status link, which is in the body and in a header.
    #[track_caller]
    fn status_link(&self) -> String {
        let href = self.body["_links"]["status"]["href"].as_str().unwrap_or_else(|| panic!("no link: {self:?}"));
        let link = format!("<{href}>; rel=\"status\"");
        assert!(self.header("link") == link || self.header("location") == href, "{self:?}");
        href.to_owned()
    }
}

impl Shop {
    async fn open() -> Self {
        let units = vec![DELIVERIES.to_owned()];
        Self::on(persistence::open(&StorageConfig { units, ..StorageConfig::memory() }).unwrap()).await
    }

    async fn on(storage: Storage) -> Self {
        let clock = Clock::starting_at(Timestamp::from_millis(1_600_000_000_000));
        let config = format!("[storage.unit.{DELIVERIES}]\nservices = [\"store/delivery\"]");
        let config = SupervisionConfig::parse(&config, "test").unwrap();
        let builder = System::builder(storage.clone()).supervision(config).clock(clock);
        let system = builder.system(store::NAME, store::services()).start().await.unwrap();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let (resources, limits) = (http::store(&system), HttpLimits::default());
        let server = http::public(listener, &system, resources, true, limits, Readiness::default());
        Self { storage, system, server }
    }

    /// As after `kill -9`.
    async fn crash(self) -> Self {
        let storage = self.storage.reopen_memory().unwrap();
        drop((self.system, self.server));
        Self::on(storage).await
    }

    fn disks(&self) -> [Arc<MemoryStore>; 2] {
        ["main", DELIVERIES].map(|unit| self.storage.memory_unit(unit).unwrap())
    }

    fn hold(&self) {
        self.disks().iter().for_each(|disk| disk.hold());
    }

    fn release(&self) {
        self.disks().iter().for_each(|disk| disk.release());
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = ::http::Request::builder().method(method).uri(path).header("host", "shop");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.server.edge().call(request.body(body.into()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let text = std::str::from_utf8(&body).unwrap().replace("http://shop", "");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &Value::Null).await
    }

    async fn count(&self, collection: &str) -> Value {
        self.get(&format!("/{collection}")).await.body["page"]["totalElements"].clone()
    }

    /// An order whose client gives up waiting for a slow disk: after `appends` of its appends were let through.
    async fn too_slow(&self, appends: usize, headers: &[(&str, &str)]) -> Answer {
        let order = order();
        self.hold();
        let slowly = async {
            for _ in 0..appends {
                while self.disks().iter().all(|disk| disk.waiting() == 0) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                self.release();
                self.hold();
            }
        };
        tokio::join!(self.send("POST", "/orders", headers, &order), slowly).0
    }

    /// What the link says once it is not pending any more.
    async fn ended(&self, link: &str) -> Value {
        loop {
            let told = self.get(link).await;
            assert_eq!(told.status, 200, "{told:?}");
            if told.body["status"] != "pending" {
                return told.body;
            }
            assert_eq!(told.header("retry-after"), "1");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// In memory, with the units that some services have for themselves.
fn memory() -> Storage {
    let config =
        StorageConfig { units: ["alarm", "notification"].map(str::to_owned).to_vec(), ..StorageConfig::memory() };
    persistence::open(&config).unwrap()
}

/// What the client of the order was told, or would have been: a policy marks the order as soon as it is there.
fn first_answer(id: u64) -> Value {
    let own = json!({ "href": format!("/orders/{id}") });
    let links = json!({ "self": own, "order": own });
    json!({ "id": id, "productId": 1, "quantity": 3, "status": "order", "_links": links })
}

fn order() -> Value {
    json!({"productId": 1, "quantity": 3})
}

#[tokio::test(start_paused = true)]
async fn a_504_leads_to_what_became_of_the_command_and_to_the_first_answer() {
    for headers in [&[][..], &[("idempotency-key", "k")]] {
        let shop = Shop::open().await;
        // The intent of the order is written; the delivery's disk is too slow.
        let told = shop.too_slow(1, headers).await;
        assert_eq!((told.status, &told.body["outcome"]), (504, &json!("unknown")), "{told:?}");
        let link = told.status_link();
        assert!(link.starts_with("/commands/"), "{link}");
        let pending = shop.get(&link).await;
        assert_eq!((pending.status, &pending.body["status"]), (200, &json!("pending")));
        assert_eq!((pending.header("retry-after"), pending.header("cache-control")), ("1".into(), "no-store".into()));
        if !headers.is_empty() {
            let again = shop.send("POST", "/orders", headers, &order()).await;
            assert_eq!((again.status, again.status_link()), (409, link.clone()), "a repeat leads there as well");
        }
        shop.release();
        let told = shop.ended(&link).await;
        assert_eq!((&told["status"], &told["_links"]["self"]["href"]), (&json!("done"), &json!(link)), "{told}");
        let answer = &told["answer"];
        assert_eq!((&answer["status"], &answer["body"]), (&json!(201), &first_answer(1)));
        assert_eq!(answer["headers"]["location"], "/orders/1");
        // As it was then: the policy that marks the order may have come before the end of its step.
        assert!(["\"2\"", "\"3\""].contains(&answer["headers"]["etag"].as_str().unwrap()), "{answer}");
        if !headers.is_empty() {
            let replayed = shop.send("POST", "/orders", headers, &order()).await;
            assert_eq!((replayed.status, replayed.header("idempotency-replayed")), (201, "true".into()));
            assert_eq!(replayed.body, answer["body"]);
        }
        let elsewhere = shop.get(&format!("/store{link}")).await.body;
        assert_eq!(elsewhere["answer"]["body"]["_links"]["self"]["href"], "/store/orders/1", "as that address has it");
    }
}

#[tokio::test(start_paused = true)]
async fn the_link_is_good_after_a_crash_wherever_that_came() {
    for appends in 0..=2 {
        let shop = Shop::open().await;
        let told = shop.too_slow(appends, &[]).await;
        assert_eq!(told.status, 504, "{appends}: {told:?}");
        let link = told.status_link();
        let shop = shop.crash().await;
        shop.system.quiesce(Duration::from_secs(20)).await.unwrap();
        if appends == 0 {
            // Not even the intent was written.
            let told = shop.get(&link).await;
            assert_eq!((told.status, shop.count("orders").await), (404, json!(0)), "{told:?}");
            assert!(told.body["detail"].as_str().unwrap().contains("may be sent again"), "{told:?}");
        } else {
            let told = shop.ended(&link).await;
            assert_eq!(
                (&told["status"], &told["answer"]["status"]),
                (&json!("done"), &json!(201)),
                "{appends}: {told}"
            );
            assert_eq!(told["answer"]["body"], first_answer(1));
            assert_eq!(shop.count("orders").await, json!(1), "{appends}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_for_a_stopped_partner_is_answered_at_once_and_served_later() {
    let shop = Shop::open().await;
    shop.system.stop_service("store/delivery").await.unwrap();
    let refused = shop.send("POST", "/orders", &[("prefer", "handling=lenient")], &order()).await;
    assert_eq!(refused.status, 503, "nobody asked for more");
    let prefer = [("prefer", "handling=lenient, Respond-Async; wait=10")];
    let told = shop.send("POST", "/orders", &prefer, &order()).await;
    assert_eq!((told.status, told.header("preference-applied")), (202, "respond-async".into()), "{told:?}");
    let link = told.status_link();
    assert_eq!((told.header("location"), told.header("retry-after")), (link.clone(), "1".into()));
    assert_eq!(told.body, json!({"status": "pending", "_links": {"status": {"href": link}}}));
    assert_eq!(shop.get(&link).await.body["status"], "pending");

    let shop = shop.crash().await;
    let told = shop.ended(&link).await;
    assert_eq!((&told["status"], &told["answer"]["status"]), (&json!("done"), &json!(201)), "{told}");
    let id = told["answer"]["body"]["id"].as_u64().unwrap();
    assert_eq!(told["answer"]["body"], first_answer(id));
    assert_eq!(shop.get(&format!("/orders/{id}")).await.status, 200);
    shop.system.quiesce(Duration::from_secs(20)).await.unwrap();
    assert_eq!((shop.count("orders").await, shop.count("deliveries").await), (json!(1), json!(1)), "once");
}

#[tokio::test(start_paused = true)]
async fn a_preference_that_is_not_needed_is_not_applied() {
    let shop = Shop::open().await;
    let prefer = [("prefer", "respond-async")];
    let placed = shop.send("POST", "/orders", &prefer, &order()).await;
    assert_eq!((placed.status, placed.header("preference-applied")), (201, String::new()));
    let product = shop.send("POST", "/products", &prefer, &json!({"quantity": 1, "price": 1})).await;
    assert_eq!(product.status, 201, "a command without a partner");
    let removed = shop.send("DELETE", "/orders/1", &prefer, &Value::Null).await;
    assert_eq!((removed.status, removed.header("preference-applied")), (204, String::new()));
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_none_says_so() {
    let shop = Shop::open().await;
    let link = shop.too_slow(1, &[]).await.status_link();
    shop.release();
    let cut = &link[..link.len() - 3];
    for (path, status) in [
        (cut.to_owned(), 400),
        ("/commands/zz".to_owned(), 400),
        ("/commands/%F0%9F%98%80".to_owned(), 400),
        (format!("/stay{link}"), 404),
        ("/commands".to_owned(), 404),
        (format!("{link}/x"), 404),
    ] {
        let told = shop.get(&path).await;
        assert_eq!(told.status, status, "{path}: {told:?}");
        assert!(told.body["detail"].is_string(), "{path}");
    }
    assert_eq!(shop.send("DELETE", &link, &[], &Value::Null).await.status, 405);
    assert_eq!(shop.send("OPTIONS", &link, &[], &Value::Null).await.header("allow"), "GET, HEAD, OPTIONS");
    shop.system.stop_service("store/order").await.unwrap();
    let stopped = shop.get(&link).await;
    assert_eq!((stopped.status, stopped.header("retry-after")), (503, "1".into()));
}

/// Every command of every system can be shown again: nothing here has to be done system by system.
#[tokio::test]
async fn every_command_of_all_five_systems_shows_its_first_answer_again() {
    let builder = System::builder(memory())
        .system(store::NAME, store::services())
        .system(stay::NAME, stay::services())
        .system(library::NAME, library::services())
        .system(station::NAME, station::services())
        .system(procurement::NAME, procurement::services());
    let system = builder.start().await.unwrap();
    let of = [http::store, http::stay, http::library, http::station, http::procurement];
    let all: Vec<_> = of.iter().flat_map(|resources| resources(&system)).collect();
    let forgetful: Vec<String> = all.iter().flat_map(http::Resource::unrecalled).collect();
    assert_eq!(forgetful, ["station/orders/station"], "which is no command");
}

/// A command of a system that needs another service.
struct NeedsPartner {
    system: &'static str,
    before: &'static [&'static str],
    partner: &'static str,
    command: &'static str,
    status: u64,
}

const COMMANDS: [NeedsPartner; 5] = [
    NeedsPartner {
        system: "store",
        before: &["POST :8088/products quantity=10 price=1000"],
        partner: "delivery",
        command: "POST :8088/orders productId=1 quantity=3",
        status: 201,
    },
    NeedsPartner {
        system: "stay",
        before: &["POST :8080/rooms name=호텔 price=1000 address=서울 host=Superman"],
        partner: "pay",
        command: "POST :8080/bookings roomId=1 guest=배트맨 usedate=20201010",
        status: 201,
    },
    NeedsPartner {
        system: "library",
        before: &[],
        partner: "rent",
        command: "POST :8088/orders item=WALDEN",
        status: 201,
    },
    NeedsPartner {
        system: "station",
        before: &[
            "-f POST :8080/orders/placeOrder productId=CD1001 qty=100 destAddr=a",
            "-f POST :8080/stocks/confirmStock orderId=1",
        ],
        partner: "Station",
        command: "-f POST :8080/sales productId=CD1001 qty=5",
        status: 200,
    },
    NeedsPartner {
        system: "procurement",
        before: &[
            "POST :8088/deliveryrequests procNo=p procTitle=a",
            "PATCH :8088/deliverymanagements/1 companyNo=c1 companyNm=acme",
            "PATCH :8088/goodsdeliveries/1 companyPhoneNo=010-1",
        ],
        partner: "procurementmanagement",
        command: "PATCH :8088/deliveryrequests/1 inspectionSuccFlag=true",
        status: 200,
    },
];

/// Sends a command line until it is taken: some wait for what policies do.
fn surely(client: &Client, line: &str) {
    eventually(SOON, line, || {
        let answer = client.http(line);
        ((200..300).contains(&answer.status) && answer.text() != "false").then_some(())
    });
}

fn path(href: &Value) -> String {
    let href = href.as_str().unwrap();
    let at = href.find("/commands/").unwrap_or_else(|| panic!("no status link: {href}"));
    href[at..].to_owned()
}

fn done(client: &Client, link: &str) -> Value {
    eventually(SOON, "the command is done", || {
        let told = client.json(link);
        (told["status"] != "pending").then_some(told)
    })
}

#[test]
fn in_all_five_systems_a_partner_that_is_away_is_waited_for_through_kill_9_and_asked_once() {
    for NeedsPartner { system, before, partner, command, status } in COMMANDS {
        let mut server = Setup::default().system(system).start();
        for line in before {
            surely(&server.client(), line);
        }
        server.admin().get("/admin/quiesce?within=60s").is(200);
        server.admin().post(&format!("/admin/services/{system}/{partner}/stop")).is(200);
        let command = Request::of_httpie(command).header("Idempotency-Key", "k").header("Prefer", "respond-async");
        let told = server.client().send(&command).is(202);
        let link = path(&told.json()["_links"]["status"]["href"]);
        assert_eq!(server.client().json(&link)["status"], "pending", "{system}");
        let operators = server.admin().json(&format!("/admin{link}"));
        assert_eq!((&operators["status"], &operators["command"]), (&json!("pending"), &json!(link_command(&link))));

        server.restart(); // kill -9, and every service runs again
        let told = done(&server.client(), &link);
        assert_eq!((&told["status"], &told["answer"]["status"]), (&json!("done"), &json!(status)), "{system}: {told}");
        server.admin().get("/admin/quiesce?within=60s").is(200);
        assert_eq!(server.admin().json(&format!("/admin{link}"))["status"], "done");
        let replayed = server.client().send(&command);
        assert_eq!(u64::from(replayed.status), status, "{system}: {replayed}");
        assert_eq!(replayed.header("idempotency-replayed"), Some("true"), "{system}");
        let (first, again) = (&told["answer"]["body"], replayed.json());
        assert_eq!(*first, again, "{system}: the same representation");
    }
}

/// The command's id stands in the link behind one byte.
fn link_command(link: &str) -> &str {
    &link["/commands/01".len()..][..32]
}

#[test]
fn nobody_but_operators_asks_the_operators_listener_and_a_bare_id_is_none() {
    let server = Server::store();
    let told = server.admin().get("/admin/commands/00000000000000000000000000000001").is(400).json();
    assert_eq!(told["code"], "MALFORMED_STATUS_LINK");
    server.client().get("/admin/commands/00").is(404);
}
