//! Heads that are saved elsewhere: whatever became of them, opening finds what it finds without them.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::persistence::{
    StoreError,
    codec::Names,
    heads::{Checkpoint, MAX_HEADS, Tip},
    segments::{
        recovery::Recovered,
        saver::{MAX_AT_CLOSE, Saver},
    },
};

/// Fails from the n-th change on, as a crash does: what came before stays.
#[derive(Debug, Default)]
struct MemoryHeads {
    kept: Mutex<Kept>,
    /// Tells of each checkpoint.
    checkpoints: Option<std::sync::mpsc::Sender<u64>>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    rows: HashMap<StreamId, Tip>,
    checkpoint: Option<Checkpoint>,
    /// Changes that still succeed.
    left: Option<usize>,
    failures: usize,
}

impl Kept {
    fn change(&mut self) -> Result<(), StoreError> {
        match &mut self.left {
            Some(0) => {
                self.failures += 1;
                Err(StoreError { doing: "changing", reason: "no".into() })
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl HeadStore for MemoryHeads {
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        Ok(lock(&self.kept).checkpoint.clone())
    }
    fn heads(&self, _: &Names, visit: &mut dyn FnMut(StreamId, Tip)) -> Result<(), StoreError> {
        lock(&self.kept).rows.iter().for_each(|(stream, tip)| visit(stream.clone(), *tip));
        Ok(())
    }
    fn save_heads(&self, rows: &[(StreamId, Tip)], checkpoint: Option<&Checkpoint>) -> Result<(), StoreError> {
        assert!(rows.len() <= MAX_HEADS);
        let mut kept = lock(&self.kept);
        // Rows become durable one by one here: as if batches were even smaller.
        for (stream, tip) in rows {
            kept.change()?;
            kept.rows.insert(stream.clone(), *tip);
        }
        if let Some(checkpoint) = checkpoint {
            kept.change()?;
            kept.checkpoint = Some(checkpoint.clone());
            if let Some(told) = &self.checkpoints {
                let _nobody_listens = told.send(checkpoint.frame);
            }
        }
        Ok(())
    }
    fn clear_heads(&self) -> Result<(), StoreError> {
        let mut kept = lock(&self.kept);
        kept.change()?;
        kept.checkpoint = None;
        while let Some(stream) = kept.rows.keys().next().cloned() {
            kept.change()?;
            kept.rows.remove(&stream);
        }
        Ok(())
    }
}

fn with(dir: &Path, heads: &Arc<MemoryHeads>) -> SegmentsConfig {
    SegmentsConfig { heads: Some(heads.clone()), ..config(dir) }
}

/// What opening finds, with these heads or with none.
fn found(dir: &Path, heads: Option<&MemoryHeads>) -> Recovered {
    let dir = config(dir).dir;
    let segments = segment::list(&dir).unwrap();
    let heads = heads.map(|heads| heads as &dyn HeadStore);
    let beginning = Bases::begin(&dir, 2, &Names::default()).unwrap().map(|(_, beginning)| beginning);
    recovery::scan(&dir, &segments, 2, &Names::default(), heads, beginning.as_ref()).unwrap()
}

/// Asserts that these heads change nothing, and returns up to which frame they spared decoding.
fn spared(dir: &Path, heads: &MemoryHeads) -> u64 {
    let mut with = found(dir, Some(heads));
    let without = found(dir, None);
    let skimmed_to = std::mem::take(&mut with.skimmed_to);
    with.index.untrack();
    assert_eq!(with, without);
    skimmed_to
}

/// A closed journal of `frames` frames, whose heads are saved at the end.
fn saved(dir: &Path, frames: usize) -> Arc<MemoryHeads> {
    let heads = Arc::new(MemoryHeads::default());
    go_on(dir, &heads, frames);
    assert_eq!(spared(dir, &heads), frames as u64);
    heads
}

fn go_on(dir: &Path, heads: &Arc<MemoryHeads>, frames: usize) {
    let journal = SegmentsJournal::open(&with(dir, heads)).unwrap();
    for n in 0..frames {
        write(&journal, &(n % 7).to_string());
    }
}

#[test]
fn only_records_behind_the_checkpoint_are_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let heads = saved(dir.path(), 60);
    written(dir.path(), 5);
    assert_eq!(spared(dir.path(), &heads), 60);
    let journal = SegmentsJournal::open(&with(dir.path(), &heads)).unwrap();
    assert_eq!(read(&journal.run().shared.index).unsaved(), 3, "only what is new is saved again");
    assert_eq!((journal.streams(), events(&journal)), (7, 65));
    let lengths = (0..7).map(|n| journal.read_stream(&sample::stream(&n.to_string()), 0, 99).unwrap().len());
    assert_eq!(lengths.sum::<usize>(), 65);
    write(&journal, "0");
    drop(journal);
    assert_eq!(spared(dir.path(), &heads), 66);
}

#[derive(Clone, Debug)]
enum Op {
    Append(u8),
    /// Closes, saving heads, of which so many changes succeed.
    Reopen(usize),
    /// Closes and opens without heads: they stay behind.
    Apart,
    /// Deletes what is saved.
    Forget,
}

#[test]
fn after_any_history_and_any_crash_of_a_save_the_journal_is_the_same() {
    let op = prop_oneof![
        20 => (0..6u8).prop_map(Op::Append),
        3 => (0..12usize).prop_map(Op::Reopen),
        2 => Just(Op::Reopen(usize::MAX)),
        1 => Just(Op::Apart),
        1 => Just(Op::Forget),
    ];
    let (failures, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut runner = TestRunner::new(ProptestConfig { cases: 12, ..ProptestConfig::default() });
    let run = runner.run(&prop::collection::vec(op, 0..50), |ops| {
        let dir = tempfile::tempdir().unwrap();
        let heads = Arc::new(MemoryHeads::default());
        let mut journal = SegmentsJournal::open(&with(dir.path(), &heads)).unwrap();
        let mut written = 0;
        for op in ops {
            let config = match op {
                Op::Append(key) => {
                    write(&journal, &key.to_string());
                    written += 1;
                    continue;
                }
                Op::Reopen(left) => {
                    lock(&heads.kept).left = Some(left);
                    with(dir.path(), &heads)
                }
                Op::Apart => config(dir.path()),
                Op::Forget => with(dir.path(), &heads),
            };
            drop(journal);
            if matches!(op, Op::Forget) {
                *lock(&heads.kept) = Kept::default();
            }
            failures.fetch_add(lock(&heads.kept).failures, Ordering::Relaxed);
            lock(&heads.kept).left = None;
            lock(&heads.kept).failures = 0;
            let checkpoint = lock(&heads.kept).checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.frame);
            prop_assert_eq!(spared(dir.path(), &heads), checkpoint, "whatever a crash leaves is of use");
            used.fetch_add(usize::from(checkpoint > 0), Ordering::Relaxed);
            journal = SegmentsJournal::open(&config).unwrap();
            prop_assert_eq!(events(&journal), written);
        }
        Ok(())
    });
    run.unwrap();
    assert!(failures.into_inner() > 0, "no save ever failed");
    assert!(used.into_inner() > 0, "no saved head was ever used");
}

/// Rows are written first: for every number of them that made it to disk, without the checkpoint.
#[test]
fn rows_ahead_of_their_checkpoint_are_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let heads = saved(dir.path(), 20);
    for left in 0..7 {
        let before = lock(&heads.kept).checkpoint.clone();
        lock(&heads.kept).left = Some(left);
        go_on(dir.path(), &heads, 14);
        let kept = lock(&heads.kept).clone();
        assert!(kept.failures > 0);
        assert_eq!(kept.checkpoint, before);
        let end = before.unwrap().end;
        assert!(kept.rows.values().filter(|tip| tip.location >= end).count() >= left);
        lock(&heads.kept).left = None;
        assert_eq!(spared(dir.path(), &heads), 20);
    }
}

#[test]
fn a_checkpoint_ahead_of_a_cut_tail_is_ignored_and_written_anew() {
    for whole_frames in [1, 5] {
        let dir = tempfile::tempdir().unwrap();
        let heads = saved(dir.path(), 10);
        without_witness(dir.path());
        let path = segment::path(&config(dir.path()).dir, 1);
        let (starts, _) = frames(&path);
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(starts[10 - whole_frames]).unwrap()..].fill(0);
        fs::write(&path, bytes).unwrap();
        assert_eq!(spared(dir.path(), &heads), 0);
        go_on(dir.path(), &heads, 1);
        assert_eq!(spared(dir.path(), &heads), 11 - whole_frames as u64);
    }
}

/// Also one whose frames are cut and then written anew, differently: nothing but the hash over all frames tells.
#[test]
fn heads_of_a_journal_that_has_since_gone_another_way_are_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let heads = saved(dir.path(), 10);
    without_witness(dir.path());
    let path = segment::path(&config(dir.path()).dir, 1);
    let (starts, _) = frames(&path);
    let whole = fs::read(&path).unwrap();
    let mut cut = whole.clone();
    cut[usize::try_from(starts[8]).unwrap()..].fill(0);
    fs::write(&path, cut).unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    write(&journal, "2");
    write(&journal, "1");
    drop(journal);
    assert_eq!(frames(&path).0, starts, "as many frames at the same places");
    assert_eq!(spared(dir.path(), &heads), 0);
}

#[test]
fn heads_of_another_journal_are_ignored_and_replaced() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let foreign = saved(other.path(), 20);
    written(dir.path(), 20);
    assert_eq!(spared(dir.path(), &foreign), 0);
    go_on(dir.path(), &foreign, 1);
    assert_eq!(spared(dir.path(), &foreign), 21);
    assert_eq!(lock(&foreign.kept).rows.len(), 3);
}

#[test]
fn a_row_that_is_missing_old_or_too_much_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let heads = saved(dir.path(), 20);
    let old = lock(&heads.kept).rows.clone();
    go_on(dir.path(), &heads, 7);
    assert_eq!(spared(dir.path(), &heads), 27);
    let good = lock(&heads.kept).clone();
    let spoil = |with: &dyn Fn(&mut Kept)| {
        let mut kept = good.clone();
        with(&mut kept);
        *lock(&heads.kept) = kept;
        assert_eq!(spared(dir.path(), &heads), 0);
    };
    let stream = sample::stream("3");
    spoil(&|kept| kept.rows.retain(|other, _| *other != stream));
    spoil(&|kept| kept.rows.extend([(stream.clone(), old[&stream])]));
    spoil(&|kept| kept.rows.extend([(sample::stream("unheard of"), old[&stream])]));
    spoil(&|kept| kept.checkpoint.as_mut().unwrap().positions.push(0));
    spoil(&|kept| kept.checkpoint.as_mut().unwrap().positions[0] = 0);
    spoil(&|kept| kept.checkpoint.as_mut().unwrap().frame -= 1);
    spoil(&|kept| kept.checkpoint.as_mut().unwrap().end.byte += 16);
    spoil(&|kept| kept.checkpoint.as_mut().unwrap().journal ^= 1);
}

#[test]
fn a_damaged_frame_before_the_checkpoint_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let heads = saved(dir.path(), 60);
    let path = segment::path(&config(dir.path()).dir, 1);
    let (starts, _) = frames(&path);
    for start in starts {
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(start + 100).unwrap()] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let refused = SegmentsJournal::open(&with(dir.path(), &heads)).unwrap_err();
        assert!(matches!(&refused, OpenError::Damaged { file, at, .. } if *file == path && *at == start), "{refused}");
        bytes[usize::try_from(start + 100).unwrap()] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(spared(dir.path(), &heads), 60);
}

#[test]
fn heads_are_saved_while_the_journal_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let (told, checkpoints) = channel();
    let heads = Arc::new(MemoryHeads { checkpoints: Some(told), ..MemoryHeads::default() });
    let journal =
        SegmentsJournal::open(&SegmentsConfig { segment_bytes: 1 << 20, ..with(dir.path(), &heads) }).unwrap();
    let outcomes: Vec<_> = (0..2000).map(|n| hand_over(&journal, &n.to_string(), 0)).collect();
    for outcome in outcomes {
        outcome.recv().unwrap().unwrap();
    }
    let frame = checkpoints.recv().unwrap();
    assert!(frame > 0);
    assert!(spared(dir.path(), &heads) >= frame);
}

fn saver(journal: &SegmentsJournal, heads: &Arc<MemoryHeads>) -> Saver {
    Saver {
        shared: Arc::clone(&journal.run().shared),
        heads: heads.clone(),
        id: journal.run().reader.id,
        anew: false,
        at_close: MAX_AT_CLOSE,
        pending: Vec::new(),
        complained: false,
    }
}

/// A journal that remembers what changes, and nobody who saves it.
fn unsaved(dir: &Path) -> SegmentsJournal {
    let journal = SegmentsJournal::open(&config(dir)).unwrap();
    crate::persistence::sync::write(&journal.run().shared.index).track();
    journal
}

#[test]
fn what_a_failed_save_leaves_is_saved_later_and_each_stream_waits_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = unsaved(dir.path());
    let heads = Arc::new(MemoryHeads::default());
    let mut saver = saver(&journal, &heads);
    lock(&heads.kept).left = Some(0);
    for round in 1..=5 {
        for n in 0..10 {
            write(&journal, &n.to_string());
        }
        saver.save(&|_| false);
        assert_eq!((saver.pending.len(), saver.complained), (10, true));
        assert_eq!(lock(&heads.kept).failures, round);
    }
    lock(&heads.kept).left = None;
    saver.save(&|_| false);
    assert_eq!((saver.pending.len(), saver.complained), (0, false));
    assert_eq!(spared(dir.path(), &heads), 50);
}

#[test]
fn closing_does_not_wait_for_more_rows_than_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let journal = unsaved(dir.path());
    let heads = Arc::new(MemoryHeads::default());
    let mut saver = Saver { at_close: 9, ..saver(&journal, &heads) };
    for n in 0..10 {
        write(&journal, &n.to_string());
    }
    saver.save(&|_| true);
    assert_eq!(lock(&heads.kept).checkpoint, None);
    assert_eq!(spared(dir.path(), &heads), 0);
    saver.save(&|_| false);
    assert_eq!(spared(dir.path(), &heads), 10);
    write(&journal, "0");
    saver.save(&|_| true);
    assert_eq!(spared(dir.path(), &heads), 11, "what is within the limit is saved");
}

#[test]
fn many_streams_are_saved_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let heads = Arc::new(MemoryHeads::default());
    let journal = SegmentsJournal::open(&with(dir.path(), &heads)).unwrap();
    let streams = 3 * MAX_HEADS + 1;
    let outcomes: Vec<_> = (0..streams).map(|n| hand_over(&journal, &n.to_string(), 0)).collect();
    for outcome in outcomes {
        outcome.recv().unwrap().unwrap();
    }
    drop(journal);
    assert_eq!(lock(&heads.kept).rows.len(), streams);
    assert!(spared(dir.path(), &heads) > 0);
}

/// All of them in one go kept a processor from whoever waited for an answer.
#[test]
fn the_saver_rests_after_each_batch_as_long_as_that_one_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let journal = unsaved(dir.path());
    let heads = Arc::new(MemoryHeads::default());
    let mut saver = saver(&journal, &heads);
    let streams = 2 * MAX_HEADS + 1;
    let outcomes: Vec<_> = (0..streams).map(|n| hand_over(&journal, &n.to_string(), 0)).collect();
    for outcome in outcomes {
        outcome.recv().unwrap().unwrap();
    }
    let rests = std::cell::RefCell::new(Vec::new());
    saver.save(&|took| {
        rests.borrow_mut().push((lock(&heads.kept).rows.len(), took > Duration::ZERO));
        false
    });
    assert_eq!(rests.into_inner(), [(0, false), (MAX_HEADS, true), (2 * MAX_HEADS, true), (streams, true)]);
    assert_eq!(lock(&heads.kept).rows.len(), streams);
}

/// Heads saved before a deletion, after it, and in the middle of all that are of use, and no fence is lost with them.
#[test]
fn saved_heads_are_of_use_behind_a_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let heads = saved(dir.path(), 60);
    let journal = SegmentsJournal::open(&with(dir.path(), &heads)).unwrap();
    let dealt_with = [0, 1].map(|partition| journal.durable(PartitionId(partition)));
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    let base = |_: &StreamId, sequence| Ok(StoredSnapshot { sequence, shape: 1, bytes: bytes::Bytes::new() });
    assert!(journal.truncate(what, &mut base.clone()).unwrap().pieces > 1);
    journal.close();
    drop(journal);
    assert_eq!(spared(dir.path(), &heads), 60);
    go_on(dir.path(), &heads, 20);
    assert_eq!(spared(dir.path(), &heads), 80);
    let lost = Arc::new(MemoryHeads::default());
    assert_eq!(spared(dir.path(), &lost), 0);
    go_on(dir.path(), &lost, 1);
    assert_eq!(spared(dir.path(), &lost), 81, "they are saved anew");
    let row = lock(&lost.kept).rows.keys().next().cloned().unwrap();
    lock(&lost.kept).rows.remove(&row);
    spared(dir.path(), &lost);
}
