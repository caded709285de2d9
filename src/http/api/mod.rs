//! The resources of each system: what its fields are and which command each method is.

mod library;
mod station;
mod stay;
mod store;

pub use library::library;
pub use station::station;
pub use stay::stay;
pub use store::store;
