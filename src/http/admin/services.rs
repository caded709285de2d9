use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;

use super::{Done, ok};
use crate::{
    ReloadError, ServiceError, ServiceStatus, System,
    http::{Problem, openapi::Told, request::Response, table::Vars},
};

/// What there is to say of a command to a service.
pub(super) fn told(summary: &'static str) -> Told {
    Told::with::<ServiceStatus>(summary, "as it is now").refused(&[404, 409])
}

type Answer = BoxFuture<'static, Result<Response, Problem>>;

pub(super) fn list(system: System, _: Vars) -> Answer {
    async move { Ok(ok(&system.services())) }.boxed()
}

pub(super) fn stop(system: System, vars: Vars) -> Answer {
    async move { answered(&system, system.stop_service(&name(&vars)).await) }.boxed()
}

pub(super) fn start(system: System, vars: Vars) -> Answer {
    async move { answered(&system, system.start_service(&name(&vars)).await) }.boxed()
}

pub(super) fn restart(system: System, vars: Vars) -> Answer {
    async move { answered(&system, system.restart_service(&name(&vars)).await) }.boxed()
}

pub(super) fn redeploy(system: System, vars: Vars) -> Answer {
    async move { answered(&system, system.redeploy_service(&name(&vars)).await) }.boxed()
}

/// Reads the configuration again; a refused one changes nothing.
pub(super) fn reload(system: System, _: Vars) -> Answer {
    async move {
        match system.reload().await {
            Ok(reloaded) => Ok(ok(&reloaded)),
            Err(ReloadError::Failed) => {
                Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the configuration could not be read"))
            }
            Err(error) => Err(Problem::new(StatusCode::CONFLICT, "NOT_RELOADED", error.to_string())),
        }
    }
    .boxed()
}

/// Ends the process as SIGTERM does, once this is answered.
pub(super) fn drain(system: System, _: Vars) -> Answer {
    async move {
        system.drain();
        let mut answer = ok(&Done { status: "draining" });
        *answer.status_mut() = StatusCode::ACCEPTED;
        Ok(answer)
    }
    .boxed()
}

pub(super) fn told_of_draining() -> Told {
    Told::with::<Done>("Ends the process as SIGTERM does", "it is not ready any more, drains, and ends")
        .status(StatusCode::ACCEPTED)
        .about("Readiness goes down at once. The same again changes nothing, and nothing takes it back.")
}

fn name(vars: &Vars) -> String {
    format!("{}/{}", vars.segment(0), vars.segment(1))
}

fn answered(system: &System, result: Result<ServiceStatus, ServiceError>) -> Result<Response, Problem> {
    match result {
        Ok(status) => Ok(ok(&status)),
        Err(error @ ServiceError::Unknown(_)) => {
            let known = system.services().into_iter().map(|status| format!("{}/{}", status.system, status.service));
            Err(Problem::not_found(error.to_string()).with("available", known.collect()))
        }
        Err(error @ ServiceError::Failed(_)) => {
            Err(Problem::new(StatusCode::CONFLICT, "SERVICE_FAILED", error.to_string()))
        }
    }
}
