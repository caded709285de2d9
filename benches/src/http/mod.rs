//! Servers over HTTP, each in a process of its own, with all that they do by themselves switched on.

mod askers;
mod compare;
mod curves;
mod disk;
mod flows;
mod half;
#[cfg_attr(not(test), expect(dead_code, reason = "`steadfast bench` tells the longest as well; this is its file"))]
#[path = "../../../src/cli/bench/histogram.rs"]
mod histogram;
mod load;
mod peers;
mod process;
mod server;
mod store;
mod warp_alone;
mod wire;

pub(crate) use self::{
    askers::{ASKERS, serve as serve_askers},
    compare::measure as compare,
    curves::measure as connections,
    flows::measure as flows,
    half::measure as half,
    warp_alone::{ALONE, serve as serve_warp},
};
