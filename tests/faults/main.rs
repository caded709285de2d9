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
//! A test that fails keeps its directory, with the data and what the processes logged, and says where it is.

#[cfg(test)]
mod books;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod exits;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod load;
#[cfg(test)]
mod moments;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod shop;
#[cfg(test)]
mod wire;
