//! Storage: streams and bytes, never an order.
//!
//! Three ports, each trait's doc is the contract: [`Journal`] is the truth, [`Snapshots`] a cache,
//! [`Projections`] what was made of the journal. Only `open` names a backend.

mod journal;
mod projections;
mod snapshots;

pub use journal::{
    Append, AppendDone, AppendError, Appended, Begun, Causation, DispatchMark, Journal, Lease, NewEvent, Origin,
    PartitionId, ReadError, Record, Refusal, Settled, StreamHead, StreamId,
};
pub use projections::{Cursor, MAX_ROWS, Projections, RowChange, StoreError, ViewName, ViewProgress};
pub use snapshots::{MAX_SNAPSHOTS, Snapshots, StoredSnapshot};
/// (signature; another helper is writing this)
#[derive(Debug, Clone)] pub struct Storage;
