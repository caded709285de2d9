//! Stay's six collections, as `stay.md` section 3 has them. Its pages come with a later step.

use std::time::Duration;

use serde_json::Value;

use crate::{
    AskError, Entities, NumberedId, System, ViewKey,
    http::{
        Action, By, Call, Change, Commands, EntitySource, Field, Fields, Filter, Finder, Lookup, Problem, Resource,
        ViewSource, keyed,
    },
    stay::{
        self, Alarm, BookRoom, Booking, BookingRejection, Calendar, CancelBooking, ChangeBooking, ChangeRoom,
        DeleteRoom, Mypage, OccupiedDates, Patch, Payment, RecordPayment, RegisterReview, RegisterRoom, Review, Room,
        StayWish, UseDate, Visit, named,
    },
};

const SYSTEM: &str = stay::NAME;

/// The collections of stay.
pub fn stay(system: &System) -> Vec<Resource> {
    let pay = system.config().link(SYSTEM, "booking", "pay").timeout.unwrap_or(stay::PAY_WITHIN);
    vec![rooms(system), bookings(system, pay), payments(system), mypages(system), alarms(system), reviews(system)]
}

fn rooms(system: &System) -> Resource {
    let commands = Commands::<Room>::of(system);
    let register = |fields: &Fields| {
        let (name, price) = (fields.string("name"), fields.integer("price"));
        Ok(RegisterRoom { name, price, address: fields.string("address"), host: fields.string("host") })
    };
    let change = |fields: &Fields| {
        let (name, price) = (new_text(fields, "name"), new_long(fields, "price"));
        Ok(ChangeRoom { name, price, address: new_text(fields, "address"), host: new_text(fields, "host") })
    };
    Resource::new(SYSTEM, "rooms", "room", ID, ROOM.to_vec(), EntitySource::of(system, Room::item))
        .service("room")
        .commanded_by(&["host"])
        .create(commands.create(register))
        .change(commands.change(change))
        .remove(commands.remove(DeleteRoom))
        .filter(Filter::at_least(Field::long("minPrice"), "price"))
        .filter(Filter::at_most(Field::long("maxPrice"), "price"))
        .filter(free_on(system))
}

/// A date, month by month, and the 29th of February of leap years.
const DATE: &str = "[0-9]{4}((0[13578]|1[02])(0[1-9]|[12][0-9]|3[01])|(0[469]|11)(0[1-9]|[12][0-9]|30)|02(0[1-9]|1[0-9]|2[0-8]))\
     |([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)0229";

/// `GET /rooms?usedate=`: the rooms that nobody has booked on that date (D-7).
fn free_on(system: &System) -> Filter {
    let occupied = Lookup::rows(system.views::<OccupiedDates>(), |value| Some(date(value)?.number().to_bytes()));
    Filter::prepared(USEDATE, occupied.without(|_, row: &OccupiedDates| row.room_id.into())).checked(DATE, |value| {
        date(value).map(drop).ok_or_else(|| Problem::field(USEDATE.name, "must be a date as yyyyMMdd"))
    })
}

fn date(value: &Value) -> Option<UseDate> {
    UseDate::parse(value.as_str()?).ok()
}

fn bookings(system: &System, link: Duration) -> Resource {
    let commands = Commands::<Booking>::of(system);
    let change = |fields: &Fields| {
        Ok(ChangeBooking {
            room_id: match new_long(fields, "roomId") {
                Patch::Keep => Patch::Keep,
                Patch::Clear => Patch::Clear,
                Patch::Set(id) => Patch::Set(named(Some(id))),
            },
            name: new_text(fields, "name"),
            price: new_long(fields, "price"),
            address: new_text(fields, "address"),
            host: new_text(fields, "host"),
            guest: new_text(fields, "guest"),
            usedate: new_text(fields, "usedate"),
        })
    };
    let source = EntitySource::of(system, |booking: &Booking, _| booking.item());
    Resource::new(SYSTEM, "bookings", "booking", ID, BOOKING.to_vec(), source)
        .service("booking")
        .commanded_by(&["guest"])
        .create(keyed(ID.name, book(system, link)))
        .change(commands.change(change))
        .remove(commands.remove(CancelBooking))
}

/// `POST /bookings`: the calendar of the room is asked, and answers with the booking.
fn book(system: &System, link: Duration) -> Action {
    let bookings = system.entities::<Booking>();
    Commands::<Calendar>::of(system).asking(link).prepared(Change::Created, move |call| {
        let bookings = bookings.clone();
        async move {
            let (booking, wish) = (call.origin.stream.clone(), wish(&call.fields));
            let calendar = Calendar::of(wish.room_id);
            if call.origin.repeatable {
                is_of_this_room(&bookings, NumberedId::Key(booking.clone()), wish.room_id).await?;
            }
            Ok((calendar, BookRoom { booking, wish, within: link }))
        }
    })
}

/// A calendar knows which requests it has answered, but not those of other rooms: an `Idempotency-Key` that
/// has booked another room is refused here, as the same room's calendar would refuse another request.
async fn is_of_this_room(bookings: &Entities<Booking>, booking: NumberedId, room: u64) -> Result<(), Problem> {
    let Some(known) = bookings.get(&booking).await.map_err(Problem::of_ask)? else { return Ok(()) };
    let is_other = known.state.details().is_some_and(|details| details.room_id != Some(room));
    if is_other { Err(Problem::of_ask(AskError::<BookingRejection>::Reused)) } else { Ok(()) }
}

fn payments(system: &System) -> Resource {
    let record = |fields: &Fields| {
        let (book_id, status) = (named(fields.integer("bookId")), fields.string("status"));
        Ok(RecordPayment { book_id, wish: wish(fields), status })
    };
    Resource::new(SYSTEM, "payments", "payment", ID, PAYMENT.to_vec(), EntitySource::of(system, Payment::item))
        .service("pay")
        .commanded_by(&["guest"])
        .create(Commands::<Payment>::of(system).create(record))
}

fn mypages(system: &System) -> Resource {
    let source = ViewSource::of(system, |id, row: &Mypage| row.item(*id));
    Resource::new(SYSTEM, "mypages", "mypage", ID, MYPAGE.to_vec(), source)
        .service("mypage")
        .unpaged()
        .finder(Finder::many("findByBookId", BOOK_ID, By::Key))
}

fn alarms(system: &System) -> Resource {
    let source = EntitySource::of(system, Alarm::item);
    Resource::new(SYSTEM, "alarms", "alarm", ID, ALARM.to_vec(), source).service("alarm")
}

fn reviews(system: &System) -> Resource {
    let register = |fields: &Fields| {
        Ok(RegisterReview {
            book_id: named(fields.integer("bookId")),
            room_id: named(fields.integer("roomId")),
            name: fields.string("name"),
            host: fields.string("host"),
            guest: fields.string("guest"),
            usedate: fields.string("usedate"),
            score: fields.integer("score"),
            content: fields.string("content"),
        })
    };
    // The visit is asked, and answers with the review.
    let visits = Commands::<Visit>::of(system);
    let of_booking = |call: &Call| Ok(Visit::of(named(call.fields.integer("bookId"))));
    Resource::new(SYSTEM, "reviews", "review", ID, REVIEW.to_vec(), EntitySource::of(system, Review::item))
        .service("review")
        .commanded_by(&["guest"])
        .create(keyed(ID.name, visits.method(Change::Created, of_booking, register)))
}

const ID: Field = Field::long("id");
const BOOK_ID: Field = Field::long("bookId");
const ROOM_ID: Field = Field::long("roomId");
const NAME: Field = Field::text("name");
const PRICE: Field = Field::long("price");
const ADDRESS: Field = Field::text("address");
const HOST: Field = Field::text("host");
const GUEST: Field = Field::text("guest");
const USEDATE: Field = Field::text("usedate");
const STATUS: Field = Field::text("status");
const SCORE: Field = Field::long("score");
const CONTENT: Field = Field::text("content");

// What each item shows, in this order, after its key and before its links.
const ROOM: [Field; 4] = [NAME, PRICE, ADDRESS, HOST];
const BOOKING: [Field; 8] = [ROOM_ID, NAME, PRICE, ADDRESS, HOST, GUEST, USEDATE, STATUS];
const PAYMENT: [Field; 9] = [BOOK_ID, ROOM_ID, NAME, PRICE, ADDRESS, HOST, GUEST, USEDATE, STATUS];
const MYPAGE: [Field; 10] = [BOOK_ID, ROOM_ID, NAME, PRICE, ADDRESS, HOST, GUEST, USEDATE, SCORE, STATUS];
const ALARM: [Field; 4] = [Field::text("receiver"), Field::text("role"), Field::text("message"), CONTENT];
const REVIEW: [Field; 8] = [BOOK_ID, ROOM_ID, NAME, HOST, GUEST, USEDATE, SCORE, CONTENT];

fn wish(fields: &Fields) -> StayWish {
    StayWish {
        room_id: named(fields.integer("roomId")),
        name: fields.string("name"),
        price: fields.integer("price"),
        address: fields.string("address"),
        host: fields.string("host"),
        guest: fields.string("guest"),
        usedate: fields.string("usedate"),
    }
}

/// A text of a change: kept when the client did not send it.
fn new_text(fields: &Fields, name: &str) -> Patch<String> {
    fields.sent(name, |fields, name| Patch::of(fields.string(name))).unwrap_or_default()
}

/// A number of a change: kept when the client did not send it.
fn new_long(fields: &Fields, name: &str) -> Patch<i64> {
    fields.sent(name, |fields, name| Patch::of(fields.integer(name))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::stay::{
        AlarmItem, AlarmText, BookingItem, MypageItem, MypageStatus, PaymentItem, PaymentStatus, ReviewItem,
        ReviewText, Role, RoomFacts, RoomItem, StayDetails,
    };

    fn as_shown(declared: &[Field], representation: &impl Serialize) -> String {
        crate::http::api::as_shown(ID, declared, representation)
    }

    fn details() -> StayDetails {
        let (name, address, host) = (Some("호텔".into()), Some("서울".into()), Some("Superman".into()));
        let (guest, usedate) = (Some("배트맨".into()), UseDate::parse("20201010").ok());
        StayDetails { room_id: Some(1), name, price: Some(1000), address, host, guest, usedate }
    }

    #[test]
    fn stay_d3_d6_every_item_shows_what_its_entity_tells() {
        let (id, book_id, details) = (1, 1, details());
        let common =
            r#"roomId=1 name="호텔" price=1000 address="서울" host="Superman" guest="배트맨" usedate="20201010""#;
        let facts =
            RoomFacts { name: "호텔".into(), price: 1000, address: Some("서울".into()), host: "Superman".into() };
        let expected = r#"id=1 name="호텔" price=1000 address="서울" host="Superman""#;
        assert_eq!(as_shown(&ROOM, &RoomItem { id, facts }), expected);
        let booking = BookingItem { id, details: details.clone(), status: "Booked".into() };
        assert_eq!(as_shown(&BOOKING, &booking), format!(r#"id=1 {common} status="Booked""#));
        let payment = PaymentItem { id, book_id, details: details.clone(), status: PaymentStatus::PayApproved };
        assert_eq!(as_shown(&PAYMENT, &payment), format!(r#"id=1 bookId=1 {common} status="PayApproved""#));
        let page = MypageItem { id, book_id, details, score: None, status: MypageStatus::Booked };
        assert_eq!(as_shown(&MYPAGE, &page), format!(r#"id=1 bookId=1 {common} score=null status="Booked""#));
        let (receiver, message, content) = (Some("배트맨".into()), "Booked".into(), "..".into());
        let alarm = AlarmItem { id, text: AlarmText { receiver, role: Role::Guest, message, content } };
        let expected = r#"id=1 receiver="배트맨" role="guest" message="Booked" content="..""#;
        assert_eq!(as_shown(&ALARM, &alarm), expected);
        let (room_id, name, host, guest, usedate) = (Some(1), None, None, None, UseDate::parse("20201010").ok());
        let text = ReviewText { book_id, room_id, name, host, guest, usedate, score: 5, content: None };
        let expected =
            r#"id=1 bookId=1 roomId=1 name=null host=null guest=null usedate="20201010" score=5 content=null"#;
        assert_eq!(as_shown(&REVIEW, &ReviewItem { id, text }), expected);
    }

    #[test]
    fn a_change_names_only_what_was_sent() {
        let body = serde_json::json!({"name": null, "price": "1200"});
        let fields = Fields::of(&ROOM, body.as_object().unwrap()).unwrap();
        let changes = (new_text(&fields, "name"), new_long(&fields, "price"), new_text(&fields, "host"));
        assert_eq!(changes, (Patch::Clear, Patch::Set(1200), Patch::Keep));
        let whole = fields.or_nothing(&ROOM);
        assert_eq!(new_text(&whole, "host"), Patch::Clear);
    }

    #[test]
    fn what_the_pages_send_as_strings_is_understood() {
        let body = serde_json::json!({"roomId": "1", "price": "1000", "usedate": 20_201_010, "guest": "배트맨"});
        let wish = wish(&Fields::of(&BOOKING, body.as_object().unwrap()).unwrap());
        assert_eq!((wish.room_id, wish.price, wish.usedate.as_deref()), (1, Some(1000), Some("20201010")));
    }
}
