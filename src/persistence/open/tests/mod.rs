mod backups;

use std::{fs, path::Path, sync::mpsc};

use super::*;
use crate::persistence::{
    Backed, DataDirectory, PartitionId, Record, StoredSnapshot, Truncation, Verifier, ViewName, ViewProgress,
    sample::{append, stream},
};

impl Storage {
    /// One unit, with this journal and these tables.
    pub(crate) fn with_journal(journal: Arc<dyn Journal>, tables: &Arc<MemoryStore>) -> Self {
        let unit = Unit { journal, ..Unit::of_memory(tables) };
        let mut opened = Opened::default();
        opened.units = BTreeMap::from([(StorageConfig::MAIN.to_owned(), unit)]);
        Self { opened: Arc::new(opened) }
    }
}

fn config(dir: &tempfile::TempDir) -> StorageConfig {
    StorageConfig {
        segment_bytes: 8 << 10,
        units: vec!["alarms".to_owned()],
        sled_cache_bytes: 1 << 20,
        ..StorageConfig::new(dir.path().join("data"))
    }
}

fn write(unit: &Unit, key: &str) {
    let (sender, receiver) = mpsc::channel();
    let stream = stream(key);
    let lease = unit.journal.lease(stream.partition(unit.journal.partitions()));
    unit.journal.append(append(&stream, lease, 0, 1), Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().unwrap();
}

fn keys(unit: &Unit) -> Vec<String> {
    let mut keys = Vec::new();
    unit.journal.heads(&mut |stream, _| keys.push(stream.key.to_string()));
    keys.sort();
    keys
}

#[test]
fn units_keep_their_data_apart_and_over_a_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&config(&dir)).unwrap();
    assert_eq!(storage.units().map(|(name, _)| name).collect::<Vec<_>>(), ["alarms", "main"]);
    write(storage.unit("main").unwrap(), "1");
    write(storage.unit("alarms").unwrap(), "2");
    storage.close();
    let storage = open(&config(&dir)).unwrap();
    assert_eq!(keys(storage.unit("main").unwrap()), ["1"]);
    assert_eq!(keys(storage.unit("alarms").unwrap()), ["2"]);
    assert!(storage.unit("other").is_none());
    let report = storage.report();
    assert_eq!(report[0], OpenReport { unit: "main".to_owned(), streams: 1, epoch: 2, skimmed_to: 1, torn: None });
    assert_eq!(report[1].unit, "alarms");
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&config(&dir)).unwrap();
    assert!(matches!(open(&config(&dir)), Err(OpenError::InUse { .. })));
    storage.close();
    let again = open(&config(&dir)).unwrap();
    drop(again);
    open(&config(&dir)).unwrap();
}

#[test]
fn another_number_of_partitions_is_refused_and_both_are_named() {
    let dir = tempfile::tempdir().unwrap();
    open(&config(&dir)).unwrap().close();
    let error = open(&StorageConfig { partitions: 32, ..config(&dir) }).unwrap_err();
    assert!(matches!(&error, OpenError::Format(what) if what.contains("16") && what.contains("32")), "{error}");
}

#[test]
fn a_later_format_is_refused_and_a_damaged_one_named() {
    let dir = tempfile::tempdir().unwrap();
    open(&config(&dir)).unwrap().close();
    let path = dir.path().join("data/format.json");
    fs::write(&path, r#"{"format":3,"partitions":16}"#).unwrap();
    assert!(matches!(open(&config(&dir)), Err(OpenError::Format(_))));
    fs::write(&path, "{").unwrap();
    assert!(matches!(open(&config(&dir)), Err(OpenError::Damaged { file, .. }) if file == path));
}

#[test]
fn a_configuration_out_of_bounds_is_refused() {
    let bad = [
        StorageConfig { partitions: 0, ..StorageConfig::memory() },
        StorageConfig { queue: 0, ..StorageConfig::memory() },
        StorageConfig { segment_bytes: 100, ..StorageConfig::memory() },
        StorageConfig { segment_bytes: 2 << 30, ..StorageConfig::memory() },
        StorageConfig { units: vec!["../elsewhere".to_owned()], ..StorageConfig::memory() },
        StorageConfig { units: vec![String::new()], ..StorageConfig::memory() },
    ];
    for config in bad {
        assert!(matches!(open(&config), Err(OpenError::Format(_))), "{config:?}");
    }
}

#[test]
fn deleting_what_is_derived_loses_no_event() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&config(&dir)).unwrap();
    let main = storage.unit("main").unwrap();
    write(main, "1");
    let snapshot = StoredSnapshot { sequence: 1, shape: 1, bytes: "state".into() };
    main.snapshots.save(vec![(stream("1"), snapshot)]).unwrap();
    let view = ViewName { name: "orders", version: 1, generation: 0 };
    main.projections.commit(view, vec![(b"1".to_vec(), Some("row".into()))], &ViewProgress::default()).unwrap();
    storage.close();
    fs::remove_dir_all(dir.path().join("data/main/sled")).unwrap();
    fs::remove_file(dir.path().join("data/main/journal/heads")).unwrap();
    let storage = open(&config(&dir)).unwrap();
    assert_eq!(storage.report()[0].skimmed_to, 0);
    let main = storage.unit("main").unwrap();
    assert_eq!(keys(main), ["1"]);
    assert_eq!(main.snapshots.load(&stream("1")).unwrap(), []);
    assert_eq!(main.projections.progress(view).unwrap(), None);
}

/// Everything that a unit's journal shows.
fn shown(unit: &Unit) -> (Vec<String>, Vec<Vec<Record>>, Vec<Vec<Record>>) {
    let feeds = (0..unit.journal.partitions()).map(PartitionId);
    let feeds = feeds.map(|partition| unit.journal.read_feed(partition, 0, usize::MAX).unwrap()).collect();
    let streams = keys(unit).iter().map(|key| unit.journal.read_stream(&stream(key), 0, usize::MAX).unwrap()).collect();
    let mut heads = Vec::new();
    unit.journal.heads(&mut |stream, head| heads.push(format!("{stream}: {head:?}")));
    heads.sort();
    (heads, feeds, streams)
}

/// Copies what is there, while it may change.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = fs::copy(entry.path(), target) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "sled renames files");
        }
    }
}

/// The files of a crash, caught at some moment of saving heads; and heads that are older or newer than the journal.
#[test]
fn whatever_was_saved_when_the_files_were_copied_the_journal_opens_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let config = StorageConfig { segment_bytes: 128 << 10, units: Vec::new(), ..config(&dir) };
    let (mut told, mut expected) = (Vec::new(), None);
    for round in 0..3 {
        let storage = open(&config).unwrap();
        let main = storage.unit("main").unwrap();
        let (sender, receiver) = mpsc::channel();
        for n in 0..600 {
            let stream = stream(&(n + 300 * round).to_string());
            let expected = main.journal.head(&stream).map_or(0, |head| head.sequence);
            let append = append(&stream, main.journal.lease(stream.partition(16)), expected, n);
            let sender = sender.clone();
            main.journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
        }
        drop(sender);
        told.extend(receiver.iter().map(Result::unwrap));
        let now = shown(main);
        let image = dir.path().join(format!("image-{round}"));
        copy(&config.data, &image);
        let heads = |image: &Path| image.join("main/journal/heads");
        assert_eq!(heads(&image).exists(), round > 0, "they were saved when it was closed");
        for (cache, from) in [("as it was", Some(&image)), ("older", None), ("gone", None)] {
            if cache == "older" && round > 1 {
                let older = dir.path().join(format!("image-{}", round - 1));
                fs::copy(heads(&older), heads(&image)).unwrap();
            } else if from.is_none() {
                fs::remove_file(heads(&image)).unwrap();
                fs::remove_dir_all(image.join("main/sled")).unwrap();
            }
            let again = open(&StorageConfig { data: image.clone(), ..config.clone() }).unwrap();
            assert!(shown(again.unit("main").unwrap()) == now, "{cache} in round {round}");
        }
        storage.close();
        expected = Some(now);
    }
    assert_eq!(told.len(), 1800);
    let again = open(&config).unwrap();
    assert!(again.report()[0].skimmed_to > 0);
    assert!(Some(shown(again.unit("main").unwrap())) == expected);
}

#[test]
fn memory_comes_back_with_what_was_acknowledged() {
    let storage = open(&StorageConfig::memory()).unwrap();
    write(storage.unit("main").unwrap(), "1");
    let again = storage.reopen_memory().unwrap();
    assert_eq!(keys(again.unit("main").unwrap()), ["1"]);
    let epoch = |storage: &Storage| storage.unit("main").unwrap().journal.lease(PartitionId(0)).epoch;
    assert!(epoch(&again) > epoch(&storage));
    let dir = tempfile::tempdir().unwrap();
    assert!(open(&config(&dir)).unwrap().reopen_memory().is_none());
}

/// What may lose its beginning is refused by programs that would take that for damage, and stays what it is.
#[test]
fn data_whose_history_may_be_deleted_has_a_format_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let format = || fs::read_to_string(dir.path().join("data/format.json")).unwrap();
    let deleting = StorageConfig { deletes_history: true, ..config(&dir) };
    open(&config(&dir)).unwrap().close();
    assert_eq!(format().trim(), r#"{"format":1,"partitions":16}"#);
    for config in [&deleting, &config(&dir)] {
        open(config).unwrap().close();
        assert_eq!(format().trim(), r#"{"format":2,"partitions":16}"#);
    }
}

/// Every tool takes deleted history for what it is, and everything derived is made again from what is left.
#[test]
fn deleted_history_is_whole_to_verify_and_survives_a_backup_and_lost_tables() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&config(&dir)).unwrap();
    let journal = storage.unit("main").unwrap().journal.clone();
    for n in 0..200 {
        write(storage.unit("main").unwrap(), &n.to_string());
    }
    let partitions = || (0..16).map(PartitionId);
    let dealt_with: Vec<_> = partitions().map(|partition| journal.durable(partition)).collect();
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    let base = |sequence| StoredSnapshot { sequence, shape: 1, bytes: bytes::Bytes::from_static(b"{}") };
    let done = journal.truncate(what, &mut |_, sequence| Ok(base(sequence))).unwrap();
    assert!(done.events > 100);
    let first: Vec<_> = partitions().map(|partition| journal.first(partition)).collect();
    let check = |data: &Path| {
        let found = DataDirectory::find(data).unwrap();
        let mut passed = |_| ();
        let mut verifier = Verifier::new("main", 16, &mut passed);
        found.look("main", &mut verifier).unwrap();
        let report = verifier.report();
        assert_eq!((report.damaged, report.damage), (0, Vec::new()));
        assert_eq!((report.bases, report.counted.streams), (done.bases, 200));
        assert_eq!(report.counted.events + done.events, 200);
        assert_eq!(report.deleted.iter().map(|last| last + 1).collect::<Vec<_>>(), first);
        assert_eq!(report.positions, dealt_with);
    };
    check(&dir.path().join("data")); // while it is open
    let copy = dir.path().join("copy");
    DataDirectory::find(&dir.path().join("data")).unwrap().back_up(&copy, &mut |_| ()).unwrap();
    drop(journal);
    storage.close();
    check(&dir.path().join("data"));
    check(&copy);
    let restored = dir.path().join("restored");
    DataDirectory::restore(&copy, &restored, &mut |_| ()).unwrap();
    fs::remove_dir_all(dir.path().join("data/main/sled")).unwrap();
    for data in [dir.path().join("data"), restored] {
        let storage = open(&StorageConfig { data, ..config(&dir) }).unwrap();
        let main = storage.unit("main").unwrap();
        assert_eq!(keys(main).len(), 200);
        assert_eq!(partitions().map(|partition| main.journal.first(partition)).collect::<Vec<_>>(), first);
        assert_eq!(main.journal.base(&stream("0")).unwrap(), Some(base(1)));
        storage.close();
    }
}
