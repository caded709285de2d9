//! Values with a checksum of their own, and big ones in parts.
//!
//! sled finds little of what a disk does to its bytes. It writes up to 20 values of neighbouring keys as one node, and
//! a node above 128 KiB into a file of its own, which it leaks.
//!
//! ```text
//! sealed value: u32 CRC32C of the key and what follows, then
//!     0, the value                                        when it is at most CHUNK bytes
//!     1, u32 length, u32 CRC32C, u8 generation            when it is longer: its chunks stand under `c`
//! sealed chunk: u32 CRC32C of the key and what follows, then a part of the value
//! ```

use ::sled::{Batch, Tree};
use bytes::Bytes;

use super::keys;
use crate::persistence::codec::{Decoder, Encoder, Malformed};

/// 20 of them, with their keys, make a node below 128 KiB.
const CHUNK: usize = 4 << 10;

/// The longest value: what a record may take, payloads and names. A greater state is recovered from its events.
pub(super) const MAX_VALUE: usize = 8 << 20;

/// Keys that are removed in one batch.
const MAX_REMOVED: usize = 256;

/// Chunks in one batch: sled's memory follows the size of a batch.
const MAX_CHUNKS: usize = 64;

const INLINE: u8 = 0;
const CHUNKED: u8 = 1;

/// Why a value could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    #[error("{0}")]
    Sled(#[from] ::sled::Error),
    #[error("a value {0}")]
    Damaged(#[from] Malformed),
    #[error("a value of {0} bytes is longer than {MAX_VALUE}")]
    TooLong(usize),
}

pub(super) fn seal(key: &[u8], content: &[u8]) -> Vec<u8> {
    seal_parts(key, &[], content)
}

/// As if both parts were one.
fn seal_parts(key: &[u8], first: &[u8], rest: &[u8]) -> Vec<u8> {
    let checksum = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(key), first), rest);
    [&checksum.to_le_bytes(), first, rest].concat()
}

pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], Malformed> {
    let (stored, content) = sealed.split_first_chunk::<4>().ok_or(Malformed("ends too early"))?;
    if u32::from_le_bytes(*stored) == crc32c::crc32c_append(crc32c::crc32c(key), content) {
        Ok(content)
    } else {
        Err(Malformed("does not match its checksum"))
    }
}

/// What stands under a key.
enum Content<'a> {
    Inline(&'a [u8]),
    Chunked { length: usize, checksum: u32, generation: u8 },
}

impl<'a> Content<'a> {
    fn of(key: &[u8], sealed: &'a [u8]) -> Result<Self, Malformed> {
        let content = unseal(key, sealed)?;
        match content.split_first() {
            Some((&INLINE, value)) => Ok(Self::Inline(value)),
            Some((&CHUNKED, rest)) => {
                let mut from = Decoder::new(Bytes::copy_from_slice(rest));
                let length = usize::try_from(from.u32()?).unwrap_or(usize::MAX);
                if length > MAX_VALUE {
                    return Err(Malformed("has an impossible length"));
                }
                Ok(Self::Chunked { length, checksum: from.u32()?, generation: from.u8()? })
            }
            Some(_) | None => Err(Malformed("has an unknown form")),
        }
    }

    /// The keys of its chunks; `key` is its own.
    fn chunks(&self, key: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Inline(_) => Vec::new(),
            Self::Chunked { length, generation, .. } => {
                let count = u16::try_from(length.div_ceil(CHUNK)).expect("MAX_VALUE has fewer chunks");
                (0..count).map(|index| keys::chunk(key, *generation, index)).collect()
            }
        }
    }

    /// The generation whose chunks must stay for now.
    fn generation(&self) -> u8 {
        match self {
            Self::Inline(_) => 0,
            Self::Chunked { generation, .. } => *generation,
        }
    }
}

/// Adds to `batch` what makes `value` the value of `key`, and takes the chunks away that it had.
///
/// Chunks are written at once, as another generation than those that are there: nobody sees them until `batch` is
/// applied.
pub(super) fn insert(tree: &Tree, batch: &mut Batch, key: &[u8], value: &[u8]) -> Result<(), ValueError> {
    if value.len() > MAX_VALUE {
        return Err(ValueError::TooLong(value.len()));
    }
    let before = remove(tree, batch, key)?;
    put(tree, batch, key, value, before ^ 1)
}

/// Whether a value has chunks whose key begins with `prefix`, or a crash left some behind.
pub(super) fn has_chunks(tree: &Tree, prefix: &[u8]) -> Result<bool, ValueError> {
    Ok(tree.scan_prefix(keys::chunks(prefix)).keys().next().transpose()?.is_some())
}

/// The same for a key that has no value yet, this very one, or one without chunks: nothing is read.
pub(super) fn add(tree: &Tree, batch: &mut Batch, key: &[u8], value: &[u8]) -> Result<(), ValueError> {
    if value.len() > MAX_VALUE {
        return Err(ValueError::TooLong(value.len()));
    }
    put(tree, batch, key, value, 1)
}

fn put(tree: &Tree, batch: &mut Batch, key: &[u8], value: &[u8], generation: u8) -> Result<(), ValueError> {
    if value.len() <= CHUNK {
        batch.insert(key, seal_parts(key, &[INLINE], value));
        return Ok(());
    }
    let mut content = Vec::with_capacity(16);
    let mut to = Encoder(&mut content);
    to.u8(CHUNKED);
    to.u32(u32::try_from(value.len()).expect("checked against MAX_VALUE"));
    to.u32(crc32c::crc32c(value));
    to.u8(generation);
    let parts: Vec<_> = (0..).zip(value.chunks(CHUNK)).collect();
    for parts in parts.chunks(MAX_CHUNKS) {
        let mut chunks = Batch::default();
        for (index, part) in parts {
            let key = keys::chunk(key, generation, *index);
            chunks.insert(key.as_slice(), seal(&key, part));
        }
        tree.apply_batch(chunks)?;
    }
    batch.insert(key, seal(key, &content));
    Ok(())
}

/// Adds to `batch` what takes `key` and its chunks away. Chunks of a damaged value stay behind. Returns the generation
/// of its chunks.
pub(super) fn remove(tree: &Tree, batch: &mut Batch, key: &[u8]) -> Result<u8, ValueError> {
    let Some(sealed) = tree.get(key)? else { return Ok(0) };
    batch.remove(key);
    let Ok(content) = Content::of(key, &sealed) else { return Ok(0) };
    for chunk in content.chunks(key) {
        batch.remove(chunk);
    }
    Ok(content.generation())
}

/// Removes everything whose key begins with `prefix`.
pub(super) fn remove_all(tree: &Tree, prefix: &[u8]) -> Result<(), ValueError> {
    while remove_some(tree, prefix)? > 0 {}
    Ok(())
}

/// Removes some of what has a key that begins with `prefix`, at most a batch; how many.
pub(super) fn remove_some(tree: &Tree, prefix: &[u8]) -> Result<usize, ValueError> {
    let mut batch = Batch::default();
    let mut count = 0;
    for key in tree.scan_prefix(prefix).keys().take(MAX_REMOVED) {
        batch.remove(key?);
        count += 1;
    }
    if count > 0 {
        tree.apply_batch(batch)?;
    }
    Ok(count)
}

/// The value of `key`.
pub(super) fn get(tree: &Tree, key: &[u8]) -> Result<Option<Bytes>, ValueError> {
    // A writer may replace a big value between the read of its head and of its chunks.
    const TRIES: usize = 3;
    let mut damage = Malformed("changed while it was read");
    for _ in 0..TRIES {
        let Some(sealed) = tree.get(key)? else { return Ok(None) };
        match whole(tree, key, &sealed) {
            Err(ValueError::Damaged(what)) => damage = what,
            other => return other.map(Some),
        }
    }
    Err(damage.into())
}

/// The value whose head, standing under `key`, is `sealed`; it is never replaced by another.
pub(super) fn open(tree: &Tree, key: &[u8], sealed: &[u8]) -> Result<Bytes, ValueError> {
    whole(tree, key, sealed)
}

/// The value whose head, standing under `key`, is `sealed`.
fn whole(tree: &Tree, key: &[u8], sealed: &[u8]) -> Result<Bytes, ValueError> {
    let content = Content::of(key, sealed)?;
    let (length, checksum) = match content {
        Content::Inline(value) => return Ok(Bytes::copy_from_slice(value)),
        Content::Chunked { length, checksum, .. } => (length, checksum),
    };
    let mut value = Vec::with_capacity(length);
    for key in content.chunks(key) {
        let sealed = tree.get(&key)?.ok_or(Malformed("misses a part"))?;
        value.extend_from_slice(unseal(&key, &sealed)?);
    }
    if value.len() == length && crc32c::crc32c(&value) == checksum {
        Ok(value.into())
    } else {
        Err(Malformed("does not match its checksum").into())
    }
}
