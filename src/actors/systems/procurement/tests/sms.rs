//! The history of SMS.

use super::*;

fn told() -> Sms {
    Sms { phone_no: some("010-1234-1234"), contents: some("검수 완료 되었습니다~~~") }
}

#[test]
fn an_sms_is_written_once_changed_and_removed() {
    let other = Sms { contents: None, ..told() };
    let rewrite = RewriteSms { phone_no: Set::Keep, contents: Set::To(None) };
    given::<SmsHistory>([])
        .when(WriteSms { sms: told() })
        .then_events([SmsEvent::SmsWritten { sms: told() }])
        .then_reply(SmsHistoryItem { id: 1, sms: told() })
        .when(WriteSms { sms: told() })
        .then_rejected(SmsRejection::AlreadyWritten)
        .when(rewrite.clone())
        .then_events([SmsEvent::SmsRewritten { sms: other.clone() }])
        .when(rewrite.clone())
        .then_nothing_written()
        .then_reply(SmsHistoryItem { id: 1, sms: other })
        .when(RemoveSms)
        .then_events([SmsEvent::SmsRemoved])
        .when(RemoveSms)
        .then_rejected(SmsRejection::Gone)
        .when(rewrite)
        .then_rejected(SmsRejection::Gone);
}

#[test]
fn the_text_of_an_sms_has_a_limit() {
    let long = || some(&"x".repeat(MAX_CHARACTERS + 1));
    let written = WriteSms { sms: Sms { contents: long(), ..told() } };
    let refused = SmsRejection::Invalid(InvalidValue::TooLong(Field::Contents));
    given::<SmsHistory>([]).when(written).then_rejected(refused.clone());
    let rewrite = RewriteSms { phone_no: Set::Keep, contents: Set::To(long()) };
    given::<SmsHistory>([SmsEvent::SmsWritten { sms: told() }]).when(rewrite).then_rejected(refused);
}

#[test]
fn the_laws_hold_for_sms() {
    laws::<SmsHistory>([vec![
        SmsEvent::SmsWritten { sms: told() },
        SmsEvent::SmsRewritten { sms: Sms::default() },
        SmsEvent::SmsRemoved,
    ]]);
}
