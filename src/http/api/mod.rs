//! The resources of each system: what its fields are and which command each method is.

mod library;
mod procurement;
mod station;
mod store;

pub use library::library;
pub use procurement::procurement;
pub use station::station;
pub use store::store;
