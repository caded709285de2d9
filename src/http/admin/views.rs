use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use serde_json::json;

use super::ok;
use crate::{
    RebuildError, RebuildStatus, System,
    http::{Problem, openapi::Told, request::Response, table::Vars},
};

/// What there is to say of a rebuild.
pub(super) fn told(summary: &'static str) -> Told {
    Told::with::<RebuildStatus>(summary, "how far it is").refused(&[404])
}

type Answer = BoxFuture<'static, Result<Response, Problem>>;

/// 202: it goes on by itself, and a GET of the same path tells how far it is.
pub(super) fn rebuild(system: System, vars: Vars) -> Answer {
    async move {
        match system.rebuild_view(vars.segment(0), vars.segment(1)) {
            Ok(status) => {
                let mut response = ok(&status);
                *response.status_mut() = StatusCode::ACCEPTED;
                Ok(response)
            }
            Err(error) => Err(problem(system.view_names(), &error)),
        }
    }
    .boxed()
}

pub(super) fn last(system: System, vars: Vars) -> Answer {
    async move {
        match system.view_rebuild(vars.segment(0), vars.segment(1)) {
            Ok(Some(status)) => Ok(ok(&status)),
            Ok(None) => Err(Problem::not_found("it was not rebuilt since this process started; POST begins a rebuild")),
            Err(error) => Err(problem(system.view_names(), &error)),
        }
    }
    .boxed()
}

fn problem(known: Vec<String>, error: &RebuildError) -> Problem {
    let message = error.to_string();
    match error {
        RebuildError::Unknown(_) => Problem::not_found(message).with("available", known.into()),
        RebuildError::Running(status) => {
            Problem::new(StatusCode::CONFLICT, "REBUILD_RUNNING", message).with("rebuild", json!(status))
        }
        RebuildError::HistoryDeleted(_) => Problem::new(StatusCode::CONFLICT, "HISTORY_DELETED", message),
        RebuildError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_second_one_while_it_runs_is_a_conflict() {
        let running = RebuildError::Running(Box::default());
        assert_eq!(problem(Vec::new(), &running).status(), StatusCode::CONFLICT);
        assert_eq!(problem(Vec::new(), &RebuildError::Unknown("x/y".to_owned())).status(), StatusCode::NOT_FOUND);
    }
}
