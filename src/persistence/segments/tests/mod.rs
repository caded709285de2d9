//! What only segments do: files, damage, and disks that fail.

mod archiving;
mod damage;
mod faults;
mod files;
mod heads;
pub(crate) mod metered;
mod reopening;
mod returning;
mod room;
mod saving;
mod sparing;
mod truncating;
mod witnessing;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, channel},
};

use super::*;
use crate::persistence::{AppendError, Appended, Refusal, sample};

const SMALL: u64 = 4 << 10;

fn config(dir: &Path) -> SegmentsConfig {
    let (dir, room) = (dir.join("journal"), Room::endless());
    SegmentsConfig { dir, partitions: 2, segment_bytes: SMALL, queue: 8192, room }
}

/// This disk for the first opening, and the real one for those after it.
fn first(disk: impl Disk) -> Disks {
    let disk: Mutex<Option<Box<dyn Disk>>> = Mutex::new(Some(Box::new(disk)));
    Box::new(move || lock(&disk).take().unwrap_or_else(|| Box::new(OsDisk)))
}

/// As before there was a witness, or when it lagged behind a kill.
fn without_witness(dir: &Path) {
    fs::remove_file(witness::path(&config(dir).dir)).unwrap();
}

fn hand_over(journal: &SegmentsJournal, key: &str, expected: u64) -> Receiver<Result<Appended, AppendError>> {
    let stream = sample::stream(key);
    let lease = journal.lease(stream.partition(journal.partitions()));
    let (sender, receiver) = channel();
    let append = sample::append(&stream, lease, expected, u128::from(expected));
    journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver
}

/// Appends one event, as one frame.
fn write(journal: &SegmentsJournal, key: &str) {
    let expected = journal.head(&sample::stream(key)).map_or(0, |head| head.sequence);
    hand_over(journal, key, expected).recv().unwrap().unwrap();
}

/// A closed journal of `frames` frames.
fn written(dir: &Path, frames: usize) {
    let journal = SegmentsJournal::open(&config(dir)).unwrap();
    for n in 0..frames {
        write(&journal, &(n % 3).to_string());
    }
    journal.close();
}

/// Every file in the journal's directory with its bytes.
fn image(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fs::read_dir(config(dir).dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Where each frame of a segment begins, and where the last one ends.
fn frames(path: &Path) -> (Vec<u64>, u64) {
    let bytes = fs::read(path).unwrap();
    let id = SegmentHeader::decode(&bytes).unwrap().id;
    let mut at = SEGMENT_HEADER as u64;
    let mut starts = Vec::new();
    while let Some(frame) = frame::FrameHeader::decode(&bytes[usize::try_from(at).unwrap()..], id) {
        starts.push(at);
        at = frame.next(at);
    }
    (starts, at)
}

/// Everything that can be read.
fn events(journal: &SegmentsJournal) -> usize {
    (0..2).map(|partition| journal.read_feed(PartitionId(partition), 0, usize::MAX).unwrap().len()).sum()
}

/// Fails the n-th sync of a frame, counted from 0.
struct FailingSync(usize);

impl Disk for FailingSync {
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        self.0 = self.0.wrapping_sub(1);
        if self.0 == usize::MAX { Err(io::Error::other("no")) } else { file.sync_data() }
    }
}

/// A journal whose n-th sync, counted from 0, fails.
pub(in crate::persistence) fn failing(config: &SegmentsConfig, n: usize) -> SegmentsJournal {
    SegmentsJournal::open_on(config, Box::new(move || Box::new(FailingSync(n)))).unwrap()
}
