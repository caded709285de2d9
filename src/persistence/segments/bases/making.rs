//! A new file: written under another name, synced, read back, renamed. The renaming is the deletion.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    AHEAD, Bases,
    format::{Entry, Start, end},
    path, unfinished,
};
use crate::persistence::{
    BaseOf, OpenError, ReadError, StoreError, StreamId, TruncateError, codec::Names, segments::segment, tip::Tip,
};

/// A file in the making; nothing counts before [`replace`](Self::replace).
pub(super) struct Making {
    dir: PathBuf,
    out: BufWriter<File>,
    count: u64,
    buffer: Vec<u8>,
}

impl Making {
    pub(super) fn begin(dir: &Path, start: &Start) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(AHEAD, File::create(unfinished(dir))?);
        out.write_all(&start.encode())?;
        Ok(Self { dir: dir.to_owned(), out, count: 0, buffer: Vec::new() })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        entry.encode(&mut self.buffer);
        self.count += 1;
        self.out.write_all(&self.buffer)
    }

    /// All of it is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.out.write_all(&end(self.count))?;
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }

    /// Reads it back from the disk. An error when it is not what was meant.
    pub(super) fn check(self, start: &Start, names: &Names) -> Result<Made, OpenError> {
        let path = unfinished(&self.dir);
        let mut count = 0;
        let made = Bases::open_at(path.clone(), names, &mut |_, _| count += 1)?;
        if let Some(bases) = made.filter(|made| made.start == *start && count == self.count) {
            return Ok(Made { dir: self.dir, bases });
        }
        let what = "what was read back is not what was written".to_owned();
        Err(OpenError::Damaged { file: path, at: 0, what })
    }
}

/// A file that is written, checked, and has another name.
pub(super) struct Made {
    dir: PathBuf,
    bases: Bases,
}

impl Made {
    /// From now on it is what counts, unless the power is cut before [`settle`](Self::settle).
    pub(super) fn replace(&self) -> io::Result<()> {
        fs::rename(unfinished(&self.dir), path(&self.dir))
    }

    /// From now on it is what counts, for ever.
    pub(super) fn settle(self) -> io::Result<Bases> {
        segment::sync_dir(&self.dir)?;
        Ok(Bases { path: path(&self.dir), ..self.bases })
    }
}

/// Is asked before each step that changes something on the disk, so that a test can stop there.
pub(in crate::persistence) type Before<'a> = dyn FnMut(&'static str) -> io::Result<()> + 'a;

/// Where a new file comes from.
pub(in crate::persistence) struct Renewal<'a> {
    pub(in crate::persistence) dir: &'a Path,
    pub(in crate::persistence) names: &'a Names,
    /// What is there now.
    pub(in crate::persistence) old: Option<&'a Bases>,
    /// The sequence of a stream's last durable event.
    pub(in crate::persistence) durable: &'a dyn Fn(&StreamId) -> u64,
}

impl Renewal<'_> {
    /// Makes the file that stands for everything up to `start`, where the streams have these tips, durably. Returns it, and
    /// how many base records are new.
    ///
    /// # Errors
    /// Nothing is deleted, or, when the storage failed in the end, all of it.
    pub(in crate::persistence) fn make(
        &self,
        start: &Start,
        tips: impl Iterator<Item = (StreamId, Tip)>,
        base: &mut BaseOf<'_>,
        before: &mut Before<'_>,
    ) -> Result<(Bases, u64), TruncateError> {
        before("create").map_err(failed)?;
        let mut making = Making::begin(self.dir, start).map_err(failed)?;
        let mut made = 0;
        for (stream, tip) in tips {
            let sequence = tip.head.sequence;
            let kept = self.old.map(|old| old.get(&stream, self.names)).transpose()?.flatten();
            let base = if let Some(kept) = kept.filter(|kept| kept.base.sequence >= sequence) {
                kept.base
            } else {
                made += 1;
                let made = base(&stream, sequence);
                TruncateError::unless_of_use(&stream, sequence, (self.durable)(&stream), made)?
            };
            making.add(&Entry { stream, tip, base }).map_err(failed)?;
        }
        before("sync").map_err(failed)?;
        making.sync().map_err(failed)?;
        before("check").map_err(failed)?;
        let checked = making.check(start, self.names).map_err(not_read)?;
        before("rename").map_err(failed)?;
        checked.replace().map_err(failed)?;
        before("settle").map_err(failed)?;
        Ok((checked.settle().map_err(failed)?, made))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(in crate::persistence) fn failed(error: io::Error) -> TruncateError {
    TruncateError::Store(StoreError { doing: "deleting history", reason: error.to_string() })
}

pub(in crate::persistence) fn not_read(error: OpenError) -> TruncateError {
    TruncateError::Read(match error {
        OpenError::Damaged { file, at, what } => ReadError::Damaged { file, at, what },
        OpenError::Io { file, source } => ReadError::Io { file, source },
        other @ (OpenError::InUse { .. } | OpenError::Format(_)) => {
            return failed(io::Error::other(other.to_string()));
        }
    })
}
