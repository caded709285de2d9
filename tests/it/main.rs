//! The real binary over HTTP, as its users and operators meet it.

#[cfg(test)]
mod acceptance;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod bulkheads;
#[cfg(test)]
mod chain;
#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod connectors;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod depot;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod guarded_contract;
#[cfg(test)]
mod harness;
mod healing;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod injection;
#[cfg(test)]
mod library;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod model;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operating;
#[cfg(test)]
mod operators;
#[cfg(feature = "otlp")]
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod papers;
#[cfg(test)]
mod procurement;
#[cfg(test)]
mod rebuilds;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod redeploys;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scrape;
#[cfg(test)]
mod script;
#[cfg(test)]
mod security;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod station;
#[cfg(test)]
mod status;
#[cfg(test)]
mod stay;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod units;
