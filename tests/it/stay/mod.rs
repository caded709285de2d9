//! Stay: its acceptance script, and words that its tests use.

use serde_json::{Value, json};

use crate::{
    acceptance::Script,
    common::{Client, Request, Response, SOON, Server, Setup, eventually},
};

mod decisions;
mod elsewhere;
mod races;
mod scenarios;

const SCRIPT: Script = Script {
    system: "stay",
    text: include_str!("../../fixtures/stay-acceptance.http"),
    commands: 38,
    gateway: 8080,
    services: &[
        ("room", 8081, &["rooms"]),
        ("booking", 8082, &["bookings"]),
        ("pay", 8083, &["payments"]),
        ("mypage", 8084, &["mypages"]),
        ("review", 8085, &["reviews"]),
        ("alarm", 8086, &["alarms"]),
    ],
};

#[test]
fn stay_f1_to_f11_it_does_what_its_acceptance_script_says() {
    SCRIPT.through_our_client();
}

#[test]
fn stay_f1_to_f11_it_does_what_its_acceptance_script_says_through_httpie() {
    SCRIPT.through_httpie();
}

fn setup() -> Setup {
    Setup::default().system("stay")
}

/// A stay with the hotel, which is room 1 and 1000 a night.
#[track_caller]
fn stay() -> Server {
    with_hotel(setup().start())
}

#[track_caller]
fn with_hotel(server: Server) -> Server {
    room(&server.client(), "호텔", 1000);
    quiet(&server);
    server
}

#[track_caller]
fn room(client: &Client, name: &str, price: i64) -> u64 {
    let body = json!({"name": name, "price": price, "address": "서울", "host": "Superman"});
    client.send(&Request::new("POST", "/rooms").json(&body)).created()
}

/// What the booking page sends: strings only.
fn booking(room: u64, guest: &str, usedate: &str) -> Request {
    let body = json!({
        "roomId": room.to_string(), "name": "호텔", "price": "1000", "address": "서울", "host": "Superman",
        "guest": guest, "usedate": usedate,
    });
    Request::new("POST", "/bookings").json(&body)
}

fn book(client: &Client, room: u64, guest: &str, usedate: &str) -> Response {
    client.send(&booking(room, guest, usedate))
}

fn cancel(client: &Client, booking: u64) -> Response {
    client.http(&format!("DELETE :8080/bookings/{booking}"))
}

/// `stop`, `start` or `restart` of a service.
#[track_caller]
fn operate(server: &Server, service: &str, verb: &str) {
    server.admin().post(&format!("/admin/services/stay/{service}/{verb}")).is(200);
}

/// Waits until every policy and view has caught up.
#[track_caller]
fn quiet(server: &Server) {
    server.admin().get("/admin/quiesce?within=60s").is(200);
}

/// The rows of a collection for which a query asks.
#[track_caller]
fn rows(client: &Client, collection: &str, query: &str) -> Vec<Value> {
    let answer = client.http(&format!("GET :8080/{collection}?size=1000&{query}")).is(200).json();
    answer["_embedded"][collection].as_array().unwrap().clone()
}

/// One member of each row.
fn each(rows: &[Value], member: &str) -> Vec<String> {
    rows.iter().map(|row| row[member].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until the row of a booking has this status.
#[track_caller]
fn page_becomes(client: &Client, booking: u64, status: &str) {
    eventually(SOON, &format!("mypage {booking} {status}"), || {
        let answer = client.get(&format!("/mypages/{booking}"));
        (answer.status == 200 && answer.json()["status"] == status).then_some(())
    });
}

/// Each booking that stands has one approval that was not cancelled, and no other booking has any.
#[track_caller]
fn one_approval_for_each_booking(client: &Client) {
    if let Err(wrong) = stands_for(&rows(client, "bookings", ""), &rows(client, "payments", "")) {
        panic!("{wrong}");
    }
}

/// The same of the rows of both.
fn stands_for(bookings: &[Value], payments: &[Value]) -> Result<(), String> {
    let mut standing: Vec<u64> = bookings.iter().map(|row| row["id"].as_u64().unwrap()).collect();
    let (mut paid, mut returned) = (Vec::new(), Vec::new());
    for row in payments {
        let list = if row["status"] == "PayApproved" { &mut paid } else { &mut returned };
        list.push(row["bookId"].as_u64().unwrap());
    }
    for id in returned {
        let at = paid.iter().position(|paid| *paid == id).ok_or(format!("{id} was returned and not paid"))?;
        paid.swap_remove(at);
    }
    paid.sort_unstable();
    standing.sort_unstable();
    if paid == standing { Ok(()) } else { Err(format!("paid {paid:?}, standing {standing:?}")) }
}
