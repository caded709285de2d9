use super::*;

fn register() -> RegisterRoom {
    let RoomFacts { name, price, address, host } = hotel();
    RegisterRoom { name: Some(name), price: Some(price), address, host: Some(host) }
}

fn item(facts: RoomFacts) -> RoomItem {
    RoomItem { id: 1, facts }
}

#[test]
fn stay_f1_a_host_registers_a_room() {
    given::<Room>([])
        .when(register())
        .then_events([RoomEvent::RoomRegistered(hotel())])
        .then_reply(item(hotel()))
        .when(register())
        .then_rejected(RoomRejection::AlreadyRegistered);
    let nowhere = RoomFacts { address: None, price: 0, ..hotel() };
    let command = RegisterRoom { address: None, price: Some(0), ..register() };
    given::<Room>([]).when(command).then_reply(item(nowhere));
    let unsaid = RoomFacts { address: text(""), ..hotel() };
    given::<Room>([]).when(RegisterRoom { address: text(""), ..register() }).then_reply(item(unsaid));
}

#[test]
fn stay_d1_a_room_needs_name_host_and_a_price_that_is_not_negative() {
    for (command, refused) in [
        (RegisterRoom { name: None, ..register() }, InvalidValue::Missing(Field::Name)),
        (RegisterRoom { name: text(""), ..register() }, InvalidValue::Missing(Field::Name)),
        (RegisterRoom { host: None, ..register() }, InvalidValue::Missing(Field::Host)),
        (RegisterRoom { price: None, ..register() }, InvalidValue::Missing(Field::Price)),
        (
            RegisterRoom { price: Some(-1), ..register() },
            InvalidValue::OutOfRange { field: Field::Price, least: 0, most: i64::MAX },
        ),
    ] {
        given::<Room>([]).when(command).then_rejected(refused.into());
    }
    let missing = RoomRejection::from(InvalidValue::Missing(Field::Host));
    assert_eq!(told(&missing), (RefusalClass::Invalid, "MISSING_VALUE", Some("host")));
}

#[test]
fn a_room_is_changed_once_and_keeps_what_it_needs() {
    let dearer = RoomFacts { price: 1200, address: None, ..hotel() };
    let change = ChangeRoom { price: Patch::Set(1200), address: Patch::Clear, ..ChangeRoom::default() };
    given::<Room>([RoomEvent::RoomRegistered(hotel())])
        .when(change.clone())
        .then_events([RoomEvent::RoomChanged(dearer.clone())])
        .then_reply(item(dearer.clone()))
        .when(change)
        .then_nothing_written()
        .then_reply(item(dearer));
    let nameless = ChangeRoom { name: Patch::Clear, ..ChangeRoom::default() };
    let refused = RoomRejection::from(InvalidValue::Missing(Field::Name));
    given::<Room>([RoomEvent::RoomRegistered(hotel())]).when(nameless).then_rejected(refused);
    given::<Room>([]).when(ChangeRoom::default()).then_rejected(RoomRejection::Gone);
}

#[test]
fn stay_f2_a_host_deletes_a_room_once() {
    given::<Room>([RoomEvent::RoomRegistered(hotel())])
        .when(DeleteRoom)
        .then_events([RoomEvent::RoomDeleted(hotel())])
        .then_reply(())
        .when(DeleteRoom)
        .then_rejected(RoomRejection::Gone)
        .when(ChangeRoom::default())
        .then_rejected(RoomRejection::Gone)
        .when(register())
        .then_rejected(RoomRejection::AlreadyRegistered);
    assert_eq!(told(&RoomRejection::Gone), (RefusalClass::Gone, "NO_SUCH_ROOM", None));
}

#[test]
fn rooms_keep_the_laws() {
    let (registered, changed) = (RoomEvent::RoomRegistered(hotel()), RoomEvent::RoomChanged(hotel()));
    laws::<Room>([vec![registered, changed, RoomEvent::RoomDeleted(hotel())]]);
}

#[test]
fn the_bus_sees_rooms_as_the_topic_has_them() {
    let shown = serde_json::to_string(&RoomEvent::RoomRegistered(hotel()).on_bus(Number::new(2))).unwrap();
    assert_eq!(shown, r#"{"id":2,"name":"호텔","price":1000,"address":"서울","host":"Superman"}"#);
}
