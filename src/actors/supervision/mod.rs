//! The supervision tree: what runs for long is started in order, restarted when it fails, and stopped in
//! reverse order; what cannot be restarted escalates.
//!
//! Decisions are pure ([`strategy`], [`intensity`], [`backoff`], [`order`]).

mod backoff;
mod intensity;
mod order;
mod strategy;

pub use backoff::Backoff;
pub use intensity::Intensity;
pub use strategy::{Restart, Strategy};
