//! An append to bytes.

use super::{
    BEGUN, FIXED, Location, OPEN_ASKS, PATIENT, RECORD_HEADER, REPLY, SETTLED, SETTLED_REPLY, SETTLED_WHY, VERSION,
    checksum,
};
use crate::persistence::{Append, Causation, Origin, codec::Encoder};

/// How many bytes [`encode`] writes. `append` has passed `rules::check_size`.
pub(in crate::persistence) fn encoded_len(append: &Append) -> usize {
    let reply = append.reply.as_ref().map_or(0, |reply| 4 + reply.len());
    let begun = append.begun.as_ref().map_or(0, |begun| 16 + origin_len(&begun.how) + 2 + begun.step.len() + 4);
    let settled = append.settled.as_ref().map_or(0, |settled| {
        let texts = [&settled.reply, &settled.why].into_iter().flatten().map(|text| 4 + text.len());
        16 + origin_len(&settled.how) + texts.sum::<usize>()
    });
    let causation = 1 + match &append.causation {
        Causation::Request => 0,
        Causation::Command(_) => 16,
        Causation::Event { unit, .. } => 2 + unit.len() + 2 + 8,
    };
    let events: usize = append.events.iter().map(|event| 2 + event.name.len() + 2 + 1 + 4 + event.payload.len()).sum();
    let texts = 2 + append.stream.kind.len() + 2 + append.stream.key.len() + 2 + append.correlation.len();
    let numbers = 8 + 8 + 8 + 8 + 16; // epoch, incarnation, time, number, command
    RECORD_HEADER
        + FIXED
        + numbers
        + texts
        + origin_len(&append.origin)
        + reply
        + begun
        + settled
        + causation
        + 2
        + events
}

fn origin_len(origin: &Origin) -> usize {
    1 + match origin {
        Origin::Fresh => 0,
        Origin::Repeatable { .. } => 16,
        Origin::Dispatch(mark) => 2 + mark.policy.len() + 2 + mark.unit.len() + 2 + 8 + 2,
    }
}

/// Appends the record to `out`. `append` has passed `rules::check_size`.
pub(in crate::persistence) fn encode(append: &Append, offset: u64, previous: Location, out: &mut Vec<u8>) {
    let start = out.len();
    encode_unplaced(append, out);
    place(out.get_mut(start..).expect("just written"), offset, previous);
}

/// Puts a record of [`encode_unplaced`] at a position, behind the record before it of its stream, and gives it its checksum.
pub(in crate::persistence) fn place(record: &mut [u8], offset: u64, previous: Location) {
    let (header, body) = record.split_first_chunk_mut::<RECORD_HEADER>().expect("a record has a header");
    for (at, field) in
        [(2, &previous.segment.to_le_bytes()[..]), (6, &previous.byte.to_le_bytes()), (10, &offset.to_le_bytes())]
    {
        body.get_mut(at..at + field.len()).expect("a body has all fixed fields").copy_from_slice(field);
    }
    let length = u32::from_le_bytes(*header.first_chunk().expect("8 bytes"));
    header.last_chunk_mut::<4>().expect("8 bytes").copy_from_slice(&checksum(length, body).to_le_bytes());
}

/// Appends the record to `out`, all but where it stands, which only the journal's writer knows. `append` has passed
/// `rules::check_size`.
pub(in crate::persistence) fn encode_unplaced(append: &Append, out: &mut Vec<u8>) {
    let length = u32::try_from(encoded_len(append) - RECORD_HEADER).expect("checked to be below 8 MiB");
    let mut to = Encoder(out);
    to.u32(length);
    to.u32(0); // the checksum, once it is placed
    to.u8(VERSION);
    to.u8(flags(append));
    to.u32(Location::NONE.segment);
    to.u32(Location::NONE.byte);
    to.u64(0);
    to.u16(append.lease.partition.0);
    to.u64(append.expected);
    to.u64(append.lease.epoch);
    to.u64(append.incarnation);
    to.u64(append.at_millis);
    to.u64(append.number);
    to.u128(append.command);
    to.text(&append.stream.kind);
    to.text(&append.stream.key);
    encode_origin(&append.origin, &mut to);
    if let Some(reply) = &append.reply {
        to.bytes(reply);
    }
    if let Some(begun) = &append.begun {
        to.u128(begun.origin);
        encode_origin(&begun.how, &mut to);
        to.text(&begun.step);
        to.u32(begun.round);
    }
    if let Some(settled) = &append.settled {
        to.u128(settled.origin);
        encode_origin(&settled.how, &mut to);
        for text in [&settled.reply, &settled.why].into_iter().flatten() {
            to.bytes(text);
        }
    }
    to.text(&append.correlation);
    encode_causation(&append.causation, &mut to);
    to.u16(u16::try_from(append.events.len()).expect("checked against MAX_EVENTS"));
    for event in &append.events {
        to.text(&event.name);
        to.u16(event.version);
        to.u8(u8::from(event.public));
        to.bytes(&event.payload);
    }
}

fn flags(append: &Append) -> u8 {
    let mut flags = 0;
    let settled = append.settled.as_ref();
    let settled_reply = settled.is_some_and(|settled| settled.reply.is_some());
    let settled_why = settled.is_some_and(|settled| settled.why.is_some());
    for (set, flag) in [
        (append.open_asks, OPEN_ASKS),
        (append.reply.is_some(), REPLY),
        (append.begun.is_some(), BEGUN),
        (append.settled.is_some(), SETTLED),
        (settled_reply, SETTLED_REPLY),
        (settled_why, SETTLED_WHY),
        (append.begun.as_ref().is_some_and(|begun| begun.patient), PATIENT),
    ] {
        if set {
            flags |= flag;
        }
    }
    flags
}

fn encode_origin(origin: &Origin, to: &mut Encoder<'_>) {
    match origin {
        Origin::Fresh => to.u8(0),
        Origin::Repeatable { fingerprint } => {
            to.u8(1);
            to.u128(*fingerprint);
        }
        Origin::Dispatch(mark) => {
            to.u8(2);
            to.text(&mark.policy);
            to.text(&mark.unit);
            to.u16(mark.partition.0);
            to.u64(mark.offset);
            to.u16(mark.index);
        }
    }
}

fn encode_causation(causation: &Causation, to: &mut Encoder<'_>) {
    match causation {
        Causation::Request => to.u8(0),
        Causation::Command(command) => {
            to.u8(1);
            to.u128(*command);
        }
        Causation::Event { unit, partition, offset } => {
            to.u8(2);
            to.text(unit);
            to.u16(partition.0);
            to.u64(*offset);
        }
    }
}
