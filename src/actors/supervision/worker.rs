//! The actor that runs one run of a [`Process`] and tells its supervisor how it went.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::process::{Failure, Process, Stop};

/// Called once, when a child's first phase is done.
pub(super) type OnStarted = Box<dyn FnOnce() + Send>;

/// Ends with the run: normally when the process did, as failed when it failed or panicked.
pub(super) struct Worker;

pub(super) struct Arguments {
    pub(super) process: Arc<dyn Process>,
    pub(super) stop: Stop,
    pub(super) on_started: OnStarted,
}

/// The one message a worker gets. The run is its handling, so that a kill drops it.
pub(super) struct Run;

impl Actor for Worker {
    type Msg = Run;
    type State = Option<Arguments>;
    type Arguments = Arguments;

    /// Cannot fail: ractor sends no event for a failed `pre_start`, so the process is started in [`Run`].
    async fn pre_start(&self, me: ActorRef<Run>, run: Arguments) -> Result<Self::State, ActorProcessingErr> {
        me.send_message(Run)?;
        Ok(Some(run))
    }

    async fn handle(&self, me: ActorRef<Run>, _: Run, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        if let Some(Arguments { process, stop, on_started }) = state.take() {
            run(process, stop, on_started).await?;
        }
        me.stop(None);
        Ok(())
    }
}

async fn run(process: Arc<dyn Process>, stop: Stop, on_started: OnStarted) -> Result<(), Failure> {
    // The outer future also covers a panic of `start` itself, before it returns its future.
    let starting = async { process.start(stop).await };
    let running = AssertUnwindSafe(starting).catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)))?;
    on_started();
    AssertUnwindSafe(running).catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)))
}

fn panicked(payload: &(dyn Any + Send)) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is not text");
    Failure::new(format_args!("panicked: {text}"))
}
