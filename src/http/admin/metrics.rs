use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, StatusCode, header};

use crate::{
    System,
    http::{
        Problem,
        request::{Response, plain},
        table::Vars,
    },
    observe,
};

/// All figures, as Prometheus reads them.
pub(super) fn show(system: System, _: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let mut response = plain(StatusCode::OK, observe::metrics(&system).await);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(observe::CONTENT_TYPE));
        Ok(response)
    }
    .boxed()
}
