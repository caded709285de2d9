//! What a process may suffer: SIGKILL under load, the power cut, damaged files, a disk that takes no more, an address
//! that is taken. All of it with the real binary, its real files and real sockets.
//!
//! Tests that draw print their seed. `STEADFAST_FAULTS_SEED=<n>` repeats the commands and the moments (which process runs
//! when is the machine's choice, so a failure may need a few tries). How long they go on:
//!
//! | variable | of what | when absent |
//! |---|---|---|
//! | `STEADFAST_FAULTS_ROUNDS` | rounds of load and SIGKILL | 5 |
//! | `STEADFAST_FAULTS_CUTS` | rounds of load and power cuts | 5 |
//! | `STEADFAST_FAULTS_COPIES` | damaged copies of each kind | 12 |
//! | `STEADFAST_FAULTS_EVERY` | when set, every n-th operation fails on real files | a sample |
//!
//! `just crash` is the long form, an hour or so. The moments within a process are the machine's: a test that fails
//! shows what its processes logged.

#[cfg(test)]
mod books;
#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod disks;
#[cfg(test)]
mod every;
#[cfg(test)]
mod exits;
#[cfg(test)]
mod full;
#[cfg(test)]
mod history;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod load;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod moments;
#[cfg(test)]
mod old;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod sectors;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod wire;
