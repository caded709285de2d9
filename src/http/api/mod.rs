//! The resources of each system: what its fields are and which command each method is.

mod library;
mod store;

pub use library::library;
pub use store::store;
