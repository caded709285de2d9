//! steadfast: supervised, persistent entities.

mod actors;
pub mod persistence;

pub use actors::entity::*;
pub use actors::systems::{Refusal, RefusalClass, store};
pub use actors::testkit;
