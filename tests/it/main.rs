//! The real binary over HTTP, as its users and operators meet it.

#[cfg(test)]
mod acceptance;
#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod script;
