//! The tree as its users see it. Time is paused, so that waits take none and every order is the same each time.

mod control;
mod restarts;
mod shutdown;
mod stage;
