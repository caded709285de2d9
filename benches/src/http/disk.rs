//! What a sync of the disk takes: the least that anything durable can take.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::histogram::Histogram;
use crate::floor::{BareFile, Sink};

/// Bytes of one write, as a group of a dozen small records has.
const WRITE: usize = 4096;

/// Writes and syncs one after the other for `time`; how long each write with its fdatasync took.
pub(crate) fn syncs(dir: &Path, time: Duration) -> Result<Histogram> {
    let file = tempfile::NamedTempFile::new_in(dir)?;
    let (mut sink, mut took) = (BareFile::new(file.path())?, Histogram::default());
    let (record, begun) = (vec![0x5a; WRITE], Instant::now());
    while begun.elapsed() < time {
        let since = Instant::now();
        sink.commit(&record, 1)?;
        took.record(since.elapsed());
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_takes_some_time() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let took = syncs(dir.path(), Duration::from_millis(20))?;
        assert!(took.quantile(0.99) >= took.quantile(0.5) && took.longest() > Duration::ZERO);
        Ok(())
    }
}
