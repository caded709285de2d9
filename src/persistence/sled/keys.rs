//! The keys of all trees. Parts of varying length are preceded by their length, so that no name's keys run into
//! another's. On disk: never change; raise `FORMAT` instead, and everything is built anew.
//!
//! | what | key | value, sealed |
//! |---|---|---|
//! | format | `f` | `FORMAT` |
//! | snapshot | `s`, kind, key of the stream, sequence turned around | shape u32, state |
//! | progress | `p`, view, generation u16, version u16 | number of rows, cursors |
//! | row that stands alone | `r`, view, generation u16, version u16, key of the row | the row |
//! | rows that stand together | `k`, the same, a key that none of them is less than | see `packs`; never in chunks |
//! | generation in use | `g`, view, version u16 | u16; 0 when there is none |
//! | chunk | `c`, key of the value it is part of, generation u8, index u16 | a part of a big value |

use crate::persistence::{StreamId, ViewName};

pub(super) const FORMAT_KEY: &[u8] = b"f";
pub(super) const FORMAT: &[u8] = b"2";

/// Of stores in which every row stands alone. What reads the present format reads them as well.
pub(super) const FORMAT_WITHOUT_PACKS: &[u8] = b"1";

/// Of earlier releases, which kept a journal's heads there.
pub(super) const HEADS_TREE: &str = "heads";
/// There for moments, and always empty.
pub(super) const WAKING_TREE: &str = "waking";

fn part(name: &str, key: &mut Vec<u8>) {
    let length = u32::try_from(name.len()).expect("a name is shorter than 4 GiB");
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
}

/// Room for what a key ends with; mostly more is not needed.
const ROOM: usize = 32;

fn of_stream(tag: &[u8], stream: &StreamId) -> Vec<u8> {
    let mut key = Vec::with_capacity(tag.len() + 4 + stream.kind.len() + 4 + stream.key.len() + ROOM);
    key.extend_from_slice(tag);
    part(&stream.kind, &mut key);
    part(&stream.key, &mut key);
    key
}

/// What the keys of all snapshots of a stream begin with.
pub(super) fn snapshots(stream: &StreamId) -> Vec<u8> {
    of_stream(b"s", stream)
}

/// Newer ones come first.
pub(super) fn snapshot(stream: &StreamId, sequence: u64) -> Vec<u8> {
    let mut key = snapshots(stream);
    key.extend_from_slice(&(!sequence).to_be_bytes());
    key
}

/// The sequence in a snapshot's key.
pub(super) fn sequence(key: &[u8]) -> Option<u64> {
    key.last_chunk().map(|bytes| !u64::from_be_bytes(*bytes))
}

fn view(tag: u8, view: ViewName) -> Vec<u8> {
    let mut key = view_in_all_versions(tag, view);
    key.extend_from_slice(&view.generation.to_be_bytes());
    key.extend_from_slice(&view.version.to_be_bytes());
    key
}

fn view_in_all_versions(tag: u8, view: ViewName) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + 4 + view.name.len() + ROOM);
    key.push(tag);
    part(view.name, &mut key);
    key
}

pub(super) fn progress(name: ViewName) -> Vec<u8> {
    view(b'p', name)
}

/// What the keys of all rows of a view begin with.
pub(super) fn rows(name: ViewName) -> Vec<u8> {
    view(b'r', name)
}

pub(super) fn row(name: ViewName, key: &[u8]) -> Vec<u8> {
    let mut row = rows(name);
    row.extend_from_slice(key);
    row
}

/// What the keys of all packs of a view begin with.
pub(super) fn packs(name: ViewName) -> Vec<u8> {
    view(b'k', name)
}

/// The pack that holds this row and greater ones.
pub(super) fn pack(name: ViewName, key: &[u8]) -> Vec<u8> {
    let mut pack = packs(name);
    pack.extend_from_slice(key);
    pack
}

/// What the keys of everything of a view begin with, in all versions: its progress, which rows are in use, its rows,
/// their chunks, its packs.
pub(super) fn all_of_view(name: ViewName) -> [Vec<u8>; 5] {
    let rows = view_in_all_versions(b'r', name);
    let chunks = chunks(&rows);
    [all_progress(name), view_in_all_versions(b'g', name), rows, chunks, view_in_all_versions(b'k', name)]
}

/// What the keys of a view's progress begin with, in all versions and generations.
pub(super) fn all_progress(name: ViewName) -> Vec<u8> {
    view_in_all_versions(b'p', name)
}

/// What the keys of the rows, of their chunks and of the packs begin with, of the version and generation with this progress.
pub(super) fn rows_beside(progress: &[u8]) -> [Vec<u8>; 3] {
    let name = progress.get(1..).unwrap_or_default();
    let rows = [b"r", name].concat();
    let chunks = chunks(&rows);
    [rows, chunks, [b"k", name].concat()]
}

/// Which generation of a version is in use.
pub(super) fn generation(name: ViewName) -> Vec<u8> {
    let mut key = view_in_all_versions(b'g', name);
    key.extend_from_slice(&name.version.to_be_bytes());
    key
}

/// What the keys of all chunks begin with of values whose keys begin with `prefix`.
pub(super) fn chunks(prefix: &[u8]) -> Vec<u8> {
    [b"c", prefix].concat()
}

/// The key of a part of the value of `key`.
pub(super) fn chunk(key: &[u8], generation: u8, index: u16) -> Vec<u8> {
    [b"c", key, &[generation], &index.to_be_bytes()].concat()
}
