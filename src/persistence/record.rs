//! A record as bytes: an append and the position it stands at, with a checksum of its own.
//!
//! ```text
//! 0   u32  length of the body
//! 4   u32  CRC32C of the length and the body
//! 8   body, see `encode`; drawn in docs/storage.md
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Append, Begun, Causation, DispatchMark, Lease, NewEvent, Origin, PartitionId, Record, Settled, StreamId,
    codec::{Decoder, Encoder, Malformed, Names},
};

/// The layout that is written. On disk: raised with every change, and older ones stay readable.
///
/// 2 has two flags more, for [`Begun::patient`] and [`Settled::why`].
const VERSION: u8 = 2;
const OLDEST: u8 = 1;

/// Length and checksum.
pub(super) const RECORD_HEADER: usize = 8;

/// What stands before the texts of a body, always at the same place: version, flags, previous, offset, partition,
/// expected.
const FIXED: usize = 1 + 1 + 4 + 4 + 8 + 2 + 8;

const OPEN_ASKS: u8 = 1;
const REPLY: u8 = 1 << 1;
const BEGUN: u8 = 1 << 2;
const SETTLED: u8 = 1 << 3;
const SETTLED_REPLY: u8 = 1 << 4;
const SETTLED_WHY: u8 = 1 << 5;
const PATIENT: u8 = 1 << 6;

/// Where a record stands: a segment's number and a byte within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) segment: u32,
    pub(super) byte: u32,
}

impl Location {
    /// What a stream's first record has before it: segments are counted from 1.
    pub(super) const NONE: Self = Self { segment: 0, byte: 0 };
}

/// A record with where its stream's record before it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linked {
    pub(super) record: Record,
    pub(super) previous: Location,
}

/// What can be said of a record without decoding all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) previous: Location,
    pub(super) offset: u64,
    pub(super) partition: PartitionId,
    pub(super) expected: u64,
}

/// What a record in a frame whose checksum is right says at fixed places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skimmed {
    /// Bytes of the whole record.
    pub(super) length: usize,
    pub(super) previous: Location,
    pub(super) offset: u64,
    pub(super) partition: PartitionId,
    pub(super) epoch: u64,
}

/// How many bytes [`encode`] writes. `append` has passed `rules::check_size`.
pub(super) fn encoded_len(append: &Append) -> usize {
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
pub(super) fn encode(append: &Append, offset: u64, previous: Location, out: &mut Vec<u8>) {
    let length = u32::try_from(encoded_len(append) - RECORD_HEADER).expect("checked to be below 8 MiB");
    let start = out.len();
    let mut to = Encoder(out);
    to.u32(length);
    to.u32(0); // the checksum, once the body is there
    to.u8(VERSION);
    to.u8(flags(append));
    to.u32(previous.segment);
    to.u32(previous.byte);
    to.u64(offset);
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
    let body = out.get(start + RECORD_HEADER..).expect("just written");
    let checksum = checksum(length, body).to_le_bytes();
    out.get_mut(start + 4..start + RECORD_HEADER).expect("just written").copy_from_slice(&checksum);
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

fn checksum(length: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), body)
}

/// Reads what stands at fixed places of the record that starts here, and nothing more: its checksum is not checked.
///
/// # Errors
/// When the bytes cannot be a record of a version we know.
pub(super) fn skim(bytes: &[u8]) -> Result<Skimmed, Malformed> {
    const SHORT: Malformed = Malformed("a record ends too early");
    let length = full_length(bytes).filter(|length| *length <= bytes.len()).ok_or(SHORT)?;
    let body = bytes.get(RECORD_HEADER..length).ok_or(SHORT)?;
    if !body.first().is_some_and(|version| is_known(*version)) {
        return Err(Malformed("a record has a version that is not known"));
    }
    let previous = Location { segment: u32::from_le_bytes(fixed(body, 2)?), byte: u32::from_le_bytes(fixed(body, 6)?) };
    let offset = u64::from_le_bytes(fixed(body, 10)?);
    let partition = PartitionId(u16::from_le_bytes(fixed(body, 18)?));
    Ok(Skimmed { length, previous, offset, partition, epoch: u64::from_le_bytes(fixed(body, FIXED)?) })
}

fn fixed<const N: usize>(body: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    body.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(Malformed("a record ends too early"))
}

/// How many bytes the record that starts here has, header and all; `None` when these are no 8 bytes.
pub(super) fn full_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?);
    usize::try_from(length).ok()?.checked_add(RECORD_HEADER)
}

/// The body of the record that starts here, when its checksum is right.
pub(super) fn verified(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let full = full_length(bytes).ok_or(Malformed("a record has no header"))?;
    let body = bytes.get(RECORD_HEADER..full).ok_or(Malformed("a record ends too early"))?;
    let stored =
        bytes.get(4..RECORD_HEADER).and_then(<[u8]>::first_chunk).ok_or(Malformed("a record has no header"))?;
    let length = u32::try_from(body.len()).map_err(|_| Malformed("a record is too long"))?;
    if u32::from_le_bytes(*stored) != checksum(length, body) {
        return Err(Malformed("a record does not match its checksum"));
    }
    Ok(body)
}

/// Checks the record that starts here and reads what stands at fixed places.
///
/// # Errors
/// When the bytes are no record of a version we know.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline, Malformed> {
    let fixed = verified(bytes)?.get(..FIXED).ok_or(Malformed("a record is too short"))?;
    let mut from = Decoder::new(Bytes::copy_from_slice(fixed));
    Ok(decode_fixed(&mut from)?.1)
}

fn is_known(version: u8) -> bool {
    (OLDEST..=VERSION).contains(&version)
}

fn decode_fixed(from: &mut Decoder) -> Result<(u8, Outline), Malformed> {
    if !is_known(from.u8()?) {
        return Err(Malformed("a record has a version that is not known"));
    }
    let flags = from.u8()?;
    let previous = Location { segment: from.u32()?, byte: from.u32()? };
    let offset = from.u64()?;
    let partition = PartitionId(from.u16()?);
    let expected = from.u64()?;
    Ok((flags, Outline { previous, offset, partition, expected }))
}

/// Checks and decodes the record that starts here. Its payloads share one copy of its bytes.
///
/// # Errors
/// When the bytes are no record of a version we know.
pub(super) fn decode(bytes: &[u8], names: &Names) -> Result<Linked, Malformed> {
    let mut from = Decoder::new(Bytes::copy_from_slice(verified(bytes)?));
    let (flags, outline) = decode_fixed(&mut from)?;
    let lease = Lease { partition: outline.partition, epoch: from.u64()? };
    let incarnation = from.u64()?;
    let at_millis = from.u64()?;
    let number = from.u64()?;
    let command = from.u128()?;
    let stream = StreamId { kind: from.text(names)?, key: from.own_text()? };
    let origin = decode_origin(&mut from, names)?;
    let has = |flag: u8| flags & flag != 0;
    let reply = has(REPLY).then(|| from.bytes()).transpose()?;
    let begun = has(BEGUN).then(|| decode_begun(&mut from, names, has(PATIENT))).transpose()?;
    let settled = has(SETTLED).then(|| decode_settled(&mut from, names, has)).transpose()?;
    let correlation = from.own_text()?;
    let causation = decode_causation(&mut from, names)?;
    let events = decode_events(&mut from, names)?;
    from.end()?;
    let append = Append {
        stream,
        lease,
        incarnation,
        expected: outline.expected,
        at_millis,
        number,
        command,
        origin,
        reply,
        begun,
        settled,
        open_asks: has(OPEN_ASKS),
        correlation,
        causation,
        events,
    };
    check_arithmetic(&append, outline.offset)?;
    Ok(Linked { record: Record { append, offset: outline.offset }, previous: outline.previous })
}

/// The sums that a [`Record`] promises must not overflow.
fn check_arithmetic(append: &Append, offset: u64) -> Result<(), Malformed> {
    let events = append.events.len() as u64;
    let fits = offset > 0 && offset.checked_add(events).is_some() && append.expected.checked_add(events).is_some();
    if fits { Ok(()) } else { Err(Malformed("a record has an impossible position")) }
}

fn decode_origin(from: &mut Decoder, names: &Names) -> Result<Origin, Malformed> {
    Ok(match from.u8()? {
        0 => Origin::Fresh,
        1 => Origin::Repeatable { fingerprint: from.u128()? },
        2 => Origin::Dispatch(DispatchMark {
            policy: from.text(names)?,
            unit: from.text(names)?,
            partition: PartitionId(from.u16()?),
            offset: from.u64()?,
            index: from.u16()?,
        }),
        _ => return Err(Malformed("a record has an unknown origin")),
    })
}

fn decode_begun(from: &mut Decoder, names: &Names, patient: bool) -> Result<Begun, Malformed> {
    let (origin, how) = (from.u128()?, decode_origin(from, names)?);
    Ok(Begun { origin, how, step: from.text(names)?, round: from.u32()?, patient })
}

fn decode_settled(from: &mut Decoder, names: &Names, has: impl Fn(u8) -> bool) -> Result<Settled, Malformed> {
    Ok(Settled {
        origin: from.u128()?,
        how: decode_origin(from, names)?,
        reply: has(SETTLED_REPLY).then(|| from.bytes()).transpose()?,
        why: has(SETTLED_WHY).then(|| from.bytes()).transpose()?,
    })
}

fn decode_causation(from: &mut Decoder, names: &Names) -> Result<Causation, Malformed> {
    Ok(match from.u8()? {
        0 => Causation::Request,
        1 => Causation::Command(from.u128()?),
        2 => {
            let unit: Arc<str> = from.text(names)?;
            Causation::Event { unit, partition: PartitionId(from.u16()?), offset: from.u64()? }
        }
        _ => return Err(Malformed("a record has an unknown cause")),
    })
}

fn decode_events(from: &mut Decoder, names: &Names) -> Result<Vec<NewEvent>, Malformed> {
    let count = usize::from(from.u16()?);
    if !(1..=Append::MAX_EVENTS).contains(&count) {
        return Err(Malformed("a record has an impossible number of events"));
    }
    (0..count)
        .map(|_| {
            Ok(NewEvent {
                name: from.text(names)?,
                version: from.u16()?,
                public: from.u8()? != 0,
                payload: from.bytes()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::persistence::sample;

    fn location() -> impl Strategy<Value = Location> {
        (any::<u32>(), any::<u32>()).prop_map(|(segment, byte)| Location { segment, byte })
    }

    proptest! {
        #[test]
        fn every_record_comes_back_as_it_was(
            append in sample::any_append(),
            offset in 1..u64::MAX / 2,
            previous in location(),
        ) {
            let mut bytes = Vec::new();
            encode(&append, offset, previous, &mut bytes);
            prop_assert_eq!(bytes.len(), encoded_len(&append));
            prop_assert_eq!(full_length(&bytes), Some(bytes.len()));
            let outlined = outline(&bytes).unwrap();
            prop_assert_eq!(
                outlined,
                Outline { previous, offset, partition: append.lease.partition, expected: append.expected }
            );
            let (length, partition, epoch) = (bytes.len(), append.lease.partition, append.lease.epoch);
            prop_assert_eq!(skim(&bytes).unwrap(), Skimmed { length, previous, offset, partition, epoch });
            let linked = decode(&bytes, &Names::default()).unwrap();
            prop_assert_eq!(linked, Linked { record: Record { append, offset }, previous });
        }

        /// The second layout only has flags more.
        #[test]
        fn a_record_of_the_first_layout_is_read(append in sample::any_append()) {
            let mut append = append;
            append.begun.iter_mut().for_each(|begun| begun.patient = false);
            append.settled.iter_mut().for_each(|settled| settled.why = None);
            let mut bytes = Vec::new();
            encode(&append, 1, Location::NONE, &mut bytes);
            bytes[RECORD_HEADER] = 1;
            let length = u32::try_from(bytes.len() - RECORD_HEADER).unwrap();
            let checksum = checksum(length, &bytes[RECORD_HEADER..]).to_le_bytes();
            bytes[4..RECORD_HEADER].copy_from_slice(&checksum);
            prop_assert_eq!(decode(&bytes, &Names::default()).unwrap().record.append, append);
        }

        #[test]
        fn a_flipped_bit_is_never_a_record(append in sample::any_append(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = Vec::new();
            encode(&append, 1, Location::NONE, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(decode(&bytes, &Names::default()).is_err());
        }

        #[test]
        fn a_shortened_record_is_no_record(append in sample::any_append(), keep in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            encode(&append, 1, Location::NONE, &mut bytes);
            bytes.truncate(keep.index(bytes.len()));
            prop_assert!(decode(&bytes, &Names::default()).is_err());
        }

        /// With the checksum made right, so that the decoder itself meets the bytes.
        #[test]
        fn arbitrary_bytes_never_panic(mut body in prop::collection::vec(any::<u8>(), 0..300), known in any::<bool>()) {
            if known && let Some(version) = body.first_mut() {
                *version = VERSION;
            }
            let length = u32::try_from(body.len()).unwrap();
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.extend(checksum(length, &body).to_le_bytes());
            bytes.extend(&body);
            let _decoded = decode(&bytes, &Names::default());
            let _outlined = outline(&bytes);
            let _skimmed = skim(&bytes);
            let _unframed = decode(&body, &Names::default());
        }
    }
}
