//! Work that blocks, off the async threads.

use std::any::Any;

use tokio::task::JoinError;

type Work = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// Runs something that may block and waits for what it returns. Boxed, for the same reason as the tasks of a service:
/// to tokio there is one type of such work.
///
/// # Errors
/// It panicked, or tokio's runtime ends.
///
/// # Cancel safety
/// Dropping the future gives up the result, not the work.
pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    let work: Work = Box::new(move || Box::new(work()));
    let done = tokio::task::spawn_blocking(work).await?;
    Ok(*done.downcast().expect("the box holds what the work returned"))
}
