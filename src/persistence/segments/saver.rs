//! Heads are written behind: a thread of its own saves those of all streams, now and then.
//!
//! The checkpoint is taken first and the tips are read afterwards, part by part, so that none is older than the
//! checkpoint. A save costs less a stream than decoding costs a record at opening. So all are saved when as many records
//! have come as heads were saved: whatever the load, that is a small part of what the appends take, and an opening decodes
//! about as many records as it loads heads.

use std::{
    convert::Infallible,
    io,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use super::{
    frame::JournalId,
    heads::{Checkpoint, Saving},
    writer::Shared,
};
use crate::persistence::{metrics::timed, space::Room, sync::read};

/// How often it is looked whether a save is due.
const INTERVAL: Duration = Duration::from_millis(500);

/// After a save that failed, the next waits longer.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Fewer records are not worth a save: they are decoded in about 50 ms.
pub(super) const FEW: u64 = 64 << 10;

/// The saver rests this many times as long as it took, after every piece: it takes at most a twentieth of one core, and never
/// long at a time, or whoever waits for an answer would wait for it.
const REST: u32 = 19;

/// Streams that closing saves: some tens of megabytes. With more, the next opening decodes instead.
pub(super) const MAX_AT_CLOSE: usize = 250_000;

/// Bytes of a stream, for a guess whether there is room: its names are mostly short.
const ABOUT: u64 = 160;

pub(super) struct Saver {
    pub(super) shared: Arc<Shared>,
    pub(super) dir: PathBuf,
    pub(super) id: JournalId,
    pub(super) room: Arc<Room>,
    /// Normally [`FEW`].
    pub(super) few: u64,
    /// Normally [`MAX_AT_CLOSE`].
    pub(super) at_close: usize,
    /// What the index had taken in when heads were last saved, and of how many streams those were.
    pub(super) saved: (u64, usize),
    pub(super) complained: bool,
}

impl Saver {
    /// Saves until the writer is gone, and then once more if that spares the next opening more than it costs now.
    pub(super) fn run(mut self, writer: &Receiver<Infallible>) {
        let mut pause = INTERVAL;
        while writer.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            pause = INTERVAL;
            if self.is_due()
                && !self.save(&|took| writer.recv_timeout(took * REST) == Err(RecvTimeoutError::Disconnected))
            {
                pause = AFTER_FAILURE;
            }
        }
        if self.is_worth_it_at_close() {
            self.save(&|_| true);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        // Not as many as there are streams now: where each stream has one record, that is never so.
        let (records, _) = self.behind();
        records >= self.few.max(self.saved.1 as u64)
    }

    fn is_worth_it_at_close(&self) -> bool {
        let (records, streams) = self.behind();
        records > streams as u64 / 2
    }

    /// Records that an opening would decode, and streams.
    fn behind(&self) -> (u64, usize) {
        let index = read(&self.shared.index);
        (index.records().saturating_sub(self.saved.0), index.streams.len())
    }

    /// Saves all heads, piece by piece; false when that failed. After each piece, `rests` is told how long it took, and says
    /// whether the journal closes; then this gives up, for this time, if there are too many.
    pub(super) fn save(&mut self, rests: &dyn Fn(Duration) -> bool) -> bool {
        match self.try_save(rests) {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                tracing::warn!(%error, "stream heads could not be saved; until they are, opening takes longer");
                self.complained = true;
            }
            Err(_) => {}
        }
        !self.complained
    }

    fn try_save(&mut self, rests: &dyn Fn(Duration) -> bool) -> io::Result<()> {
        let (checkpoint, records, streams) = self.checkpoint();
        // It is not worth the last of the disk.
        if self.room.refusal_of(2 * ABOUT * streams as u64).is_some() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut closing = rests(Duration::ZERO);
        let mut saving = Saving::begin(&self.dir, &checkpoint)?;
        let (mut part, mut goes_on) = (0, true);
        while goes_on {
            if closing && streams > self.at_close {
                return Ok(());
            }
            let (written, took) = timed(|| {
                while goes_on && !saving.is_due() {
                    goes_on = self.take(part, &mut saving);
                    part += 1;
                }
                saving.write_piece()
            });
            written?;
            closing = closing || rests(took);
        }
        saving.end()?;
        self.saved = (records, streams);
        Ok(())
    }

    fn checkpoint(&self) -> (Checkpoint, u64, usize) {
        let index = read(&self.shared.index);
        (index.checkpoint(self.id), index.records(), index.streams.len())
    }

    /// Takes the tips of one part of the streams, as they are now; false behind the last part.
    fn take(&self, part: usize, saving: &mut Saving) -> bool {
        read(&self.shared.index).streams.visit(part, |stream, tip| saving.add(stream, tip))
    }
}
