use super::*;
use crate::persistence::space::tests::Looked;

fn refused(outcome: &Result<Appended, AppendError>) -> bool {
    matches!(outcome, Err(AppendError::Refused(Refusal::NoSpace { .. })))
}

#[test]
fn below_the_mark_writes_are_refused_reads_go_on_and_writes_return() {
    let dir = tempfile::tempdir().unwrap();
    let mut looked = Looked::new(dir.path(), 1 << 20, 8192);
    looked.has(1 << 30);
    let journal = SegmentsJournal::open(&SegmentsConfig { room: looked.room.clone(), ..config(dir.path()) }).unwrap();
    write(&journal, "1");
    looked.has((1 << 20) - 1);
    let before = image(dir.path());
    for _ in 0..3 {
        assert!(refused(&hand_over(&journal, "1", 1).recv().unwrap()));
    }
    assert_eq!(journal.poisoned(), None);
    assert_eq!(events(&journal), 1);
    let untouched = |image: &BTreeMap<PathBuf, Vec<u8>>| {
        image.clone().into_iter().filter(|(path, _)| path.extension().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(untouched(&image(dir.path())), untouched(&before));
    looked.has(1 << 30);
    write(&journal, "1");
    assert_eq!((events(&journal), journal.metrics().no_space), (2, 3));
}

/// A disk on which a new segment finds no room, although nobody saw that coming.
struct Full;

impl Disk for Full {
    fn create(&mut self, _: &Path, _: SegmentHeader, _: u64, _: &[u8]) -> Result<fs::File, segment::NotCreated> {
        Err(segment::NotCreated::Nothing(io::ErrorKind::StorageFull.into()))
    }
}

#[test]
fn a_segment_that_finds_no_room_refuses_what_waits_and_poisons_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open_on(&config(dir.path()), first(Full)).unwrap();
    let mut acknowledged = 0;
    let told = loop {
        let outcome = hand_over(&journal, &acknowledged.to_string(), 0).recv().unwrap();
        if outcome.is_err() {
            break outcome;
        }
        acknowledged += 1;
    };
    assert!(refused(&told), "{told:?}");
    assert!(acknowledged > 5);
    assert_eq!(journal.poisoned(), None);
    assert_eq!(events(&journal), acknowledged);
    drop(journal);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    write(&journal, "after");
    assert_eq!(events(&journal), acknowledged + 1);
}

#[test]
fn a_segment_that_would_go_below_the_mark_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let mut looked = Looked::new(dir.path(), 1 << 20, 0);
    looked.has((1 << 20) + SMALL - 1); // enough for writes, not for a segment
    let config = SegmentsConfig { room: looked.room.clone(), ..config(dir.path()) };
    let journal = SegmentsJournal::open(&config).unwrap();
    let mut acknowledged = 0;
    while !refused(&hand_over(&journal, &acknowledged.to_string(), 0).recv().unwrap()) {
        acknowledged += 1;
        assert!(acknowledged < 1000);
    }
    assert_eq!(segment::list(&config.dir).unwrap(), [1]);
    looked.has((1 << 20) + SMALL);
    write(&journal, "after");
    assert_eq!(segment::list(&config.dir).unwrap(), [1, 2]);
}
