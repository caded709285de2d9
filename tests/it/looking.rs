//! What operators are shown of entities and events beyond the present: lists, histories, states of before, and the events as
//! they come.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    common::{AT_ONCE, Client, Connection, Request, Server, Watch},
    shop::{becomes, buy, operate, place, product, quiet, stock},
};

/// The target that `Link` leads to.
fn next(page: &crate::common::Response) -> Option<String> {
    let link = page.header("link")?.strip_prefix('<')?.split_once(">; rel=\"next\"")?;
    Some(link.0.to_owned())
}

/// All items of all pages.
#[track_caller]
fn pages(admin: &Client, first: &str) -> Vec<Value> {
    let (mut all, mut target) = (Vec::new(), Some(first.to_owned()));
    for _ in 0..100 {
        let Some(at) = target else { return all };
        let page = admin.get(&at).is(200);
        all.extend(page.json().as_array().unwrap().clone());
        target = next(&page);
    }
    panic!("{first} leads round and round")
}

#[test]
fn the_entities_of_a_kind_are_listed_page_by_page() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    for quantity in 1..=7 {
        product(&client, quantity);
    }
    let first = admin.get("/admin/entities/product?size=3").is(200);
    assert_eq!((first.header("x-total-count"), first.json().as_array().unwrap().len()), (Some("7"), 3));
    let numbers = |rows: &[Value]| rows.iter().map(|row| row["number"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers(&pages(&admin, "/admin/entities/store.product?size=3")), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(admin.json("/admin/entities/product?page=9"), json!([]));
    admin.post("/admin/entities/product/2/passivate").is(200);
    let rows = admin.json("/admin/entities/product");
    let phases: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["phase"].as_str().unwrap()).collect();
    assert_eq!(phases[..3], ["idle", "passive", "idle"], "{rows}");
    assert_eq!(stock(&client, 2), 2, "who asks it brings it back");
    for wrong in ["size=0", "size=1001", "page=-1", "page=x"] {
        admin.get(&format!("/admin/entities/product?{wrong}")).is(400);
    }
    admin.get("/admin/entities/kitchen").is(404);
}

#[test]
fn an_entity_is_told_as_it_was_and_what_happened_to_it_also_after_a_crash() {
    let mut server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    for quantity in 1..=4 {
        place(&client, product, quantity).created();
    }
    quiet(&server);
    server.restart();
    let (client, admin) = (server.client(), server.admin());
    assert_eq!(stock(&client, product), 20);
    let at = format!("/admin/entities/product/{product}");
    let history = pages(&admin, &format!("{at}/history?limit=2"));
    let types: Vec<&str> = history.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(types, ["ProductRegistered", "StockModified", "StockModified", "StockModified", "StockModified"]);
    assert_eq!((&history[0]["cause"], history[1]["cause"]["event"].is_string()), (&json!("request"), true));
    // Each event is the one of the same place in the journal.
    let bus: BTreeSet<String> = pages_of_events(&admin);
    assert!(history.iter().all(|event| bus.contains(event["position"].as_str().unwrap())), "{history:?} {bus:?}");
    let stocks: Vec<i64> = (1..=5)
        .map(|sequence| admin.json(&format!("{at}/at/{sequence}"))["state"]["quantity"].as_i64().unwrap())
        .collect();
    assert_eq!((stocks[0], stocks[4]), (10, 20));
    assert!(stocks.is_sorted(), "{stocks:?}");
    for nothing in ["at/0", "at/6", "at/x"] {
        admin.get(&format!("{at}/{nothing}")).is(404);
    }
    admin.get("/admin/entities/product/999/history").is(404);
    for wrong in ["limit=0", "limit=1001", "after=-1"] {
        admin.get(&format!("{at}/history?{wrong}")).is(400);
    }
}

/// The ids of the newest business events.
fn pages_of_events(admin: &Client) -> BTreeSet<String> {
    let events = admin.json("/admin/events?limit=1000");
    events.as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned()).collect()
}

/// Whoever listens to the events.
struct Listener {
    connection: Connection,
    /// What came and is not taken apart yet.
    rest: String,
}

impl Listener {
    /// Begins to listen behind the event with this id; without one now.
    #[track_caller]
    fn at(admin: &Client, target: &str, last: Option<&str>) -> Self {
        let request = Request::new("GET", target);
        let request = last.into_iter().fold(request, |request, last| request.header("Last-Event-ID", last));
        let mut connection = admin.connect().unwrap();
        let head = connection.begin(&request).unwrap().is(200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        Self { connection, rest: String::new() }
    }

    /// The next event with its id; `None` when the other end has ended it in good order.
    #[track_caller]
    fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let found = field("data:").map(|data| {
                    let id = field("id:").unwrap_or_else(|| panic!("no id: {event}")).to_owned();
                    (id, serde_json::from_str(data).unwrap())
                });
                self.rest = rest.to_owned();
                if found.is_some() {
                    return found;
                }
                continue; // a sign of life
            }
            let chunk = self.connection.chunk().unwrap()?;
            self.rest.push_str(&String::from_utf8(chunk).unwrap());
        }
    }

    #[track_caller]
    fn take(&mut self, count: usize) -> Vec<(String, Value)> {
        (0..count).map(|_| self.next().expect("it goes on")).collect()
    }
}

fn ids(events: &[(String, Value)]) -> BTreeSet<&str> {
    events.iter().map(|(_, event)| event["eventId"].as_str().unwrap()).collect()
}

const STREAM: &str = "/admin/events/stream";

#[test]
fn events_come_as_they_happen_and_a_listener_goes_on_where_it_was_also_after_a_crash() {
    let mut server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let before = product(&client, 10);
    let mut listener = Listener::at(&admin, STREAM, None);
    place(&client, before, 2).created();
    // Ordered, delivered, taken from the stock.
    let order = listener.take(3);
    let types: BTreeSet<&str> = order.iter().map(|(_, event)| event["eventType"].as_str().unwrap()).collect();
    assert_eq!(types, BTreeSet::from(["DeliveryStarted", "Ordered", "StockModified"]));
    quiet(&server);
    let all: Vec<(String, Value)> = Listener::at(&admin, &format!("{STREAM}?after="), None).take(4);
    assert_eq!(all[0].1["eventType"], "ProductRegistered");

    server.restart();
    let (client, admin) = (server.client(), server.admin());
    let ended = loop {
        match listener.connection.chunk() {
            Ok(Some(_)) => {} // a sign of life
            ended => break ended,
        }
    };
    assert!(ended.is_err(), "broken off by a crash, and not ended");
    // Behind each of them comes exactly the rest, then what is new.
    for (at, (id, _)) in all.iter().enumerate() {
        let mut again = Listener::at(&admin, STREAM, Some(id));
        assert_eq!(ids(&again.take(3 - at)), ids(&all[at + 1..]), "behind {id}");
    }
    let mut paid = Listener::at(&admin, &format!("{STREAM}?kind=payment&after=x"), Some(&all[3].0));
    buy(&client, before, 1).created();
    let (_, event) = paid.next().unwrap();
    assert_eq!(event["kind"], "store.payment");
    for (target, last) in [("?after=x", None), ("", Some("x"))] {
        let request = Request::new("GET", &format!("{STREAM}{target}"));
        admin.send(&last.into_iter().fold(request, |request, last| request.header("Last-Event-ID", last))).is(400);
    }
    let head = admin.send(&Request::new("HEAD", STREAM)).is(200);
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
}

/// A listener that does not end would hold the end of the process up until the limit.
#[test]
fn listeners_are_ended_in_good_order_when_the_process_ends() {
    let mut server = Server::store();
    let admin = server.admin();
    let mut listener = Listener::at(&admin, STREAM, None);
    product(&server.client(), 1);
    let (last, _) = listener.next().unwrap();
    let watch = Watch::start();
    let exited = server.terminate();
    assert!(exited.status.success(), "{}", exited.stderr);
    assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
    assert_eq!(listener.next(), None);
    server.start();
    product(&server.client(), 2);
    let mut again = Listener::at(&server.admin(), STREAM, Some(&last));
    assert_eq!(again.next().unwrap().1["quantity"], 2);
}

#[test]
fn no_more_may_listen_than_there_is_room_for_and_they_hold_up_nobody_else() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let mut listeners: Vec<Listener> = (0..64).map(|_| Listener::at(&admin, STREAM, None)).collect();
    let refused = admin.get(STREAM).is(503);
    assert_eq!(
        (refused.json()["code"].as_str(), refused.header("retry-after")),
        (Some("TOO_MANY_FOLLOWERS"), Some("10"))
    );
    let product = product(&client, 10);
    operate(&server, "delivery", "restart");
    buy(&client, product, 3).created();
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(7));
    for listener in &mut listeners {
        assert_eq!(listener.next().unwrap().1["eventType"], "ProductRegistered");
    }
    drop(listeners);
    crate::common::eventually(crate::common::SOON, "there is room again", || {
        let mut connection = admin.connect().ok()?;
        connection.begin(&Request::new("GET", STREAM)).ok().filter(|head| head.status == 200)
    });
}
