use super::{Collection, Key, System, call};

pub(crate) const STAY: System<'_> = System {
    name: "stay",
    services: &["room", "pay", "booking", "mypage", "alarm", "review"],
    collections: &[
        Collection { name: "rooms", service: "room", key: Key::Named("id", "room"), references: &[], ignored: &[] },
        Collection {
            name: "bookings",
            service: "booking",
            key: Key::Named("id", "booking"),
            references: &[("roomId", "room")],
            ignored: &[],
        },
        Collection {
            name: "payments",
            service: "pay",
            key: Key::Drawn("id"),
            references: &[("bookId", "booking"), ("roomId", "room")],
            ignored: &[],
        },
        Collection {
            name: "mypages",
            service: "mypage",
            key: Key::Named("id", "booking"),
            references: &[("bookId", "booking"), ("roomId", "room")],
            ignored: &[],
        },
        Collection { name: "alarms", service: "alarm", key: Key::Drawn("id"), references: &[], ignored: &[] },
        Collection {
            name: "reviews",
            service: "review",
            key: Key::Drawn("id"),
            references: &[("bookId", "booking"), ("roomId", "room")],
            ignored: &[],
        },
    ],
    before: &[
        call("POST :8080/rooms name=호텔 price=1000 address=서울 host=Superman", &[], 201).gives("room-hotel"),
        call("POST :8080/rooms name=펜션 price=2000 address=양평 host=Superman", &[], 201).gives("room-pension"),
        call("POST :8080/bookings roomId={room-hotel} guest=배트맨 usedate=20201010", &[], 201).gives("booking-stands"),
        call("POST :8080/bookings roomId={room-hotel} guest=로빈 usedate=20201011", &[], 201)
            .gives("booking-cancelled"),
        call("POST :8080/bookings roomId={room-pension} guest=홍길동 usedate=20201011", &[], 201)
            .gives("booking-reviewed"),
    ],
    during: &[
        call(
            "POST :8080/bookings roomId={room-hotel} name=호텔 price=1000 guest=배트맨 usedate=20201012",
            &["booking", "pay"],
            201,
        )
        .gives("booking-new"),
        call("POST :8080/bookings roomId={room-hotel} guest=로빈 usedate=20201010", &["booking"], 409),
        call("DELETE :8080/bookings/{booking-cancelled}", &["booking"], 204),
        call("PATCH :8080/bookings/{booking-stands} guest=로빈", &["booking"], 409),
        call("POST :8080/reviews bookId={booking-reviewed} score=5 content=좋아요", &["review"], 201),
        call("PATCH :8080/rooms/{room-pension} price=2500", &["room"], 200),
        call("POST :8080/rooms name=민박 price=500 host=Batman", &["room"], 201).gives("room-new"),
        call("POST :8080/payments bookId=0 status=PayApproved", &["pay"], 400),
        call("DELETE :8080/bookings/{booking-new}", &["booking"], 204),
    ],
};
