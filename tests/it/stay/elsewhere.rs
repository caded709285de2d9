//! Pay in another process: the link leads there, and back by a reload.

use std::{fs, thread};

use serde_json::{Value, json};

use super::{SOON, book, cancel, each, quiet, rows, setup, stands_for, with_hotel};
use crate::common::{Client, Request, Response, Server, eventually};

/// A process that may be asked.
fn pay(more: &str) -> Server {
    setup().config(&format!("[server]\naccept_asks = true\n{more}")).start()
}

fn target(url: &str, more: &str) -> String {
    format!("[link.stay.booking.pay]\ntarget = \"{url}\"\n{more}")
}

fn at(server: &Server) -> String {
    format!("http://{}", server.listen())
}

/// A hotel whose payments are made over there.
fn hotel(there: &Server, more: &str) -> Server {
    with_hotel(setup().config(&target(&at(there), more)).start())
}

#[track_caller]
fn moves(hotel: &mut Server, link: &str) -> Value {
    hotel.reconfigure(link);
    hotel.admin().post("/admin/reload").is(200).json()
}

fn payments(server: &Server) -> Vec<Value> {
    rows(&server.client(), "payments", "")
}

fn link(server: &Server) -> Value {
    let links = server.admin().json("/admin/breakers");
    let of_pay = |link: &&Value| link["link"] == "stay.booking.pay";
    links.as_array().unwrap().iter().find(of_pay).expect("the link to pay").clone()
}

/// 503: not done, and who is to blame.
#[track_caller]
fn refused(answer: Response, why: &str) {
    let body = answer.is(503).json();
    assert!(body["detail"].as_str().unwrap().contains(why), "{body}");
}

#[test]
fn stay_a_link_asks_the_process_that_it_is_configured_for_and_a_reload_moves_the_calls() {
    let there = pay("");
    let mut here = hotel(&there, "");
    let client = here.client();
    let booked = book(&client, 1, "배트맨", "20301010").created();
    assert_eq!(link(&here)["target"], at(&there));
    assert_eq!((payments(&here).len(), payments(&there).len()), (0, 1), "paid there and not here");
    assert_eq!(payments(&there)[0]["bookId"], booked);

    cancel(&client, booked).is(204);
    quiet(&here);
    let statuses = eventually(SOON, "the refund", || {
        let statuses = each(&payments(&there), "status");
        (statuses.len() == 2).then_some(statuses)
    });
    assert_eq!(statuses, ["PayApproved", "PayCanceled"], "what policies command goes there, too");

    let told = moves(&mut here, &target("local", ""));
    assert!(told.to_string().contains("stay.booking.pay"), "{told}");
    let second = book(&client, 1, "로빈", "20301011").created();
    quiet(&here);
    assert_eq!((payments(&here).len(), payments(&there).len()), (1, 2));
    assert_eq!(payments(&here)[0]["bookId"], second);

    let elsewhere = pay("");
    moves(&mut here, &target(&at(&elsewhere), ""));
    book(&client, 1, "조커", "20301012").created();
    assert_eq!((payments(&here).len(), payments(&there).len(), payments(&elsewhere).len()), (1, 2, 1));
}

#[test]
fn stay_a_process_that_is_not_there_or_does_not_let_us_in_has_done_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (right, wrong) = (secret("right", "open sesame\n"), secret("wrong", "sesame"));
    let mut there = pay(&format!("asks_token_file = \"{right}\"\n"));
    let mut here = hotel(&there, "");
    let client = here.client();
    refused(book(&client, 1, "배트맨", "20301010"), "401");
    moves(&mut here, &target(&at(&there), &format!("token_file = \"{wrong}\"\n")));
    refused(book(&client, 1, "배트맨", "20301010"), "401");
    moves(&mut here, &target(&at(&there), &format!("token_file = \"{right}\"\n")));
    book(&client, 1, "배트맨", "20301010").created();
    assert!(!here.stderr().contains("sesame"), "secrets are in no log");

    let closed = setup().start();
    moves(&mut here, &target(&at(&closed), ""));
    refused(book(&client, 1, "로빈", "20301011"), "accept_asks");

    moves(&mut here, &target(&at(&there), &format!("token_file = \"{right}\"\n")));
    let address = at(&there);
    there.kill();
    refused(book(&client, 1, "로빈", "20301011"), &address);
    assert_eq!(link(&here)["failed"].as_u64().unwrap(), 4, "each of them counts in the breaker");
    assert_eq!(rows(&client, "bookings", "").len(), 1);
    there.start();
    moves(&mut here, &target(&at(&there), &format!("token_file = \"{right}\"\n")));
    book(&client, 1, "로빈", "20301011").created();
    assert_eq!(payments(&there).len(), 2, "nothing of what was refused remained");
}

#[test]
fn stay_a_process_that_is_late_is_heard_and_one_that_is_killed_leaves_no_payment_without_its_booking() {
    let link_has = "timeout = \"1s\"\nbreaker = { minimum_calls = 1000 }\nin_flight = 64\n";
    let mut there = pay("[admin]\nfaults = true\n");
    let mut here = hotel(&there, link_has);
    let client = here.client();
    let late = json!({"target": "stay/pay", "fault": {"latency": "2s"}, "for": "30s"});
    let fault = there.admin().send(&Request::new("POST", "/admin/faults").json(&late)).is(201).json()["id"].clone();
    book(&client, 1, "배트맨", "20301010").is(503);
    let fired = there.admin().json(&format!("/admin/faults/{}", fault.as_str().unwrap()));
    assert!(fired["fired"].as_u64().unwrap() >= 1, "{fired}");
    there.admin().send(&Request::new("DELETE", &format!("/admin/faults/{}", fault.as_str().unwrap()))).is(200);

    // Guests book while the other process is killed and comes back, each time at another address.
    for round in 0..3 {
        thread::scope(|scope| {
            for guest in 0..8_u32 {
                let client = here.client();
                scope.spawn(move || {
                    for nth in 0..12_u32 {
                        let day = format!("20{:02}{:02}{:02}", 31 + round, guest + 1, nth + 1);
                        try_to_book(&client, u64::from(guest) + 1, &format!("guest {guest}"), &day);
                    }
                });
            }
            let met = |least| (link(&here)["calls"].as_u64().unwrap() >= least).then_some(());
            let before = link(&here)["calls"].as_u64().unwrap();
            eventually(SOON, "calls", || met(before + 20));
            there.restart();
            moves(&mut here, &target(&at(&there), link_has));
        });
    }
    quiet(&here);
    let (standing, paid) = eventually(SOON, "what was unknown is settled", || {
        let (standing, paid) = (rows(&client, "bookings", ""), payments(&there));
        stands_for(&standing, &paid).is_ok().then_some((standing, paid))
    });
    assert!(standing.len() > 20 && paid.len() >= standing.len(), "{} {}", standing.len(), paid.len());
    assert!(payments(&here).is_empty());
}

/// Every answer says what is known: booked, not done, taken by what was not known before, or not known yet.
#[track_caller]
fn try_to_book(client: &Client, room: u64, guest: &str, day: &str) {
    let answer = book(client, room, guest, day);
    assert!(matches!(answer.status, 201 | 503 | 504 | 409), "{answer}");
}
