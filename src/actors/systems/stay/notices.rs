//! What leaves the house: guest and host are told every alarm once it is written.

use super::alarm::{Alarm, AlarmEvent, Role};
use crate::actors::entity::{Notice, Outbound, Recorded};

/// Carries alarms to the person that they are for. One that names nobody stays in the history.
#[derive(Debug)]
pub struct AlarmOut;

impl Outbound for AlarmOut {
    const NAME: &'static str = "stay.alarm-out";
    const CHANNEL: &'static str = "alarm";
    type Source = Alarm;
    fn notify(&self, event: &Recorded<Alarm>) -> Option<Notice> {
        let AlarmEvent::AlarmWritten(alarm) = &event.event;
        let role = match alarm.role {
            Role::Guest => "guest",
            Role::Host => "host",
        };
        let receiver = alarm.receiver.as_deref().filter(|name| !name.is_empty())?;
        let notice = Notice::new(receiver, &alarm.content).with("alarmId", event.number.get());
        Some(notice.with("role", role).with("message", alarm.message.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        actors::{
            entity::{Key, NumberedId},
            systems::stay::AlarmText,
        },
        testkit::recorded,
    };

    fn told(receiver: Option<&str>) -> Option<Notice> {
        let alarm = AlarmText {
            receiver: receiver.map(str::to_owned),
            role: Role::Host,
            message: "Booked".to_owned(),
            content: "슈퍼맨: Booked".to_owned(),
        };
        let id = NumberedId::Key(Key::new("a").unwrap());
        AlarmOut.notify(&recorded(id, 3, 1, AlarmEvent::AlarmWritten(alarm)))
    }

    #[test]
    fn the_person_of_an_alarm_is_told_its_content() {
        let notice = Notice::new("슈퍼맨", "슈퍼맨: Booked").with("alarmId", 3);
        assert_eq!(told(Some("슈퍼맨")), Some(notice.with("role", "host").with("message", "Booked")));
    }

    #[test]
    fn an_alarm_that_names_nobody_goes_to_nobody() {
        assert_eq!((told(None), told(Some(""))), (None, None));
    }
}
