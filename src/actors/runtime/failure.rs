//! What happens to an entity that failed: backoff and recovery, or quarantine.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    cell::{Cell, Phase},
    host::Host,
    mailbox::about,
    turn::Panicked,
};
use crate::actors::entity::{Entity, Unavailable};

/// Pause before the first recovery; doubles with each further failure within the window.
const FIRST_BACKOFF: Duration = Duration::from_millis(5);
/// A cell is never away for longer than this between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// The pause before the recovery after so many recent failures; differs by up to a fifth.
fn pause_after(recent: usize) -> Duration {
    let doublings = u32::try_from(recent.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let pause = FIRST_BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    pause.mul_f64(0.8 + 0.4 * fastrand::f64())
}

impl<E: Entity> Host<E> {
    /// The entity failed: what waits stays in its queue, the state is gone.
    pub(crate) fn failed(self: &Arc<Self>, cell: &Arc<Cell<E>>, Panicked { reason, command }: Panicked) {
        let now = Instant::now();
        let pause = {
            let mut inner = cell.lock();
            if inner.phase == Phase::Gone {
                return;
            }
            self.set_phase(&mut inner, Phase::Backoff);
            inner.failures.retain(|at| now.duration_since(*at) < self.config.restarts_within);
            if inner.failures.is_empty() && inner.trouble.as_ref().is_some_and(|trouble| !trouble.is_resumed()) {
                inner.trouble = None; // it was well for long enough
            }
            inner.failures.push(now);
            inner.active = None;
            let recent = inner.failures.len();
            let pause = (recent <= self.config.restarts).then(|| pause_after(recent));
            let then = pause.map_or_else(|| "quarantined".to_owned(), |pause| format!("recovered after {pause:.1?}"));
            about(command.as_ref().map_or("", |command| &command.correlation)).in_scope(|| {
                tracing::warn!(kind = E::KIND, key = %cell.key, reason = reason.as_ref(), recent, then, "entity failed");
            });
            let trouble = inner.trouble.get_or_insert_default();
            trouble.failed(self.clock().now(), &reason, command, then);
            pause.ok_or(recent)
        };
        self.service.entity_failed();
        let pause = match pause {
            Ok(pause) => pause,
            Err(recent) => return self.quarantine(cell, format!("failed {recent} times; last: {reason}").into()),
        };
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
            return self.set_phase(&mut inner, Phase::Draining); // the last append's answer revives it
        }
        inner.lost = false;
        self.set_phase(&mut inner, Phase::Running);
        drop(inner);
        self.spawn_run(cell);
    }

    /// Puts the entity out of service until somebody looks at it. Its neighbours live on.
    pub(crate) fn quarantine(&self, cell: &Arc<Cell<E>>, reason: Arc<str>) {
        tracing::error!(kind = E::KIND, key = %cell.key, reason = reason.as_ref(), "entity quarantined");
        let why = Unavailable::Quarantined { reason: reason.to_string() };
        {
            let mut inner = cell.lock();
            if inner.phase == Phase::Gone {
                return;
            }
            inner.active = None;
            let (now, trouble) = (self.clock().now(), inner.trouble.get_or_insert_default());
            trouble.quarantined = Some(now);
            if trouble.tried.is_empty() {
                // What cannot be recovered is not tried again: it would fail in the same way.
                trouble.failed(now, &reason, None, "quarantined".to_owned());
            }
            self.set_phase(&mut inner, Phase::Quarantined(reason));
        }
        Self::refuse_queue(cell, &why);
    }

    /// Takes an entity out of quarantine, for what an operator did; false when it is not in it.
    pub(crate) fn release(self: &Arc<Self>, cell: Arc<Cell<E>>, what: &str) -> bool {
        {
            let mut inner = cell.lock();
            if !matches!(inner.phase, Phase::Quarantined(_)) {
                return false;
            }
            inner.failures.clear();
            if let Some(trouble) = &mut inner.trouble {
                trouble.quarantined = None;
                trouble.and_then(what);
            }
        }
        self.revive(cell);
        true
    }
}
