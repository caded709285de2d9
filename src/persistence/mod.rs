//! Storage: streams and bytes, never an order.
//!
//! Three ports, each trait's doc is the contract: [`Journal`] is the truth, [`Snapshots`] a cache,
//! [`Projections`] what was made of the journal. Only `open` names a backend.

mod append;
mod codec;
#[cfg(test)]
mod contract;
mod faults;
mod glance;
mod history;
mod journal;
mod line;
mod memory;
mod metrics;
mod open;
mod projections;
mod ready;
mod record;
mod rules;
#[cfg(test)]
mod sample;
mod segments;
mod sled;
mod snapshots;
mod space;
mod survey;
mod sync;
mod tip;

pub use append::{Append, Appended, Begun, Causation, DispatchMark, Lease, NewEvent, Origin, Record, Settled};
pub use faults::{Fault, Faults, Operation};
pub use glance::{EventGlance, Glance};
pub use history::{BaseOf, TruncateError, Truncated, Truncation};
pub use journal::{
    AppendDone, AppendError, Journal, PartitionId, ReadError, Refusal, ReopenError, StreamHead, StreamId,
};
pub use line::Line;
pub use memory::MemoryStore;
pub use metrics::JournalMetrics;
pub use open::{Backend, Elsewhere, OpenError, OpenReport, Placed, Storage, StorageConfig, TornTail, Unit, open};
pub use projections::{Cursor, MAX_CLEARED, MAX_ROWS, Projections, RowChange, StoreError, ViewName, ViewProgress};
#[cfg(test)]
pub(crate) use segments::tests::metered::{Done, Meter};
pub use snapshots::{MAX_SNAPSHOTS, Snapshots, StoredSnapshot};
pub use survey::{
    Backed, BackupError, BaseGlance, Counted, Damage, DataDirectory, EventCount, Look, Spot, SurveyError, UnitReport,
    Verified, Verifier,
};
