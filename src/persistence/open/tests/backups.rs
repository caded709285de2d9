//! Copies of a store that writes, deletes and fails meanwhile.

use super::*;
use crate::persistence::BackupError;

/// One unit of small segments.
fn alone(dir: &tempfile::TempDir) -> StorageConfig {
    StorageConfig { units: Vec::new(), ..config(dir) }
}

fn journal(data: &Path) -> PathBuf {
    place::segments(data, "main")
}

fn segments(data: &Path) -> usize {
    let files = fs::read_dir(journal(data)).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "seg")).count()
}

/// Copies the data, and does something when the first bytes are copied: those of a file beside the segments.
fn back_up(data: &Path, to: &Path, mut meanwhile: impl FnMut()) -> Result<Backed, BackupError> {
    let mut is_first = true;
    DataDirectory::find(data).unwrap().back_up(to, &mut |_| {
        if std::mem::take(&mut is_first) {
            meanwhile();
        }
    })
}

/// Segments were listed before the witness was copied, which then named frames of a segment that was not.
#[test]
fn a_copy_that_was_begun_before_a_segment_was_full_has_the_one_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let storage = open(&alone(&dir)).unwrap();
    let main = storage.unit("main").unwrap();
    write(main, "before");
    let roll = || {
        let (before, witness) = (segments(&data), journal(&data).join("witness"));
        let known = fs::read(&witness).unwrap();
        for n in 0.. {
            write(main, &n.to_string());
            if segments(&data) > before && fs::read(&witness).unwrap() != known {
                break;
            }
        }
        // Until it says what is in the segment that is new.
        let known = fs::read(&witness).unwrap();
        write(main, "behind");
        while fs::read(&witness).unwrap() == known {
            std::thread::yield_now();
        }
    };
    back_up(&data, &copy, roll).unwrap();
    let written = keys(main);
    storage.close();
    let storage = open(&StorageConfig { data: copy, ..alone(&dir) }).unwrap();
    assert_eq!(keys(storage.unit("main").unwrap()), written);
}

fn delete(journal: &dyn Journal) -> u64 {
    let dealt_with: Vec<_> = (0..16).map(|partition| journal.durable(PartitionId(partition))).collect();
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    let base = |sequence| StoredSnapshot { sequence, shape: 1, bytes: bytes::Bytes::from_static(b"{}") };
    journal.truncate(what, &mut |_, sequence| Ok(base(sequence))).unwrap().events
}

/// The first deletion makes `bases`; before the second one, the older of them is in the copy already.
#[test]
fn a_copy_that_meets_a_deletion_is_none_and_the_next_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let storage = open(&alone(&dir)).unwrap();
    let main = storage.unit("main").unwrap();
    for round in 0..2 {
        for n in 0..200 {
            write(main, &format!("{round}/{n}"));
        }
        let copy = |name: &str| dir.path().join(format!("{name}-{round}"));
        let met = back_up(&data, &copy("met"), || assert!(delete(&*main.journal) > 100));
        let told = std::error::Error::source(&met.as_ref().unwrap_err()).map(ToString::to_string);
        assert_eq!(told.as_deref(), Some("history was deleted meanwhile: look again"), "{met:?}");
        assert!(!copy("met").join("backup.json").exists());
        back_up(&data, &copy("next"), || ()).unwrap();
        SegmentsJournal::check(&journal(&copy("next")), 16).unwrap();
    }
}
