//! What a process may suffer: SIGKILL under load, damaged files, a disk that takes no more, an address that is taken.
//! All of it with the real binary, its real files and real sockets.
//!
//! The crash test prints its seed. `STEADFAST_FAULTS_SEED=<n>` repeats the commands and the moments (which process
//! runs when is the machine's choice, so a failure may need a few tries), `STEADFAST_FAULTS_ROUNDS=<n>` says how many
//! rounds there are, 20 when absent. The long form, an hour or so:
//!
//! ```sh
//! STEADFAST_FAULTS_ROUNDS=1000 cargo test --test faults rounds -- --nocapture
//! ```
//!
//! The moments within a process are the machine's: a test that fails shows what its processes logged.

#[cfg(test)]
mod books;
#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod every;
#[cfg(test)]
mod exits;
#[cfg(test)]
mod history;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod load;
#[cfg(test)]
mod moments;
#[cfg(test)]
mod old;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod wire;
