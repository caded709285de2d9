//! The known outcome: what became of a command, read from what its own entity keeps of it.
//!
//! ```text
//! outcome --> the entity's turn: one of its steps is open --> Pending
//!               |                its first answer is kept  --> Done
//!               +--(everything decided before is durable)--> the stream's records of the last 24 hours
//! ```

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    cell::{Active, Cell},
    dedup::KEPT_FOR,
    entities::Entities,
    host::Host,
    mailbox::{Body, MAILBOX_RETRY, Meta},
    off_thread::off_thread,
    system::System,
    unit::UnitRuntime,
};
use crate::{
    actors::entity::{
        AskError, CommandAddress, CommandId, Entity, EntityId, Key, Number, ReplyValue, Timestamp, Unavailable,
    },
    persistence::{Append, ReadError, Record, StreamId},
};

/// When an outcome that cannot be read now is worth another try.
pub(super) const OUTCOME_RETRY: Duration = Duration::from_secs(1);

/// How many of a stream's last records are looked through, in steps: most commands are among the first few, and an
/// entity that writes more than this in 24 hours forgets commands without an `Idempotency-Key` so much earlier.
const REACH: [u64; 3] = [64, 1_024, 8_192];

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CommandOutcome {
    /// It was done.
    Done {
        /// Its first answer, as JSON.
        reply: Value,
        /// The entity's public number, [`Number::NONE`] for kinds without.
        number: Number,
        /// Sequence of the entity's last event: when it was answered; for a command that may be repeated, now.
        sequence: u64,
    },
    /// It began a step, and what came of it is the entity's own "no". Nothing of it remains.
    Refused {
        /// The rejection, as JSON.
        rejection: Value,
        /// The same for people.
        message: String,
    },
    /// It began a step that was taken back. Nothing of it remains, and the same command may be sent again. Without a
    /// reason, an earlier release did not write down whether it was this or a refusal.
    NotDone(Option<Unavailable>),
    /// It is not finished.
    Pending,
    /// It began a step that is over, and how it ended was not written. The entity itself has to be looked at.
    Ended,
    /// Its entity has no record of it. It wrote nothing (it was refused at once, or not begun) and may be sent again;
    /// or it is older than 24 hours.
    Unknown,
}

/// Why it cannot be told now what became of a command.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OutcomeError {
    /// No running system has entities of this kind: the address was never given out here.
    #[error("there is no kind {0}")]
    UnknownKind(String),
    /// The entity cannot be asked, or the storage does not know yet. Ask again.
    #[error("what became of it cannot be told now: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When to ask again.
        retry_after: Duration,
    },
}

/// What an entity's turn says of a command.
#[derive(Debug)]
pub(crate) enum Told {
    /// One of its steps is open.
    Pending,
    /// It is kept for repeats.
    Kept(Bytes),
    /// Neither; the records up to here may say more.
    Nothing,
}

impl System {
    /// What became of a command, also after a restart: at least for 24 hours. See [`CommandOutcome`] for what can be
    /// known of one that wrote nothing.
    ///
    /// # Errors
    /// [`OutcomeError`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn outcome(&self, of: &CommandAddress) -> Result<CommandOutcome, OutcomeError> {
        let host = self.inner.hosts.iter().find(|host| host.kind() == of.kind);
        let host = host.ok_or_else(|| OutcomeError::UnknownKind(of.kind.clone().into_owned()))?;
        host.clone().outcome(of.key.clone(), of.command).await
    }
}

impl<E: Entity> Entities<E> {
    /// What became of the command `command` to the entity `id`; as [`System::outcome`].
    ///
    /// # Errors
    /// `NotFound`, and everything that means "ask again": `Unavailable`, `Overloaded`, `Expired`.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn outcome(&self, id: &E::Id, command: CommandId) -> Result<CommandOutcome, AskError<E::Rejection>> {
        self.0.outcome_of(&self.0.resolve(&id.address())?, command).await
    }

    /// Where what became of the command `command` to the entity `id` can be read; `None` for a number that nothing has.
    pub fn address_of(&self, id: &E::Id, command: CommandId) -> Option<CommandAddress> {
        let key = self.0.resolve(&id.address()).ok()?;
        Some(CommandAddress { kind: E::KIND.into(), key, command })
    }
}

impl<E: Entity> Host<E> {
    pub(super) async fn outcome_of(
        self: &Arc<Self>,
        key: &Key,
        command: CommandId,
    ) -> Result<CommandOutcome, AskError<E::Rejection>> {
        self.service.admits(Instant::now() + self.config.deadline).await?;
        let epoch = self.unit.epoch();
        let outcome = self.outcome_now(key, command).await?;
        if !matches!(outcome, CommandOutcome::Unknown | CommandOutcome::Ended) {
            return Ok(outcome);
        }
        // While the journal does not know whether its last appends are there, neither does anybody else.
        let poisoned = self.unit.poisoned().map(|reason| reason.to_string());
        let reopened = (self.unit.epoch() != epoch).then(|| "the journal was opened again meanwhile".to_owned());
        match poisoned.or(reopened) {
            None => Ok(outcome),
            Some(reason) => Err(AskError::Unavailable(Unavailable::Storage { reason, retry_after: OUTCOME_RETRY })),
        }
    }

    async fn outcome_now(
        self: &Arc<Self>,
        key: &Key,
        command: CommandId,
    ) -> Result<CommandOutcome, AskError<E::Rejection>> {
        // An entity whose first event is on its way is in memory.
        if self.cell(key).is_none() && self.unit.journal.head(&self.stream(key)).is_none() {
            return Ok(CommandOutcome::Unknown);
        }
        let deadline = Instant::now() + self.config.deadline;
        let answer = self.ask(key, Body::Outcome(command), Meta::fresh(""), deadline, None).await?;
        let (number, sequence) = (answer.number, answer.sequence);
        let told = match answer.value {
            ReplyValue::Fresh(told) => told.downcast::<Told>().map_or(Told::Nothing, |told| *told),
            ReplyValue::Recorded(_) => Told::Nothing, // a question is never kept
        };
        match told {
            Told::Pending => Ok(CommandOutcome::Pending),
            Told::Kept(reply) => Ok(CommandOutcome::Done { reply: json(&reply)?, number, sequence }),
            Told::Nothing => Self::of_record(self.recorded(key, command).await?),
        }
    }

    /// Called in a turn, so that no decision is half way.
    pub(super) fn told(&self, cell: &Cell<E>, active: &mut Active<E>, command: CommandId) -> Told {
        let bits = command.to_bits();
        // A step that was begun without an event is open in memory alone.
        let is_asking = || cell.lock().asks.iter().any(|ask| ask.opened.origin == bits);
        if active.book.is_pending(bits) || is_asking() {
            return Told::Pending;
        }
        active.book.dedup.kept(bits, self.clock().now()).map_or(Told::Nothing, Told::Kept)
    }

    /// What the stream's last records say of a command, read off the async threads, as few at a time as recoveries.
    async fn recorded(self: &Arc<Self>, key: &Key, command: CommandId) -> Result<Found, AskError<E::Rejection>> {
        let permit = self.service.recoveries.enter_patiently(false).await;
        let _permit = permit.map_err(|_| AskError::Overloaded { retry_after: MAILBOX_RETRY })?;
        let (unit, stream, now) = (self.unit.clone(), self.stream(key), self.clock().now());
        let read = off_thread(move || last_records(&unit, &stream, command, now)).await;
        let reason = match read {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(AskError::Unavailable(Unavailable::NotRecovered { reason }))
    }

    fn of_record(found: Found) -> Result<CommandOutcome, AskError<E::Rejection>> {
        Ok(match found {
            Found::Nothing => CommandOutcome::Unknown,
            Found::Begun => CommandOutcome::Ended,
            Found::Done { reply, number, sequence } => {
                CommandOutcome::Done { reply: json(&reply)?, number: Number::new(number), sequence }
            }
            Found::NotDone(None) => CommandOutcome::NotDone(None),
            Found::NotDone(Some(why)) => match serde_json::from_slice::<AskError<E::Rejection>>(&why) {
                Ok(AskError::Rejected(rejection)) => {
                    let message = rejection.to_string();
                    CommandOutcome::Refused { rejection: serde_json::to_value(&rejection).unwrap_or_default(), message }
                }
                Ok(AskError::Unavailable(why)) => CommandOutcome::NotDone(Some(why)),
                Ok(_) | Err(_) => CommandOutcome::NotDone(None),
            },
        })
    }
}

fn json<X>(reply: &Bytes) -> Result<Value, AskError<X>> {
    serde_json::from_slice(reply).map_err(|error| AskError::Unreadable { reason: error.to_string() })
}

/// What records say of a command.
#[derive(Debug, PartialEq)]
enum Found {
    Nothing,
    Begun,
    Done { reply: Bytes, number: u64, sequence: u64 },
    NotDone(Option<Bytes>),
}

fn at(append: &Append) -> Timestamp {
    Timestamp::from_millis(append.at_millis)
}

/// Looks further and further back, until the command is found or the records are too old.
fn last_records(unit: &UnitRuntime, stream: &StreamId, command: CommandId, now: Timestamp) -> Result<Found, ReadError> {
    let head = unit.journal.head(stream).map_or(0, |head| head.sequence);
    for reach in REACH {
        let wanted = head.saturating_sub(reach);
        let limit = usize::try_from(reach).unwrap_or(usize::MAX);
        let (after, records) = match unit.journal.read_stream(stream, wanted, limit) {
            Ok(records) => (wanted, records),
            // What was deleted on purpose says nothing any more. The entity itself still knows commands with a key.
            Err(ReadError::Deleted { first }) => {
                (0, unit.journal.read_stream(stream, first.saturating_sub(1).max(wanted), limit)?)
            }
            Err(error @ (ReadError::Damaged { .. } | ReadError::Io { .. })) => return Err(error),
        };
        let found = look(&records, command, now);
        let is_young = |record: &Record| now.since(at(&record.append)) < KEPT_FOR;
        if found != Found::Nothing || after == 0 || !records.first().is_some_and(is_young) {
            return Ok(found);
        }
    }
    Ok(Found::Nothing)
}

/// The last that these records, oldest first, say of a command; what is older than [`KEPT_FOR`] says nothing any more.
fn look(records: &[Record], command: CommandId, now: Timestamp) -> Found {
    let command = command.to_bits();
    let mut found = Found::Nothing;
    for Record { append, .. } in records {
        let sequence = append.expected + append.events.len() as u64;
        let done = |reply: &Bytes| Found::Done { reply: reply.clone(), number: append.number, sequence };
        if let Some(settled) = append.settled.as_ref().filter(|settled| settled.origin == command) {
            found = settled.reply.as_ref().map_or_else(|| Found::NotDone(settled.why.clone()), done);
        } else if append.begun.as_ref().is_some_and(|begun| begun.origin == command) {
            found = Found::Begun;
            continue; // open for as long as it takes
        } else if append.command == command
            && let Some(reply) = &append.reply
        {
            found = done(reply);
        } else {
            continue;
        }
        if now.since(at(append)) >= KEPT_FOR {
            found = Found::Nothing;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::{Begun, Causation, Lease, NewEvent, Origin, PartitionId, Settled};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn record(sequence: u64, command: u128, at: u64) -> Record {
        let event = NewEvent { name: "e".into(), version: 1, public: true, payload: Bytes::new() };
        let append = Append {
            stream: StreamId { kind: "t.tally".into(), key: "a".into() },
            lease: Lease { partition: PartitionId(0), epoch: 1 },
            incarnation: 1,
            expected: sequence - 1,
            at_millis: at,
            number: 3,
            command,
            origin: Origin::Fresh,
            reply: None,
            begun: None,
            settled: None,
            open_asks: false,
            correlation: "c".into(),
            causation: Causation::Request,
            events: vec![event],
        };
        Record { append, offset: sequence }
    }

    fn begun(mut record: Record, origin: u128) -> Record {
        let step = "s".into();
        record.append.begun = Some(Begun { origin, how: Origin::Fresh, step, round: 1, patient: false });
        record
    }

    fn settled(mut record: Record, reply: Option<&'static str>, why: Option<&'static str>) -> Record {
        let (reply, why) = (reply.map(Bytes::from), why.map(Bytes::from));
        record.append.settled = Some(Settled { origin: 7, how: Origin::Fresh, reply, why });
        record
    }

    fn found(records: &[Record], now: Timestamp) -> Found {
        look(records, CommandId::from_bits(7), now)
    }

    #[test]
    fn the_last_that_is_said_of_a_command_counts() {
        let mut done = record(1, 7, 0);
        done.append.reply = Some(Bytes::from_static(b"1"));
        let reply = |reply, sequence| Found::Done { reply: Bytes::from_static(reply), number: 3, sequence };
        assert_eq!(found(&[done.clone(), record(2, 8, 0)], NOW), reply(b"1", 1));
        let steps = [begun(record(1, 7, 0), 7), record(2, 8, 0), begun(record(3, 9, 0), 7)];
        assert_eq!(found(&steps, NOW), Found::Begun);
        let ended = |reply, why| [begun(record(1, 7, 0), 7), settled(record(2, 9, 0), reply, why)];
        assert_eq!(found(&ended(Some("5"), None), NOW), reply(b"5", 2));
        assert_eq!(found(&ended(None, Some("w")), NOW), Found::NotDone(Some(Bytes::from_static(b"w"))));
        assert_eq!(found(&ended(None, None), NOW), Found::NotDone(None), "of the first release");
        let mut again = ended(None, None).to_vec();
        again.push(done);
        assert_eq!(found(&again, NOW), reply(b"1", 1), "it was sent again");
        assert_eq!(found(&[record(1, 8, 0)], NOW), Found::Nothing);
    }

    #[test]
    fn what_ended_is_known_for_24_hours_and_what_is_open_as_long_as_it_is() {
        let day = 24 * 60 * 60 * 1000;
        let records = [begun(record(1, 7, 0), 7), settled(record(2, 9, 1), Some("5"), None)];
        assert_ne!(found(&records, Timestamp::from_millis(day)), Found::Nothing);
        assert_eq!(found(&records, Timestamp::from_millis(day + 1)), Found::Nothing);
        assert_eq!(found(&records[..1], Timestamp::from_millis(9 * day)), Found::Begun);
    }
}
