//! The `steadfast` program: arguments, configuration, storage, system, listeners, signals, shutdown.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
