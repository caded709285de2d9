//! Where a view's rows stand: alone, or together with their neighbours in a pack.
//!
//! sled has up to sixteen values in a node, copies the node for each change and writes all of it again after ten. A row is
//! some hundred bytes, so that it costs a fraction where its neighbours are written with it.
//!
//! ```text
//! a pack, sealed: u8 VERSION, u32 how many rows, then each by key: u32 length, its key, u32 length, the row
//! ```
//!
//! A pack is for the keys from its own up to the next pack's. Rows go there when a commit changes several of them, since all
//! of a pack is written then; a few stand alone, and so does a long one. Where a row is in both places, that which stands
//! alone is the newer one. It moves into a pack, or is removed from both, in one batch, and a row never leaves a pack
//! for a place of its own: so whoever looks for what stands alone first and into the packs then misses none.

use std::{collections::BTreeMap, iter, ops::Bound, thread};

use ::sled::{Batch, IVec, Tree};
use bytes::Bytes;

use super::{
    keys,
    values::{self, ValueError},
};
use crate::persistence::{
    RowChange, ViewName,
    codec::{Decoder, Encoder, Malformed},
};

/// The layout of a pack. On disk: raised with every change.
const VERSION: u8 = 1;

/// So many changes of a pack's rows are worth writing all of it.
const SEVERAL: usize = 4;

/// A pack is cut when it has so many bytes. Twenty of them, with one row more each, make a node below the 128 KiB above
/// which sled writes a file of its own.
const FULL: usize = 2 << 10;

/// The most bytes of a row that stands in a pack, with its key.
const SHORT: usize = 512;

/// Packs that are changed at once, in some tenths of a millisecond: then other threads have a turn, since a commit of
/// thousands of rows would keep a processor from those whom somebody waits for.
const AT_ONCE: usize = 64;

/// A pack's rows by key.
type Rows = BTreeMap<Bytes, Bytes>;

/// One change: the row's key, and the row unless it is to go.
type Change<'a> = (&'a [u8], Option<&'a Bytes>);

/// Adds to `batch` what makes these changes, of which the last one of a row counts.
pub(super) fn change(tree: &Tree, batch: &mut Batch, view: ViewName, rows: &[RowChange]) -> Result<(), ValueError> {
    let changes: BTreeMap<_, _> = rows.iter().map(|(key, row)| (key.as_slice(), row.as_ref())).collect();
    let alone = Alone::of(tree, view)?;
    let has_packs = tree.scan_prefix(keys::packs(view)).keys().next().transpose()?.is_some();
    let mut changes = changes.into_iter().peekable();
    let mut places = 0usize;
    while let Some(first) = changes.next() {
        places += 1;
        if places.is_multiple_of(AT_ONCE) {
            thread::yield_now();
        }
        let place = if has_packs { Place::of(&alone, first.0)? } else { Place::default() };
        let here = |change: &Change<'_>| place.end.as_deref().is_none_or(|end| change.0 < end);
        let own: Vec<_> = iter::once(first).chain(iter::from_fn(|| changes.next_if(here))).collect();
        place.change(batch, &alone, &own)?;
    }
    Ok(())
}

/// One row.
pub(super) fn get(tree: &Tree, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, ValueError> {
    if let Some(row) = values::get(tree, &keys::row(view, key))? {
        return Ok(Some(row));
    }
    Ok(match pack_of(tree, view, key)? {
        Some((pack, sealed)) => decode(&pack, &sealed)?.remove(key),
        None => None,
    })
}

/// The greatest key of a row.
pub(super) fn last(tree: &Tree, view: ViewName) -> Result<Option<Vec<u8>>, ValueError> {
    let rows = keys::rows(view);
    let alone = tree.scan_prefix(&rows).keys().next_back().transpose()?;
    let alone = alone.and_then(|key| key.get(rows.len()..).map(<[u8]>::to_vec));
    let packed = match tree.scan_prefix(keys::packs(view)).next_back().transpose()? {
        Some((pack, sealed)) => decode(&pack, &sealed)?.pop_last().map(|(key, _)| key.to_vec()),
        None => None,
    };
    Ok(alone.max(packed))
}

/// Up to `limit` rows behind `after` whose keys begin with `prefix`.
pub(super) fn scan(
    tree: &Tree,
    view: ViewName,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Bytes)>, ValueError> {
    let (start, is_behind) = match after {
        Some(after) if after >= prefix => (after, true),
        Some(_) | None => (prefix, false),
    };
    let from = keys::row(view, start);
    let from = if is_behind { Bound::Excluded(from) } else { Bound::Included(from) };
    let alone = alone_from(tree, view, prefix, from, limit)?;
    let begins = |key: &[u8]| key > start || key == start && !is_behind;
    let mut found: BTreeMap<Vec<u8>, Bytes> = BTreeMap::new();
    let (first, packs) = (pack_of(tree, view, start)?, keys::packs(view));
    let first = first.map_or_else(|| packs.clone(), |(pack, _)| pack.to_vec());
    'packs: for pack in tree.range(first..) {
        let (pack, sealed) = pack?;
        if !pack.starts_with(&packs) || found.len() >= limit {
            break;
        }
        for (key, row) in decode(&pack, &sealed)? {
            if !begins(&key) {
                continue;
            }
            if !key.starts_with(prefix) {
                break 'packs;
            }
            found.insert(key.into(), row);
        }
    }
    found.extend(alone);
    Ok(found.into_iter().take(limit).collect())
}

/// The same of the rows that stand alone.
fn alone_from(
    tree: &Tree,
    view: ViewName,
    prefix: &[u8],
    from: Bound<Vec<u8>>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, Bytes)>, ValueError> {
    let (rows, begin) = (keys::rows(view), keys::row(view, prefix));
    let mut found = Vec::new();
    for key in tree.range((from, Bound::Unbounded)).keys() {
        let key = key?;
        if found.len() >= limit || !key.starts_with(&begin) {
            break;
        }
        // It may have been removed just now, or moved.
        if let (Some(row), Some(name)) = (values::get(tree, &key)?, key.get(rows.len()..)) {
            found.push((name.to_vec(), row));
        }
    }
    Ok(found)
}

/// The pack for this key, if there is one.
fn pack_of(tree: &Tree, view: ViewName, key: &[u8]) -> Result<Option<(IVec, IVec)>, ValueError> {
    Ok(tree.range(keys::packs(view)..=keys::pack(view, key)).next_back().transpose()?)
}

/// The rows of a view that stand alone.
struct Alone<'a> {
    tree: &'a Tree,
    view: ViewName,
    /// Rows are rarely so big, and without big ones nothing that a row was before has to be known.
    has_chunks: bool,
}

impl<'a> Alone<'a> {
    fn of(tree: &'a Tree, view: ViewName) -> Result<Self, ValueError> {
        Ok(Self { tree, view, has_chunks: values::has_chunks(tree, &keys::rows(view))? })
    }

    fn put(&self, batch: &mut Batch, key: &[u8], row: &[u8]) -> Result<(), ValueError> {
        let key = keys::row(self.view, key);
        if self.has_chunks {
            values::insert(self.tree, batch, &key, row)
        } else {
            values::add(self.tree, batch, &key, row)
        }
    }

    fn remove(&self, batch: &mut Batch, key: &[u8]) -> Result<(), ValueError> {
        let key = keys::row(self.view, key);
        if self.has_chunks {
            values::remove(self.tree, batch, &key)?;
        } else {
            batch.remove(key);
        }
        Ok(())
    }

    /// Those among the changed rows' neighbours, and they themselves, that stand alone; `None` when there are more of them
    /// than changes, as where a release wrote them that knew no packs.
    fn among(&self, changes: &[Change<'_>]) -> Result<Option<Vec<IVec>>, ValueError> {
        let (Some((first, _)), Some((last, _))) = (changes.first(), changes.last()) else { return Ok(None) };
        let span = keys::row(self.view, first)..=keys::row(self.view, last);
        let found: Vec<_> = self.tree.range(span).keys().take(changes.len() + 1).collect::<Result<_, _>>()?;
        Ok((found.len() <= changes.len()).then_some(found))
    }
}

/// The keys of one pack, or those before the first one.
#[derive(Default)]
struct Place {
    pack: Option<(IVec, IVec)>,
    /// The next pack's key.
    end: Option<Vec<u8>>,
}

impl Place {
    fn of(&Alone { tree, view, .. }: &Alone<'_>, key: &[u8]) -> Result<Self, ValueError> {
        let behind = (Bound::Excluded(keys::pack(view, key)), Bound::Unbounded);
        let next = tree.range(behind).keys().next().transpose()?;
        let end = next.and_then(|next| Some(next.strip_prefix(keys::packs(view).as_slice())?.to_vec()));
        Ok(Self { pack: pack_of(tree, view, key)?, end })
    }

    /// Makes changes of rows that are for here.
    fn change(&self, batch: &mut Batch, alone: &Alone<'_>, changes: &[Change<'_>]) -> Result<(), ValueError> {
        let in_the_way = if changes.len() < SEVERAL { None } else { alone.among(changes)? };
        let removes = changes.iter().any(|(_, row)| row.is_none());
        let mut rows = match &self.pack {
            Some((key, sealed)) if removes || in_the_way.is_some() => decode(key, sealed)?,
            Some(_) | None => Rows::new(),
        };
        let mut is_changed = false;
        for (key, row) in changes {
            match (row, &in_the_way) {
                (None, _) => {
                    is_changed |= rows.remove(*key).is_some();
                    alone.remove(batch, key)?;
                }
                (Some(row), Some(in_the_way)) if key.len() + row.len() <= SHORT => {
                    rows.insert(Bytes::copy_from_slice(key), (*row).clone());
                    is_changed = true;
                    let own = keys::row(alone.view, key);
                    if in_the_way.binary_search_by(|other| other.as_ref().cmp(&own)).is_ok() {
                        alone.remove(batch, key)?;
                    }
                }
                (Some(row), _) => alone.put(batch, key, row)?,
            }
        }
        if is_changed {
            self.write(batch, alone.view, rows);
        }
        Ok(())
    }

    /// Writes what the pack is to have, as several if that is too much for one.
    fn write(&self, batch: &mut Batch, view: ViewName, rows: Rows) {
        let mut key = self.pack.as_ref().map(|(key, _)| key.to_vec());
        if rows.is_empty() {
            if let Some(key) = key {
                batch.remove(key);
            }
            return;
        }
        let bytes: usize = rows.iter().map(|(key, row)| size(key, row)).sum();
        let most = match &self.end {
            // Those that come are mostly new and go behind: no room is left before them.
            None => FULL,
            Some(_) if bytes <= FULL + SHORT + size(&[], &[]) => bytes,
            Some(_) => bytes.div_ceil(bytes.div_ceil(FULL)),
        };
        let mut rows = rows.into_iter().peekable();
        while let Some((first, _)) = rows.peek() {
            let key = key.take().unwrap_or_else(|| keys::pack(view, first));
            let mut bytes = 0;
            let own = iter::from_fn(|| {
                let (key, row) = rows.next_if(|_| bytes < most)?;
                bytes += size(&key, &row);
                Some((key, row))
            });
            let sealed = encode(&key, &own.collect::<Vec<_>>());
            batch.insert(key, sealed);
        }
    }
}

/// What a row takes in a pack.
fn size(key: &[u8], row: &[u8]) -> usize {
    4 + key.len() + 4 + row.len()
}

fn encode(pack: &[u8], rows: &[(Bytes, Bytes)]) -> Vec<u8> {
    let mut content = Vec::with_capacity(5 + rows.iter().map(|(key, row)| size(key, row)).sum::<usize>());
    let mut to = Encoder(&mut content);
    to.u8(VERSION);
    to.u32(u32::try_from(rows.len()).expect("a pack is cut when it is full"));
    for (key, row) in rows {
        to.bytes(key);
        to.bytes(row);
    }
    values::seal(pack, &content)
}

fn decode(pack: &[u8], sealed: &[u8]) -> Result<Rows, Malformed> {
    let mut from = Decoder::new(Bytes::copy_from_slice(values::unseal(pack, sealed)?));
    if from.u8()? != VERSION {
        return Err(Malformed("has a version that is not known"));
    }
    let count = from.u32()?;
    let rows = (0..count).map(|_| Ok((from.bytes()?, from.bytes()?))).collect::<Result<_, Malformed>>()?;
    from.end()?;
    Ok(rows)
}
