//! What a journal does to its disk, counted at the port: a count says the same on every machine, whatever else it does.
//!
//! The witness and the saver of heads write by the clock and not for each append; they are not counted.

use std::{
    path::Path,
    sync::{
        Condvar,
        atomic::{AtomicU64, Ordering},
    },
};

use super::*;
use crate::persistence::{MemoryStore, Storage, record};

/// Counts what the writer does to segments, and holds its syncs on demand.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    writes: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    holding: bool,
    /// A sync has begun, and waits.
    waits: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) writes: u64,
    pub(crate) syncs: u64,
    pub(crate) bytes: u64,
}

impl Meter {
    /// Since the last time that it was asked. Whoever was told of an append finds that append in it.
    pub(crate) fn take(&self) -> Done {
        let of = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Done { writes: of(&self.writes), syncs: of(&self.syncs), bytes: of(&self.bytes) }
    }

    /// The next sync waits until it is released.
    pub(crate) fn hold(&self) {
        lock(&self.held).holding = true;
    }

    /// Returns once a sync waits. Panics if none does.
    pub(crate) fn until_it_waits(&self) {
        let (held, no_sync) = (lock(&self.held), Duration::from_secs(30));
        let (held, _) = self.changed.wait_timeout_while(held, no_sync, |held| !held.waits).unwrap();
        assert!(held.waits, "nothing was synced");
    }

    /// Lets the sync go on, and holds no more.
    pub(crate) fn release(&self) {
        lock(&self.held).holding = false;
        self.changed.notify_all();
    }

    /// A storage whose one unit has its journal in segments in `dir` and its tables in memory.
    pub(crate) fn storage(self: &Arc<Self>, dir: &Path) -> Storage {
        let config = SegmentsConfig { segment_bytes: LARGE, ..config(dir) };
        Storage::with_journal(Arc::new(self.journal(&config)), &Arc::new(MemoryStore::new(config.partitions)))
    }

    pub(super) fn journal(self: &Arc<Self>, config: &SegmentsConfig) -> SegmentsJournal {
        let meter = Arc::clone(self);
        SegmentsJournal::open_on(config, Box::new(move || Box::new(Metered(meter.clone())))).unwrap()
    }
}

struct Metered(Arc<Meter>);

impl Disk for Metered {
    fn write(&mut self, file: &fs::File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        self.0.bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        OsDisk.write(file, bytes, at)
    }
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        self.0.syncs.fetch_add(1, Ordering::SeqCst);
        let mut held = lock(&self.0.held);
        held.waits = held.holding;
        self.0.changed.notify_all();
        self.0.changed.wait_while(held, |held| held.holding).unwrap().waits = false;
        OsDisk.sync(file)
    }
}

/// Far from the end of a segment: the next one is not needed.
const LARGE: u64 = 1 << 20;

const APPENDS: u64 = 100;

fn prepared(dir: &Path) -> (Arc<Meter>, SegmentsJournal) {
    let meter = Arc::<Meter>::default();
    let journal = meter.journal(&SegmentsConfig { segment_bytes: LARGE, ..config(dir) });
    write(&journal, "first");
    meter.take();
    (meter, journal)
}

/// Bytes of the record that `write` makes of a stream's first event.
fn record_bytes(journal: &SegmentsJournal, key: &str) -> u64 {
    let stream = sample::stream(key);
    let lease = journal.lease(stream.partition(journal.partitions()));
    record::encoded_len(&sample::append(&stream, lease, 0, 0)) as u64
}

#[test]
fn appends_one_after_another_cost_a_write_and_a_sync_each_and_a_header_beside_their_records() {
    let dir = tempfile::tempdir().unwrap();
    let (meter, journal) = prepared(dir.path());
    let keys: Vec<String> = (0..APPENDS).map(|n| n.to_string()).collect();
    let mut bytes = 0;
    for key in &keys {
        write(&journal, key);
        bytes += record_bytes(&journal, key) + frame::FRAME_HEADER as u64;
    }
    assert_eq!(meter.take(), Done { writes: APPENDS, syncs: APPENDS, bytes });
}

#[test]
fn appends_that_wait_together_cost_one_write_one_sync_and_one_header() {
    let dir = tempfile::tempdir().unwrap();
    let (meter, journal) = prepared(dir.path());
    meter.hold();
    let mut told = vec![hand_over(&journal, "alone", 0)];
    let alone = record_bytes(&journal, "alone");
    meter.until_it_waits();
    let mut bytes = 0;
    for n in 0..APPENDS {
        let key = n.to_string();
        told.push(hand_over(&journal, &key, 0));
        bytes += record_bytes(&journal, &key);
    }
    meter.release();
    for told in told {
        told.recv().unwrap().unwrap();
    }
    let headers = 2 * frame::FRAME_HEADER as u64;
    assert_eq!(meter.take(), Done { writes: 2, syncs: 2, bytes: alone + bytes + headers });
}

#[test]
fn what_is_read_or_refused_costs_neither() {
    let dir = tempfile::tempdir().unwrap();
    let (meter, journal) = prepared(dir.path());
    write(&journal, "read");
    meter.take();
    let stream = sample::stream("read");
    assert_eq!(journal.read_stream(&stream, 0, usize::MAX).unwrap().len(), 1);
    assert_eq!(events(&journal), 2);
    assert!(journal.head(&stream).is_some());
    let elsewhere = hand_over(&journal, "read", 7).recv().unwrap();
    assert!(matches!(elsewhere, Err(AppendError::Conflict { .. })), "{elsewhere:?}");
    assert_eq!(meter.take(), Done::default());
}

/// The meter itself: what is written once more is seen.
#[test]
fn a_write_or_a_sync_too_many_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let meter = Arc::<Meter>::default();
    let file = fs::File::create(dir.path().join("file")).unwrap();
    let mut disk = Metered(meter.clone());
    disk.write(&file, b"one", 0).unwrap();
    disk.write(&file, b"more", 3).unwrap();
    disk.sync(&file).unwrap();
    assert_eq!(meter.take(), Done { writes: 2, syncs: 1, bytes: 7 });
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"onemore");
}
