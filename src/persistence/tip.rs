//! A stream's head with the place of its last record, as it is written beside a journal.

use super::{
    codec::{Decoder, Encoder, Malformed},
    record::Location,
    rules::Head,
};

/// The layout. On disk: raised with every change; another one is not read.
const VERSION: u8 = 1;

/// A stream's head and where its last record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) head: Head,
    pub(super) location: Location,
}

impl Tip {
    /// As it is kept.
    pub(super) fn encode(&self, to: &mut Encoder<'_>) {
        let Self { head, location } = self;
        to.u8(VERSION);
        to.u32(location.segment);
        to.u32(location.byte);
        to.u64(head.sequence);
        to.u64(head.number);
        to.u64(head.epoch);
        to.u64(head.incarnation);
        to.u128(head.command);
        to.u64(head.offset);
        to.u16(head.events);
        to.u8(u8::from(head.open_asks));
    }

    /// Takes one off the front.
    pub(super) fn decode(from: &mut Decoder) -> Result<Self, Malformed> {
        if from.u8()? != VERSION {
            return Err(Malformed("has a version that is not known"));
        }
        Ok(Self {
            location: Location { segment: from.u32()?, byte: from.u32()? },
            head: Head {
                sequence: from.u64()?,
                number: from.u64()?,
                epoch: from.u64()?,
                incarnation: from.u64()?,
                command: from.u128()?,
                offset: from.u64()?,
                events: from.u16()?,
                open_asks: from.u8()? != 0,
            },
        })
    }
}
