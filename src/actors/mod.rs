//! The core: what an entity is, the systems built of them, and the runtime that hosts them.

pub(crate) mod entity;
pub(crate) mod runtime;
pub mod supervision;
pub(crate) mod systems;
pub mod testkit;
