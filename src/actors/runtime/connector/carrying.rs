//! The carrier of notices: events become calls of a connector.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    super::{
        bulkhead::BulkheadError,
        dispatcher::{Carrier, Lane, LetterError, Patience, Tried, Undelivered},
        outcome::panic_text,
    },
    Channel, DeliveryError, RETRY_AFTER_LIMIT,
};
use crate::actors::entity::{
    DeadLetter, DeadLetterId, DomainEvent, Entity, EntityId, Notice, Notification, Number, Outbound, Recorded,
};

/// Carries the notices of one [`Outbound`] of `system` through its channel.
pub(crate) struct Carrying<O> {
    pub(crate) outbound: O,
    pub(crate) system: &'static str,
    pub(crate) channel: Channel,
}

impl<O: Outbound> Carrier for Carrying<O> {
    const NAME: &'static str = O::NAME;
    type Source = O::Source;

    fn patience(&self) -> Patience {
        let config = &self.channel.config;
        Patience { attempts: config.attempts, first: config.first_pause, longest: config.longest_pause }
    }

    /// As many as may wait in the bulkhead, so that none is turned away: a thread that has just answered may not have come
    /// back for the next one.
    fn in_flight(&self) -> usize {
        let limits = self.channel.bulkhead.limits();
        let (_, most) = limits.threads.bounds();
        limits.queue.max(most)
    }

    /// Notices of one source entity keep their order. An outbound that panics leads to one that fails.
    fn plan(&self, _: usize, event: &Recorded<O::Source>) -> Vec<Lane> {
        match self.notice(event) {
            Ok(None) => Vec::new(),
            Ok(Some(_)) | Err(_) => vec![Lane::Source(event.id.address())],
        }
    }

    async fn attempt(&self, event: &Recorded<O::Source>, _: u16, _: &Lane) -> Tried {
        let notification = match self.notification(event) {
            Ok(notification) => notification,
            Err(reason) => return Tried::Failed { reason, pause: None },
        };
        let connector = self.channel.connector.clone();
        match self.channel.bulkhead.run(move || connector.deliver(&notification)).await {
            Ok(delivered) => classify(delivered),
            Err(error) => classify_bulkhead(&error),
        }
    }

    fn letter(&self, event: &Recorded<O::Source>, index: u16, why: Undelivered, attempts: u32) -> DeadLetter {
        let notification = self.notification(event).ok();
        DeadLetter {
            id: DeadLetterId { offset: event.position.offset, index },
            kind: format!("connector/{}.{}", self.system, O::CHANNEL),
            address: notification.as_ref().map_or_else(String::new, |notification| notification.receiver.clone()),
            number: Number::NONE,
            command: "notify".to_owned(),
            body: notification.and_then(|notification| serde_json::to_value(notification).ok()).unwrap_or_default(),
            reason: why.reason,
            not_found: why.not_found,
            rejection: why.rejection,
            attempts,
            correlation: event.correlation.to_string(),
        }
    }

    async fn retry(&self, event: &Recorded<O::Source>, index: u16) -> Result<(), LetterError> {
        match self.attempt(event, index, &Lane::Source(event.id.address())).await {
            Tried::Done => Ok(()),
            Tried::Refused(why) => Err(LetterError::StillRefused(why.reason)),
            Tried::Later { reason, .. } | Tried::Failed { reason, .. } => Err(LetterError::Unavailable(reason)),
        }
    }
}

impl<O: Outbound> Carrying<O> {
    fn notice(&self, event: &Recorded<O::Source>) -> Result<Option<Notice>, Arc<str>> {
        catch_unwind(AssertUnwindSafe(|| self.outbound.notify(event))).map_err(|panic| panic_text(panic.as_ref()))
    }

    /// The notice of an event that was planned as one.
    fn notification(&self, event: &Recorded<O::Source>) -> Result<Notification, String> {
        let notice = self.notice(event).map_err(|panic| panic.to_string())?;
        let Some(Notice { receiver, text, fields }) = notice else {
            return Err("there is no notice any more: the outbound is not pure, or was changed".to_owned());
        };
        Ok(Notification {
            id: Notification::id_of(O::NAME, &event.position),
            system: self.system.to_owned(),
            channel: O::CHANNEL.to_owned(),
            receiver,
            text,
            fields,
            event: event.event.name().to_owned(),
            kind: O::Source::KIND.to_owned(),
            number: event.number,
            at: event.at,
            correlation_id: event.correlation.to_string(),
        })
    }
}

/// | the connector says | it counts | next |
/// |---|---|---|
/// | delivered | | done |
/// | refused | | dead letter at once |
/// | failed | yes | another try, when the receiver says or after the usual pause |
fn classify(delivered: Result<(), DeliveryError>) -> Tried {
    match delivered {
        Ok(()) => Tried::Done,
        Err(DeliveryError::Refused { reason }) => Tried::Refused(Undelivered::because(reason)),
        Err(DeliveryError::Failed { reason, retry_after }) => {
            Tried::Failed { reason, pause: retry_after.map(|pause| pause.min(RETRY_AFTER_LIMIT)) }
        }
    }
}

/// | the bulkhead says | it counts |
/// |---|---|
/// | full, exhausted, stopped, no place in time: not begun | no |
/// | stuck, died: begun | yes |
fn classify_bulkhead(error: &BulkheadError) -> Tried {
    let reason = error.to_string();
    match error {
        BulkheadError::Overloaded { retry_after, .. } => Tried::Later { reason, pause: Some(*retry_after) },
        BulkheadError::Exhausted { .. } | BulkheadError::Stopped { .. } | BulkheadError::Expired(_) => {
            Tried::Later { reason, pause: None }
        }
        BulkheadError::Stuck(_) | BulkheadError::Died(_) => Tried::Failed { reason, pause: None },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_connector_and_a_bulkhead_say_is_judged_as_the_tables_have_it() {
        assert_eq!(classify(Ok(())), Tried::Done);
        assert_eq!(classify(Err(DeliveryError::refused("no"))), Tried::Refused(Undelivered::because("no")));
        let failed = |retry_after| classify(Err(DeliveryError::Failed { reason: "why".to_owned(), retry_after }));
        for (asked, pause) in [
            (None, None),
            (Some(Duration::from_secs(7)), Some(Duration::from_secs(7))),
            (Some(RETRY_AFTER_LIMIT), Some(RETRY_AFTER_LIMIT)),
            (Some(Duration::MAX), Some(RETRY_AFTER_LIMIT)),
        ] {
            assert_eq!(failed(asked), Tried::Failed { reason: "why".to_owned(), pause }, "{asked:?}");
        }
        let bulkhead: Arc<str> = "b".into();
        for (error, counts) in [
            (BulkheadError::Overloaded { bulkhead: bulkhead.clone(), retry_after: Duration::from_millis(20) }, false),
            (BulkheadError::Expired(Duration::from_secs(1)), false),
            (BulkheadError::Exhausted { bulkhead: bulkhead.clone() }, false),
            (BulkheadError::Stopped { bulkhead }, false),
            (BulkheadError::Stuck(Duration::from_secs(1)), true),
            (BulkheadError::Died("why".into()), true),
        ] {
            assert_eq!(matches!(classify_bulkhead(&error), Tried::Failed { .. }), counts, "{error}");
        }
    }
}
