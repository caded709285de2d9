//! When heads are saved, and how long that keeps others.

use std::{cell::RefCell, sync::mpsc::channel, thread};

use super::{
    heads::{path, read_heads, saved, spared, unfinished},
    *,
};
use crate::persistence::{
    segments::{
        heads::PIECE,
        saver::{FEW, MAX_AT_CLOSE, Saver},
    },
    space::tests::Looked,
};

/// The journal's own saver sleeps until the journal closes: there is too little for it.
fn saver(journal: &SegmentsJournal) -> Saver {
    Saver {
        shared: Arc::clone(&journal.run().shared),
        dir: journal.config.dir.clone(),
        id: journal.run().reader.id,
        room: Room::endless(),
        few: FEW,
        at_close: MAX_AT_CLOSE,
        saved: (0, 0),
        complained: false,
    }
}

/// The tips are read after the checkpoint was taken, and what is written meanwhile is in some of them.
#[test]
fn tips_ahead_of_their_checkpoint_are_harmless() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 20);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    for more in 1..9 {
        write(&journal, "0");
        let end = read(&journal.run().shared.index).end;
        let ahead = |took| {
            if took == Duration::ZERO {
                (0..more).for_each(|n| write(&journal, &(n + 3).to_string())); // known ones and new ones
            }
            false
        };
        assert!(saver(&journal).save(&ahead));
        let (checkpoint, rows) = read_heads(dir.path());
        assert_eq!(checkpoint.frame, end.frame);
        let count = rows.values().filter(|tip| tip.location >= end.place).count();
        assert_eq!(count, usize::try_from(more).unwrap());
        assert_eq!(spared(dir.path()), end.frame);
    }
}

#[test]
fn heads_are_saved_while_the_journal_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    (0..20).for_each(|n| write(&journal, &n.to_string()));
    let (running, stopped) = channel();
    let saver = Saver { few: 20, at_close: 0, ..saver(&journal) };
    let running_saver = thread::spawn(move || saver.run(&stopped));
    while !path(dir.path()).exists() {
        thread::yield_now();
    }
    assert_eq!(spared(dir.path()), 20);
    drop(running);
    running_saver.join().unwrap();
}

#[test]
fn it_is_due_when_as_many_records_have_come_as_heads_were_saved_and_not_few() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let mut saver = Saver { few: 10, ..saver(&journal) };
    let mut due = Vec::new();
    for n in 0..64 {
        write(&journal, &n.to_string());
        if saver.is_due() {
            due.push(n + 1);
            assert!(saver.save(&|_| false));
        }
    }
    assert_eq!(due, [10, 20, 40], "what is saved doubles");
}

#[test]
fn a_save_that_fails_leaves_what_was_saved_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    saved(dir.path(), 20);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let mut saver = saver(&journal);
    fs::create_dir(unfinished(dir.path())).unwrap();
    for n in 0..5 {
        write(&journal, &n.to_string());
        assert!(!saver.save(&|_| false));
        assert_eq!(spared(dir.path()), 20);
    }
    fs::remove_dir(unfinished(dir.path())).unwrap();
    assert!(saver.save(&|_| false));
    assert_eq!(spared(dir.path()), 25);
}

#[test]
fn nothing_is_saved_where_the_journal_itself_has_hardly_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut looked = Looked::new(dir.path(), 1 << 20, 0);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    (0..10).for_each(|n| write(&journal, &n.to_string()));
    let mut saver = Saver { room: looked.room.clone(), ..saver(&journal) };
    for (available, is_saved) in [((1 << 20) + 1000, false), (1 << 30, true)] {
        looked.has(available);
        assert_eq!((saver.save(&|_| false), path(dir.path()).exists()), (is_saved, is_saved));
    }
}

#[test]
fn closing_does_not_wait_for_more_streams_than_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let mut saver = Saver { at_close: 9, ..saver(&journal) };
    (0..10).for_each(|n| write(&journal, &n.to_string()));
    saver.save(&|_| true);
    assert!(!path(dir.path()).exists() && !unfinished(dir.path()).exists());
    saver.save(&|_| false);
    assert_eq!(spared(dir.path()), 10);
    write(&journal, "0");
    let mut saver = Saver { at_close: 10, ..saver };
    saver.save(&|_| true);
    assert_eq!(spared(dir.path()), 11, "what is within the limit is saved");
}

/// All of them in one go kept a processor from whoever waited for an answer.
#[test]
fn the_saver_rests_after_each_piece_as_long_as_that_one_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&SegmentsConfig { segment_bytes: 8 << 20, ..config(dir.path()) }).unwrap();
    let outcomes: Vec<_> = (0..8000).map(|n| hand_over(&journal, &n.to_string(), 0)).collect();
    for outcome in outcomes {
        outcome.recv().unwrap().unwrap();
    }
    let rests = RefCell::new(Vec::new());
    assert!(saver(&journal).save(&|took| {
        let written = fs::metadata(unfinished(dir.path())).map_or(0, |file| file.len());
        rests.borrow_mut().push((written, took > Duration::ZERO));
        false
    }));
    let rests = rests.into_inner();
    assert_eq!(rests[0], (0, false));
    assert!(rests[1..].iter().all(|(_, took)| *took) && rests.len() > 3, "{rests:?}");
    let pieces: Vec<_> = rests.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(pieces.iter().all(|bytes| *bytes < PIECE as u64 * 5 / 4), "{pieces:?}");
    assert_eq!(fs::metadata(path(dir.path())).unwrap().len(), rests.last().unwrap().0);
    assert_eq!(read_heads(dir.path()).1.len(), 8000);
    assert!(spared(dir.path()) > 0);
}
