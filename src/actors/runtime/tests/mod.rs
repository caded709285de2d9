//! The runtime on the memory storage: real entities, real supervision, no disk.

mod asking;
mod bounds;
mod cells;
mod declared;
mod failing;
pub(super) mod fixture;
mod following;
mod forgetting;
mod history;
mod injecting;
mod known;
mod linking;
mod odd;
mod operating;
mod overloading;
mod patient;
mod places;
mod probing;
mod quarantining;
mod rebuilding;
mod redeploying;
mod remote;
mod reopening;
mod resting;
mod storm;
mod walker;
mod writing;
