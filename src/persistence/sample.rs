//! Appends for tests.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Append, Begun, Causation, DispatchMark, Lease, NewEvent, Origin, PartitionId, Settled, StreamId};

pub(super) fn stream(key: &str) -> StreamId {
    StreamId { kind: "order".into(), key: key.into() }
}

/// An append of one event under `lease`.
pub(super) fn append(stream: &StreamId, lease: Lease, expected: u64, command: u128) -> Append {
    Append {
        stream: stream.clone(),
        lease,
        incarnation: 1,
        expected,
        at_millis: 1_700_000_000_000,
        number: 7,
        command,
        origin: Origin::Fresh,
        reply: Some(Bytes::from_static(b"{}")),
        begun: None,
        settled: None,
        open_asks: false,
        correlation: "request-1".into(),
        causation: Causation::Request,
        events: vec![event(format!("{{\"of\":{command}}}"))],
    }
}

pub(super) fn event(payload: impl Into<Bytes>) -> NewEvent {
    NewEvent { name: "placed".into(), version: 1, public: true, payload: payload.into() }
}

fn text() -> impl Strategy<Value = Arc<str>> {
    "\\PC{0,12}".prop_map(Arc::from)
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![
        Just(Origin::Fresh),
        any::<u128>().prop_map(|fingerprint| Origin::Repeatable { fingerprint }),
        (text(), text(), any::<u16>(), any::<u64>(), any::<u16>()).prop_map(
            |(policy, unit, partition, offset, index)| {
                Origin::Dispatch(DispatchMark { policy, unit, partition: PartitionId(partition), offset, index })
            }
        ),
    ]
}

fn causation() -> impl Strategy<Value = Causation> {
    prop_oneof![
        Just(Causation::Request),
        any::<u128>().prop_map(Causation::Command),
        (text(), any::<u16>(), any::<u64>()).prop_map(|(unit, partition, offset)| Causation::Event {
            unit,
            partition: PartitionId(partition),
            offset
        }),
    ]
}

fn events() -> impl Strategy<Value = Vec<NewEvent>> {
    let event = (text(), any::<u16>(), any::<bool>(), payload())
        .prop_map(|(name, version, public, payload)| NewEvent { name, version, public, payload });
    prop::collection::vec(event, 1..5)
}

/// Every field with every shape that it can have.
pub(super) fn any_append() -> impl Strategy<Value = Append> {
    let begun = (any::<u128>(), origin(), text(), any::<u32>(), any::<bool>())
        .prop_map(|(origin, how, step, round, patient)| Begun { origin, how, step, round, patient });
    let settled = (any::<u128>(), origin(), prop::option::of(payload()), prop::option::of(payload()))
        .prop_map(|(origin, how, reply, why)| Settled { origin, how, reply, why });
    let numbers = (any::<u16>(), any::<u64>(), any::<u64>(), 0..u64::MAX / 2, any::<u64>(), any::<u64>());
    let identity = (text(), text(), any::<u128>(), origin(), text(), causation());
    let effects =
        (prop::option::of(payload()), prop::option::of(begun), prop::option::of(settled), any::<bool>(), events());
    (numbers, identity, effects).prop_map(|(numbers, identity, effects)| {
        let (partition, epoch, incarnation, expected, at_millis, number) = numbers;
        let (kind, key, command, origin, correlation, causation) = identity;
        let (reply, begun, settled, open_asks, events) = effects;
        Append {
            stream: StreamId { kind, key },
            lease: Lease { partition: PartitionId(partition), epoch },
            incarnation,
            expected,
            at_millis,
            number,
            command,
            origin,
            reply,
            begun,
            settled,
            open_asks,
            correlation,
            causation,
            events,
        }
    })
}
