//! Kinds of entities with their types forgotten: how one kind reaches another, and how operators reach any.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock, Weak, atomic::Ordering},
    time::Duration,
};

use futures::{
    future::BoxFuture,
    stream::{self, StreamExt},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    cell::Phase,
    codec,
    feed::FeedItem,
    host::Host,
    inspect::{InspectError, PastState},
    known::{CommandOutcome, OUTCOME_RETRY, OutcomeError},
    link::Links,
    mailbox::{Body, Meta},
    meters::KindMeter,
    probe::NoAnswer,
    quarantine::QuarantinedEntity,
    service::ServiceRuntime,
    unit::UnitRuntime,
};
use crate::{
    actors::entity::{
        Address, AskError, AskedAnswer, CommandId, DomainEvent, Entity, EntityId, Key, Number, Position, Recorded,
        Timestamp, Unavailable,
    },
    persistence::{Record, StoredSnapshot, StreamHead},
};

/// Streams with open asks that are brought into memory at the same time: few beside a service's budget, so
/// that a start with many of them does not keep everybody else out.
const WAKE_AT_ONCE: usize = 64;

/// Pause before one that could not be brought into memory is tried again.
const WAKE_AGAIN: Duration = Duration::from_millis(200);

/// What the rest of the runtime needs of a kind without knowing its type.
pub(crate) trait KindHost: Send + Sync + 'static {
    fn kind(&self) -> &'static str;
    fn service(&self) -> &Arc<ServiceRuntime>;
    /// The kinds that its entities ask.
    fn asks(&self) -> &'static [&'static str];
    /// Asks a `Box<dyn AnyCommand<E>>`, boxed as `Any`.
    fn ask_any(
        self: Arc<Self>,
        to: Address,
        command: Box<dyn Any + Send>,
        meta: Meta,
        deadline: Instant,
    ) -> BoxFuture<'static, AskedAnswer>;
    /// The events of a record as the feed shows them.
    fn decode(&self, unit: &Arc<str>, record: &Record) -> Vec<FeedItem>;
    /// An event as the bus shows it; `None` for one that is not public.
    fn on_bus(&self, event: &(dyn Any + Send + Sync)) -> Option<(&'static str, Recording)>;
    /// The state of a stream as of its durable head, to stand for its history. May block on the disk.
    fn base_record(&self, key: &str) -> Result<StoredSnapshot, String>;
    /// Learns of a stream from the journal, at start.
    fn learn(&self, key: Key, head: &StreamHead);
    /// Brings streams with open asks into memory.
    fn wake(self: Arc<Self>, keys: Vec<Key>);
    /// Answers everything that waits in the mailboxes.
    fn refuse_queues(&self, why: &Unavailable);
    /// Drops every cell; asks that are still open are answered as unknown.
    fn drop_cells(&self);
    /// Lets some idle entities leave memory; whether more may be due. `now` is the service's second.
    fn sweep_some(&self, now: u32) -> bool;
    /// Entities in memory.
    fn live(&self) -> usize;
    /// Entities in quarantine.
    fn in_quarantine_now(&self) -> usize;
    /// What is counted of it.
    fn meter(&self) -> &KindMeter;
    /// What became of a command.
    fn outcome(
        self: Arc<Self>,
        key: Key,
        command: CommandId,
    ) -> BoxFuture<'static, Result<CommandOutcome, OutcomeError>>;
    /// The key that an address stands for; `None` for a number that nothing has.
    fn key_of(&self, to: &Address) -> Option<Key>;
    /// An entity that is in memory need not remember this command any more.
    fn forget(&self, to: &Address, command: CommandId);
    /// The durable head of an entity; `None` when there is none.
    fn head(&self, key: &Key) -> Option<StreamHead>;
    /// Where it stands, as operators are told.
    fn phase(&self, key: &Key) -> String;
    /// Its state after the event with this sequence. May block on the disk.
    fn state_at(&self, key: &Key, sequence: u64) -> Result<PastState, InspectError>;
    /// Has it leave memory; why not.
    fn passivate(&self, key: &Key) -> Result<(), String>;
    /// An entity as operators see it; `None` when there is none.
    fn inspect(self: Arc<Self>, to: Address) -> BoxFuture<'static, Result<Option<Value>, String>>;
    /// Makes an entity fail as a panic would.
    fn kill(self: Arc<Self>, to: Address) -> BoxFuture<'static, Result<bool, String>>;
    /// Asks a cell without events for an answer, the way that commands go.
    fn probe(self: Arc<Self>, number: u64, within: Duration) -> BoxFuture<'static, Result<(), NoAnswer>>;
    /// Takes an entity out of quarantine, for what an operator did; false when it is not in it.
    fn release(self: Arc<Self>, to: Address, what: &str) -> bool;
    /// The entities in quarantine.
    fn quarantined(&self) -> Vec<QuarantinedEntity>;
    /// What is told of an entity in quarantine; `None` when it is not.
    fn quarantined_at(&self, at: &Address) -> Option<QuarantinedEntity>;
    /// The storage unit of its streams.
    fn unit(&self) -> &Arc<UnitRuntime>;
}

/// What the bus envelope says around an event.
pub(crate) struct Recording {
    pub(crate) number: Number,
    pub(crate) sequence: u64,
    pub(crate) at: Timestamp,
    pub(crate) correlation: Arc<str>,
    pub(crate) fields: serde_json::Map<String, Value>,
}

/// All kinds by name, and the links between them. Filled once, at start; holds no kind alive.
#[derive(Clone, Default)]
pub(crate) struct Kinds(Arc<Known>);

#[derive(Default)]
struct Known {
    by_kind: OnceLock<BTreeMap<&'static str, Weak<dyn KindHost>>>,
    links: OnceLock<Links>,
}

impl Kinds {
    pub(crate) fn fill(&self, hosts: &[Arc<dyn KindHost>], links: Links) {
        let by_kind = hosts.iter().map(|host| (host.kind(), Arc::downgrade(host))).collect();
        let is_first = self.0.by_kind.set(by_kind).is_ok() && self.0.links.set(links).is_ok();
        assert!(is_first, "kinds are filled once");
    }

    pub(crate) fn find(&self, kind: &str) -> Option<Arc<dyn KindHost>> {
        self.0.by_kind.get()?.get(kind)?.upgrade()
    }

    pub(crate) fn links(&self) -> &Links {
        self.0.links.get_or_init(Links::default)
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.by_kind.get().into_iter().flat_map(BTreeMap::keys)).finish()
    }
}

impl<E: Entity> KindHost for Host<E> {
    fn kind(&self) -> &'static str {
        E::KIND
    }

    fn service(&self) -> &Arc<ServiceRuntime> {
        &self.service
    }

    fn asks(&self) -> &'static [&'static str] {
        E::ASKS
    }

    fn ask_any(
        self: Arc<Self>,
        to: Address,
        command: Box<dyn Any + Send>,
        meta: Meta,
        deadline: Instant,
    ) -> BoxFuture<'static, AskedAnswer> {
        Box::pin(async move {
            let erase = |error: AskError<E::Rejection>| error.map(|no| Box::new(no) as Box<dyn Any + Send>);
            let key = self.resolve(&to).map_err(erase)?;
            let body = Body::Command(Self::unbox(command));
            let reply = self.ask(&key, body, meta, deadline, None).await.map_err(erase)?;
            Ok(reply.value)
        })
    }

    fn decode(&self, unit: &Arc<str>, record: &Record) -> Vec<FeedItem> {
        let append = &record.append;
        let key = Key::new(append.stream.key.as_ref()).ok();
        let partition = append.lease.partition.0;
        let decode = |index: usize, event: &crate::persistence::NewEvent| -> Option<Arc<dyn Any + Send + Sync>> {
            let offset = record.offset + index as u64;
            let event = codec::decode(&event.name, event.version, &event.payload)
                .map_err(|error| {
                    tracing::error!(kind = E::KIND, %unit, partition, offset, %error, "event cannot be decoded");
                })
                .ok()?;
            Some(Arc::new(Recorded::<E> {
                id: E::Id::from_key(key.as_ref()?)?,
                number: Number::new(append.number),
                sequence: record.first_sequence() + index as u64,
                position: Position { unit: unit.clone(), partition, offset },
                at: Timestamp::from_millis(append.at_millis),
                correlation: append.correlation.clone(),
                event,
            }))
        };
        let item = |(index, event): (usize, &crate::persistence::NewEvent)| {
            let (kind, offset) = (append.stream.kind.clone(), record.offset + index as u64);
            FeedItem { kind, offset, public: event.public, event: decode(index, event) }
        };
        append.events.iter().enumerate().map(item).collect()
    }

    fn on_bus(&self, event: &(dyn Any + Send + Sync)) -> Option<(&'static str, Recording)> {
        let recorded = event.downcast_ref::<Recorded<E>>()?;
        recorded.event.is_public().then(|| {
            let (number, sequence, at) = (recorded.number, recorded.sequence, recorded.at);
            let fields = recorded.event.on_bus(number);
            let recording = Recording { number, sequence, at, correlation: recorded.correlation.clone(), fields };
            (recorded.event.name(), recording)
        })
    }

    fn base_record(&self, key: &str) -> Result<StoredSnapshot, String> {
        Host::base_record(self, &Key::new(key).map_err(|error| error.to_string())?)
    }

    fn learn(&self, key: Key, head: &StreamHead) {
        if head.number != 0 {
            self.service.numbers.taken(head.number);
            self.directory.enter(head.number, key);
        }
    }

    fn wake(self: Arc<Self>, keys: Vec<Key>) {
        let (service, stop) = (self.service.clone(), self.service.stop_token());
        // What is not resumed yet is under way all the same.
        let keys: Vec<_> = keys.into_iter().map(|key| (key, service.count_ask())).collect();
        service.spawn(async move {
            let wake = |(key, ask)| {
                let host = &self;
                async move {
                    host.wake_one(key).await;
                    drop(ask);
                }
            };
            let all = stream::iter(keys).for_each_concurrent(WAKE_AT_ONCE, wake);
            tokio::select! {
                () = all => {}
                () = stop.cancelled() => {}
            }
        });
    }

    fn refuse_queues(&self, why: &Unavailable) {
        for cell in self.cells() {
            Self::refuse_queue(&cell, why);
        }
    }

    fn drop_cells(&self) {
        let why = super::entities::stopped(&self.service.full_name);
        self.clear(|cell| {
            let mut inner = cell.lock();
            self.set_phase(&mut inner, Phase::Gone);
            inner.active = None;
            for envelope in inner.queue.take() {
                envelope.port.send(Err(AskError::Unavailable(why.clone())));
            }
            inner.follow_ups.clear();
            for ask in inner.asks.drain(..) {
                self.service.ask_closed();
                if let Some(port) = ask.port {
                    let reason = "the service was stopped while another entity was asked".to_owned();
                    port.send(Err(AskError::Unsettled { reason }));
                }
            }
        });
    }

    fn sweep_some(&self, now: u32) -> bool {
        Host::sweep_some(self, now)
    }

    fn live(&self) -> usize {
        self.in_memory()
    }

    fn in_quarantine_now(&self) -> usize {
        self.quarantined.load(Ordering::Relaxed)
    }

    fn meter(&self) -> &KindMeter {
        &self.meter
    }

    fn outcome(
        self: Arc<Self>,
        key: Key,
        command: CommandId,
    ) -> BoxFuture<'static, Result<CommandOutcome, OutcomeError>> {
        Box::pin(async move {
            self.outcome_of(&key, command).await.map_err(|error| OutcomeError::Unavailable {
                retry_after: error.retry_after().unwrap_or(OUTCOME_RETRY),
                reason: error.to_string(),
            })
        })
    }

    fn key_of(&self, to: &Address) -> Option<Key> {
        self.resolve(to).ok()
    }

    fn forget(&self, to: &Address, command: CommandId) {
        let cell = self.resolve(to).ok().and_then(|key| self.cell(&key));
        if let Some(cell) = cell {
            cell.lock().forget(command);
        }
    }

    fn head(&self, key: &Key) -> Option<StreamHead> {
        self.unit.journal.head(&self.stream(key))
    }

    fn phase(&self, key: &Key) -> String {
        self.phase_of(key)
    }

    fn state_at(&self, key: &Key, sequence: u64) -> Result<PastState, InspectError> {
        Host::state_at(self, key, sequence)
    }

    fn passivate(&self, key: &Key) -> Result<(), String> {
        self.leave(key)
    }

    fn inspect(self: Arc<Self>, to: Address) -> BoxFuture<'static, Result<Option<Value>, String>> {
        Box::pin(async move { self.seen(&to).await })
    }

    fn kill(self: Arc<Self>, to: Address) -> BoxFuture<'static, Result<bool, String>> {
        Box::pin(async move { self.make_fail(&to).await })
    }

    fn probe(self: Arc<Self>, number: u64, within: Duration) -> BoxFuture<'static, Result<(), NoAnswer>> {
        Box::pin(self.answers(number, within))
    }

    fn release(self: Arc<Self>, to: Address, what: &str) -> bool {
        self.resolve(&to).ok().and_then(|key| self.cell(&key)).is_some_and(|cell| Host::release(&self, cell, what))
    }

    fn quarantined(&self) -> Vec<QuarantinedEntity> {
        self.in_quarantine()
    }

    fn quarantined_at(&self, at: &Address) -> Option<QuarantinedEntity> {
        let key = self.resolve(at).ok()?;
        self.quarantined_as(self.cell(&key)?.as_ref())
    }

    fn unit(&self) -> &Arc<UnitRuntime> {
        &self.unit
    }
}

impl<E: Entity> Host<E> {
    /// Reading an entity recovers it, and recovering it resumes its steps. One that is busy is tried again
    /// until it is there: nothing else would ever finish what it began.
    async fn wake_one(self: &Arc<Self>, key: Key) {
        loop {
            let meta = Meta::fresh("");
            let deadline = Instant::now() + self.config.deadline;
            match self.ask(&key, Body::Read, meta, deadline, None).await {
                Ok(_) => return,
                Err(error @ AskError::Unavailable(Unavailable::Quarantined { .. })) => {
                    tracing::warn!(kind = E::KIND, %key, %error, "a stream with open steps is not resumed");
                    return; // whoever takes it out of quarantine resumes it
                }
                Err(error) => tracing::debug!(kind = E::KIND, %key, %error, "not resumed yet"),
            }
            tokio::time::sleep(WAKE_AGAIN).await;
        }
    }
}
