//! Copies of a store that writes, deletes and fails meanwhile.

use super::*;
use crate::persistence::{BackupError, SurveyError};

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
        Scanned::of(&journal(&copy("next")), 16).unwrap();
    }
}

/// What stands behind damage was left out, as if the journal had ended there.
#[test]
fn a_last_segment_that_is_damaged_is_not_copied_up_to_the_damage() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let storage = open(&StorageConfig { segment_bytes: 1 << 20, ..alone(&dir) }).unwrap();
    for n in 0..20 {
        write(storage.unit("main").unwrap(), &n.to_string());
    }
    storage.close();
    let file = journal(&data).join("0000000001.seg");
    let whole = fs::read(&file).unwrap();
    let end = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let copied = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let to = dir.path().join(name);
        back_up(&data, &to, || ()).map(|_| fs::metadata(journal(&to).join("0000000001.seg")).unwrap().len())
    };
    let whole = copied("whole", &|_| ()).unwrap();
    assert!((end as u64..end as u64 + 16).contains(&whole), "{whole}");
    for at in [20, 70, 150, end / 3, end / 2, end - 5] {
        let refused = copied(&at.to_string(), &|bytes| bytes[at] ^= 0x20).unwrap_err();
        let damaged = matches!(&refused, BackupError::Survey(SurveyError::Open(OpenError::Damaged { .. })));
        assert!(damaged && refused.to_string().contains(file.to_str().unwrap()), "byte {at}: {refused}");
        assert!(!dir.path().join(at.to_string()).join("backup.json").exists());
    }
    // Whole frames that are fewer than were acknowledged.
    copied("cut", &|bytes| bytes[end / 2..].fill(0)).unwrap_err();
    // A write that was cut short.
    assert_eq!(copied("torn", &|bytes| bytes[end + 100..end + 105].fill(7)).unwrap(), whole);
}

/// Its frames are met half written, and rolled behind.
#[test]
fn every_copy_that_is_made_while_others_write_opens() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let storage = open(&alone(&dir)).unwrap();
    let main = storage.unit("main").unwrap();
    std::thread::scope(|scope| {
        let (copied, stop) = mpsc::channel::<()>();
        scope.spawn(move || {
            for n in 0.. {
                write(main, &n.to_string());
                if stop.try_recv() == Err(mpsc::TryRecvError::Disconnected) {
                    break;
                }
            }
        });
        for round in 0..10 {
            let to = dir.path().join(round.to_string());
            back_up(&data, &to, || ()).unwrap();
            Scanned::of(&journal(&to), 16).unwrap();
        }
        drop(copied);
    });
}

/// A process that was started meanwhile let sled write into files of which some were copied.
#[test]
fn nobody_opens_a_journal_in_sled_that_is_being_copied() {
    let dir = tempfile::tempdir().unwrap();
    let (data, copy) = (dir.path().join("data"), dir.path().join("copy"));
    let config = StorageConfig { journal: Backend::Sled, ..alone(&dir) };
    let storage = open(&config).unwrap();
    write(storage.unit("main").unwrap(), "1");
    let in_use = back_up(&data, &dir.path().join("none"), || ()).unwrap_err();
    assert!(matches!(in_use, BackupError::Survey(SurveyError::InUse { .. })), "{in_use}");
    assert!(!dir.path().join("none").exists());
    storage.close();
    drop(storage);
    back_up(&data, &copy, || assert!(matches!(open(&config), Err(OpenError::InUse { .. })))).unwrap();
    for data in [data, copy] {
        let storage = open(&StorageConfig { data, ..config.clone() }).unwrap();
        assert_eq!(keys(storage.unit("main").unwrap()), ["1"]);
    }
}
