//! A look at a journal in sled that nobody has open: sled lets one process at a time read.

use std::{ops::ControlFlow, path::Path};

use super::{keys, store::Store};
use crate::persistence::{
    OpenError, PartitionId,
    glance::Glance,
    segments::bases,
    sled::values,
    survey::{Look, Spot},
};

/// Every page is read once.
const CACHE_BYTES: u64 = 16 << 20;

/// Shows every record to `look`, partition by partition.
pub(in crate::persistence) fn survey(dir: &Path, partitions: u16, look: &mut dyn Look) -> Result<(), OpenError> {
    let deleted = bases::survey(dir, look).map_err(|error| OpenError::io(dir, error))?;
    let deleted = deleted.map(|start| start.positions).unwrap_or_default();
    let witness = super::epoch::read(dir)?;
    let store = Store::open(dir, partitions, CACHE_BYTES, true)?;
    let file = store.file();
    let spot = Spot { file: &file, at: 0 };
    for number in 0..partitions {
        let partition = PartitionId(number);
        let mut last = deleted.get(usize::from(number)).copied().unwrap_or(0);
        let mut flow = ControlFlow::Continue(());
        let walked = store.access(|db| {
            for entry in db.range(keys::record(partition, last + 1)..=keys::record(partition, u64::MAX)) {
                let (key, sealed) = entry?;
                let place = keys::position(&key).map(|position| (number, position));
                match values::open(db, &key, &sealed) {
                    Err(error) => look.damage(spot, place, &error.to_string()),
                    Ok(bytes) => match Glance::of(&bytes) {
                        Err(what) => look.damage(spot, place, &what.to_string()),
                        Ok(glance) => {
                            last = glance.last_position();
                            flow = look.record(spot, &glance);
                            look.passed(bytes.len() as u64);
                        }
                    },
                }
                if flow.is_break() {
                    break;
                }
            }
            Ok(())
        });
        walked.map_err(|failure| store.not_opened(failure))?;
        if flow.is_break() {
            break;
        }
        let known = witness.as_ref().and_then(|witness| witness.positions.get(usize::from(number)));
        if known.is_some_and(|known| last < *known) {
            look.damage(spot, Some((number, last + 1)), "the partition ends before what was acknowledged");
        }
    }
    store.close();
    Ok(())
}
