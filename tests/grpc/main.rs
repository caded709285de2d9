//! The store over gRPC: a client made of the same `.proto`, over a real socket, to the real binary.
//!
//! `cargo test --features grpc --test grpc`

#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod guarded;
#[cfg(test)]
mod store;
#[cfg(test)]
mod wire;
