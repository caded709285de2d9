//! One question by correlation id has all that a request led to, with who caused what.

use serde_json::{Value, json};

use crate::{
    common::{Request, Server},
    shop::{operate, product, quiet},
};

/// Who, what kind, and which events, each behind its depth.
fn told(chain: &Value) -> Vec<String> {
    let line = |link: &Value| {
        let events: Vec<&str> =
            link["events"].as_array().unwrap().iter().map(|event| event["eventType"].as_str().unwrap()).collect();
        let text = |name: &str| link[name].as_str().unwrap_or_default().to_owned();
        let by = link["policy"].as_str().map_or_else(|| text("by"), str::to_owned);
        format!("{} {by}: {} {}", link["depth"], text("kind"), events.join(" "))
    };
    chain["commands"].as_array().unwrap().iter().map(line).collect()
}

fn post(server: &Server, target: &str, correlation: &str, body: &Value) -> u16 {
    server.client().send(&Request::new("POST", target).json(body).header("X-Request-Id", correlation)).status
}

#[test]
fn a_purchase_is_told_from_the_request_to_the_last_message_in_order() {
    let mut server = Server::store();
    let id = product(&server.client(), 10);
    assert_eq!(post(&server, "/orders", "chain/1", &json!({"productId": id, "quantity": 3})), 201);
    // Others, before, between and after.
    assert_eq!(post(&server, "/orders", "chain/2", &json!({"productId": id, "quantity": 1})), 201);
    quiet(&server);
    let chain = server.admin().json("/admin/chain/chain%2F1");
    assert_eq!((&chain["correlation"], &chain["complete"]), (&json!("chain/1"), &json!(true)), "{chain:#}");
    let told_once = told(&chain);
    let commands = chain["commands"].as_array().unwrap();
    // The request's own command begins a step, whose answer ends it.
    assert_eq!(told_once.first().map(String::as_str), Some("0 request: store.order PlacingStarted"), "{told_once:#?}");
    assert!(commands[0]["cause"].is_null() && commands[0]["began"].is_string(), "{chain:#}");
    let has = |line: &str| assert!(told_once.iter().any(|told| told == line), "{line} in {told_once:#?}");
    has("1 step: store.delivery DeliveryStarted");
    has("1 answer: store.order Ordered");
    has("2 store.move-stock-on-deliveries: store.product StockModified");
    assert!(told_once.iter().filter(|line| line.contains(": store.message ")).count() >= 2, "{told_once:#?}");
    // Each is behind its cause, and names it.
    let mut known: Vec<String> = Vec::new();
    for link in commands {
        if let Some(cause) = link["cause"].as_str() {
            assert!(known.iter().any(|known| known == cause), "{cause} comes before {link}");
        }
        known.push(link["command"].as_str().unwrap().to_owned());
        known.extend(
            link["events"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap().to_owned()),
        );
    }
    // The public ones are those that the events tell.
    let events = server.admin().json("/admin/events?correlation=chain/1&limit=1000");
    let mut public: Vec<&str> =
        events.as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap()).collect();
    let links = commands.iter().flat_map(|link| link["events"].as_array().unwrap());
    let mut told_public: Vec<&str> =
        links.filter(|event| event["public"] == true).map(|event| event["eventId"].as_str().unwrap()).collect();
    public.sort_unstable();
    told_public.sort_unstable();
    assert_eq!(told_public, public);
    // It is the journal's, so a crash changes nothing.
    server.restart();
    quiet(&server);
    assert_eq!(told(&server.admin().json("/admin/chain/chain%2F1")), told_once);
}

#[test]
fn what_was_put_aside_is_part_of_the_chain_and_so_is_what_an_operator_did() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    assert_eq!(post(&server, "/payments", "nothing-there", &json!({"productId": 1, "quantity": 1, "price": 5})), 201);
    quiet(&server);
    let chain = admin.json("/admin/chain/nothing-there");
    let lines = told(&chain);
    assert_eq!(chain["complete"], true, "{chain:#}");
    assert!(lines.contains(&"1 runtime: steadfast.policy PutAside".to_owned()), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("2 store.alarm-on-dead-letters: store.message")), "{lines:#?}");
    product(&client, 10);
    let letters = admin.json("/admin/dead-letters");
    let id = letters[0]["id"].as_str().unwrap().replace(':', "%3A");
    admin.post(&format!("/admin/dead-letters/{id}/retry")).is(200);
    quiet(&server);
    let lines = told(&admin.json("/admin/chain/nothing-there"));
    assert!(lines.contains(&"1 policy: store.product StockModified".to_owned()), "{lines:#?}");
}

#[test]
fn nobody_s_correlation_is_not_found_and_what_is_under_way_is_told_as_far_as_it_is() {
    let server = Server::store();
    let lost = server.admin().get("/admin/chain/never").is(404).json();
    assert!(lost["detail"].as_str().unwrap().contains("nothing was written for never"), "{lost}");
    let id = product(&server.client(), 10);
    operate(&server, "delivery", "stop");
    let body = json!({"productId": id, "quantity": 1});
    let order = Request::new("POST", "/orders").json(&body).header("X-Request-Id", "waits");
    server.client().send(&order.header("Prefer", "respond-async")).is(202);
    let lines = told(&server.admin().json("/admin/chain/waits"));
    assert_eq!(lines, ["0 request: store.order PlacingStarted"]);
    operate(&server, "delivery", "start");
    quiet(&server);
    assert!(told(&server.admin().json("/admin/chain/waits")).len() > 3);
}
