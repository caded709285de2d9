use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};

use super::ok;
use crate::{
    ChainError, System,
    http::{Problem, request::Response, table::Vars},
};

/// What a request led to, by its correlation id.
pub(super) fn show(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        match system.chain(vars.segment(0)).await {
            Ok(chain) => Ok(ok(&chain)),
            Err(error @ ChainError::Unknown { .. }) => Err(Problem::not_found(error.to_string())),
            Err(error @ ChainError::Store(_)) => {
                Err(Problem::unavailable("UNAVAILABLE", error.to_string(), Duration::from_secs(1)))
            }
        }
    }
    .boxed()
}
