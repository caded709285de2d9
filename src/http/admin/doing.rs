//! What operators asked for is done to its end, and written down, whether or not they wait for the answer.

use std::panic;

use futures::future::BoxFuture;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::Audit;
use crate::http::{
    Problem,
    request::{Request, Response},
};

/// The commands under way. A request's future is dropped when its client hangs up, which would leave half of a
/// restart behind, and a log that does not know what came of it; so they are owned here.
#[derive(Debug)]
pub(super) struct Doing(TaskTracker);

impl Doing {
    pub(super) fn new() -> Self {
        let tasks = TaskTracker::new();
        // takes tasks all the same: whoever waits does so until there is none
        tasks.close();
        Self(tasks)
    }

    /// Does what `who` asked for, between the two lines about it in `audit`.
    ///
    /// # Errors
    /// Those of `command`; 503 when the first line cannot be written, and then nothing is done.
    ///
    /// # Cancel safety
    /// Dropping the future loses the answer, nothing else.
    pub(super) async fn command(
        &self,
        audit: &Audit,
        request: &Request,
        who: &str,
        command: Result<BoxFuture<'static, Result<Response, Problem>>, Problem>,
    ) -> Result<Response, Problem> {
        let span = request.log_span();
        let (audit, request, who) = (audit.clone(), request.clone(), who.to_owned());
        let audited = async move {
            audit.asked(&request, &who).await?;
            let answer = match command {
                Ok(command) => command.await,
                Err(problem) => Err(problem),
            };
            audit.answered(&request, &who, &answer).await;
            answer
        };
        let done = self.0.spawn(audited.instrument(span)).await;
        // nobody aborts it
        done.unwrap_or_else(|panicked| panic::resume_unwind(panicked.into_panic()))
    }

    /// Waits until none is under way.
    pub(super) async fn ended(&self) {
        self.0.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use futures::FutureExt;
    use http::StatusCode;
    use serde_json::Value;
    use tokio::sync::Notify;

    use super::*;
    use crate::{
        AdminConfig,
        http::request::{empty, tests::request},
    };

    /// An operator hung up in the middle of a restart: the service stayed stopped, and the log knew of the question only.
    #[tokio::test]
    async fn who_hangs_up_loses_the_answer_and_the_log_knows_what_came_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let audit = Audit::open(&AdminConfig::default(), directory.path()).unwrap();
        let (doing, begun, release) = (Doing::new(), Arc::<Notify>::default(), Arc::<Notify>::default());
        let (request, hears, waits) = (request("POST", "/admin/x", &[], ""), begun.clone(), release.clone());
        let command = async move {
            hears.notify_one();
            waits.notified().await;
            Ok(empty(StatusCode::OK))
        };
        tokio::select! {
            _ = doing.command(&audit, &request, "anna", Ok(command.boxed())) => panic!("it is not done yet"),
            () = begun.notified() => {}
        }
        assert!(doing.ended().now_or_never().is_none(), "it goes on");
        release.notify_one();
        doing.ended().await;
        let log = fs::read_to_string(directory.path().join("audit.log")).unwrap();
        let outcomes: Vec<Value> =
            log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["outcome"].clone()).collect();
        assert_eq!(outcomes, ["asked", "done"]);
    }
}
