#![doc = include_str!("../README.md")]

mod actors;
mod digits;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod http;
mod maps;
mod measure;
pub mod observe;
pub mod outbound;
pub mod persistence;
mod spans;

pub use actors::entity::*;
pub use actors::runtime::*;
pub use actors::supervision::{
    AddressRange, AdminConfig, AuthConfig, AutoscaleConfig, Backoff, BreakerConfig, BulkheadConfig, ByteCount,
    ConfigError, ConnectorConfig, ConnectorKind, EntityConfig, Failure, FlagValue, Intensity, JournalKind,
    LimitsConfig, LinkConfig, LinkTarget, LogConfig, NodeKind, NodeState, PastFailure, Place, PlacesConfig,
    ProbeConfig, Problem, Process, RateConfig, Restart, Running, Secret, ServerConfig, ServiceConfig, ServicePorts,
    ShownValue, Stop, StorageConfig, Strategy, SupervisionConfig, SupervisorConfig, SupervisorConfigs, TlsConfig,
    TreeNode, process, read_duration,
};
pub use actors::systems::{Refusal, RefusalClass, library, procurement, station, stay, store};
pub use actors::{supervision, testkit};
pub use measure::Histogram;
