//! What is counted while the system works, and shown to whoever asks for figures.
//!
//! Counting costs a command three relaxed atomics and two looks at the clock; nothing is looked up by name on the way,
//! since every kind, link and route has its counters at hand. Gauges (queues, entities in memory, lag) are not counted
//! here at all: they are read where they are.

mod command;
mod figures;
mod requests;

pub(crate) use command::KindMeter;
pub(crate) use figures::SnapshotMeter;
pub use figures::{CommandFigures, JournalFigures, KindFigures, LetterCount};
pub use requests::{RequestMeters, RouteFigures, RouteMeter};
