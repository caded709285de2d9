//! The verifier's bytes a second, against a bare CRC32C over the same bytes of the same files.

use std::{fs::File, io::Read, path::Path, time::Instant};

use anyhow::{Result, bail};
use steadfast::persistence::{DataDirectory, Verifier};

use crate::{
    recovery,
    rounds::{ROUNDS, median},
    table,
};

pub(crate) fn print(dir: &Path, events: usize) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    recovery::make(data.path(), events)?;
    let directory = DataDirectory::find(data.path())?;
    let (mut ours, mut bare, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let (bytes, found) = verify(&directory)?;
        let took = begun.elapsed().as_secs_f64();
        if found != events as u64 {
            bail!("{found} events were found, not {events}");
        }
        seconds.push(took);
        ours.push(bytes as f64 / took / 1e9);
        let begun = Instant::now();
        let (bytes, _) = checksum(&directory.journal("main"))?;
        bare.push(bytes as f64 / begun.elapsed().as_secs_f64() / 1e9);
    }
    let row = |name: &str, rates: &[f64], took: String| {
        let ratio = table::ratio(median(rates.to_vec()) / median(bare.clone()));
        vec![name.to_owned(), ratio, format!("{:.2}", median(rates.to_vec())), table::tenths(rates), took]
    };
    let rows = [
        row("verify: checksums, positions, sequences, counts", &ours, format!("{:.2} s", median(seconds))),
        row("read and CRC32C, nothing else", &bare, String::new()),
    ];
    let title = format!("Verifying {events} events, files cached");
    table::print(&title, &["", "ratio", "GB/s", "its rounds", "in all"], &rows);
    Ok(())
}

/// Bytes that were looked at, and events that were found.
fn verify(directory: &DataDirectory) -> Result<(u64, u64)> {
    let mut bytes = 0;
    let mut passed = |more| bytes += more;
    let mut verifier = Verifier::new("main", directory.partitions, &mut passed);
    directory.look("main", &mut verifier)?;
    let report = verifier.report();
    if report.damaged > 0 {
        bail!("{:?}", report.damage);
    }
    Ok((bytes, report.counted.events))
}

/// Bytes of all segments, and a checksum so that none is left out.
fn checksum(journal: &Path) -> Result<(u64, u32)> {
    let (mut bytes, mut checksum) = (0, 0);
    let mut buffer = vec![0; 1 << 20];
    for entry in std::fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "seg") {
            continue;
        }
        let mut file = File::open(path)?;
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            checksum = crc32c::crc32c_append(checksum, buffer.get(..read).unwrap_or_default());
        }
    }
    Ok((bytes, checksum))
}
