//! Saved heads: whatever became of them, opening finds what it finds without them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::persistence::{
    codec::Names,
    segments::{
        heads::{Checkpoint, SavedHeads, Saving, path as place},
        recovery::Recovered,
    },
    tip::Tip,
};

pub(super) fn path(dir: &Path) -> PathBuf {
    place(&config(dir).dir)
}

pub(super) fn unfinished(dir: &Path) -> PathBuf {
    config(dir).dir.join("heads.new")
}

/// What opening finds, with the heads that are there or with none.
fn found(dir: &Path, saved: bool) -> Recovered {
    let dir = config(dir).dir;
    let segments = segment::list(&dir).unwrap();
    let saved = if saved { SavedHeads::open(&dir).ok().flatten() } else { None };
    let beginning = Bases::begin(&dir, 2, &Names::default()).unwrap().map(|(_, beginning)| beginning);
    recovery::scan(&dir, &segments, 2, &Names::default(), saved, beginning.as_ref()).unwrap()
}

/// Asserts that saved heads change nothing, and returns up to which frame they spared decoding.
pub(super) fn spared(dir: &Path) -> u64 {
    let [mut with, mut without] = [true, false].map(|saved| found(dir, saved));
    let skimmed_to = std::mem::take(&mut with.skimmed_to);
    with.index.forget_records();
    without.index.forget_records();
    assert_eq!(with, without);
    skimmed_to
}

/// A closed journal of `frames` frames, whose heads are saved at the end.
pub(super) fn saved(dir: &Path, frames: usize) {
    go_on(dir, frames);
    assert_eq!(spared(dir), frames as u64);
}

fn go_on(dir: &Path, frames: usize) {
    let journal = SegmentsJournal::open(&config(dir)).unwrap();
    for n in 0..frames {
        write(&journal, &(n % 7).to_string());
    }
}

/// Lets something happen that leaves the heads as they are.
fn apart<T>(dir: &Path, act: impl FnOnce() -> T) -> T {
    let heads = fs::read(path(dir)).unwrap();
    let done = act();
    fs::write(path(dir), heads).unwrap();
    done
}

pub(super) type Rows = BTreeMap<StreamId, Tip>;

pub(super) fn read_heads(dir: &Path) -> (Checkpoint, Rows) {
    let saved = SavedHeads::open(&config(dir).dir).unwrap().unwrap();
    let (checkpoint, mut rows) = (saved.checkpoint.clone(), Rows::new());
    saved.each(&Names::default(), &mut |stream, tip| assert_eq!(rows.insert(stream, tip), None)).unwrap();
    (checkpoint, rows)
}

fn write_heads(dir: &Path, checkpoint: &Checkpoint, rows: &Rows) {
    let mut saving = Saving::begin(&config(dir).dir, checkpoint).unwrap();
    for (stream, tip) in rows {
        saving.add(stream, tip);
    }
    saving.write_piece().unwrap();
    saving.end().unwrap();
}

#[test]
fn only_records_behind_the_checkpoint_are_decoded() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 60);
    apart(dir.path(), || written(dir.path(), 5));
    assert_eq!(spared(dir.path()), 60);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!(read(&journal.run().shared.index).records(), 5);
    assert_eq!((journal.streams(), events(&journal)), (7, 65));
    let lengths = (0..7).map(|n| journal.read_stream(&sample::stream(&n.to_string()), 0, 99).unwrap().len());
    assert_eq!(lengths.sum::<usize>(), 65);
    write(&journal, "0");
    drop(journal);
    assert_eq!(spared(dir.path()), 66);
}

/// Saving all heads for the sake of a record costs more than it spares.
#[test]
fn closing_saves_what_is_worth_it() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 14);
    for (more, spares) in [(3, 14), (4, 21), (0, 21), (3, 21), (1, 25)] {
        go_on(dir.path(), more);
        assert_eq!(spared(dir.path()), spares, "{more}");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Append(u8),
    /// Closes.
    Reopen,
    /// Closes, and what is saved stays as it was.
    Apart,
    /// Closes while nothing can be saved.
    Obstructed,
    /// Deletes what is saved.
    Forget,
    /// What is saved ends there.
    Cut(usize),
    /// A bit of what is saved differs.
    Flip(usize),
}

#[test]
fn after_any_history_and_any_damage_to_what_is_saved_the_journal_is_the_same() {
    let op = prop_oneof![
        20 => (0..6u8).prop_map(Op::Append),
        3 => Just(Op::Reopen),
        2 => Just(Op::Apart),
        2 => Just(Op::Obstructed),
        1 => Just(Op::Forget),
        2 => any::<usize>().prop_map(Op::Cut),
        2 => any::<usize>().prop_map(Op::Flip),
    ];
    let (damaged, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut runner = TestRunner::new(ProptestConfig { cases: 16, ..ProptestConfig::default() });
    let run = runner.run(&prop::collection::vec(op, 0..50), |ops| {
        let dir = tempfile::tempdir().unwrap();
        let (dir, heads) = (dir.path(), path(dir.path()));
        let mut journal = SegmentsJournal::open(&config(dir)).unwrap();
        let (mut written, mut spoiled) = (0, None);
        for op in ops {
            if let Op::Append(key) = op {
                write(&journal, &key.to_string());
                written += 1;
                continue;
            }
            let before = fs::read(&heads).ok();
            if matches!(op, Op::Obstructed) {
                fs::create_dir(unfinished(dir)).unwrap();
            }
            drop(journal);
            match (&op, fs::read(&heads).ok()) {
                (Op::Obstructed, after) => {
                    prop_assert_eq!(&after, &before);
                    fs::remove_dir(unfinished(dir)).unwrap();
                }
                (Op::Apart, Some(_)) => match before {
                    Some(before) => fs::write(&heads, before).unwrap(),
                    None => fs::remove_file(&heads).unwrap(),
                },
                (Op::Forget, Some(_)) => fs::remove_file(&heads).unwrap(),
                (Op::Cut(at), Some(bytes)) => fs::write(&heads, &bytes[..at % bytes.len()]).unwrap(),
                (Op::Flip(at), Some(mut bytes)) => {
                    let at = at % (8 * bytes.len());
                    bytes[at / 8] ^= 1 << (at % 8);
                    fs::write(&heads, bytes).unwrap();
                }
                (_, None) | (Op::Append(_) | Op::Reopen, _) => {}
            }
            let now = fs::read(&heads).ok();
            if matches!(op, Op::Cut(_) | Op::Flip(_)) {
                spoiled.clone_from(&now);
            }
            let is_damaged = now.is_some() && now == spoiled;
            let checkpoint =
                SavedHeads::open(&config(dir).dir).ok().flatten().map_or(0, |saved| saved.checkpoint.frame);
            let expected = if is_damaged { 0 } else { checkpoint };
            prop_assert_eq!(spared(dir), expected, "{:?}", op);
            damaged.fetch_add(usize::from(is_damaged), Ordering::Relaxed);
            used.fetch_add(usize::from(expected > 0), Ordering::Relaxed);
            journal = SegmentsJournal::open(&config(dir)).unwrap();
            prop_assert_eq!(events(&journal), written);
        }
        Ok(())
    });
    run.unwrap();
    assert!(damaged.into_inner() > 0, "nothing was ever damaged");
    assert!(used.into_inner() > 0, "no saved head was ever used");
}

#[test]
fn a_checkpoint_ahead_of_a_cut_tail_is_ignored_and_written_anew() {
    for whole_frames in [1, 5] {
        let dir = tempfile::tempdir().unwrap();
        saved(dir.path(), 10);
        without_witness(dir.path());
        let path = segment::path(&config(dir.path()).dir, 1);
        let (starts, _) = frames(&path);
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(starts[10 - whole_frames]).unwrap()..].fill(0);
        fs::write(&path, bytes).unwrap();
        assert_eq!(spared(dir.path()), 0);
        go_on(dir.path(), 1);
        assert_eq!(spared(dir.path()), 11 - whole_frames as u64);
    }
}

/// Also one whose frames are cut and then written anew, differently: nothing but the hash over all frames tells.
#[test]
fn heads_of_a_journal_that_has_since_gone_another_way_are_ignored() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 10);
    without_witness(dir.path());
    let path = segment::path(&config(dir.path()).dir, 1);
    let (starts, _) = frames(&path);
    let mut cut = fs::read(&path).unwrap();
    cut[usize::try_from(starts[8]).unwrap()..].fill(0);
    fs::write(&path, cut).unwrap();
    apart(dir.path(), || {
        let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
        write(&journal, "2");
        write(&journal, "1");
    });
    assert_eq!(frames(&path).0, starts, "as many frames at the same places");
    assert_eq!(spared(dir.path()), 0);
}

#[test]
fn heads_of_another_journal_are_ignored_and_replaced() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    saved(other.path(), 20);
    written(dir.path(), 20);
    fs::copy(path(other.path()), path(dir.path())).unwrap();
    assert_eq!(spared(dir.path()), 0);
    go_on(dir.path(), 1);
    assert_eq!(spared(dir.path()), 21);
    assert_eq!(read_heads(dir.path()).1.len(), 3);
}

#[test]
fn a_row_that_is_missing_old_or_too_much_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 20);
    let old = read_heads(dir.path()).1;
    go_on(dir.path(), 7);
    assert_eq!(spared(dir.path()), 27);
    let (checkpoint, rows) = read_heads(dir.path());
    assert_ne!(rows, old);
    let spoil = |with: &dyn Fn(&mut Checkpoint, &mut Rows)| {
        let (mut checkpoint, mut rows) = (checkpoint.clone(), rows.clone());
        with(&mut checkpoint, &mut rows);
        write_heads(dir.path(), &checkpoint, &rows);
        assert_eq!(spared(dir.path()), 0);
    };
    let stream = sample::stream("3");
    spoil(&|_, rows| rows.retain(|other, _| *other != stream));
    spoil(&|_, rows| rows.extend([(stream.clone(), old[&stream])]));
    spoil(&|_, rows| rows.extend([(sample::stream("unheard of"), old[&stream])]));
    spoil(&|checkpoint, _| checkpoint.positions.push(0));
    spoil(&|checkpoint, _| checkpoint.positions[0] = 0);
    spoil(&|checkpoint, _| checkpoint.frame -= 1);
    spoil(&|checkpoint, _| checkpoint.end.byte += 16);
    spoil(&|checkpoint, _| checkpoint.journal ^= 1);
    write_heads(dir.path(), &checkpoint, &rows);
    assert_eq!(spared(dir.path()), 27);
}

#[test]
fn a_damaged_frame_before_the_checkpoint_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 60);
    let path = segment::path(&config(dir.path()).dir, 1);
    let (starts, _) = frames(&path);
    for start in starts {
        let mut bytes = fs::read(&path).unwrap();
        bytes[usize::try_from(start + 100).unwrap()] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let refused = SegmentsJournal::open(&config(dir.path())).unwrap_err();
        assert!(matches!(&refused, OpenError::Damaged { file, at, .. } if *file == path && *at == start), "{refused}");
        bytes[usize::try_from(start + 100).unwrap()] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(spared(dir.path()), 60);
}

#[test]
fn what_a_crash_left_of_a_save_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 20);
    fs::write(unfinished(dir.path()), "SFHEAD01 and not much more").unwrap();
    assert_eq!(spared(dir.path()), 20);
    go_on(dir.path(), 1);
    assert!(!unfinished(dir.path()).exists());
    assert_eq!(spared(dir.path()), 20);
}

/// Heads saved before a deletion, after it, and in the middle of all that are of use, and no fence is lost with them.
#[test]
fn saved_heads_are_of_use_behind_a_deletion() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 60);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let dealt_with = [0, 1].map(|partition| journal.durable(PartitionId(partition)));
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    let base = |_: &StreamId, sequence| Ok(StoredSnapshot { sequence, shape: 1, bytes: bytes::Bytes::new() });
    assert!(journal.truncate(what, &mut base.clone()).unwrap().pieces > 1);
    journal.close();
    drop(journal);
    assert_eq!(spared(dir.path()), 60);
    go_on(dir.path(), 20);
    assert_eq!(spared(dir.path()), 80);
    fs::remove_file(path(dir.path())).unwrap();
    assert_eq!(spared(dir.path()), 0);
    go_on(dir.path(), 4);
    assert_eq!(spared(dir.path()), 84, "they are saved anew");
    let (checkpoint, mut rows) = read_heads(dir.path());
    rows.pop_first().unwrap();
    write_heads(dir.path(), &checkpoint, &rows);
    spared(dir.path());
}
