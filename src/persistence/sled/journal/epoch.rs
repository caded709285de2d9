//! What is kept apart from sled: the epoch, and how far each partition was acknowledged. sled forgets silently what its
//! own files have lost; this file does not. It is written at opening, within 100 ms after a partition has moved, and at
//! a clean end; not on the way of an append.
//!
//! One line of text: `<epoch> <position of partition 0> <of 1> ... <CRC32C of what stands before>`.

use std::{
    convert::Infallible,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use super::Shared;
use crate::persistence::{OpenError, sync::read as locked};

const NAME: &str = "epoch";

/// How often the positions are written down, if they have moved: with the syncs it stays within the 100 ms that are
/// promised.
const EVERY: Duration = Duration::from_millis(50);

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) epoch: u64,
    pub(super) positions: Vec<u64>,
}

/// What the file says; `None` when there is no file.
///
/// # Errors
/// A damaged file is an error: without it a lost journal looks like a new one.
pub(super) fn read(dir: &Path) -> Result<Option<Witness>, OpenError> {
    let file = dir.join(NAME);
    let text = match fs::read(&file) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io(file, error)),
    };
    let what = "it does not match its checksum".to_owned();
    parse(text.trim_end()).map(Some).ok_or(OpenError::Damaged { file, at: 0, what })
}

fn parse(text: &str) -> Option<Witness> {
    let (line, checksum) = text.rsplit_once(' ')?;
    if checksum.parse() != Ok(crc32c::crc32c(line.as_bytes())) {
        return None;
    }
    let mut numbers = line.split(' ').map(str::parse);
    let epoch = numbers.next()?.ok()?;
    Some(Witness { epoch, positions: numbers.collect::<Result<_, _>>().ok()? })
}

/// Keeps the positions up to date until the writer is gone, and then once more.
pub(super) fn keep(dir: &Path, epoch: u64, shared: &Shared, writer: &Receiver<Infallible>) {
    let (mut known, mut complained) = (Vec::new(), false);
    loop {
        let gone = writer.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
        let positions = locked(&shared.index).positions.clone();
        if positions != known {
            match write(dir, epoch, &positions) {
                Ok(()) => (known, complained) = (positions, false),
                Err(error) if !complained => {
                    tracing::error!(%error, "how far the journal went cannot be kept apart; a lost tail might not be noticed");
                    complained = true;
                }
                Err(_) => {}
            }
        }
        if gone {
            return;
        }
    }
}

/// Makes it durable.
pub(super) fn write(dir: &Path, epoch: u64, positions: &[u64]) -> Result<(), OpenError> {
    let unfinished = dir.join("epoch.new");
    let write = || -> io::Result<()> {
        let mut line = epoch.to_string();
        for position in positions {
            line.push(' ');
            line.push_str(&position.to_string());
        }
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{line} {}", crc32c::crc32c(line.as_bytes()))?;
        file.sync_all()?;
        fs::rename(&unfinished, dir.join(NAME))?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| OpenError::io(dir.join(NAME), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_back_and_a_changed_one_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        write(dir.path(), 7, &[0, 12, u64::MAX]).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(Witness { epoch: 7, positions: vec![0, 12, u64::MAX] }));
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        for damaged in [text.replace("12", "11"), String::new(), "7".to_owned()] {
            fs::write(dir.path().join(NAME), damaged).unwrap();
            assert!(matches!(read(dir.path()), Err(OpenError::Damaged { .. })));
        }
    }
}
