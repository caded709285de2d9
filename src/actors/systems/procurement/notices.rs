//! What leaves the house: an SMS, once it is written.

use super::sms::{Sms, SmsEvent, SmsHistory};
use crate::actors::entity::{Notice, Outbound, Recorded};

/// Sends an SMS to its number. One without a number or without contents stays in the history; a later change
/// of the history is no new SMS.
#[derive(Debug)]
pub struct SmsOut;

impl Outbound for SmsOut {
    const NAME: &'static str = "procurement.sms-out";
    const CHANNEL: &'static str = "sms";
    type Source = SmsHistory;
    fn notify(&self, event: &Recorded<SmsHistory>) -> Option<Notice> {
        let SmsEvent::SmsWritten { sms: Sms { phone_no, contents } } = &event.event else { return None };
        let phone_no = phone_no.as_deref().filter(|number| !number.is_empty())?;
        Some(Notice::new(phone_no, contents.as_deref()?).with("smsHistoryId", event.number.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actors::entity::{Key, NumberedId},
        testkit::recorded,
    };

    fn told(event: SmsEvent) -> Option<Notice> {
        SmsOut.notify(&recorded(NumberedId::Key(Key::new("s").unwrap()), 5, 1, event))
    }

    fn sms(phone_no: Option<&str>) -> Sms {
        Sms { phone_no: phone_no.map(str::to_owned), contents: Some("검수 완료 되었습니다~~~".to_owned()) }
    }

    #[test]
    fn an_sms_is_sent_to_its_number_once_it_is_written() {
        let notice = Notice::new("010-1234-1234", "검수 완료 되었습니다~~~").with("smsHistoryId", 5);
        assert_eq!(told(SmsEvent::SmsWritten { sms: sms(Some("010-1234-1234")) }), Some(notice));
        assert_eq!(told(SmsEvent::SmsRewritten { sms: sms(Some("010-1234-1234")) }), None);
        assert_eq!(told(SmsEvent::SmsRemoved), None);
    }

    #[test]
    fn an_sms_without_a_number_is_not_sent() {
        assert_eq!(told(SmsEvent::SmsWritten { sms: sms(None) }), None);
        assert_eq!(told(SmsEvent::SmsWritten { sms: sms(Some("")) }), None);
    }
}
