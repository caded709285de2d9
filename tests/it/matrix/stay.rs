use super::{Collection, Key, System, call};

const ROOM: (&str, &str) = ("roomId", "room");
const BOOKING: (&str, &str) = ("bookId", "booking");

const STAY: System<'_> = System {
    name: "stay",
    services: &["room", "booking", "pay", "mypage", "alarm", "review"],
    collections: &[
        Collection { name: "rooms", service: "room", key: Key::Named("id", "room"), references: &[], ignored: &[] },
        Collection {
            name: "bookings",
            service: "booking",
            key: Key::Named("id", "booking"),
            references: &[ROOM],
            ignored: &[],
        },
        Collection {
            name: "payments",
            service: "pay",
            key: Key::Drawn("id"),
            references: &[ROOM, BOOKING],
            ignored: &[],
        },
        Collection {
            name: "mypages",
            service: "mypage",
            key: Key::Named("id", "booking"),
            references: &[ROOM, BOOKING],
            ignored: &[],
        },
        Collection { name: "alarms", service: "alarm", key: Key::Drawn("id"), references: &[], ignored: &[] },
        Collection {
            name: "reviews",
            service: "review",
            key: Key::Named("id", "review"),
            references: &[ROOM, BOOKING],
            ignored: &[],
        },
    ],
    before: &[
        call("POST :8080/rooms name=호텔 price=1000 address=서울 host=Superman", &[], 201).gives("room-booked"),
        call("POST :8080/rooms name=펜션 price=1000 address=양평 host=Superman", &[], 201).gives("room-repriced"),
        call("POST :8080/rooms name=성 price=9000 address=경주 host=Batman", &[], 201).gives("room-sold"),
        call("POST :8080/bookings roomId={room-booked} guest=배트맨 usedate=20201010", &[], 201).gives("booking-kept"),
        call("POST :8080/bookings roomId={room-booked} guest=로빈 usedate=20201011", &[], 201)
            .gives("booking-regretted"),
    ],
    during: &[
        call("POST :8080/rooms name=굴 price=10 host=Batman", &["room"], 201).gives("room-new"),
        call("PATCH :8080/rooms/{room-repriced} price=1200", &["room"], 200),
        call("DELETE :8080/rooms/{room-sold}", &["room"], 204),
        call("POST :8080/bookings roomId={room-booked} guest=X usedate=20201010", &["booking"], 409),
        call("POST :8080/bookings roomId={room-booked} guest=조커 usedate=20201012", &["booking", "pay"], 201)
            .gives("booking-new"),
        call("DELETE :8080/bookings/{booking-regretted}", &["booking"], 204),
        call("DELETE :8080/bookings/{booking-regretted}", &["booking"], 404),
        call("POST :8080/bookings roomId={room-booked} guest=펭귄 usedate=20201011", &["booking", "pay"], 201)
            .gives("booking-again"),
        call("POST :8080/reviews bookId={booking-kept} score=5 content=좋음", &["review"], 201).gives("review-one"),
    ],
};

#[test]
fn stay_n1_to_n4_whichever_service_is_stopped_the_end_is_the_same() {
    STAY.check();
}
