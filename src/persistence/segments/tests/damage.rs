use std::ops::ControlFlow;

use super::*;
use crate::persistence::{
    glance::Glance,
    survey::{Look, Spot},
};

/// What a survey finds damaged, and where.
#[derive(Default)]
struct Told(Vec<(u64, String)>);

impl Look for Told {
    fn record(&mut self, _: Spot<'_>, _: &Glance<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn damage(&mut self, spot: Spot<'_>, _: Option<(u16, u64)>, what: &str) {
        self.0.push((spot.at, what.to_owned()));
    }
}

fn refused(dir: &Path) -> (PathBuf, u64, String) {
    let before = image(dir);
    let error = SegmentsJournal::open(&config(dir)).unwrap_err();
    assert_eq!(image(dir), before, "nothing on disk is changed");
    let OpenError::Damaged { file, at, what } = error else { panic!("{error}") };
    (file, at, what)
}

fn change(path: &Path, at: u64, with: impl FnOnce(&mut u8)) {
    let mut bytes = fs::read(path).unwrap();
    with(&mut bytes[usize::try_from(at).unwrap()]);
    fs::write(path, bytes).unwrap();
}

fn first_segment(dir: &Path) -> PathBuf {
    segment::path(&config(dir).dir, 1)
}

/// The last write was cut short after every possible number of bytes: the rest of its place is still zeros.
#[test]
fn a_torn_last_frame_is_cut_wherever_it_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    without_witness(dir.path());
    let path = first_segment(dir.path());
    let whole = fs::read(&path).unwrap();
    let (starts, end) = frames(&path);
    let [_, _, start] = starts[..] else { panic!("{starts:?}") };
    let last_byte =
        start + whole[usize::try_from(start).unwrap()..].iter().rposition(|byte| *byte != 0).unwrap() as u64;
    for cut in start..=last_byte {
        for shorter in [false, true] {
            let mut torn = whole.clone();
            torn[usize::try_from(cut).unwrap()..usize::try_from(end).unwrap()].fill(0);
            if shorter {
                torn.truncate(usize::try_from(cut).unwrap());
            }
            fs::write(&path, &torn).unwrap();
            let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
            assert_eq!(events(&journal), 2, "cut at {cut}");
            let found = journal.torn().map(|torn| (torn.file.clone(), torn.at));
            assert_eq!(found, (cut > start).then(|| (path.clone(), start)));
            drop(journal);
            let scrubbed = fs::read(&path).unwrap();
            assert_eq!(scrubbed.len() as u64, SMALL);
            assert!(scrubbed[usize::try_from(start).unwrap()..].iter().all(|byte| *byte == 0));
        }
    }
    // And what is written then stands where the torn frame stood.
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    write(&journal, "new");
    drop(journal);
    assert_eq!(events(&SegmentsJournal::open(&config(dir.path())).unwrap()), 3);
}

#[test]
fn garbage_behind_the_last_frame_is_cut_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    let path = first_segment(dir.path());
    let (_, end) = frames(&path);
    for at in end..end + 100 {
        change(&path, at, |byte| *byte = 0xa5);
    }
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert_eq!(journal.torn(), Some(TornTail { file: path, at: end, bytes: 100 }));
    assert_eq!(events(&journal), 3);
    drop(journal);
    assert_eq!(SegmentsJournal::open(&config(dir.path())).unwrap().torn(), None);
}

#[test]
fn a_flipped_bit_anywhere_before_the_last_frame_is_refused_with_its_frame() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    let path = first_segment(dir.path());
    let (starts, _) = frames(&path);
    let whole = fs::read(&path).unwrap();
    let mut between = 0;
    for at in starts[0]..starts[2] {
        change(&path, at, |byte| *byte ^= 0x10);
        let frame = if at < starts[1] { starts[0] } else { starts[1] };
        let (file, found, what) = refused(dir.path());
        assert_eq!((file, found), (path.clone(), frame), "{what}");
        between += usize::from(what.contains("not zeros"));
        assert!(what.contains("behind it") || what.contains("not zeros"), "{what}");
        fs::write(&path, &whole).unwrap();
    }
    assert!(between < 2 * frame::ALIGN);
}

#[test]
fn bytes_behind_the_last_frames_records_are_damage_and_no_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 1);
    let path = first_segment(dir.path());
    let (starts, end) = frames(&path);
    let id = SegmentHeader::decode(&fs::read(&path).unwrap()).unwrap().id;
    let whole = fs::read(&path).unwrap();
    let last = *starts.last().unwrap();
    let header = frame::FrameHeader::decode(&whole[usize::try_from(last).unwrap()..], id).unwrap();
    let (padding, length) = header.padding(last);
    assert!(length > 0 && padding + length as u64 == end, "{padding} {length}");
    change(&path, end - 1, |byte| *byte = 1);
    let (file, at, what) = refused(dir.path());
    assert_eq!((file, at), (path, last), "{what}");
    let mut told = Told::default();
    survey::survey(&config(dir.path()).dir, 2, &mut told).unwrap();
    assert_eq!(told.0, [(last, frame::NOT_ZERO.to_owned())]);
}

#[test]
fn a_frame_that_became_zeros_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 3);
    let path = first_segment(dir.path());
    let (starts, _) = frames(&path);
    for at in starts[1]..starts[2] {
        change(&path, at, |byte| *byte = 0);
    }
    let (file, at, what) = refused(dir.path());
    assert_eq!((file, at), (path, starts[1]));
    assert!(what.contains("missing"), "{what}");
}

#[test]
fn damage_in_an_earlier_segment_is_refused_even_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 40);
    let path = first_segment(dir.path());
    let (starts, end) = frames(&path);
    let last = *starts.last().unwrap();
    let whole = fs::read(&path).unwrap();
    change(&path, last + 40, |byte| *byte ^= 1);
    assert_eq!(refused(dir.path()).0, path);
    let mut zeroed = whole.clone();
    zeroed[usize::try_from(last).unwrap()..].fill(0);
    fs::write(&path, zeroed).unwrap();
    let (file, at, _) = refused(dir.path());
    assert_eq!((file, at), (path.clone(), last));
    fs::write(&path, &whole).unwrap();
    // Behind the frame that the next segment begins with there is nothing to be lost.
    change(&path, end, |byte| *byte = 1);
    assert_eq!(events(&SegmentsJournal::open(&config(dir.path())).unwrap()), 40);
}

#[test]
fn a_missing_segment_is_refused_and_named() {
    for missing in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path(), 40);
        let path = segment::path(&config(dir.path()).dir, missing);
        fs::remove_file(&path).unwrap();
        assert_eq!(refused(dir.path()).0, path);
    }
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 1);
    fs::remove_file(first_segment(dir.path())).unwrap();
    assert_eq!(refused(dir.path()).0, first_segment(dir.path()));
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(dir.path(), 40);
    written(other.path(), 40);
    let path = segment::path(&config(dir.path()).dir, 2);
    fs::copy(segment::path(&config(other.path()).dir, 2), &path).unwrap();
    let (file, at, what) = refused(dir.path());
    assert_eq!((file, at), (path, 0));
    assert!(what.contains("another journal"), "{what}");
}

#[test]
fn a_damaged_segment_header_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path(), 1);
    change(&first_segment(dir.path()), 40, |byte| *byte ^= 1);
    assert_eq!((refused(dir.path()).0, refused(dir.path()).1), (first_segment(dir.path()), 0));
}

/// A client may send anything as an event, also what looks like a frame: it must not make a torn write look like
/// damage.
#[test]
fn an_event_that_looks_like_a_frame_does_not_keep_a_torn_tail_from_being_cut() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    let forged = frame::FrameHeader { number: 9, length: 0, count: 0, checksum: 0 }.encode(JournalId(1));
    let stream = sample::stream("1");
    let looks_like_frames = vec![sample::event(forged.repeat(20))];
    let append =
        Append { events: looks_like_frames, ..sample::append(&stream, journal.lease(stream.partition(2)), 0, 1) };
    let (sender, receiver) = channel();
    journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().unwrap();
    journal.close();
    drop(journal);
    without_witness(dir.path());
    change(&first_segment(dir.path()), SEGMENT_HEADER as u64 + 50, |byte| *byte ^= 1);
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    assert!(journal.torn().is_some());
    assert_eq!(events(&journal), 0);
}

#[test]
fn damage_met_while_reading_names_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let journal = SegmentsJournal::open(&config(dir.path())).unwrap();
    for _ in 0..3 {
        write(&journal, "1");
    }
    let path = first_segment(dir.path());
    let (starts, _) = frames(&path);
    let file = fs::File::options().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"?", starts[1] + 100).unwrap();
    let stream = sample::stream("1");
    let place = |error: ReadError| match error {
        ReadError::Damaged { file, at, .. } => (file, at),
        other @ (ReadError::Io { .. } | ReadError::Deleted { .. }) => panic!("{other}"),
    };
    let expected = (path, starts[1] + frame::FRAME_HEADER as u64);
    assert_eq!(place(journal.read_stream(&stream, 0, 9).unwrap_err()), expected);
    assert_eq!(place(journal.read_feed(stream.partition(2), 0, 9).unwrap_err()), expected);
    assert_eq!(journal.read_stream(&stream, 2, 9).unwrap().len(), 1);
}
