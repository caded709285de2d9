use std::{fs, sync::mpsc};

use super::*;
use crate::persistence::{
    PartitionId, StoredSnapshot, ViewName, ViewProgress,
    sample::{append, stream},
};

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
    assert_eq!(report[0], OpenReport { unit: "main".to_owned(), streams: 1, epoch: 2, torn: None });
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
    fs::write(&path, r#"{"format":2,"partitions":16}"#).unwrap();
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
    let view = ViewName { name: "orders", version: 1 };
    main.projections.commit(view, vec![(b"1".to_vec(), Some("row".into()))], &ViewProgress::default()).unwrap();
    storage.close();
    fs::remove_dir_all(dir.path().join("data/main/sled")).unwrap();
    let storage = open(&config(&dir)).unwrap();
    let main = storage.unit("main").unwrap();
    assert_eq!(keys(main), ["1"]);
    assert_eq!(main.snapshots.load(&stream("1")).unwrap(), []);
    assert_eq!(main.projections.progress(view).unwrap(), None);
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
