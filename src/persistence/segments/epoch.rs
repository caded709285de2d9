//! The epoch, kept beside the segments: raised at each opening, so that a lease of an earlier one is stale.
//!
//! `<dir>/epoch` is one line, `<epoch> <CRC32C of the epoch's digits>`. The records carry the epoch too, so the file
//! may be lost.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use super::segment::sync_dir;

const NAME: &str = "epoch";

/// The epoch in the file; `None` when there is no file, or none that is whole.
pub(super) fn read(dir: &Path) -> io::Result<Option<u64>> {
    let text = match fs::read(dir.join(NAME)) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let parsed = parse(text.trim());
    if parsed.is_none() {
        tracing::warn!(file = %dir.join(NAME).display(), "the epoch file is damaged; the journal's own epoch counts");
    }
    Ok(parsed)
}

/// Makes `epoch` durable.
pub(super) fn write(dir: &Path, epoch: u64) -> io::Result<()> {
    let unfinished = dir.join("epoch.new");
    let mut file = File::create(&unfinished)?;
    writeln!(file, "{epoch} {}", crc32c::crc32c(epoch.to_string().as_bytes()))?;
    file.sync_all()?;
    fs::rename(&unfinished, dir.join(NAME))?;
    sync_dir(dir)
}

fn parse(line: &str) -> Option<u64> {
    let (digits, checksum) = line.split_once(' ')?;
    let intact = checksum.parse::<u32>().ok()? == crc32c::crc32c(digits.as_bytes());
    intact.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_comes_back_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), 41).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(41));
        let line = fs::read_to_string(dir.path().join(NAME)).unwrap();
        fs::write(dir.path().join(NAME), line.replace("41", "91")).unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
    }
}
