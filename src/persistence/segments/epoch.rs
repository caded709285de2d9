//! What is kept beside the segments: the epoch, raised at each opening, so that a lease of an earlier one is stale; and
//! the number of the last segment, so that one which is gone is missed.
//!
//! `<dir>/epoch` is one line, `<epoch> <segment> <CRC32C of what stands before>`. The records carry the epoch too, so
//! the file may be lost.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::segment::sync_dir;

const NAME: &str = "epoch";

/// What the file says of the newest opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) epoch: u64,
    /// There was a segment with this number.
    pub(super) segment: u32,
}

/// What the file says; `None` when there is no file, or none that is whole.
pub(super) fn read(dir: &Path) -> io::Result<Option<Opening>> {
    let text = match fs::read(dir.join(NAME)) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let parsed = parse(text.trim_end());
    if parsed.is_none() {
        tracing::warn!(file = %dir.join(NAME).display(), "the epoch file is damaged; the journal's own epoch counts");
    }
    Ok(parsed)
}

/// Makes it durable.
pub(super) fn write(dir: &Path, Opening { epoch, segment }: Opening) -> io::Result<()> {
    let unfinished = dir.join("epoch.new");
    let text = format!("{epoch} {segment}");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{text} {}", crc32c::crc32c(text.as_bytes()))?;
    file.sync_all()?;
    fs::rename(&unfinished, dir.join(NAME))?;
    sync_dir(dir)
}

fn parse(line: &str) -> Option<Opening> {
    let (text, checksum) = line.rsplit_once(' ')?;
    if checksum.parse::<u32>().ok()? != crc32c::crc32c(text.as_bytes()) {
        return None;
    }
    let (epoch, segment) = text.split_once(' ')?;
    Some(Opening { epoch: epoch.parse().ok()?, segment: segment.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_opening_comes_back_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let opening = Opening { epoch: 41, segment: 7 };
        write(dir.path(), opening).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(opening));
        let line = fs::read_to_string(dir.path().join(NAME)).unwrap();
        fs::write(dir.path().join(NAME), line.replacen("41", "91", 1)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
    }
}
