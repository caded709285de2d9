//! The decisions of stay.md section 11 that a client can see and the acceptance script does not show, and
//! what its old pages send.

use serde_json::{Value, json};

use super::{
    book, booking, cancel, each, one_approval_for_each_booking, operate, quiet, room, rows, setup, stay, with_hotel,
};
use crate::common::{Client, Request};

#[test]
fn stay_d1_a_room_is_registered_with_name_host_and_price() {
    let server = setup().start();
    let client = server.client();
    for bad in [
        "name=호텔 price=1000",
        "name=호텔 host=S",
        "price=1 host=S",
        "name=호텔 price=-1 host=S",
        "name= price=1 host=S",
    ] {
        client.http(&format!("POST :8080/rooms {bad}")).is(400);
    }
    client.http("POST :8080/rooms name=호텔 price=abc host=S").is(400);
    assert_eq!(client.http("POST :8080/rooms name=호텔 price=0 host=S").is(201).json()["address"], Value::Null);
    assert_eq!(client.http("PUT :8080/rooms/1 name=호텔 price=5 host=S address=서울").is(200).json()["price"], 5);
    client.http("PUT :8080/rooms/1 name=호텔").is(400);
    client.http("PUT :8080/rooms/7 name=호텔 price=5 host=S").is(404);
}

#[test]
fn stay_d2_rooms_that_nobody_registered_are_booked_unless_that_is_switched_off() {
    let mut server = stay();
    let client = server.client();
    assert_eq!(book(&client, 77, "배트맨", "20201010").is(201).json()["roomId"], 77);
    server.reconfigure("[systems.stay]\nstrict_rooms = true\n");
    server.admin().post("/admin/reload").is(200);
    assert_eq!(book(&client, 77, "배트맨", "20201011").is(409).json()["code"], "ROOM_UNKNOWN");
    book(&client, 1, "배트맨", "20201011").created();
}

#[test]
fn stay_d4_a_booking_may_be_sent_back_as_it_is_and_not_otherwise() {
    let server = stay();
    let client = server.client();
    let made = book(&client, 1, "배트맨", "20201010").is(201).json();
    let put = |body: &Value| client.send(&Request::new("PUT", "/bookings/1").json(body));
    assert_eq!(put(&made).is(200).json(), made, "the whole object, with its links");
    let mut other = made;
    other["guest"] = json!("로빈");
    assert_eq!(put(&other).is(409).json()["code"], "IMMUTABLE");
    client.http("PATCH :8080/bookings/1 usedate=20201011").is(409);
    client.http("PATCH :8080/bookings/1 usedate=20201010").is(200);
    client.http("PATCH :8080/bookings/9 usedate=20201010").is(404);
}

#[test]
fn stay_d5_the_payment_history_is_append_only() {
    let server = stay();
    let client = server.client();
    book(&client, 1, "배트맨", "20201010").created();
    let row = "POST :8080/payments bookId=9 roomId=1 name=호텔 price=1000 guest=로빈 host=Superman usedate=20201010";
    assert_eq!(client.http(&format!("{row} status=PayApproved")).created(), 2);
    assert_eq!(client.http(&format!("{row} status=PayCanceled")).created(), 3);
    for bad in [row.to_owned(), format!("{row} status=paid"), "POST :8080/payments status=PayApproved".to_owned()] {
        client.http(&bad).is(400);
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let refused = client.http(&format!("{method} :8080/payments/1")).is(405);
        assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
    }
    quiet(&server);
    assert_eq!(each(&rows(&client, "alarms", "receiver=로빈"), "message"), ["PayApproved", "PayCanceled"]);
    assert_eq!(rows(&client, "mypages", "guest=로빈").len(), 0, "no booking was made");
}

#[test]
fn stay_f3_d7_rooms_are_searched_by_what_they_are_what_they_cost_and_when_they_are_free() {
    let server = stay();
    let client = server.client();
    client.http("POST :8080/rooms name=펜션 price=2000 address=양평 host=Batman").created();
    client.http("POST :8080/rooms name=민박 price=3000 address=서울 host=Superman").created();
    let found = |query: &str| each(&rows(&client, "rooms", query), "name");
    assert_eq!(found(""), ["호텔", "펜션", "민박"]);
    assert_eq!(found("address=서울"), ["호텔", "민박"]);
    assert_eq!(found("host=Batman"), ["펜션"]);
    assert_eq!(found("name=민박&address=서울"), ["민박"]);
    assert_eq!(found("minPrice=2000"), ["펜션", "민박"]);
    assert_eq!(found("maxPrice=2000"), ["호텔", "펜션"]);
    assert_eq!(found("minPrice=1001&maxPrice=2999"), ["펜션"]);
    let booked = book(&client, 1, "배트맨", "20201010").created();
    assert_eq!(found("usedate=20201010"), ["펜션", "민박"]);
    assert_eq!(found("usedate=20201010&address=서울"), ["민박"]);
    assert_eq!(found("usedate=20201011"), ["호텔", "펜션", "민박"]);
    cancel(&client, booked).is(204);
    assert_eq!(found("usedate=20201010"), ["호텔", "펜션", "민박"]);
    client.get("/rooms?usedate=20201340").is(400);
    client.get("/rooms?minPrice=cheap").is(400);
}

#[test]
fn stay_d8_the_switch_off_books_like_the_source() {
    let mut server = with_hotel(setup().config("[systems.stay]\nexclusive = false\n").start());
    let client = server.client();
    for guest in ["배트맨", "로빈", "배트맨"] {
        book(&client, 1, guest, "20201230").created();
    }
    assert_eq!(rows(&client, "rooms", "usedate=20201230").len(), 0);
    cancel(&client, 1).is(204);
    quiet(&server);
    one_approval_for_each_booking(&client);
    assert_eq!(rows(&client, "bookings", "").len(), 2);
    assert_eq!(rows(&client, "rooms", "usedate=20201230").len(), 0, "two guests are still there");
    server.reconfigure("[systems.stay]\nexclusive = true\n");
    server.admin().post("/admin/reload").is(200);
    book(&client, 1, "로빈", "20201231").created();
    book(&client, 1, "배트맨", "20201231").is(409);
}

#[test]
fn stay_d15_what_is_sent_of_a_room_is_taken_and_what_is_not_is_filled() {
    let server = stay();
    let client = server.client();
    let made = client.http("POST :8080/bookings roomId=1 guest=배트맨 usedate=20201010").is(201).json();
    let shown = json!([made["name"], made["price"], made["address"], made["host"]]);
    assert_eq!(shown, json!(["호텔", 1000, "서울", "Superman"]));
    let made = client.http("POST :8080/bookings roomId=1 guest=배트맨 usedate=20201011 price=1").is(201).json();
    assert_eq!(made["price"], 1);
    client.http("POST :8080/bookings roomId=99 guest=배트맨 usedate=20201010").is(400);
}

#[test]
fn stay_d14_dates_in_the_past_are_booked_and_cancelled() {
    let server = stay();
    let client = server.client();
    let booking = book(&client, 1, "배트맨", "19991231").created();
    cancel(&client, booking).is(204);
}

#[test]
fn stay_f8_guest_and_host_read_their_bookings_and_one_is_found_by_its_booking() {
    let server = stay();
    let client = server.client();
    book(&client, 1, "배트맨", "20201010").created();
    book(&client, 1, "로빈", "20201011").created();
    quiet(&server);
    assert_eq!(rows(&client, "mypages", "host=Superman").len(), 2);
    assert_eq!(each(&rows(&client, "mypages", "guest=로빈"), "usedate"), ["20201011"]);
    let found = client.json("/mypages/search/findByBookId?bookId=2");
    assert_eq!(each(found["_embedded"]["mypages"].as_array().unwrap(), "guest"), ["로빈"]);
    let found = client.json("/mypages/search/findByBookId?bookId=9");
    assert_eq!(found["_embedded"]["mypages"], json!([]));
    assert_eq!(client.json("/mypages").get("page"), None, "a view lists all");
    client.get("/mypages/9").is(404);
}

#[test]
fn a_key_is_good_for_one_booking_whatever_room_it_names() {
    let server = stay();
    let client = server.client();
    let first = booking(1, "배트맨", "20201010").header("Idempotency-Key", "k");
    let made = client.send(&first).is(201);
    let again = client.send(&first).is(201);
    assert_eq!((again.json(), again.header("idempotency-replayed")), (made.json(), Some("true")));
    for other in [booking(2, "배트맨", "20201010"), booking(1, "배트맨", "20201011"), booking(1, "로빈", "20201010")]
    {
        client.send(&other.header("Idempotency-Key", "k")).is(422);
    }
    operate(&server, "pay", "stop");
    let refused = booking(1, "배트맨", "20201012").header("Idempotency-Key", "l");
    client.send(&refused).is(503);
    operate(&server, "pay", "start");
    client.send(&refused).is(201);
    quiet(&server);
    assert_eq!(rows(&client, "bookings", "").len(), 2);
    one_approval_for_each_booking(&client);
}

#[test]
fn the_pages_find_their_lists_and_ids_also_when_there_is_nothing() {
    let server = setup().start();
    let client = server.client();
    for collection in ["rooms", "bookings", "payments", "mypages", "alarms", "reviews"] {
        assert_eq!(client.json(&format!("/{collection}"))["_embedded"][collection], json!([]), "{collection}");
    }
    room(&client, "호텔", 1000);
    quiet(&server);
    book(&client, 1, "배트맨", "20201010").created();
    quiet(&server);
    client.http("POST :8080/reviews bookId=1 score=5").created();
    quiet(&server);
    for (collection, relation) in [
        ("rooms", "room"),
        ("bookings", "booking"),
        ("payments", "payment"),
        ("mypages", "mypage"),
        ("alarms", "alarm"),
        ("reviews", "review"),
    ] {
        let first = &rows(&client, collection, "")[0];
        let href = first["_links"][relation]["href"].as_str().unwrap();
        assert!(href.ends_with(&format!("/{collection}/1")), "{href}");
        assert_eq!(client.json(&format!("/{collection}/1"))["id"], 1);
    }
    client.get("/html/index.html").is(404); // the pages come with a later step
}

#[test]
fn stay_d13_alarms_are_asked_of_the_alarm_service() {
    let server = with_hotel(setup().flag("--service-ports=free").start());
    book(&server.client(), 1, "배트맨", "20201010").created();
    quiet(&server);
    let of = |service: &str| Client::new(server.service_address(&format!("stay/{service}")));
    assert_eq!(rows(&of("alarm"), "alarms", "").len(), 4);
    of("booking").get("/alarms").is(404);
    assert_eq!(rows(&of("pay"), "payments", "").len(), 1);
}

#[test]
fn stay_d10_a_link_that_is_too_short_refuses_or_books_and_nothing_between() {
    let server = with_hotel(setup().config("[link.stay.booking.pay]\ntimeout = \"1ms\"\n").start());
    let client = server.client();
    let mut booked = 0;
    for day in 1..=28 {
        let usedate = format!("202002{day:02}");
        match book(&client, 1, "배트맨", &usedate).status {
            201 => booked += 1,
            status => assert_eq!(status, 503, "{usedate}"),
        }
    }
    quiet(&server);
    one_approval_for_each_booking(&client);
    assert_eq!(rows(&client, "bookings", "").len(), booked);
    assert_eq!(rows(&client, "alarms", "").len(), 4 * booked, "nobody is told of what was not booked");
    assert_eq!(rows(&client, "mypages", "").len(), booked);
}
