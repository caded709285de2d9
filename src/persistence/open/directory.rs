//! The data directory: who holds it, and what it is.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    ops::RangeInclusive,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::OpenError;

/// Layouts of the data directory. Raised when older programs must not open it: the second one may have base records in
/// place of segments, and is used from the first opening on that may delete history.
const FORMATS: RangeInclusive<u32> = 1..=2;

/// What `format.json` says. On disk: never rename.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    format: u32,
    partitions: u16,
}

/// Makes the data directory if need be, and takes it for this process until the file is dropped.
pub(super) fn hold(data: &Path) -> Result<File, OpenError> {
    make_all(data).map_err(|error| OpenError::io(data, error))?;
    let path = data.join("LOCK");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| OpenError::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { data: data.to_owned() }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(path, error)),
    }
}

/// Makes a directory, and those above it that are missing, each of which is there after a power cut. The one above the
/// data is synced also when the data is there: whoever made it was perhaps ended before it was.
fn make_all(dir: &Path) -> io::Result<()> {
    let mut missing = dir;
    let mut made = vec![above(dir)];
    while !above(missing).try_exists()? {
        missing = above(missing);
        made.push(above(missing));
    }
    fs::create_dir_all(dir)?;
    made.into_iter().try_for_each(|parent| match sync_dir(parent) {
        // It was there before us, and is not ours to look into.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    })
}

/// The directory that has this one's name.
fn above(dir: &Path) -> &Path {
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => dir,
    }
}

/// Makes a directory below `data` that is there after a power cut.
pub(super) fn make(data: &Path, dir: &Path) -> Result<(), OpenError> {
    fs::create_dir_all(dir).and_then(|()| sync_dir(data)).map_err(|error| OpenError::io(dir, error))
}

/// Compares the data's format with what is wanted; writes it when the data is new.
pub(super) fn check_format(data: &Path, partitions: u16, deletes_history: bool) -> Result<(), OpenError> {
    let wanted = Format { format: if deletes_history { 2 } else { 1 }, partitions };
    let path = data.join("format.json");
    let Some(Format { format, partitions: found }) = format_of(data)? else {
        return write_format(data, &path, &wanted).map_err(|error| OpenError::io(path, error));
    };
    if found == partitions && format < wanted.format {
        return write_format(data, &path, &wanted).map_err(|error| OpenError::io(path, error));
    }
    if found != partitions {
        let what = format!(
            "{} has {found} partitions, and {partitions} are configured: the number is fixed when the data is made",
            data.display()
        );
        return Err(OpenError::Format(what));
    }
    Ok(())
}

/// The number of partitions that the data was made with; `None` when there is no data.
pub(in crate::persistence) fn partitions_of(data: &Path) -> Result<Option<u16>, OpenError> {
    Ok(format_of(data)?.map(|found| found.partitions))
}

fn format_of(data: &Path) -> Result<Option<Format>, OpenError> {
    let path = data.join("format.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::io(path, error)),
    };
    let found: Format = serde_json::from_str(&text).map_err(|error| OpenError::Damaged {
        file: path.clone(),
        at: u64::try_from(error.column().saturating_sub(1)).unwrap_or(0),
        what: error.to_string(),
    })?;
    if !FORMATS.contains(&found.format) {
        let (found, least, most) = (found.format, FORMATS.start(), FORMATS.end());
        let what =
            format!("{} is of format {found}, and this program knows the formats {least} to {most}", data.display());
        return Err(OpenError::Format(what));
    }
    Ok(Some(found))
}

fn write_format(data: &Path, path: &Path, format: &Format) -> io::Result<()> {
    let unfinished = data.join("format.json.new");
    let mut file = File::create(&unfinished)?;
    serde_json::to_writer(&file, format)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_dir(data)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
