use std::ops::ControlFlow;

use super::*;
use crate::persistence::{Glance, Look, Spot};

const STEPS: [&str; 6] = ["create", "sync", "check", "rename", "settle", "remove"];

fn durable(journal: &SegmentsJournal) -> Vec<u64> {
    [0, 1].map(|partition| journal.durable(PartitionId(partition))).into()
}

fn first(journal: &SegmentsJournal) -> Vec<u64> {
    [0, 1].map(|partition| journal.first(PartitionId(partition))).into()
}

fn base(stream: &StreamId, sequence: u64) -> StoredSnapshot {
    StoredSnapshot { sequence, shape: 1, bytes: format!("{stream}@{sequence}").into() }
}

/// Deletes what it can, and stops before the step of that name.
fn truncate(journal: &SegmentsJournal, stop: Option<&str>) -> Result<Truncated, TruncateError> {
    let dealt_with = durable(journal);
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    journal.delete(what, &mut |stream, sequence| Ok(base(stream, sequence)), &mut |step| {
        if Some(step) == stop { Err(io::Error::other("stopped here")) } else { Ok(()) }
    })
}

/// A journal of 60 frames of three streams in several segments, and of stream 9 in the first one alone.
fn several(dir: &Path) -> SegmentsJournal {
    let journal = SegmentsJournal::open(&config(dir)).unwrap();
    write(&journal, "9");
    for n in 0..60 {
        write(&journal, &(n % 3).to_string());
    }
    assert!(segment::list(&config(dir).dir).unwrap().len() > 2);
    journal
}

/// What can be read, by a way that does not depend on what was deleted.
fn newest(journal: &SegmentsJournal) -> Vec<Vec<Record>> {
    let newest = |partition| journal.read_feed(partition, journal.durable(partition) - 1, 9).unwrap();
    [PartitionId(0), PartitionId(1)].map(newest).into()
}

fn bases(journal: &SegmentsJournal) -> usize {
    ["0", "1", "2", "9"].iter().filter(|key| journal.base(&sample::stream(key)).unwrap().is_some()).count()
}

/// A crash at each step leaves all of the history or none of what was to be deleted, and what is left goes on.
#[test]
fn a_crash_at_every_step_leaves_all_or_what_stands_for_it() {
    for step in STEPS {
        let dir = tempfile::tempdir().unwrap();
        let journal = several(dir.path());
        let (whole, heads) = (newest(&journal), durable(&journal));
        let error = truncate(&journal, Some(step)).expect_err("it was stopped");
        assert!(error.to_string().contains("stopped here"), "{step}: {error}");
        let is_deleted = |journal: &SegmentsJournal| first(journal) != [1, 1];
        assert_eq!(is_deleted(&journal), step == "remove", "{step}: what a running journal shows");
        assert_eq!((newest(&journal), durable(&journal)), (whole.clone(), heads.clone()), "{step}");
        journal.close();
        drop(journal);
        let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
        assert_eq!(is_deleted(&journal), ["settle", "remove"].contains(&step), "{step}");
        assert_eq!(bases(&journal), if is_deleted(&journal) { 4 } else { 0 }, "{step}");
        assert_eq!((newest(&journal), durable(&journal)), (whole, heads), "{step}");
        let left = segment::list(&config(dir.path()).dir).unwrap();
        assert_eq!(left.len() == 1, is_deleted(&journal), "{step}: {left:?}");
        assert!(!config(dir.path()).dir.join("bases.new").exists(), "{step}");
        // Trying again is safe, and everything goes on.
        write(&journal, "9");
        truncate(&journal, None).unwrap();
        assert!(is_deleted(&journal) && bases(&journal) == 4, "{step}");
        write(&journal, "9");
        assert_eq!(journal.head(&sample::stream("9")).unwrap().sequence, 3);
    }
}

/// Fails to sync a directory.
struct NoNames;

impl Disk for NoNames {
    fn sync_dir(&mut self, _: &Path) -> io::Result<()> {
        Err(io::Error::other("no"))
    }
}

/// The new `bases` has its name, and a power cut could still take that back.
#[test]
fn segments_are_not_removed_before_what_stands_for_them_has_its_name_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let journal = several(dir.path());
    let (whole, segments) = (newest(&journal), segment::list(&config(dir.path()).dir).unwrap());
    truncate(&journal, Some("settle")).unwrap_err();
    journal.close();
    drop(journal);
    SegmentsJournal::open_on(&config(dir.path()), super::first(NoNames)).unwrap_err();
    assert_eq!(segment::list(&config(dir.path()).dir).unwrap(), segments);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!((segment::list(&config(dir.path()).dir).unwrap().len(), newest(&journal)), (1, whole));
}

/// Until it is tried again in the same process, which is told so.
#[test]
fn a_deletion_that_failed_is_made_up_for_without_a_reopening() {
    for step in STEPS {
        let dir = tempfile::tempdir().unwrap();
        let journal = several(dir.path());
        truncate(&journal, Some(step)).unwrap_err();
        let done = truncate(&journal, None).unwrap();
        assert_eq!(done.events > 0, step != "remove", "{step}: {done:?}");
        assert_eq!((segment::list(&config(dir.path()).dir).unwrap().len(), bases(&journal)), (1, 4), "{step}");
        assert_eq!(journal.metrics().truncations, 1);
        assert!(journal.metrics().deleted > 40);
        let whole = newest(&journal);
        journal.close();
        drop(journal);
        assert_eq!(newest(&SegmentsJournal::open(&config(dir.path())).unwrap()), whole, "{step}");
    }
}

#[test]
fn what_is_missing_behind_the_deletion_is_noticed_and_what_stands_for_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let journal = several(dir.path());
    truncate(&journal, None).unwrap();
    for n in 0..60 {
        write(&journal, &(n % 3).to_string());
    }
    journal.close();
    drop(journal);
    let segments = segment::list(&config(dir.path()).dir).unwrap();
    let bases = bases::path(&config(dir.path()).dir);
    let refused = |file: &Path| {
        let before = image(dir.path());
        let error = SegmentsJournal::open(&config(dir.path())).unwrap_err();
        assert!(matches!(&error, OpenError::Damaged { file: told, .. } if told == file), "{}: {error}", file.display());
        assert_eq!(image(dir.path()), before, "nothing was changed");
        assert!(Scanned::of(&config(dir.path()).dir, 2).is_err(), "{}", file.display());
    };
    for number in &segments {
        let path = segment::path(&config(dir.path()).dir, *number);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        refused(&path);
        fs::write(&path, whole).unwrap();
    }
    let whole = fs::read(&bases).unwrap();
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    fs::write(&bases, flipped).unwrap();
    refused(&bases);
    fs::remove_file(&bases).unwrap();
    refused(&segment::path(&config(dir.path()).dir, 1));
    fs::write(&bases, &whole).unwrap();
    assert_eq!(SegmentsJournal::open(&config(dir.path())).unwrap().streams(), 4);
}

/// Deletes once what stands for deleted history was read.
struct Deletes<'a>(&'a SegmentsJournal);

impl Look for Deletes<'_> {
    fn record(&mut self, _: Spot<'_>, _: &Glance<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn damage(&mut self, spot: Spot<'_>, _: Option<(u16, u64)>, what: &str) {
        unreachable!("{}: {what}", spot.file.display())
    }
    fn deleted(&mut self, _: &[u64]) {
        assert!(truncate(self.0, None).unwrap().pieces > 1);
    }
}

/// Segments that were deleted while somebody looked were told to be missing.
#[test]
fn a_look_that_meets_a_deletion_ends_and_finds_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let journal = several(dir.path());
    truncate(&journal, None).unwrap();
    for n in 0..60 {
        write(&journal, &(n % 3).to_string());
    }
    let error = survey::survey(&config(dir.path()).dir, 2, &mut Deletes(&journal)).unwrap_err();
    assert_eq!(error.to_string(), "history was deleted meanwhile: look again");
}

#[test]
fn archived_segments_are_deleted_as_all_others() {
    let dir = tempfile::tempdir().unwrap();
    let journal = several(dir.path());
    assert!(journal.archive(&durable(&journal)).unwrap() > 1);
    let archive = segment::archive(&config(dir.path()).dir);
    assert!(segment::present(&archive).unwrap().len() > 1);
    truncate(&journal, None).unwrap();
    assert_eq!(segment::present(&archive).unwrap(), [] as [u32; 0]);
    assert_eq!(journal.archive(&durable(&journal)).unwrap(), 0);
}

/// Base records are all written anew each time: that has to be worth it.
#[test]
fn less_is_not_deleted_than_base_records_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let journal = several(dir.path());
    let big = |stream: &StreamId, sequence| StoredSnapshot { bytes: vec![7; 20_000].into(), ..base(stream, sequence) };
    let delete = |journal: &SegmentsJournal| {
        let dealt_with = durable(journal);
        let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
        journal.truncate(what, &mut |stream, sequence| Ok(big(stream, sequence))).unwrap()
    };
    assert!(delete(&journal).pieces > 1);
    let mut waited = 0;
    let done = loop {
        write(&journal, "0");
        match delete(&journal) {
            Truncated { pieces: 0, .. } => waited += 1,
            done => break done,
        }
    };
    assert!(waited > 100 && done.pieces * SMALL > 70_000, "{done:?} after {waited}");
    assert_eq!((done.bases, bases(&journal)), (3, 4), "one stream has lost nothing more");
}

/// Readers of a poisoned journal, and the one that is opened again in place, know of the deletion.
#[test]
fn a_journal_that_is_opened_again_in_place_begins_where_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open_on(&config(dir.path()), first_disk(70)).unwrap();
    for n in 0..60 {
        write(&journal, &(n % 3).to_string());
    }
    truncate(&journal, None).unwrap();
    let begin = first(&journal);
    assert_ne!(begin, [1, 1]);
    let failed = (0..20).find(|_| {
        let sequence = journal.head(&sample::stream("0")).unwrap().sequence;
        hand_over(&journal, "0", sequence).recv().unwrap().is_err()
    });
    assert!(failed.is_some() && journal.poisoned().is_some(), "the disk failed");
    assert_eq!(first(&journal), begin);
    journal.reopen().unwrap();
    assert_eq!((first(&journal), bases(&journal)), (begin, 3));
    write(&journal, "1");
}

fn first_disk(syncs: usize) -> Disks {
    super::first(FailingSync(syncs))
}
