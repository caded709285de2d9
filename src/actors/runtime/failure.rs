//! What happens to an entity that failed: backoff and recovery, or quarantine.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    cell::{Cell, Phase},
    host::Host,
};
use crate::actors::entity::{Entity, Unavailable};

/// Pause before the first recovery; doubles with each further failure within the window.
const FIRST_BACKOFF: Duration = Duration::from_millis(5);
/// A cell is never away for longer than this between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

impl<E: Entity> Host<E> {
    /// The entity failed: what waits stays in its queue, the state is gone.
    pub(crate) fn failed(self: &Arc<Self>, cell: &Arc<Cell<E>>, reason: &Arc<str>) {
        let now = Instant::now();
        let recent = {
            let mut inner = cell.lock();
            if inner.phase == Phase::Gone {
                return;
            }
            inner.phase = Phase::Backoff;
            inner.failures.retain(|at| now.duration_since(*at) < self.config.restarts_within);
            inner.failures.push(now);
            inner.active = None;
            inner.failures.len()
        };
        tracing::warn!(kind = E::KIND, key = %cell.key, reason = reason.as_ref(), recent, "entity failed");
        self.service.entity_failed();
        if recent > self.config.restarts {
            Self::quarantine(cell, format!("failed {recent} times; last: {reason}").into());
            return;
        }
        let doublings = u32::try_from(recent.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let pause = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
        let pause = pause.mul_f64(0.8 + 0.4 * fastrand::f64());
        let (host, cell, stop) = (self.clone(), cell.clone(), self.service.stop_token());
        self.service.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(pause) => host.revive(cell),
                () = stop.cancelled() => {}
            }
        });
    }

    /// Lets a cell run again; it recovers first. Does nothing in other phases.
    fn revive(self: &Arc<Self>, cell: Arc<Cell<E>>) {
        let mut inner = cell.lock();
        if !matches!(inner.phase, Phase::Backoff | Phase::Quarantined(_)) {
            return;
        }
        inner.active = None;
        if inner.in_flight > 0 {
            inner.lost = true;
            inner.phase = Phase::Draining; // the last append's answer revives it
            return;
        }
        inner.lost = false;
        inner.phase = Phase::Running;
        drop(inner);
        self.spawn_run(cell);
    }

    /// Puts the entity out of service until somebody looks at it. Its neighbours live on.
    pub(crate) fn quarantine(cell: &Arc<Cell<E>>, reason: Arc<str>) {
        tracing::error!(kind = E::KIND, key = %cell.key, reason = reason.as_ref(), "entity quarantined");
        let why = Unavailable::Quarantined { reason: reason.to_string() };
        {
            let mut inner = cell.lock();
            if inner.phase == Phase::Gone {
                return;
            }
            inner.active = None;
            inner.phase = Phase::Quarantined(reason);
        }
        Self::refuse_queue(cell, &why);
    }

    /// Takes an entity out of quarantine; false when it is not in it.
    pub(crate) fn release(self: &Arc<Self>, cell: Arc<Cell<E>>) -> bool {
        {
            let mut inner = cell.lock();
            if !matches!(inner.phase, Phase::Quarantined(_)) {
                return false;
            }
            inner.failures.clear();
        }
        self.revive(cell);
        true
    }
}
