//! What only this journal does: sled beneath it fails, forgets, or has lost something.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::*;
use crate::persistence::{
    Appended,
    sample::{append, event, stream},
    sled::{raw, values},
};

/// Fails the n-th sync or batch, once.
pub(in crate::persistence) struct FailingMedium {
    countdown: usize,
    sync: bool,
    fired: Arc<AtomicBool>,
}

impl FailingMedium {
    fn fails(&mut self, sync: bool) -> Result<(), store::Failure> {
        if self.sync != sync {
            return Ok(());
        }
        self.countdown = self.countdown.wrapping_sub(1);
        if self.countdown == usize::MAX {
            self.fired.store(true, Ordering::Relaxed);
            return Err(store::Failure::Io("no".to_owned()));
        }
        Ok(())
    }
}

impl Medium for FailingMedium {
    fn apply(&mut self, store: &Store, batch: ::sled::Batch) -> Result<(), store::Failure> {
        self.fails(false)?;
        store.apply(batch)
    }
    fn sync(&mut self, store: &Store) -> Result<(), store::Failure> {
        self.fails(true)?;
        store.sync()
    }
}

/// A journal whose n-th sync, counted from 0, fails.
pub(in crate::persistence) fn failing(config: &SledJournalConfig, n: usize) -> SledJournal {
    SledJournal::open_on(config, FailingMedium { countdown: n, sync: true, fired: Arc::default() }).unwrap()
}

fn config(dir: &tempfile::TempDir) -> SledJournalConfig {
    SledJournalConfig {
        dir: dir.path().join("journal-sled"),
        partitions: 2,
        queue: 64,
        cache_bytes: 1 << 20,
        room: Room::endless(),
    }
}

fn hand_over(journal: &SledJournal, append: Append) -> Result<Appended, AppendError> {
    let (sender, receiver) = channel();
    journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap()
}

fn write(journal: &SledJournal, key: &str, events: usize) -> Result<Appended, AppendError> {
    let stream = stream(key);
    let expected = journal.head(&stream).map_or(0, |head| head.sequence);
    let append = append(&stream, journal.lease(stream.partition(2)), expected, u128::from(expected));
    hand_over(journal, Append { events: vec![event("x"); events], ..append })
}

/// Whatever was acknowledged is there afterwards, what was refused is not, and what is unknown is either.
#[test]
fn after_any_failed_batch_or_sync_the_journal_refuses_and_what_was_acknowledged_is_there() {
    for sync in [false, true] {
        for n in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let fired = Arc::<AtomicBool>::default();
            let medium = FailingMedium { countdown: n, sync, fired: Arc::clone(&fired) };
            let journal = SledJournal::open_on(&config(&dir), medium).unwrap();
            let told: Vec<_> = (0..6).map(|n| write(&journal, &(n % 2).to_string(), 1)).collect();
            let known = told.iter().filter(|told| told.is_ok()).count() as u64;
            let unknown = told.iter().filter(|told| matches!(told, Err(AppendError::Unknown(_)))).count() as u64;
            assert_eq!(journal.poisoned().is_some(), fired.load(Ordering::Relaxed));
            let shown = |journal: &SledJournal| journal.durable(PartitionId(0)) + journal.durable(PartitionId(1));
            assert_eq!(shown(&journal), known);
            drop(journal);
            let journal = SledJournal::open(&config(&dir)).unwrap();
            assert!((known..=known + unknown).contains(&shown(&journal)), "{told:?}");
            write(&journal, "0", 3).unwrap();
            if !fired.load(Ordering::Relaxed) {
                assert!(n > 0 && known == 6, "no fault was met at all");
                break;
            }
            assert_eq!(unknown, 1, "{told:?}");
        }
    }
}

#[test]
fn a_tail_that_sled_has_lost_is_missed() {
    for forget_witness in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let journal = SledJournal::open(&config(&dir)).unwrap();
        for _ in 0..3 {
            write(&journal, "1", 1).unwrap();
        }
        drop(journal);
        let partition = stream("1").partition(2);
        let db = raw(&dir.path().join("journal-sled/sled"));
        db.remove(keys::record(partition, 3)).unwrap();
        if forget_witness {
            let key = keys::witness(partition);
            db.insert(key.as_slice(), values::seal(&key, &[&[0][..], &recovery::witness(1, 2)].concat())).unwrap();
        }
        db.flush().unwrap();
        drop(db);
        let error = SledJournal::open(&config(&dir)).unwrap_err();
        let OpenError::Damaged { what, .. } = &error else { unreachable!("{error}") };
        assert!(what.contains("ends at position 2, and position 3 was acknowledged"), "{what}");
    }
}

/// Without a clean end: sled alone would take the older files for all there ever was.
#[test]
fn what_is_acknowledged_is_soon_kept_apart_and_missed() {
    let (dir, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sled = dir.path().join("journal-sled/sled");
    write(&SledJournal::open(&config(&dir)).unwrap(), "1", 1).unwrap();
    for entry in fs::read_dir(&sled).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), before.path().join(entry.file_name())).unwrap();
    }
    let journal = SledJournal::open(&config(&dir)).unwrap();
    let last = write(&journal, "1", 2).unwrap().offset + 1;
    let partition = usize::from(stream("1").partition(2).0);
    let kept = || epoch::read(&config(&dir).dir).unwrap().unwrap().positions[partition];
    while kept() < last {
        thread::yield_now();
    }
    let epoch = fs::read(dir.path().join("journal-sled/epoch")).unwrap();
    drop(journal);
    fs::write(dir.path().join("journal-sled/epoch"), epoch).unwrap();
    fs::remove_dir_all(&sled).unwrap();
    fs::rename(before.path(), &sled).unwrap();
    let error = SledJournal::open(&config(&dir)).unwrap_err();
    assert!(error.to_string().contains("ends at position 1, and position 3 was acknowledged"), "{error}");
}

#[test]
fn a_journal_whose_sled_is_gone_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    write(&SledJournal::open(&config(&dir)).unwrap(), "1", 1).unwrap();
    fs::remove_dir_all(dir.path().join("journal-sled/sled")).unwrap();
    assert!(matches!(SledJournal::open(&config(&dir)), Err(OpenError::Damaged { .. })));
}

/// sled does not open what it has half made, and nothing was acknowledged then.
#[test]
fn a_journal_whose_making_was_cut_short_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let unfinished = dir.path().join("journal-sled/sled.new");
    fs::create_dir_all(&unfinished).unwrap();
    fs::write(unfinished.join("conf"), "").unwrap();
    write(&SledJournal::open(&config(&dir)).unwrap(), "1", 1).unwrap();
    assert!(!unfinished.exists());
    assert_eq!(SledJournal::open(&config(&dir)).unwrap().head(&stream("1")).unwrap().sequence, 1);
}

#[test]
fn a_damaged_record_is_named_by_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SledJournal::open(&config(&dir)).unwrap();
    for _ in 0..3 {
        write(&journal, "1", 1).unwrap();
    }
    drop(journal);
    let key = keys::record(stream("1").partition(2), 2);
    let db = raw(&dir.path().join("journal-sled/sled"));
    let mut value = db.get(&key).unwrap().unwrap().to_vec();
    value[30] ^= 1;
    db.insert(key, value).unwrap();
    db.flush().unwrap();
    drop(db);
    let error = SledJournal::open(&config(&dir)).unwrap_err();
    assert!(error.to_string().contains("position 2"), "{error}");
}

#[test]
fn a_batch_has_at_most_256_events_unless_one_append_has_more() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SledJournal::open(&SledJournalConfig { queue: 4096, ..config(&dir) }).unwrap();
    write(&journal, "big", Append::MAX_EVENTS).unwrap();
    // As the writer would take them.
    let queued = |n: u32| {
        let stream = stream(&n.to_string());
        let lease = journal.lease(stream.partition(2));
        let append = Append { events: vec![event("x"); 100], ..append(&stream, lease, 0, 1) };
        Queued::new(append, None, None, 2, Box::new(|_| ()))
    };
    let writer =
        Writer { shared: Arc::clone(&journal.shared), medium: RealMedium, epoch: journal.epoch, running: channel().0 };
    let mut waiting = (0..5).map(queued).collect();
    assert_eq!(writer.gather_count(&mut waiting), 2);
    assert_eq!(waiting.len(), 3);
}

/// A crash at each step of a deletion leaves all of the history, or what stands for it; what is void is removed.
#[test]
fn a_crash_at_every_step_of_a_deletion_leaves_all_or_what_stands_for_it() {
    for step in ["create", "sync", "check", "rename", "settle", "remove"] {
        let dir = tempfile::tempdir().unwrap();
        let journal = SledJournal::open(&config(&dir)).unwrap();
        for n in 0..40 {
            write(&journal, &(n % 3).to_string(), 1 + n % 2).unwrap();
        }
        let durable = |journal: &SledJournal| [0, 1].map(|partition| journal.durable(PartitionId(partition)));
        let newest = |journal: &SledJournal| {
            [0, 1].map(|n| journal.read_feed(PartitionId(n), journal.durable(PartitionId(n)) - 1, 9).unwrap())
        };
        let (heads, whole) = (durable(&journal), newest(&journal));
        let what = Truncation { before_millis: u64::MAX, dealt_with: &heads };
        let base = |_: &StreamId, sequence| Ok(StoredSnapshot { sequence, shape: 1, bytes: bytes::Bytes::new() });
        let error = journal.delete(what, &mut base.clone(), &mut |at| {
            if at == step { Err(std::io::Error::other("stopped here")) } else { Ok(()) }
        });
        assert!(error.expect_err("it was stopped").to_string().contains("stopped here"), "{step}");
        journal.close();
        drop(journal);
        let journal = SledJournal::open(&config(&dir)).unwrap();
        let is_deleted = |journal: &SledJournal| [0, 1].iter().any(|n| journal.first(PartitionId(*n)) > 1);
        assert_eq!(is_deleted(&journal), ["settle", "remove"].contains(&step), "{step}");
        assert_eq!((durable(&journal), newest(&journal)), (heads, whole.clone()), "{step}");
        journal.truncate(what, &mut base.clone()).unwrap();
        assert!(is_deleted(&journal), "{step}");
        let left = journal.shared.store.access(|db| Ok(db.scan_prefix(b"e").count())).unwrap();
        assert_eq!(left, 2, "{step}: the newest record of each partition");
        assert_eq!(newest(&journal), whole, "{step}");
        write(&journal, "0", 1).unwrap();
        assert_eq!(journal.head(&stream("0")).unwrap().sequence, 14 + 7 + 1, "{step}");
    }
}

/// The system may have dropped what the writer had applied by then, and says so once: to the deletion.
#[test]
fn after_a_deletion_whose_sync_fails_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SledJournal::open(&config(&dir)).unwrap();
    for _ in 0..9 {
        write(&journal, "1", 1).unwrap();
    }
    let heads = [0, 1].map(|partition| journal.durable(PartitionId(partition)));
    let what = Truncation { before_millis: u64::MAX, dealt_with: &heads };
    let base = |_: &StreamId, sequence| Ok(StoredSnapshot { sequence, shape: 1, bytes: bytes::Bytes::new() });
    // It takes no sync.
    let synced = journal.shared.store.sync_instead(File::open("/dev/null").unwrap());
    assert!(matches!(journal.truncate(what, &mut base.clone()), Err(TruncateError::Read(ReadError::Io { .. }))));
    drop(journal.shared.store.sync_instead(synced));
    assert!(matches!(write(&journal, "1", 1), Err(AppendError::Unknown(_))));
    assert!(journal.poisoned().is_some());
    drop(journal);
    let journal = SledJournal::open(&config(&dir)).unwrap();
    assert!(journal.head(&stream("1")).unwrap().sequence >= 9);
    write(&journal, "1", 1).unwrap();
}

#[test]
fn it_counts_what_it_made_durable_and_what_it_refused() {
    let dir = tempfile::tempdir().unwrap();
    let journal =
        SledJournal::open_on(&config(&dir), FailingMedium { countdown: 3, sync: true, fired: Arc::default() }).unwrap();
    for n in 0..3 {
        write(&journal, &format!("s{n}"), 2).unwrap();
    }
    let metrics = journal.metrics();
    assert_eq!((metrics.appends, metrics.group_sizes.count, metrics.group_sizes.sum), (3, 3, 3));
    assert!(metrics.bytes > 0 && metrics.group_micros.count == 3 && metrics.group_micros.sum > 0, "{metrics:?}");
    assert_eq!((metrics.waiting, metrics.poisonings), (0, 0));
    assert!(matches!(write(&journal, "s3", 1), Err(AppendError::Unknown(_))));
    assert_eq!((journal.metrics().appends, journal.metrics().poisonings), (3, 1), "what failed is not durable");
}
