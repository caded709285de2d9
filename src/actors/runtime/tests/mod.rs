//! The runtime on the memory storage: real entities, real supervision, no disk.

mod asking;
mod failing;
mod fixture;
mod following;
mod operating;
mod storm;
mod writing;
