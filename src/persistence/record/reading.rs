//! Bytes to a record, wholly or in part.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    BEGUN, FIXED, Linked, Location, OLDEST, OPEN_ASKS, Outline, PATIENT, RECORD_HEADER, REPLY, SETTLED, SETTLED_REPLY,
    SETTLED_WHY, Skimmed, VERSION, checksum,
};
use crate::persistence::{
    Append, Begun, Causation, DispatchMark, Lease, NewEvent, Origin, PartitionId, Record, Settled, StreamId,
    codec::{Decoder, Malformed, Names},
};

/// Reads what stands at fixed places of the record that starts here, and nothing more: its checksum is not checked.
///
/// # Errors
/// When the bytes cannot be a record of a version we know.
pub(in crate::persistence) fn skim(bytes: &[u8]) -> Result<Skimmed, Malformed> {
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
pub(in crate::persistence) fn full_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?);
    usize::try_from(length).ok()?.checked_add(RECORD_HEADER)
}

/// The body of the record that starts here, when its checksum is right.
pub(in crate::persistence) fn verified(bytes: &[u8]) -> Result<&[u8], Malformed> {
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
pub(in crate::persistence) fn outline(bytes: &[u8]) -> Result<Outline, Malformed> {
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
pub(in crate::persistence) fn decode(bytes: &[u8], names: &Names) -> Result<Linked, Malformed> {
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
