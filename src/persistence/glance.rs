//! A record looked at where it lies: nothing is copied, so that a look at a million of them is limited by the disk and
//! the checksums.

use super::{
    Record,
    codec::{Malformed, Names},
    record,
};

const FLAG_OPEN_ASKS: u8 = 1;
const FLAG_REPLY: u8 = 1 << 1;
const FLAG_BEGUN: u8 = 1 << 2;
const FLAG_SETTLED: u8 = 1 << 3;
const FLAG_SETTLED_REPLY: u8 = 1 << 4;
const FLAG_SETTLED_WHY: u8 = 1 << 5;

/// A record whose checksum is right, as it lies in memory.
#[derive(Clone, Copy, Debug)]
pub struct Glance<'a> {
    /// The entity's kind.
    pub kind: &'a str,
    /// The entity's key.
    pub key: &'a str,
    /// The partition.
    pub partition: u16,
    /// Position of the first event within the partition.
    pub position: u64,
    /// Sequence of the stream's last event before this record.
    pub expected: u64,
    /// Epoch of the lease.
    pub epoch: u64,
    /// When it was decided: milliseconds since 1970.
    pub at_millis: u64,
    /// The entity's public number; 0 for none.
    pub number: u64,
    /// The command.
    pub command: u128,
    /// Whether the stream has open asks after it.
    pub open_asks: bool,
    /// Number of events.
    pub count: u16,
    events: &'a [u8],
    whole: &'a [u8],
}

/// An event of a record, as it lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventGlance<'a> {
    /// Name of the event.
    pub name: &'a str,
    /// Version of its fields.
    pub version: u16,
    /// Whether others may see it.
    pub public: bool,
    /// The event.
    pub payload: &'a [u8],
}

impl<'a> Glance<'a> {
    /// Checks the record that `bytes` begin with, and finds its parts.
    pub(super) fn of(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let body = record::verified(bytes)?;
        let skimmed = record::skim(bytes)?;
        let mut from = Slice(body);
        let flags = {
            from.skip(1)?; // the version, which skim has checked
            from.u8()?
        };
        from.skip(4 + 4 + 8 + 2)?;
        let expected = from.u64()?;
        let epoch = from.u64()?;
        from.skip(8)?;
        let (at_millis, number, command) = (from.u64()?, from.u64()?, from.u128()?);
        let (kind, key) = (from.text()?, from.text()?);
        from.origin()?;
        let has = |flag: u8| flags & flag != 0;
        if has(FLAG_REPLY) {
            from.bytes()?;
        }
        if has(FLAG_BEGUN) {
            from.skip(16)?;
            from.origin()?;
            from.text()?;
            from.skip(4)?;
        }
        if has(FLAG_SETTLED) {
            from.skip(16)?;
            from.origin()?;
            for flag in [FLAG_SETTLED_REPLY, FLAG_SETTLED_WHY] {
                if has(flag) {
                    from.bytes()?;
                }
            }
        }
        from.text()?;
        from.cause()?;
        let count = from.u16()?;
        let glance = Self {
            kind,
            key,
            partition: skimmed.partition.0,
            position: skimmed.offset,
            expected,
            epoch,
            at_millis,
            number,
            command,
            open_asks: has(FLAG_OPEN_ASKS),
            count,
            events: from.0,
            whole: bytes.get(..skimmed.length).unwrap_or(bytes),
        };
        let mut events = glance.walk();
        for _ in 0..count {
            events.event()?;
        }
        let whole = events.0.is_empty() && count > 0 && skimmed.offset > 0;
        let fits = skimmed.offset.checked_add(u64::from(count)).and(expected.checked_add(u64::from(count))).is_some();
        if whole && fits { Ok(glance) } else { Err(Malformed("a record has an impossible position or end")) }
    }

    fn walk(&self) -> Slice<'a> {
        Slice(self.events)
    }

    /// Its events, in order.
    pub fn events(&self) -> impl Iterator<Item = EventGlance<'a>> + use<'a> {
        let mut from = self.walk();
        // All of them were walked through when this was made.
        std::iter::from_fn(move || from.event().ok())
    }

    /// Position of the last event within the partition.
    pub fn last_position(&self) -> u64 {
        self.position + u64::from(self.count) - 1
    }

    /// Sequence of the last event within the stream.
    pub fn last_sequence(&self) -> u64 {
        self.expected + u64::from(self.count)
    }

    /// Bytes of the record.
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// Never: a record has a header and events.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// All of it, copied.
    pub fn record(&self) -> Record {
        record::decode(self.whole, &Names::default()).expect("its checksum and its parts were checked").record
    }

    /// The stream's hash, which says its partition.
    pub(super) fn hash(&self) -> u64 {
        super::journal::hash_of(self.kind, self.key)
    }
}

/// Takes parts off the front of bytes that stay where they are.
struct Slice<'a>(&'a [u8]);

impl<'a> Slice<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed("a record ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn skip(&mut self, length: usize) -> Result<(), Malformed> {
        self.take(length).map(drop)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("a record ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }
    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    fn u128(&mut self) -> Result<u128, Malformed> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(length).map_err(|_| Malformed("a record is too long"))?)
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u16()?;
        std::str::from_utf8(self.take(usize::from(length))?).map_err(|_| Malformed("a text is not UTF-8"))
    }

    fn origin(&mut self) -> Result<(), Malformed> {
        match self.u8()? {
            0 => Ok(()),
            1 => self.skip(16),
            2 => {
                self.text()?;
                self.text()?;
                self.skip(2 + 8 + 2)
            }
            _ => Err(Malformed("a record has an unknown origin")),
        }
    }

    fn cause(&mut self) -> Result<(), Malformed> {
        match self.u8()? {
            0 => Ok(()),
            1 => self.skip(16),
            2 => {
                self.text()?;
                self.skip(2 + 8)
            }
            _ => Err(Malformed("a record has an unknown cause")),
        }
    }

    fn event(&mut self) -> Result<EventGlance<'a>, Malformed> {
        let name = self.text()?;
        let version = self.u16()?;
        let public = self.u8()? != 0;
        Ok(EventGlance { name, version, public, payload: self.bytes()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::persistence::{record::Location, sample};

    proptest! {
        #[test]
        fn a_glance_says_what_decoding_says(append in sample::any_append(), offset in 1..u64::MAX / 2) {
            let mut bytes = Vec::new();
            record::encode(&append, offset, Location::NONE, &mut bytes);
            bytes.extend([1, 2, 3]); // what stands behind it does not matter
            let glance = Glance::of(&bytes).unwrap();
            let record = glance.record();
            prop_assert_eq!(&record.append, &append);
            prop_assert_eq!((glance.kind, glance.key), (&*append.stream.kind, &*append.stream.key));
            prop_assert_eq!((glance.position, glance.last_position()), (record.offset, record.last_offset()));
            prop_assert_eq!((glance.expected, glance.last_sequence()), (append.expected, record.last_sequence()));
            prop_assert_eq!((glance.command, glance.number, glance.at_millis), (append.command, append.number, append.at_millis));
            prop_assert_eq!((glance.open_asks, glance.epoch, glance.partition), (append.open_asks, append.lease.epoch, append.lease.partition.0));
            let events: Vec<_> = glance.events().map(|event| (event.name.to_owned(), event.version, event.public, event.payload.to_vec())).collect();
            let expected: Vec<_> = append.events.iter().map(|event| (event.name.to_string(), event.version, event.public, event.payload.to_vec())).collect();
            prop_assert_eq!(events, expected);
        }

        #[test]
        fn a_flipped_bit_is_no_glance(append in sample::any_append(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = Vec::new();
            record::encode(&append, 1, Location::NONE, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(Glance::of(&bytes).is_err());
        }
    }
}
