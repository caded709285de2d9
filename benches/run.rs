//! `cargo bench`: runs the package `steadfast-benches`, which has the peers as its dependencies, on this very program.
//!
//! ```text
//! cargo bench                            everything that needs no other server
//! cargo bench -- appends|asks|... [--quick] [--dir DIR] [--results DIR]
//! ```

use std::{
    env,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let (by_cargo_bench, arguments): (Vec<String>, Vec<String>) = env::args().skip(1).partition(|one| one == "--bench");
    // `cargo test --all-targets` runs this as well, without that flag: it wants to know whether it builds.
    if by_cargo_bench.is_empty() {
        return ExitCode::SUCCESS;
    }
    let mut benches = Command::new(env!("CARGO"));
    benches.args(["run", "--release", "--package", "steadfast-benches", "--"]).args(arguments);
    // The servers of the benches over HTTP: built already, as a bench has the programs of its package.
    match benches.env("STEADFAST", env!("CARGO_BIN_EXE_steadfast")).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run the benches: {error}");
            ExitCode::FAILURE
        }
    }
}
