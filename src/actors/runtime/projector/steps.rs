//! A rebuild beside the rows in use, step by step between what else a view does.
//!
//! ```text
//! asked --> building (other threads) --> joined: each event moves both --> compared piece by piece --> switched
//! ```

use futures::{future::FutureExt, stream::StreamExt};

use super::{
    Projecting,
    beside::{self, Beside},
    blocking,
};
use crate::{
    actors::{entity::View, runtime::feed::FeedItem},
    persistence::StoreError,
};

impl<V: View> Projecting<V> {
    /// Does the next piece of a rebuild; whether there is another. An error is one of the rows in use.
    pub(super) async fn rebuild(&mut self) -> Result<bool, StoreError> {
        if let Some(mut beside) = self.beside.take() {
            let compared = blocking(move || Ok((beside.compare(), beside))).await;
            match compared {
                Ok((Ok(false), beside)) => self.beside = Some(beside),
                Ok((Ok(true), beside)) => self.switch(beside).await?,
                Ok((Err(error), _)) | Err(error) => self.give_up(&error),
            }
            return Ok(true);
        }
        if self.rebuild.is_asked() && self.building.is_empty() && self.clearing.is_empty() {
            let beside = Beside::new(
                (self.run, self.rows.clone()),
                self.unit.clone(),
                self.consumer.clone(),
                self.kinds.clone(),
                self.rebuild.clone(),
                self.cancelled.token().clone(),
            );
            let (turn, cancelled) = (self.rebuild.turn.clone(), self.cancelled.token().clone());
            let build = async move {
                let Some(_turn) = cancelled.run_until_cancelled(turn.acquire_owned()).await else {
                    return Err(beside::stopped());
                };
                blocking(move || beside.build()).await
            };
            self.building.push(build.boxed());
        }
        Ok(false)
    }

    /// Brings what is built to where the rows in use are: from then on both move together.
    pub(super) async fn built(&mut self, built: Result<Beside<V>, StoreError>) {
        let applied = self.applied.clone();
        let joined = match built {
            Ok(mut beside) => blocking(move || beside.up_to(&applied).map(|()| beside)).await,
            Err(error) => Err(error),
        };
        match joined {
            Ok(beside) => self.beside = Some(beside),
            Err(error) => self.give_up(&error),
        }
    }

    /// Has the events of a lane that have moved the rows in use move what is built.
    pub(super) async fn move_too(
        &mut self,
        mut beside: Beside<V>,
        lane: usize,
        items: Vec<FeedItem>,
        upto: u64,
    ) -> Option<Beside<V>> {
        match blocking(move || beside.fold(lane, &items, upto).map(|()| beside)).await {
            Ok(beside) => Some(beside),
            Err(error) => {
                self.give_up(&error);
                None
            }
        }
    }

    async fn switch(&mut self, beside: Beside<V>) -> Result<(), StoreError> {
        // Its rows are of those that were in use when it was begun.
        self.see_commit_through().await?;
        self.sealed.clear();
        // Should this fail, nobody knows which rows are in use: the view starts again, and looks.
        let switched = blocking(move || beside.switch()).await;
        let beside = switched.inspect_err(|error| self.rebuild.end(Err(error.to_string())))?;
        self.used = beside.built.clone();
        self.stored.clone_from(&beside.applied);
        self.is_kept();
        (self.commit_at, self.sync_at) = (None, None);
        self.rebuild.end(Ok(()));
        self.clear_others();
        Ok(())
    }

    fn give_up(&mut self, error: &StoreError) {
        self.rebuild.end(Err(error.to_string()));
        self.clear_others();
    }

    /// Has everything thrown away that is stored beside the rows in use.
    pub(super) fn clear_others(&mut self) {
        let (run, rows, unit) = (self.run, self.rows.clone(), self.unit.clone());
        let cancelled = self.cancelled.token().clone();
        self.clearing.push(blocking(move || beside::clear_others(run, &rows, &unit, &cancelled)).boxed());
    }

    /// Ends what is under way on other threads, at the next piece.
    pub(super) async fn end_rebuild(&mut self) {
        self.cancelled.token().cancel();
        self.beside = None;
        while self.building.next().await.is_some() {}
        while self.clearing.next().await.is_some() {}
        self.rebuild.interrupted();
    }
}
