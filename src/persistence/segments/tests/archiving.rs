use super::*;

fn archive(dir: &Path) -> Vec<u32> {
    segment::present(&segment::archive(&config(dir).dir)).unwrap_or_default()
}

fn beside(dir: &Path) -> Vec<u32> {
    segment::present(&config(dir).dir).unwrap()
}

fn durable(journal: &SegmentsJournal) -> Vec<u64> {
    [0, 1].map(|partition| journal.durable(PartitionId(partition))).into()
}

/// Only whole segments below all positions move, and nobody who reads notices, now or later.
#[test]
fn what_everybody_has_dealt_with_is_moved_and_read_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    for n in 0..100 {
        write(&journal, &(n % 3).to_string());
    }
    let shown = |journal: &SegmentsJournal| -> Vec<Vec<Record>> {
        let feeds = (0..2).map(|partition| journal.read_feed(PartitionId(partition), 0, usize::MAX).unwrap());
        feeds.chain([journal.read_stream(&sample::stream("1"), 0, usize::MAX).unwrap()]).collect()
    };
    let (all, whole) = (beside(dir.path()), shown(&journal));
    assert_eq!(journal.archive(&[0, u64::MAX]).unwrap(), 0, "a reader in one partition is enough");
    assert_eq!(journal.archive(&[]).unwrap(), 0);
    let mut moved = 0;
    for upto in 0..durable(&journal).into_iter().max().unwrap() {
        moved += journal.archive(&[upto, upto]).unwrap();
        assert_eq!(archive(dir.path()), all[..moved]);
        for (segment, record) in segments_of(&journal) {
            assert!(
                record <= upto || segment > u32::try_from(moved).unwrap(),
                "position {record} is archived and unread behind {upto}"
            );
        }
    }
    moved += journal.archive(&durable(&journal)).unwrap();
    assert_eq!((archive(dir.path()), beside(dir.path())), (all[..moved].to_vec(), all[moved..].to_vec()));
    assert_eq!(beside(dir.path()).len(), 1, "the last one stays");
    assert_eq!(shown(&journal), whole);
    write(&journal, "9");
    journal.close();
    drop(journal);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!(events(&journal), 101);
    assert_eq!(shown(&journal)[2], whole[2]);
    assert_eq!(journal.archive(&durable(&journal)).unwrap(), 0);
}

/// The segment of each event's last position, by a way of its own: over the marks.
fn segments_of(journal: &SegmentsJournal) -> Vec<(u32, u64)> {
    let run = journal.run();
    let index = read(&run.shared.index);
    let marks = |partition| index.marks(PartitionId(partition), 1, usize::MAX);
    (0..2).flat_map(marks).map(|mark| (mark.frame.segment, mark.first)).collect()
}

#[test]
fn an_archived_segment_is_checked_as_all_others_are() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 60);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert!(journal.archive(&durable(&journal)).unwrap() > 1);
    journal.close();
    drop(journal);
    let path = segment::place(&config(dir.path()).dir, 1);
    assert!(path.starts_with(segment::archive(&config(dir.path()).dir)));
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[200] ^= 1;
    fs::write(&path, flipped).unwrap();
    let error = SegmentsJournal::open(&config(dir.path())).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { file, .. } if *file == path), "{error}");
    fs::remove_file(&path).unwrap();
    assert!(SegmentsJournal::open(&config(dir.path())).is_err(), "one that is gone is missed");
    // Caught between the two places: a copy in each.
    fs::write(&path, &whole).unwrap();
    fs::write(segment::path(&config(dir.path()).dir, 1), &whole).unwrap();
    assert_eq!(events(&SegmentsJournal::open(&config(dir.path())).unwrap()), 60);
}
