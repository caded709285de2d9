//! The file of the next segment, made and filled with zeros while the present one fills.
//!
//! A file that only has its space still has to note, at a sync, which blocks of it have been written: that goes through
//! the file system's own journal and takes about as long as the data. Where zeros have been written before, a sync writes
//! the data and nothing else (`wal_init_zero` of `PostgreSQL` is the same). Without a spare, a segment is made as ever.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::segment;
use crate::persistence::{metrics::timed, space::Room};

/// Shorter segments have no spare: they are made within the time of a sync or two.
const SHORTEST: u64 = 1 << 20;

/// A spare is begun when so much of the present segment is written: a journal that is hardly written to needs none.
const BEGUN_AT: u64 = 4; // a quarter

/// Bytes that are written and synced at once: the journal's own sync waits behind that.
const PIECE: usize = 256 << 10;

/// After each piece, this many times as long as it took is left to others.
const REST: u32 = 3;

/// At most one spare, or the making of one. Dropping it removes it.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    room: Arc<Room>,
    making: Option<Making>,
}

#[derive(Debug)]
struct Making {
    bytes: u64,
    cancelled: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<File>>,
}

impl Spare {
    pub(super) fn new(dir: &Path, room: Arc<Room>) -> Self {
        Self { path: segment::unfinished(dir, "spare"), room, making: None }
    }

    /// Has a spare of `bytes` made, when the segment that is written to has come far enough. Never waits.
    pub(super) fn prepare(&mut self, written: u64, bytes: u64) {
        if self.making.is_some() || bytes < SHORTEST || written < bytes / BEGUN_AT {
            return;
        }
        let (path, room, cancelled) = (self.path.clone(), Arc::clone(&self.room), Arc::new(AtomicBool::new(false)));
        let stop = Arc::clone(&cancelled);
        let make = move || {
            // It is not worth the last of the disk.
            match room.refusal_of(bytes.saturating_mul(2)) {
                Some(_) => Err(io::ErrorKind::StorageFull.into()),
                None => fill(&path, bytes, &stop),
            }
        };
        let thread = thread::Builder::new().name("journal-spare".into()).spawn(make);
        // Without a thread there is no spare.
        self.making = thread.ok().map(|thread| Making { bytes, cancelled, thread });
    }

    /// The spare's file, and its path; `None` when there is none of `bytes` yet.
    pub(super) fn take(&mut self, bytes: u64) -> Option<(File, PathBuf)> {
        let made = self.making.take_if(|making| making.thread.is_finished())?;
        if made.bytes == bytes
            && let Ok(Ok(file)) = made.thread.join()
        {
            return Some((file, self.path.clone()));
        }
        self.remove();
        None
    }

    fn remove(&self) {
        // One that is still there is removed at the next opening.
        drop(fs::remove_file(&self.path));
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        let Some(making) = self.making.take() else { return };
        making.cancelled.store(true, Ordering::Release);
        making.thread.thread().unpark();
        drop(making.thread.join());
        self.remove();
    }
}

/// Makes the file, piece by piece.
fn fill(path: &Path, bytes: u64, cancelled: &AtomicBool) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    segment::preallocate(&file, bytes)?;
    let zeros = vec![0; PIECE];
    let mut at = 0;
    while at < bytes {
        let piece = usize::try_from(bytes - at).map_or(PIECE, |left| left.min(PIECE));
        let (written, took) = timed(|| {
            file.write_all_at(zeros.get(..piece).unwrap_or_default(), at)?;
            file.sync_data()
        });
        written?;
        at += piece as u64;
        if at < bytes {
            thread::park_timeout(took * REST);
        }
        if cancelled.load(Ordering::Acquire) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    file.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for(spare: &Spare) {
        let Some(making) = &spare.making else { panic!("nothing is being made") };
        while !making.thread.is_finished() {
            thread::yield_now();
        }
    }

    #[test]
    fn a_spare_is_made_when_a_quarter_is_written_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut spare = Spare::new(dir.path(), Room::endless());
        spare.prepare(SHORTEST / 4 - 1, SHORTEST);
        spare.prepare(SHORTEST - 1, SHORTEST - 1);
        assert!(spare.making.is_none(), "too early, or too short");
        spare.prepare(SHORTEST / 4, SHORTEST);
        wait_for(&spare);
        let (file, path) = spare.take(SHORTEST).unwrap();
        assert_eq!(file.metadata().unwrap().len(), SHORTEST);
        assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0));
        assert!(spare.take(SHORTEST).is_none());
    }

    #[test]
    fn one_of_another_size_or_that_nobody_takes_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mut spare = Spare::new(dir.path(), Room::endless());
        spare.prepare(SHORTEST, SHORTEST);
        wait_for(&spare);
        assert!(spare.take(SHORTEST * 2).is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        spare.prepare(SHORTEST * 512, SHORTEST * 512);
        drop(spare); // it is cut short
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
