//! The port behind which a journal keeps its stream heads, so that it opens sooner. A cache: what it gives may be
//! missing, old or another journal's, and the journal finds out.

use std::fmt;

use bytes::Bytes;

use super::{
    StoreError, StreamId,
    codec::{Decoder, Encoder, Malformed, Names},
    record::Location,
    rules::Head,
};

/// The layout of rows and checkpoint. On disk: raised with every change; another one is not read.
pub(super) const VERSION: u8 = 1;

/// A stream's head and where its last record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) head: Head,
    pub(super) location: Location,
}

impl Tip {
    /// As it is kept.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { head, location } = self;
        let mut bytes = Vec::with_capacity(80);
        let mut to = Encoder(&mut bytes);
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
        bytes
    }

    pub(super) fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes);
        check_version(&mut from)?;
        let tip = Self {
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
        };
        from.end()?;
        Ok(tip)
    }
}

pub(super) fn check_version(from: &mut Decoder) -> Result<(), Malformed> {
    if from.u8()? == VERSION { Ok(()) } else { Err(Malformed("has a version that is not known")) }
}

/// How far the saved heads go: all of the journal up to a frame is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The journal's id.
    pub(super) journal: u128,
    /// Number of the last frame.
    pub(super) frame: u64,
    /// Behind that frame.
    pub(super) end: Location,
    /// Hash over the headers of all frames up to that one: two journals that were once the same differ in it.
    pub(super) chain: u64,
    /// The last position of each partition.
    pub(super) positions: Vec<u64>,
}

/// Rows in one batch: sled's memory follows the size of a batch.
pub(super) const MAX_HEADS: usize = 256;

/// Keeps a row for each stream, and one checkpoint.
///
/// A crash leaves what a prefix of the calls has written. Rows may be newer than the checkpoint, never older.
pub(super) trait HeadStore: fmt::Debug + Send + Sync + 'static {
    /// The checkpoint; `None` when nothing was saved.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError>;

    /// Shows every row, in no order. An error when one of them is damaged.
    fn heads(&self, names: &Names, visit: &mut dyn FnMut(StreamId, Tip)) -> Result<(), StoreError>;

    /// Writes at most [`MAX_HEADS`] rows. With a checkpoint: together with it, all or nothing, and everything written
    /// so far is durable when this returns.
    fn save_heads(&self, rows: &[(StreamId, Tip)], checkpoint: Option<&Checkpoint>) -> Result<(), StoreError>;

    /// Takes the checkpoint away, durably, and then every row.
    fn clear_heads(&self) -> Result<(), StoreError>;
}
