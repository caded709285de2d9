//! The resources of each system: what its fields are and which command each method is.

mod store;

pub use store::store;
