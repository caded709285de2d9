//! Opening a journal: every frame is checked before anything is changed.
//!
//! | what is found | answer |
//! |---|---|
//! | a bad frame at the end of the last segment, no frame behind it | cut, reported |
//! | a bad frame with a frame behind it, or in an earlier segment | `Damaged` |
//! | a gap in the frame numbers or the segments | `Damaged` |
//! | a record that does not continue its partition or its stream | `Damaged` |
//! | an end before what the witness says was acknowledged | `Damaged` |
//! | anything behind the frame that the next segment begins with | left by a write that failed: not looked at |
//!
//! With saved heads, records up to their checkpoint are only skimmed: their frames' checksums say that they are what
//! was written, and what they say at fixed places gives the marks of the partitions and tells whether the saved heads
//! are all there. Should anything be wrong then, everything is read again without them, and that answer counts.

mod frames;
mod records;

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use self::{frames::Frames, records::Records};
use super::{
    bases::{self, Beginning},
    frame::JournalId,
    heads::{self, SavedHeads},
    index::Index,
    segment::{self, Window},
    witness,
    writer::Disk,
};
use crate::persistence::{OpenError, TornTail, codec::Names};

/// A journal that was read and found whole.
#[derive(Debug, PartialEq)]
pub(super) struct Recovered {
    /// The last deleted segment; 0 when nothing was deleted.
    pub(super) deleted: u32,
    /// Number of the checkpoint's frame, when saved heads were of use; otherwise 0.
    pub(super) skimmed_to: u64,
    pub(super) id: JournalId,
    pub(super) index: Index,
    /// The greatest epoch of any record.
    pub(super) epoch: u64,
    pub(super) next_frame: u64,
    /// The last segment.
    pub(super) segment: u32,
    /// Where the next frame goes in it.
    pub(super) end: u64,
    /// Where its last frame begins, if it has one.
    pub(super) last_frame: Option<u64>,
    pub(super) torn: Option<TornTail>,
}

/// Reads every segment in `dir`; there is at least one. Changes nothing.
pub(super) fn scan(
    dir: &Path,
    segments: &[u32],
    partitions: u16,
    names: &Names,
    saved: Option<SavedHeads>,
    beginning: Option<&Beginning>,
) -> Result<Recovered, OpenError> {
    let witness = witness::last(dir, partitions).map_err(|error| OpenError::io(dir, error))?;
    let records = |saved| Records::new(partitions, names, saved, beginning);
    let start = beginning.map(|beginning| &beginning.start);
    let all = |saved| Frames::new(dir, records(saved), witness.clone(), start).all(segments);
    if saved.is_some() {
        match all(saved) {
            Ok(found) => return Ok(found),
            Err(why) => tracing::warn!(%why, "the journal does not open with saved stream heads; all is decoded"),
        }
    }
    all(None).map_err(|stop| opened_without_heads(dir, stop))
}

/// Reads the segments up to `until`, which another one follows, with every record decoded. Changes nothing.
pub(super) fn scan_until(
    dir: &Path,
    segments: &[u32],
    until: u32,
    partitions: u16,
    names: &Names,
    beginning: Option<&Beginning>,
) -> Result<Recovered, OpenError> {
    let records = Records::new(partitions, names, None, beginning);
    let frames = Frames::new(dir, records, None, beginning.map(|beginning| &beginning.start));
    frames.until(until).all(segments).map_err(|stop| opened_without_heads(dir, stop))
}

fn opened_without_heads(dir: &Path, stop: Stop) -> OpenError {
    match stop {
        Stop::Open(error) => error,
        Stop::Heads(what) => OpenError::io(dir, io::Error::other(what)), // met only with saved heads
    }
}

/// Why a scan ended early.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The saved heads are not this journal's, or not all of them.
    #[error("{0}")]
    Heads(String),
}

fn damaged(file: impl Into<PathBuf>, at: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged { file: file.into(), at, what: what.into() }
}

/// Makes what was found durable and ready to write on: cuts the torn tail, and writes the last frame once more.
///
/// That frame was perhaps never synced, or its sync failed, after which the system takes its pages for clean: only
/// writing the same bytes again makes it sync them.
pub(super) fn settle(dir: &Path, found: &Recovered, segment_bytes: u64, disk: &mut dyn Disk) -> io::Result<File> {
    segment::remove_unfinished(dir)?;
    bases::remove_unfinished(dir)?;
    heads::remove_unfinished(dir)?;
    // What is deleted and was not yet removed; by a process that was perhaps ended before the name of `bases` was synced.
    disk.sync_dir(dir)?;
    segment::remove_upto(dir, found.deleted)?;
    let file = File::options().read(true).write(true).open(segment::path(dir, found.segment))?;
    if let Some(torn) = &found.torn {
        let zeros = vec![0; 1 << 16];
        let end = torn.at + torn.bytes;
        let mut at = torn.at;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(zeros.len());
            file.write_all_at(zeros.get(..length).unwrap_or_default(), at)?;
            at += length as u64;
        }
    }
    if let Some(start) = found.last_frame {
        let length = usize::try_from(found.end - start).unwrap_or(usize::MAX);
        file.write_all_at(Window::new(&file, 0).get(start, length)?, start)?;
    }
    segment::preallocate(&file, segment_bytes)?;
    file.sync_all()?;
    disk.sync_dir(dir)?;
    Ok(file)
}
