//! The supervision tree: what runs for long is started in order, restarted when it fails, and stopped in
//! reverse order; what cannot be restarted escalates.
//!
//! ```text
//! Guardian (handle) --Control, Close--> supervisor --Close--> supervisor ...
//!                                         |   ^
//!                                  Stop,  |   | started, exit events (ractor links)
//!                                  kill   v   |
//!                                         worker: one run of a Process
//! ```
//!
//! Decisions are pure (`strategy`, `intensity`, `backoff`, `order`); `supervisor` performs them. No type of
//! ractor leaves this module, and no actor is registered by name: names would be global to the process.

mod backoff;
mod child;
mod config;
mod control;
mod guardian;
mod intensity;
mod order;
mod process;
mod spec;
mod strategy;
mod supervisor;
#[cfg(test)]
mod tests;
mod tree;
mod worker;

pub use backoff::Backoff;
pub use config::read_duration;
pub use config::{
    AddressRange, AdminConfig, AuthConfig, AutoscaleConfig, BreakerConfig, BulkheadConfig, ByteCount, ConfigError,
    ConnectorConfig, ConnectorKind, EntityConfig, FlagValue, JournalKind, LimitsConfig, LinkConfig, LinkTarget,
    LogConfig, NamedSection, Place, PlacesConfig, ProbeConfig, Problem, RateConfig, Secret, ServerConfig,
    ServiceConfig, ServicePorts, ShownValue, StorageConfig, SupervisionConfig, SupervisorConfig, SupervisorConfigs,
    TlsConfig,
};
pub use control::ControlError;
pub use guardian::{GaveUp, Guardian, ShutdownReport, StartFailure};
pub use intensity::Intensity;
pub use process::{Failure, Process, Running, Stop, process};
pub use spec::{ChildSpec, SupervisorSpec};
pub use strategy::{Restart, Strategy};
pub use tree::{Killed, NodeKind, NodeState, PastFailure, TreeNode};
