//! What the tests of the real binary share: the process, the client, waiting for a value.
//!
//! Taken in by `#[cfg(test)] #[path = "../common/mod.rs"] mod common;`; the `cfg` tells clippy that helpers are
//! tests too.
#![allow(dead_code, unused_imports, reason = "every test binary uses a part of it")]

mod client;
mod process;
pub(crate) mod traffic;
mod wait;

pub(crate) use client::{Client, Connection, Request, Response, words};
pub(crate) use process::{DEADLINES, Exited, Server, Setup};
pub(crate) use wait::{AT_ONCE, SOON, Watch, eventually, until};
