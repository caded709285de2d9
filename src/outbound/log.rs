use crate::{Connector, DeliveryError, Notification};

/// Writes one line for each notice: the default, so that a fresh installation shows what it would send.
#[derive(Debug)]
pub(super) struct Log;

impl Connector for Log {
    fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError> {
        let Notification { id, system, channel, receiver, text, event, number, correlation_id, .. } = notification;
        tracing::info!(
            target: "steadfast::notice",
            id, system, channel, receiver, text, event, %number, correlation_id, "notice"
        );
        Ok(())
    }
}
