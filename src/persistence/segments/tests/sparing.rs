use std::sync::atomic::AtomicU64;

use super::*;
use crate::persistence::segments::segment::NotCreated;

/// Counts the segments that were a spare before; the one of this number cannot be made.
struct Adopting(Arc<AtomicU64>, u64);

impl Disk for Adopting {
    fn adopt(&mut self, dir: &Path, header: SegmentHeader, spare: (fs::File, PathBuf)) -> Result<fs::File, NotCreated> {
        if self.0.fetch_add(1, Ordering::AcqRel) + 1 == self.1 {
            return Err(NotCreated::Nothing(io::Error::other("no")));
        }
        segment::adopt(dir, header, spare)
    }
}

/// Segments that are long enough to have a spare.
fn long(dir: &Path) -> SegmentsConfig {
    SegmentsConfig { segment_bytes: 1 << 20, ..config(dir) }
}

/// Appends an event of some KiB; whether it is acknowledged.
fn append(journal: &SegmentsJournal, nth: u64) -> bool {
    let stream = sample::stream(&nth.to_string());
    let lease = journal.lease(stream.partition(journal.partitions()));
    let mut append = sample::append(&stream, lease, 0, u128::from(nth));
    append.events[0].payload = vec![b'x'; 8 << 10].into();
    let (sender, receiver) = channel();
    journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().is_ok()
}

fn opened(dir: &Path, fails_at: u64) -> (SegmentsJournal, Arc<AtomicU64>) {
    let adopted = Arc::new(AtomicU64::new(0));
    let disk = Adopting(adopted.clone(), fails_at);
    (SegmentsJournal::open_on(&long(dir), first(disk)).unwrap(), adopted)
}

/// Names of what is in the journal's directory and is no segment that is in use.
fn unfinished(dir: &Path) -> Vec<PathBuf> {
    image(dir).into_keys().filter(|path| path.to_string_lossy().ends_with(".seg.new")).collect()
}

#[test]
fn the_next_segment_is_one_that_was_filled_with_zeros_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, adopted) = opened(dir.path(), 0);
    let mut written = 0;
    while adopted.load(Ordering::Acquire) < 2 {
        assert!(append(&journal, written));
        written += 1;
        assert!(written < 10_000, "no spare was ever taken");
    }
    drop(journal);
    assert_eq!(unfinished(dir.path()), Vec::<PathBuf>::new());
    let journal = SegmentsJournal::open(&long(dir.path())).unwrap();
    assert_eq!(events(&journal) as u64, written);
    let header = |number| SegmentHeader::decode(&fs::read(segment::path(&config(dir.path()).dir, number)).unwrap());
    let segments = segment::list(&config(dir.path()).dir).unwrap();
    assert!(segments.into_iter().all(|number| header(number).is_ok_and(|header| header.segment == number)));
}

#[test]
fn a_spare_that_cannot_be_taken_ends_the_journal_as_any_segment_does_that_cannot_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, adopted) = opened(dir.path(), 1);
    let mut acknowledged = 0;
    while append(&journal, acknowledged) {
        acknowledged += 1;
        assert!(acknowledged < 10_000, "no spare was ever taken");
    }
    assert_eq!(adopted.load(Ordering::Acquire), 1);
    assert!(journal.poisoned().is_some());
    journal.reopen().unwrap();
    assert!(append(&journal, acknowledged));
    assert_eq!(events(&journal) as u64, acknowledged + 1);
}

#[test]
fn a_spare_that_a_crash_has_left_is_removed_at_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    fs::write(config(dir.path()).dir.join("spare.seg.new"), [0; 100]).unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!((unfinished(dir.path()), events(&journal)), (vec![], 3));
}
