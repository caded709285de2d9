//! Service notification: one SMS per recorded result, in the words of section 8.

use crate::actors::{
    entity::{Dispatch, DispatchOrder, Policy, Recorded, create},
    systems::procurement::{
        request::{DeliveryRequest, DeliveryRequestEvent},
        sms::{Sms, SmsHistory, WriteSms},
    },
};

/// The inspection is passed.
const PASSED: &str = "검수 완료 되었습니다~~~";
/// The inspection failed (D-8); the source has no text for it.
const FAILED: &str = "검수 불합격 되었습니다";

/// Tells the company how the inspection went (F11).
#[derive(Debug)]
pub struct SendSms;

impl Policy for SendSms {
    const NAME: &'static str = "procurement.send-sms";
    type Source = DeliveryRequest;
    type Target = SmsHistory;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<DeliveryRequest>) -> Vec<Dispatch<SmsHistory>> {
        let DeliveryRequestEvent::InspectionResultPatched { filing, passed, .. } = &event.event else {
            return Vec::new();
        };
        let contents = Some(if *passed { PASSED } else { FAILED }.to_owned());
        vec![create(WriteSms { sms: Sms { phone_no: filing.company_phone_no.clone(), contents } })]
    }
}
