//! Tests of business rules in microseconds: no runtime, no storage, no time that passes.
//!
//! [`given`] events, when a command, then events, a reply, a rejection or an ask. [`laws`] checks in one
//! call what every entity has to keep. [`reacts`] looks at what a policy dispatches, [`history`] at the
//! rows of a view and at the law that their order between entities does not matter. A [`World`] plays a
//! whole system by hand, with faults on its links.
//!
//! Everything here fails like an assertion: by a panic that says what was expected.

#![expect(clippy::panic, reason = "a failed expectation of a test is a panic")]
#![expect(clippy::return_self_not_must_use, reason = "the last expectation of a chain needs no successor")]
#![expect(clippy::needless_pass_by_value, reason = "expectations are written in place: no `&` before each")]

mod laws;
mod policies;
mod rules;
mod views;
mod world;

pub use laws::laws;
pub use policies::{Reaction, reacts, recorded};
pub use rules::{Given, Then, given};
pub use views::{History, Rows, history};
pub use world::{Cast, Fault, Kind, Stream, World};

#[cfg(test)]
mod tests;
