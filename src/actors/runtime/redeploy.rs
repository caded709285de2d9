//! A service's incarnation is replaced while clients go on: none is refused, and nothing is done twice.
//!
//! ```text
//! 1 the door is held: new commands and reads wait there; policies of others try again later
//! 2 what was let in is answered: mailboxes run empty, appends become durable, partners answer
//! 3 the supervision tree stops the old incarnation and starts the new one; policies and views go on from their cursors
//! 4 the new cells open the door
//! ```

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    door::Held,
    operate::{ServiceError, ServiceStatus},
    service::ServiceRuntime,
    system::System,
};

/// How soon to look again whether everybody has been answered.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

impl System {
    /// Replaces the incarnation of a running service, `<system>/<service>` in any case. Who asks it meanwhile waits,
    /// within its own deadline and beside at most as many as may be in flight; its views stay readable. Returns when the
    /// new one runs.
    ///
    /// What is not answered within the service's time to stop ends as in a restart: not begun is refused, and what was
    /// begun is finished by the new incarnation.
    ///
    /// # Errors
    /// [`ServiceError`]; a service that does not run is not replaced.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing: clients wait on, and the service is replaced.
    pub async fn redeploy_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> {
        let service = self.service_named(name)?.clone();
        service.intake().map_err(|why| ServiceError::Failed(format!("{why}; start it")))?;
        let another = || ServiceError::Failed(format!("another redeploy of {} is under way", service.full_name));
        let held = service.door.hold().ok_or_else(another)?;
        let (system, ended) = (self.clone(), self.inner.ended.clone());
        // Not on the asker's task: the door would open to an old incarnation, or to none, when it hangs up.
        let replaced = async move {
            tokio::select! {
                done = system.replace(&service, held) => done,
                () = ended.cancelled() => Err(has_ended()),
            }
        };
        let replaced = self.inner.operations.spawn(replaced.boxed().in_current_span());
        replaced.await.unwrap_or_else(|_| Err(has_ended()))
    }

    async fn replace(&self, service: &Arc<ServiceRuntime>, held: Held) -> Result<ServiceStatus, ServiceError> {
        let began = Instant::now();
        let in_time = tokio::time::timeout(service.drain_limit(), all_answered(service)).await.is_ok();
        let (drained, waiting) = (began.elapsed(), service.door.waiting());
        let done = self.restart_service(&service.full_name).await;
        drop(held);
        tracing::info!(service = service.full_name, ?drained, in_time, waiting, took = ?began.elapsed(), "redeployed");
        done
    }
}

fn has_ended() -> ServiceError {
    ServiceError::Failed("the system ended before the service was replaced".to_owned())
}

async fn all_answered(service: &Arc<ServiceRuntime>) {
    while service.in_flight() > 0 {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
