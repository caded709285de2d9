//! Heads are written behind: a thread of its own saves, now and then, those of the streams that have changed.
//!
//! The writer only notes which streams change. The checkpoint is taken first and the rows are read afterwards, so that
//! a row is never older than the checkpoint that is written with the last of them.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use super::{frame::JournalId, writer::Shared};
use crate::persistence::{
    StoreError, StreamId,
    heads::{HeadStore, MAX_HEADS, Tip},
    metrics::timed,
    sync::{read, write},
};

/// A save costs a sync, beside those of the writer.
const INTERVAL: Duration = Duration::from_millis(500);

/// So many changed streams are saved at the next interval.
const MANY: usize = 1024;

/// Fewer are saved after so many intervals: opening decodes what five seconds with little to do have written.
const FEW_INTERVALS: u32 = 10;

/// The saver rests this many times as long as it took, after every batch: it takes at most a twentieth of one core, and never
/// long at a time, or whoever waits for an answer would wait for it.
const REST: u32 = 19;

/// Rows that closing waits for: some seconds. More are left out, and the next opening decodes instead.
pub(super) const MAX_AT_CLOSE: usize = 100_000;

pub(super) struct Saver {
    pub(super) shared: Arc<Shared>,
    pub(super) heads: Arc<dyn HeadStore>,
    pub(super) id: JournalId,
    /// Nothing that is saved may stay.
    pub(super) anew: bool,
    /// Normally [`MAX_AT_CLOSE`].
    pub(super) at_close: usize,
    /// Taken from the index and not known to be saved, from a save that failed.
    pub(super) pending: Vec<StreamId>,
    pub(super) complained: bool,
}

impl Saver {
    /// Saves until the writer is gone, and then once more.
    pub(super) fn run(mut self, writer: &Receiver<Infallible>) {
        let mut waited = 0;
        while writer.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            waited += 1;
            if read(&self.shared.index).unsaved() < MANY && waited < FEW_INTERVALS {
                continue;
            }
            waited = 0;
            self.save(&|took| writer.recv_timeout(took * REST) == Err(RecvTimeoutError::Disconnected));
        }
        self.save(&|_| true);
    }

    /// Saves what has changed, batch by batch. After each, `rests` is told how long it took, and says whether the journal
    /// closes; then this gives up, for this time, if there is too much left.
    pub(super) fn save(&mut self, rests: &dyn Fn(Duration) -> bool) {
        match self.try_save(rests) {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                tracing::warn!(%error, "stream heads could not be saved; until they are, opening takes longer");
                self.complained = true;
            }
            Err(_) => {}
        }
    }

    fn try_save(&mut self, rests: &dyn Fn(Duration) -> bool) -> Result<(), StoreError> {
        let (changed, checkpoint) = write(&self.shared.index).take_unsaved(self.id);
        let again = !self.pending.is_empty();
        self.pending.extend(changed);
        if again {
            // What changed since the save that failed is there twice: with each stream once there is a limit.
            self.pending.sort_unstable();
            self.pending.dedup();
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.anew {
            self.heads.clear_heads()?;
            self.anew = false;
        }
        let mut left = self.pending.len();
        let mut closing = rests(Duration::ZERO);
        let mut batches = self.pending.chunks(MAX_HEADS).peekable();
        while let Some(batch) = batches.next() {
            if closing && left > self.at_close {
                return Ok(());
            }
            let last = batches.peek().is_none();
            let (saved, took) = timed(|| self.heads.save_heads(&self.rows(batch), last.then_some(&checkpoint)));
            closing = rests(took);
            saved?;
            left -= batch.len();
        }
        self.pending = Vec::new();
        Ok(())
    }

    /// The tips as they are now: perhaps newer than the checkpoint.
    fn rows(&self, streams: &[StreamId]) -> Vec<(StreamId, Tip)> {
        let index = read(&self.shared.index);
        let row = |stream: &StreamId| index.streams.get(stream).map(|tip| (stream.clone(), *tip));
        streams.iter().filter_map(row).collect()
    }
}
