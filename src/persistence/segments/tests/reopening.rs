//! After a failed write the journal is opened again in place.

use std::{
    io::Error,
    os::unix::fs::FileExt,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::persistence::{Append, Lease, UnitReport, Verifier};

/// What becomes of the write, or the sync behind it, that fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    /// The frame is whole, and its sync failed.
    Whole,
    /// Half of it is there.
    Half,
    /// Nothing is there.
    Nothing,
    /// A new segment is there, and that it has its name is perhaps not durable.
    Created,
    /// There is none.
    NotCreated,
}

/// Fails once, at the n-th operation of the kind.
struct FailsOnce {
    failure: Failure,
    countdown: Arc<AtomicUsize>,
}

impl FailsOnce {
    fn is_now(&self, failures: &[Failure]) -> bool {
        let down = |n: usize| Some(n.wrapping_sub(1));
        failures.contains(&self.failure)
            && self.countdown.fetch_update(Ordering::Relaxed, Ordering::Relaxed, down) == Ok(0)
    }
}

impl Disk for FailsOnce {
    fn create(
        &mut self,
        dir: &Path,
        header: SegmentHeader,
        bytes: u64,
        frames: &[u8],
    ) -> Result<fs::File, segment::NotCreated> {
        if self.is_now(&[Failure::NotCreated]) {
            return Err(segment::NotCreated::Nothing(Error::other("no")));
        }
        let file = segment::create(dir, header, bytes, frames)?;
        if self.is_now(&[Failure::Created]) {
            return Err(segment::NotCreated::Unknown(Error::other("no")));
        }
        Ok(file)
    }
    fn write(&mut self, file: &fs::File, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.is_now(&[Failure::Half, Failure::Nothing]) {
            let written = if self.failure == Failure::Half { bytes.len() / 2 } else { 0 };
            file.write_all_at(&bytes[..written], at)?;
            return Err(Error::other("no"));
        }
        file.write_all_at(bytes, at)
    }
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        if self.is_now(&[Failure::Whole]) { Err(Error::other("no")) } else { file.sync_data() }
    }
}

const FAILURES: [Failure; 5] = [Failure::Whole, Failure::Half, Failure::Nothing, Failure::Created, Failure::NotCreated];

fn failing(dir: &Path, failure: Failure, at: usize) -> SegmentsJournal {
    let disk = FailsOnce { failure, countdown: Arc::new(AtomicUsize::new(at)) };
    SegmentsJournal::open_on(&config(dir), first(disk)).unwrap()
}

fn shown(journal: &SegmentsJournal) -> Vec<Vec<Record>> {
    (0..2).map(|partition| journal.read_feed(PartitionId(partition), 0, usize::MAX).unwrap()).collect()
}

fn known(journal: &SegmentsJournal, key: &str) -> bool {
    journal.head(&sample::stream(key)).is_some()
}

/// For each kind of failure, at the n-th operation, until a run has none.
#[test]
fn whatever_fails_the_journal_comes_back_with_what_was_acknowledged_and_takes_writes() {
    for failure in FAILURES {
        let mut n = 0;
        while comes_back_after(failure, n) {
            n += if n < 2 { 1 } else { 9 };
        }
        assert!(n > 0, "{failure:?} never happened");
    }
}

const APPENDS: usize = 24;

fn comes_back_after(failure: Failure, at: usize) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let journal = failing(dir.path(), failure, at);
    let key = |n: usize| n.to_string();
    let outcomes: Vec<_> = (0..APPENDS).map(|n| hand_over(&journal, &key(n), 0).recv().unwrap()).collect();
    if outcomes.iter().all(Result::is_ok) {
        return false;
    }
    let before = shown(&journal);
    let old = journal.epoch();
    journal.reopen().unwrap();
    assert_eq!((journal.poisoned(), journal.epoch()), (None, old + 1), "{failure:?} at {at}");
    let metrics = journal.metrics();
    assert_eq!((metrics.poisonings, metrics.reopenings), (1, 1));
    let after = shown(&journal);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after[..before.len()], before[..], "nothing that was shown is gone or elsewhere");
    }
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(_) => assert!(known(&journal, &key(n))),
            Err(AppendError::Unknown(_)) => {
                assert_eq!(known(&journal, &key(n)), failure == Failure::Whole, "{failure:?} at {at}");
            }
            Err(_) => assert!(!known(&journal, &key(n))),
        }
    }
    for n in 0..5 {
        write(&journal, &key(n));
    }
    // What is in the fresh segment reads the same, now and after another opening.
    let after = shown(&journal);
    let of_one = journal.read_stream(&sample::stream("0"), 0, usize::MAX).unwrap();
    journal.close();
    drop(journal);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!(journal.torn(), None);
    assert_eq!(shown(&journal), after);
    assert_eq!(journal.read_stream(&sample::stream("0"), 0, usize::MAX).unwrap(), of_one);
    let looked = surveyed(dir.path());
    assert_eq!((looked.damage, looked.tail), (Vec::new(), None), "{failure:?} at {at}");
    assert_eq!(looked.counted.events, events(&journal) as u64, "{failure:?} at {at}: each is shown once");
    true
}

/// What the tools say of it.
fn surveyed(dir: &Path) -> UnitReport {
    let mut passed = |_| ();
    let mut verifier = Verifier::new("main", 2, &mut passed);
    survey::survey(&config(dir).dir, 2, &mut verifier).unwrap();
    verifier.report()
}

/// Appends of one stream that are linked to each other within the frame whose sync fails.
#[test]
fn a_frame_that_was_whole_is_copied_with_its_links() {
    let dir = tempfile::tempdir().unwrap();
    let config = SegmentsConfig { segment_bytes: 1 << 20, ..config(dir.path()) };
    let held = Arc::new(Barrier::new(2));
    let disk = Holds { held: held.clone(), syncs: 0 };
    let journal = SegmentsJournal::open_on(&config, first(disk)).unwrap();
    let alone = hand_over(&journal, "a", 0);
    held.wait(); // its sync has begun: what comes now is one group, or at least a group of some
    let group: Vec<_> =
        (0..20_u64).flat_map(|n| [hand_over(&journal, "a", n + 1), hand_over(&journal, "b", n)]).collect();
    held.wait();
    alone.recv().unwrap().unwrap();
    for outcome in group {
        assert!(matches!(outcome.recv().unwrap(), Err(AppendError::Unknown(_))));
    }
    journal.reopen().unwrap();
    for round in 0..2 {
        for (key, count) in [("a", 21), ("b", 20)] {
            let found = journal.read_stream(&sample::stream(key), 0, usize::MAX).unwrap();
            assert!(found.iter().map(Record::last_sequence).eq(1..=count), "{key} in round {round}");
        }
        assert_eq!(events(&journal), 41);
    }
    journal.close();
    assert_eq!(events(&SegmentsJournal::open(&config).unwrap()), 41);
}

/// Waits in the first sync and fails the second.
struct Holds {
    held: Arc<Barrier>,
    syncs: usize,
}

impl Disk for Holds {
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        self.syncs += 1;
        match self.syncs {
            1 => {
                self.held.wait();
                self.held.wait();
                file.sync_data()
            }
            _ => Err(Error::other("no")),
        }
    }
}

#[test]
fn an_append_of_an_incarnation_from_before_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let journal = failing(dir.path(), Failure::Half, 1);
    let stream = sample::stream("1");
    let old: Lease = journal.lease(stream.partition(2));
    write(&journal, "1");
    assert!(hand_over(&journal, "2", 0).recv().unwrap().is_err());
    journal.reopen().unwrap();
    let late = |lease, incarnation| {
        let (sender, receiver) = channel();
        let append = Append { incarnation, ..sample::append(&stream, lease, 1, 9) };
        journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
        receiver.recv().unwrap()
    };
    assert_eq!(late(old, 99), Err(AppendError::Fenced { stream: stream.clone() }));
    late(journal.lease(old.partition), 1).unwrap();
}

#[test]
fn a_healthy_journal_stays_as_it_is_and_a_closed_one_closed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    journal.reopen().unwrap();
    assert_eq!((journal.epoch(), journal.metrics().reopenings), (1, 0));
    journal.close();
    assert!(matches!(journal.reopen(), Err(ReopenError::Closed)));
}

/// The second segment cannot be made while something is in its way; then it can.
#[test]
fn a_reopening_that_fails_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = failing(dir.path(), Failure::Half, 3);
    for n in 0..5 {
        drop(hand_over(&journal, &n.to_string(), 0).recv().unwrap());
    }
    let obstacle = config(dir.path()).dir.join("0000000002.seg.new");
    fs::create_dir(&obstacle).unwrap();
    for _ in 0..2 {
        assert!(matches!(journal.reopen(), Err(ReopenError::Open(_))));
        assert!(journal.poisoned().is_some());
        let refused = hand_over(&journal, "9", 0).recv().unwrap();
        assert!(matches!(refused, Err(AppendError::Refused(Refusal::Poisoned(_)))), "{refused:?}");
        assert_eq!(events(&journal), 3, "readers go on");
    }
    fs::remove_dir(&obstacle).unwrap();
    journal.reopen().unwrap();
    write(&journal, "9");
    assert_eq!(events(&journal), 4);
}

/// Power is lost after the fresh segment was made: of the place that was left, anything may be on the disk.
#[test]
fn what_stands_behind_the_place_that_was_left_is_never_read_again() {
    for failure in [Failure::Whole, Failure::Half] {
        let dir = tempfile::tempdir().unwrap();
        let journal = failing(dir.path(), failure, 3);
        for n in 0..5 {
            drop(hand_over(&journal, &n.to_string(), 0).recv().unwrap());
        }
        journal.reopen().unwrap();
        write(&journal, "after");
        let expected = shown(&journal);
        journal.close();
        let path = segment::path(&config(dir.path()).dir, 1);
        let whole = fs::read(&path).unwrap();
        let (starts, _) = frames(&path);
        for fill in [0, 0xa5] {
            let mut bytes = whole.clone();
            let left = starts.get(3).map_or(frames(&path).1, |start| *start);
            bytes[usize::try_from(left).unwrap()..].fill(fill);
            fs::write(&path, bytes).unwrap();
            let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
            assert_eq!(shown(&journal), expected, "{failure:?} filled with {fill}");
            assert_eq!(surveyed(dir.path()).damage, [], "{failure:?} filled with {fill}");
        }
    }
}

/// Somebody removed it under the process: a fresh one in its place would look as if nothing had ever been acknowledged.
#[test]
fn a_journal_that_is_gone_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let journal = super::failing(&config(dir.path()), 1);
    write(&journal, "1");
    hand_over(&journal, "1", 1).recv().unwrap().unwrap_err();
    let dir = config(dir.path()).dir;
    fs::remove_dir_all(&dir).unwrap();
    journal.reopen().unwrap_err();
    assert!(!dir.exists() && journal.poisoned().is_some());
}
