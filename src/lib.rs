//! steadfast: supervised, persistent entities.

mod actors;
pub mod http;
pub mod persistence;

pub use actors::entity::*;
pub use actors::runtime::*;
pub use actors::supervision::*;
pub use actors::systems::{Refusal, RefusalClass, store};
pub use actors::testkit;
