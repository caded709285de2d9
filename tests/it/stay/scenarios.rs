//! The non-functional scenarios of stay that one process can show: N1 to N4, N9 and N10.

use serde_json::Value;

use super::{
    SOON, book, cancel, each, one_approval_for_each_booking, operate, page_becomes, quiet, rows, setup, stay,
    with_hotel,
};
use crate::common::{AT_ONCE, Server, Watch, eventually};

/// What people see without pay.
fn seen(server: &Server) -> Vec<Vec<Value>> {
    let client = server.client();
    ["rooms", "bookings", "mypages", "alarms"].iter().map(|collection| rows(&client, collection, "")).collect()
}

#[test]
fn stay_n1_without_pay_nothing_is_booked_and_nothing_changes() {
    let mut server = stay();
    let client = server.client();
    book(&client, 1, "배트맨", "20201010").created();
    quiet(&server);
    operate(&server, "pay", "stop");
    let before = seen(&server);
    let watch = Watch::start();
    let refused = book(&client, 1, "배트맨", "20201012").is(503);
    assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
    assert_eq!(refused.header("retry-after"), Some("5"), "{refused}");
    quiet_but_pay(&server);
    assert_eq!(seen(&server), before);
    assert!(events(&server).iter().all(|event| event != "PaymentVoidRequested"), "it is known that nothing was paid");

    operate(&server, "pay", "start");
    book(&client, 1, "배트맨", "20201012").created();
    quiet(&server);
    one_approval_for_each_booking(&client);
    server.restart();
    quiet(&server);
    let client = server.client();
    one_approval_for_each_booking(&client);
    assert_eq!(rows(&client, "bookings", "").len(), 2);
    book(&client, 1, "로빈", "20201012").is(409);
}

/// A stopped service's policies wait, so there is no quiet with it: views of the others are read up to date.
fn quiet_but_pay(server: &Server) {
    server.client().get("/alarms").is(200);
}

fn events(server: &Server) -> Vec<String> {
    each(server.admin().json("/admin/events?limit=1000").as_array().unwrap(), "eventType")
}

#[test]
fn stay_n2_without_alarm_rooms_are_booked_and_the_alarms_follow() {
    let mut server = stay();
    let client = server.client();
    operate(&server, "alarm", "stop");
    book(&client, 1, "배트맨", "20201010").created();
    book(&client, 1, "배트맨", "20201011").created();
    let watch = Watch::start();
    assert_eq!(client.get("/alarms").is(503).header("retry-after"), Some("1"));
    assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
    server.restart(); // what an operator stopped does not outlive the process; what was missed does
    quiet(&server);
    let told = rows(&server.client(), "alarms", "");
    assert_eq!(told.len(), 8);
    assert_eq!(each(&told, "role").iter().filter(|role| *role == "guest").count(), 4);
}

#[test]
fn stay_n3_without_pay_bookings_are_cancelled_and_refunded_when_it_is_back() {
    let server = stay();
    let client = server.client();
    let booking = book(&client, 1, "배트맨", "20201010").created();
    quiet(&server);
    operate(&server, "pay", "stop");
    cancel(&client, booking).is(204);
    page_becomes(&client, booking, "BookCanceled");
    operate(&server, "pay", "start");
    page_becomes(&client, booking, "PayCanceled");
    quiet(&server);
    assert_eq!(each(&rows(&client, "payments", ""), "status"), ["PayApproved", "PayCanceled"]);
    let mut told = each(&rows(&client, "alarms", "receiver=배트맨"), "message");
    told.sort();
    assert_eq!(told, ["BookCanceled", "Booked", "PayApproved", "PayCanceled"]);
}

#[test]
fn stay_n4_without_mypage_and_room_bookings_work_and_the_view_catches_up() {
    let server = stay();
    let client = server.client();
    operate(&server, "mypage", "stop");
    operate(&server, "room", "stop");
    let booking = book(&client, 1, "배트맨", "20201010").created();
    client.get("/mypages").is(503);
    client.get("/rooms").is(503);
    cancel(&client, booking).is(204);
    operate(&server, "mypage", "start");
    operate(&server, "room", "start");
    page_becomes(&client, booking, "PayCanceled");
    assert_eq!(rows(&client, "rooms", "usedate=20201010").len(), 1, "the date is free again");
}

#[test]
fn stay_n9_the_prefix_of_alarms_is_read_again_when_it_changes() {
    let mut server = with_hotel(setup().config("[systems.stay.alarm]\nprefix = \"Hello\"\n").start());
    let client = server.client();
    book(&client, 1, "배트맨", "20201010").created();
    quiet(&server);
    assert_eq!(each(&rows(&client, "alarms", ""), "content")[0], "Hello 배트맨: PayApproved 호텔 20201010");
    server.reconfigure("[systems.stay.alarm]\nprefix = \"안녕\"\n");
    server.admin().post("/admin/reload").is(200);
    book(&client, 1, "로빈", "20201011").created();
    quiet(&server);
    let told = each(&rows(&client, "alarms", "receiver=로빈"), "content");
    assert_eq!(told, ["안녕 로빈: PayApproved 호텔 20201011", "안녕 로빈: Booked 호텔 20201011"]);
    assert!(each(&rows(&client, "alarms", "receiver=배트맨"), "content").iter().all(|text| text.starts_with("Hello ")));
}

#[test]
fn stay_n10_a_service_that_only_listens_changes_nothing_elsewhere() {
    let server = stay();
    let client = server.client();
    operate(&server, "review", "stop");
    let booking = book(&client, 1, "배트맨", "20201010").created();
    book(&client, 1, "로빈", "20201011").created();
    let review = format!("POST :8080/reviews bookId={booking} score=5 content=좋아요");
    client.http(&review).is(503);
    operate(&server, "review", "start");
    quiet(&server);
    let made = client.http(&review).is(201);
    let expected = ["id", "bookId", "roomId", "name", "host", "guest", "usedate", "score", "content", "_links"];
    assert_eq!(made.json().as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(), expected);
    assert!(made.header("location").unwrap().ends_with("/reviews/1"), "{made}");
    client.http(&review).is(409);
    client.http("POST :8080/reviews bookId=99 score=5").is(409);
    client.http("POST :8080/reviews bookId=2 score=6").is(400);
    page_becomes(&client, booking, "ReviewRegistered");
    assert_eq!(client.json(&format!("/mypages/{booking}"))["score"], 5);
    eventually(SOON, "the host is told", || {
        let told = each(&rows(&client, "alarms", "message=ReviewRegistered"), "receiver");
        (told == ["Superman"]).then_some(())
    });
    cancel(&client, booking).is(204);
    page_becomes(&client, booking, "PayCanceled");
    assert_eq!(client.json(&format!("/mypages/{booking}"))["score"], 5);
    cancel(&client, 2).is(204);
    quiet(&server);
    client.http("POST :8080/reviews bookId=2 score=5").is(409);
}
