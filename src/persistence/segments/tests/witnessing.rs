use super::*;

fn segments(dir: &Path) -> Vec<u32> {
    segment::list(&config(dir).dir).unwrap()
}

/// Cuts the last `count` frames off the last segment.
fn cut(dir: &Path, count: usize) -> (PathBuf, u64) {
    let path = segment::path(&config(dir).dir, *segments(dir).last().unwrap());
    let (starts, _) = frames(&path);
    let at = starts[starts.len() - count];
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(at).unwrap()..].fill(0);
    fs::write(&path, bytes).unwrap();
    (path, at)
}

/// The story: a disk had said that it synced and forgot the end of the file. Nothing in the segments shows that.
#[test]
fn a_tail_that_was_acknowledged_and_is_gone_is_refused_with_its_place_and_positions() {
    for count in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
        for _ in 0..5 {
            write(&journal, "1");
        }
        let partition = sample::stream("1").partition(2);
        journal.close();
        let (path, end) = cut(dir.path(), count);
        for checked in [true, false] {
            let before = image(dir.path());
            let opened = || SegmentsJournal::open(&config(dir.path())).map(drop);
            let check = || Scanned::of(&config(dir.path()).dir, 2);
            let error = if checked { check().unwrap_err() } else { opened().unwrap_err() };
            assert_eq!(image(dir.path()), before, "nothing on disk is changed");
            let OpenError::Damaged { file, at, what } = error else { panic!("{error}") };
            assert_eq!((&file, at), (&path, end));
            let lost = format!("positions {} to 5 of partition {} are lost", 6 - count, partition.0);
            assert!(what.contains(&lost) && what.contains("up to frame 5"), "{what}");
        }
        // Whoever knows better removes the witness.
        without_witness(dir.path());
        assert_eq!(events(&SegmentsJournal::open(&config(dir.path())).unwrap()), 5 - count);
    }
}

#[test]
fn a_last_frame_that_was_acknowledged_and_is_damaged_is_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    let path = segment::path(&config(dir.path()).dir, 1);
    let (starts, _) = frames(&path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(starts[2] + 50).unwrap()] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = SegmentsJournal::open(&config(dir.path())).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { file, at, .. } if *file == path && *at == starts[2]), "{error}");
}

#[test]
fn segments_that_are_all_gone_are_missed() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    fs::remove_file(segment::path(&config(dir.path()).dir, 1)).unwrap();
    fs::remove_file(config(dir.path()).dir.join("epoch")).unwrap();
    let error = SegmentsJournal::open(&config(dir.path())).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(segments(dir.path()).is_empty(), "none is made in their place");
}

#[test]
fn a_witness_of_another_journal_is_refused() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(dir.path(), 3);
    written(other.path(), 3);
    let place = witness::path(&config(dir.path()).dir);
    fs::copy(witness::path(&config(other.path()).dir), &place).unwrap();
    let error = SegmentsJournal::open(&config(dir.path())).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { file, .. } if *file == place), "{error}");
}

#[test]
fn a_journal_from_before_there_was_a_witness_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    without_witness(dir.path());
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let noted = || witness::last(&config(dir.path()).dir, 2).unwrap().unwrap();
    assert_eq!(noted().frame, 3, "before anything is shown");
    write(&journal, "1");
    // Without closing: as a kill would find it, a moment later.
    while noted().frame < 4 {
        std::thread::yield_now();
    }
    assert_eq!(noted().positions.iter().sum::<u64>(), 4);
}
