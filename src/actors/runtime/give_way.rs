//! Giving way to the tasks that are ready.

use std::{future::poll_fn, task::Poll};

/// Lets every task run once that is ready now on this worker, and goes on behind them. Not `tokio::task::yield_now`, which
/// goes on only when the worker has nothing else to do or has looked for what the network brought: where commands keep it
/// busy, milliseconds later, and whoever waits for an answer with it.
///
/// # Cancel safety
/// Dropping it changes nothing.
pub(super) async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn those_who_are_ready_come_first_and_each_once() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for name in ["a", "b"] {
            let order = order.clone();
            tasks.spawn(async move {
                for turn in 0..3 {
                    order.lock().unwrap().push((turn, name));
                    give_way().await;
                }
            });
        }
        tasks.join_all().await;
        let turns = (0..3).flat_map(|turn| [(turn, "a"), (turn, "b")]);
        assert_eq!(*order.lock().unwrap(), turns.collect::<Vec<_>>());
    }
}
