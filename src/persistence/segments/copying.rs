//! Which segments belong to a copy of a journal that may be written meanwhile.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{bases::Bases, epoch, segment, survey::deleted_meanwhile};
use crate::persistence::{OpenError, codec::Names};

/// Every segment in `dir` that belongs to a copy with these files beside its segments: what stands in `copied`. That was
/// copied before, so it says nothing of a segment that is not yet there.
///
/// # Errors
/// A segment is not there: history was deleted meanwhile, or it is lost.
pub(in crate::persistence) fn segments(dir: &Path, copied: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let io = |error| OpenError::io(dir, error);
    let bases = Bases::open(copied, &Names::default(), &mut |_, _| ())?;
    let deleted = bases.map_or(0, |bases| bases.start.segment);
    let named = epoch::read(copied).map_err(io)?.map_or(0, |opening| opening.segment);
    let mut segments = segment::list(dir).map_err(io)?;
    segments.retain(|segment| *segment > deleted); // the others are void
    let last = segments.last().copied().unwrap_or(deleted).max(named);
    match (deleted + 1..=last).find(|segment| segments.binary_search(segment).is_err()) {
        Some(missing) => Err(not_there(dir, missing)),
        None => Ok(segments.into_iter().map(|segment| segment::place(dir, segment)).collect()),
    }
}

fn not_there(dir: &Path, missing: u32) -> OpenError {
    let file = segment::path(dir, missing);
    let why = deleted_meanwhile(dir, missing, io::ErrorKind::NotFound.into());
    if why.kind() == io::ErrorKind::NotFound {
        OpenError::Damaged { file, at: 0, what: "the segment is missing".to_owned() }
    } else {
        OpenError::io(file, why)
    }
}
