//! What a service cannot be without: asked for at each of its starts, before it follows anybody.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt};

use super::entities::Entities;
use crate::actors::{
    entity::{AskError, Command, Entity},
    supervision::{Failure, Process, Running, Stop},
};

/// One question that a service asks of itself.
pub(crate) type Seed = Arc<dyn Fn() -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// Asks `to` for `command`; a business "no" is an answer too.
pub(crate) fn seed<E: Entity, C: Command<E>>(entities: Entities<E>, to: E::Id, command: C) -> Seed {
    // commands need not be shareable between threads; this one is only cloned
    let command = Mutex::new(command);
    Arc::new(move || {
        let command = command.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = entities.ask(&to, command);
        let to = to.clone();
        async move {
            match asked.await {
                Ok(_) => Ok(()),
                Err(AskError::Rejected(why)) => {
                    tracing::warn!(kind = E::KIND, %to, command = C::NAME, %why, "a seed was refused");
                    Ok(())
                }
                Err(error) => Err(Failure::new(format!("{} of {}/{to}: {error}", C::NAME, E::KIND))),
            }
        }
        .boxed()
    })
}

/// The process that asks them, one after the other. Its start fails with the first that is not answered,
/// and its supervisor tries again; then it has nothing more to do than to wait for its end.
pub(crate) struct Seeds(pub(crate) Vec<Seed>);

impl Process for Seeds {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let seeds = self.0.clone();
        async move {
            for seed in seeds {
                seed().await?;
            }
            let waiting: Running = async move {
                stop.requested().await;
                Ok(())
            }
            .boxed();
            Ok(waiting)
        }
        .boxed()
    }
}
