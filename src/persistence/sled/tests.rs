//! What only sled does: damage, and being made anew.

use std::{fs, sync::mpsc::channel};

use bytes::Bytes;

use super::*;
use crate::persistence::{Projections, RowChange, Snapshots, StoredSnapshot, ViewName, ViewProgress, sample::stream};

fn config(dir: &Path) -> SledConfig {
    SledConfig { dir: dir.join("sled"), cache_bytes: 1 << 20 }
}

fn snapshot(sequence: u64) -> StoredSnapshot {
    StoredSnapshot { sequence, shape: 1, bytes: sequence.to_string().into() }
}

const VIEW: ViewName = ViewName { name: "orders", version: 1, generation: 0 };

/// Replaces a stored value by one that its checksum does not fit.
fn damage(store: &SledStore, key: &[u8]) {
    let opened = read(&store.opened);
    let db = &opened.as_ref().unwrap().db;
    let mut value = db.get(key).unwrap().unwrap().to_vec();
    *value.last_mut().unwrap() ^= 1;
    db.insert(key, value).unwrap();
}

#[test]
fn a_damaged_snapshot_is_left_out_and_the_older_one_serves() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    store.save(vec![(stream("1"), snapshot(10)), (stream("1"), snapshot(20))]).unwrap();
    damage(&store, &keys::snapshot(&stream("1"), 20));
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(10)]);
    store.save(vec![(stream("1"), snapshot(20))]).unwrap();
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(20), snapshot(10)]);
}

#[test]
fn a_damaged_row_is_an_error_until_the_view_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let big = vec![7; 100_000];
    store.commit(VIEW, vec![(b"a".to_vec(), Some(big.into()))], &ViewProgress::default()).unwrap();
    damage(&store, &keys::chunk(&keys::row(VIEW, b"a"), 1, 3));
    store.get(VIEW, b"a").unwrap_err();
    store.scan(VIEW, b"", None, 9).unwrap_err();
    damage(&store, &keys::progress(VIEW));
    store.progress(VIEW).unwrap_err();
    store.clear(VIEW).unwrap();
    assert_eq!(store.get(VIEW, b"a").unwrap(), None);
    assert_eq!(store.progress(VIEW).unwrap(), None);
}

#[test]
fn clearing_a_view_takes_its_chunks_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let big = vec![7; 100_000];
    store.commit(VIEW, vec![(b"a".to_vec(), Some(big.into()))], &ViewProgress::default()).unwrap();
    store.clear(VIEW).unwrap();
    let left = read(&store.opened).as_ref().unwrap().db.iter().keys().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(left, [keys::FORMAT_KEY]);
}

#[test]
fn rows_that_grow_and_shrink_leave_no_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let chunks = || read(&store.opened).as_ref().unwrap().db.scan_prefix(b"c").count();
    let (small, big, bigger) = (vec![1; 10], vec![2; 10_000], vec![3; 20_000]);
    let mut counted = Vec::new();
    for row in [Some(small.clone()), Some(big.clone()), Some(bigger), Some(small), None, Some(big), None] {
        let row = row.map(Bytes::from);
        store.commit(VIEW, vec![(b"a".to_vec(), row.clone())], &ViewProgress::default()).unwrap();
        assert_eq!(store.get(VIEW, b"a").unwrap(), row);
        counted.push(chunks());
    }
    assert_eq!(counted, [0, 3, 5, 0, 0, 3, 0]);
}

#[test]
fn no_value_becomes_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let big = StoredSnapshot { bytes: vec![7; 1 << 20].into(), ..snapshot(1) };
    store.save(vec![(stream("1"), big)]).unwrap();
    for n in 0..4u8 {
        let rows = (0..250u8).map(|m| (vec![n, m], Some(vec![m; 4096].into()))).collect();
        store.commit(VIEW, rows, &ViewProgress::default()).unwrap();
    }
    let blobs = fs::read_dir(dir.path().join("sled/blobs")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0);
}

#[test]
fn a_value_that_is_too_long_is_refused_and_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let huge = StoredSnapshot { bytes: vec![7; values::MAX_VALUE + 1].into(), ..snapshot(1) };
    store.save(vec![(stream("1"), huge)]).unwrap_err();
    assert_eq!(store.load(&stream("1")).unwrap(), []);
    store.save(vec![(stream("1"), snapshot(2))]).unwrap();
}

#[test]
fn a_store_that_cannot_be_opened_is_moved_aside_and_one_such_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let store = SledStore::open(&config(dir.path())).unwrap();
        assert_eq!(store.load(&stream("1")).unwrap(), []);
        store.save(vec![(stream("1"), snapshot(1))]).unwrap();
        drop(store);
        fs::write(dir.path().join("sled/conf"), "this is no configuration of sled").unwrap();
        SledStore::open(&config(dir.path())).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["sled".to_owned(), format!("sled.damaged-{round}")]);
    }
}

/// sled takes the greatest name for its newest snapshot, also one that a kill has cut short.
#[test]
fn a_snapshot_of_sled_itself_that_was_cut_short_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    store.save(vec![(stream("1"), snapshot(1))]).unwrap();
    drop(store);
    fs::write(dir.path().join("sled/snap.7FFFFFFFFFFFFFFF.generating"), "half of it").unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(1)]);
}

#[test]
fn a_store_of_another_format_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let db = raw(&dir.path().join("sled"));
    db.insert("from", "elsewhere").unwrap();
    db.flush().unwrap();
    drop(db);
    SledStore::open(&config(dir.path())).unwrap();
    assert!(dir.path().join("sled.damaged-1").exists());
}

/// How many values there are whose keys begin with this.
fn count(store: &SledStore, tag: &[u8]) -> usize {
    read(&store.opened).as_ref().unwrap().db.scan_prefix(tag).count()
}

/// Rows with these numbers for keys, of a hundred bytes.
fn rows(numbers: impl IntoIterator<Item = u64>) -> Vec<RowChange> {
    numbers.into_iter().map(|n| (n.to_be_bytes().to_vec(), Some(vec![7; 100].into()))).collect()
}

#[test]
fn rows_that_change_with_their_neighbours_stand_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let commit = |rows| store.commit(VIEW, rows, &ViewProgress::default()).unwrap();
    commit(rows(0..1000));
    commit(rows(1000..2000));
    let packs = count(&store, b"k");
    assert_eq!(count(&store, b"r"), 0);
    assert!((90..150).contains(&packs), "{packs} packs of 2 KiB for 2 000 rows of 116 bytes");
    // One row of each pack: each for itself, and they are given up when the pack is written.
    commit(rows((0..2000).step_by(50)));
    assert_eq!((count(&store, b"r"), count(&store, b"k")), (40, packs));
    commit(rows(0..1000));
    assert_eq!((count(&store, b"r"), count(&store, b"k")), (20, packs));
    // What is put in between is cut where it is too much.
    let between = |n: u64| ([&n.to_be_bytes()[..], b"+"].concat(), Some(vec![8; 100].into()));
    commit((500..600).map(between).collect());
    assert_eq!(store.scan(VIEW, b"", None, 9999).unwrap().len(), 2100);
    commit((0..2000u64).map(|n| (n.to_be_bytes().to_vec(), None)).collect());
    assert_eq!(store.scan(VIEW, b"", None, 9999).unwrap().len(), 100);
    store.clear(VIEW).unwrap();
    assert_eq!((count(&store, b"r"), count(&store, b"k")), (0, 0));
}

#[test]
fn a_damaged_pack_is_an_error_until_the_view_is_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    store.commit(VIEW, rows(0..9), &ViewProgress::default()).unwrap();
    damage(&store, &keys::pack(VIEW, &0u64.to_be_bytes()));
    store.get(VIEW, &4u64.to_be_bytes()).unwrap_err();
    store.scan(VIEW, b"", None, 9).unwrap_err();
    store.commit(VIEW, rows(0..9), &ViewProgress::default()).unwrap_err();
    store.clear(VIEW).unwrap();
    assert_eq!(store.get(VIEW, &4u64.to_be_bytes()).unwrap(), None);
}

/// What releases wrote that knew no packs: every row alone, and a format that says so.
#[test]
fn a_store_without_packs_goes_on_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    for n in 0..600 {
        store.commit(VIEW, rows([n]), &ViewProgress::default()).unwrap();
    }
    store.close();
    let db = raw(&dir.path().join("sled"));
    assert_eq!(db.scan_prefix(b"r").count(), 600);
    db.insert(keys::FORMAT_KEY, values::seal(keys::FORMAT_KEY, b"\x001")).unwrap();
    db.flush().unwrap();
    drop(db);
    let store = SledStore::open(&config(dir.path())).unwrap();
    assert!(!dir.path().join("sled.damaged-1").exists());
    let format = values::get(&read(&store.opened).as_ref().unwrap().db, keys::FORMAT_KEY).unwrap();
    assert_eq!(format.as_deref(), Some(keys::FORMAT), "a release that knows no packs must not read it");
    // Among rows that all stand alone, some here and there go on doing so; new ones behind them do not.
    store.commit(VIEW, rows((0..600).step_by(3)), &ViewProgress::default()).unwrap();
    assert_eq!((count(&store, b"r"), count(&store, b"k")), (600, 0));
    store.commit(VIEW, rows(600..900), &ViewProgress::default()).unwrap();
    assert_eq!(count(&store, b"r"), 600);
    store.commit(VIEW, rows(100..300), &ViewProgress::default()).unwrap();
    assert_eq!(count(&store, b"r"), 400);
    assert_eq!(store.scan(VIEW, b"", None, 9999).unwrap().len(), 900);
}

#[test]
fn a_store_in_use_is_not_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let _held = SledStore::open(&config(dir.path())).unwrap();
    assert!(matches!(SledStore::open(&config(dir.path())), Err(OpenError::Io { .. })));
    assert!(!dir.path().join("sled.damaged-1").exists());
}

#[test]
fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    store.close();
    assert_eq!(store.load(&stream("1")).unwrap_err().reason, "the store is closed");
    SledStore::open(&config(dir.path())).unwrap();
}

/// Earlier releases kept a journal's heads in a tree of their own.
#[test]
fn heads_of_an_earlier_release_are_removed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    store.save(vec![(stream("1"), snapshot(1))]).unwrap();
    store.close();
    {
        let db = raw(&config(dir.path()).dir);
        let tree = db.open_tree(keys::HEADS_TREE).unwrap();
        for n in 0..1000u32 {
            tree.insert(n.to_be_bytes(), vec![7; 100]).unwrap();
        }
        db.flush().unwrap();
    }
    let store = SledStore::open(&config(dir.path())).unwrap();
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(1)]);
    store.close();
    let db = raw(&config(dir.path()).dir);
    assert!(!db.tree_names().iter().any(|name| *name == keys::HEADS_TREE.as_bytes()));
}

/// The system told another sync that it dropped what this one would have synced, and says nothing of it again.
#[test]
fn what_was_changed_before_a_sync_of_others_failed_is_not_told_to_be_synced() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(&config(dir.path())).unwrap();
    let outcome = store.write("saving", |_| {
        store.broke(failed("saving something else", "no"));
        Ok(())
    });
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("an earlier write failed"), "{error}");
}

/// As a flush does: the batch may wait for one who is to be woken.
#[test]
fn who_is_to_wake_others_waits_for_no_batch() {
    let db = ::sled::Config::new().temporary(true).open().unwrap();
    let trees = db.tree_names();
    let (tell, told) = channel();
    let came = db.transaction(|_| {
        let (db, tell) = (db.clone(), tell.clone());
        thread::spawn(move || drop(tell.send(come_to_the_log(&db))));
        Ok::<_, ::sled::transaction::ConflictableTransactionError<()>>(told.recv_timeout(Duration::from_secs(10)))
    });
    let left = came.unwrap().expect("it waits for no lock").unwrap();
    drop(left);
    assert_eq!(db.tree_names(), trees);
}
