//! The inbound gRPC adapter: calls become the same commands and reads as over HTTP, on a listener of their own.
//!
//! ```text
//! socket --serve--> Door (guard, limits) --> StoreServer (generated) --store--> Entities, Views
//!                                                      refusals <--status--
//! ```
//!
//! It is behind the feature `grpc`, takes no part in the domain, and lets in whom the guard of the public listener lets in.
//! `docs/grpc.md` says what a client may rely on.

mod door;
mod origin;
mod serve;
mod status;
mod store;

pub use serve::GrpcServer;
pub use store::StoreService;

/// What `proto/store.proto` says, as Rust: messages, the service's trait, and a client.
#[allow(
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used,
    reason = "generated"
)]
pub mod v1 {
    tonic::include_proto!("steadfast.store.v1");
}
