//! What leaves the house: the owner is told every message once it is written.

use super::message::{Message, MessageEvent};
use crate::actors::entity::{Notice, Outbound, Recorded};

/// Carries messages to the owner, who is the only one that the store tells anything. A message without a
/// text says nothing, and a later change of one is no news.
#[derive(Debug)]
pub struct AlarmOut;

impl Outbound for AlarmOut {
    const NAME: &'static str = "store.alarm-out";
    const CHANNEL: &'static str = "alarm";
    type Source = Message;
    fn notify(&self, event: &Recorded<Message>) -> Option<Notice> {
        match &event.event {
            MessageEvent::MessageWritten { content: Some(text) } => {
                Some(Notice::new("owner", text).with("messageId", event.number.get()))
            }
            MessageEvent::MessageWritten { content: None }
            | MessageEvent::MessageRewritten { .. }
            | MessageEvent::MessageRemoved => None,
        }
    }
}
