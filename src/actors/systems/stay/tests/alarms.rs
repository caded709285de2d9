use super::*;

fn write() -> WriteAlarm {
    let (receiver, room, usedate) = (text("배트맨"), text("호텔"), Some(date("20201010")));
    WriteAlarm { receiver, role: Role::Guest, message: "Booked".into(), room, usedate }
}

fn said(command: WriteAlarm, prefix: &str) -> String {
    let settings = StaySettings { alarm: AlarmSettings { prefix: prefix.into() }, ..StaySettings::default() };
    let then = given::<Alarm>([]).under(settings).when(command);
    then.state().item(Number::new(1)).unwrap().text.content
}

#[test]
fn stay_d6_an_alarm_names_the_person_plainly_and_says_the_event_in_a_sentence() {
    let then = given::<Alarm>([]).when(write()).then_reply(());
    let shown = serde_json::to_string(&then.state().item(Number::new(1))).unwrap();
    let expected =
        r#"{"id":1,"receiver":"배트맨","role":"guest","message":"Booked","content":"배트맨: Booked 호텔 20201010"}"#;
    assert_eq!(shown, expected);
    then.when(write()).then_rejected(AlreadyWritten);
    assert_eq!(told(&AlreadyWritten), (RefusalClass::Conflict, "ALREADY_WRITTEN", None));
}

#[test]
fn stay_n9_d6_an_alarm_begins_with_the_prefix_of_the_time_when_it_is_written() {
    assert_eq!(said(write(), "Hello"), "Hello 배트맨: Booked 호텔 20201010");
    assert_eq!(said(write(), ""), "배트맨: Booked 호텔 20201010");
    let bare = WriteAlarm { receiver: None, room: None, usedate: None, ..write() };
    assert_eq!(said(bare, ""), "Booked");
}

#[test]
fn stay_n9_the_switches_are_read_as_the_configuration_writes_them() {
    let read = |json: serde_json::Value| serde_json::from_value::<StaySettings>(json).map_err(|_| ());
    assert_eq!(read(serde_json::json!({})), Ok(StaySettings::default()));
    let hello = StaySettings { alarm: AlarmSettings { prefix: "Hello".into() }, ..StaySettings::default() };
    assert_eq!(read(serde_json::json!({"alarm": {"prefix": "Hello"}})), Ok(hello));
    assert_eq!(read(serde_json::json!({"exclusive": false})).map(|read| read.exclusive), Ok(false));
    assert_eq!(read(serde_json::json!({"exclusiv": false})), Err(()));
}

#[test]
fn alarms_keep_the_laws() {
    let text = AlarmText { receiver: None, role: Role::Host, message: "Booked".into(), content: String::new() };
    laws::<Alarm>([vec![AlarmEvent::AlarmWritten(text)]]);
}
