//! Keeps the threads of a pool: starts them, replaces those that died or are stuck, and ends them.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};
use tokio::time::Instant;

use super::{LOOK_EVERY, ThreadPool, pool::Pool, threads::ActixHost};
use crate::actors::supervision::{Failure, Process, Running, Stop};

/// How long a stop waits for calls that were begun; what is not back then is left to itself.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The process behind one pool of threads. What fails on its threads is replaced here and goes no further up.
#[derive(Debug)]
pub(crate) struct PoolSupervisor {
    pub(crate) threads: ThreadPool,
    pub(crate) host: Arc<ActixHost>,
}

impl Process for PoolSupervisor {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let (pool, host) = (self.threads.0.clone(), self.host.clone());
        async move {
            host.start().await.map_err(Failure::new)?;
            pool.open();
            let watched = Watched(pool);
            Ok(async move { watched.watch(&host, &stop).await }.boxed())
        }
        .boxed()
    }
}

/// Closes the pool when nobody watches it any more, also when its supervisor was killed.
struct Watched(Arc<Pool>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Watched {
    async fn watch(self, host: &ActixHost, stop: &Stop) -> Result<(), Failure> {
        let pool = &self.0;
        let mut load = tokio::time::interval(LOOK_EVERY);
        load.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let (wanted, again) = pool.look(Instant::now());
            for worker in wanted.into_iter().filter_map(|slot| pool.hire(slot)) {
                if let Err(reason) = host.employ(pool, worker).await {
                    tracing::error!(bulkhead = %pool.name, reason, "no thread could be started");
                }
            }
            let again = again.map(tokio::time::sleep_until);
            tokio::select! {
                biased;
                () = stop.requested() => break,
                () = pool.changed.notified() => {}
                _ = load.tick() => pool.look_at_load(),
                () = async { again.expect("guarded").await }, if again.is_some() => {}
            }
        }
        pool.close();
        let emptied = async {
            while !pool.is_empty() {
                pool.changed.notified().await;
            }
        };
        if tokio::time::timeout(STOP_LIMIT, emptied).await.is_err() {
            tracing::warn!(bulkhead = %pool.name, limit = ?STOP_LIMIT, "calls have not come back; they are left");
        }
        Ok(())
    }
}
