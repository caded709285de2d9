//! steadfast: supervised, persistent entities.

mod actors;
pub mod http;
pub mod persistence;

pub use actors::entity::*;
pub use actors::runtime::*;
pub use actors::supervision::{
    Backoff, Failure, Intensity, NodeKind, NodeState, Process, Restart, Running, Stop, Strategy, TreeNode, process,
};
pub use actors::systems::{Refusal, RefusalClass, store};
pub use actors::testkit;
