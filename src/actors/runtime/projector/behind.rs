//! Rows and cursors on their way to storage, behind those that readers see.
//!
//! ```text
//! rows that change --> sealed: at most MAX_ROWS, with the cursors they stand for --> one after the other to storage
//! ```

use futures::{future::FutureExt, stream::StreamExt};
use tokio::time::{Duration, Instant};

use super::{
    Projecting, blocking,
    overlay::{Changed, encode},
    progress_of,
};
use crate::{
    actors::{entity::View, supervision::Failure},
    persistence::{MAX_ROWS, StoreError, ViewProgress},
};

/// How long rows that are in storage may wait to be synced. A power cut takes them back with their cursors, and they are
/// made again; until they are synced, history is kept for them.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Pieces that may wait for the commit under way, which then go with one journey to another thread. Above, events wait.
const SEALED: usize = 2;

/// What is stored all at once: rows, and the cursors that they stand for.
pub(super) struct Sealed<V> {
    changes: Vec<Changed<V>>,
    /// One per lane.
    cursors: Vec<u64>,
    progress: ViewProgress,
}

/// What is in storage after a commit or sync.
pub(super) struct Committed {
    cursors: Vec<u64>,
    /// How many pieces it was.
    pieces: usize,
    is_synced: bool,
}

impl<V: View> Projecting<V> {
    /// Whether another row may change. When there are as many as one commit takes, they are sealed, so that others can.
    pub(super) fn has_room(&mut self) -> bool {
        if self.used.dirty() < MAX_ROWS {
            return true;
        }
        if self.sealed.len() >= SEALED {
            return false;
        }
        self.seal();
        true
    }

    fn seal(&mut self) {
        let changes = self.used.take_changes();
        let cursors = self.applied.clone();
        let progress = progress_of(&self.consumer, &cursors, self.used.listed());
        self.sealed.push(Sealed { changes, cursors, progress });
    }

    /// Has written what is due, and has it synced when that is due or will be before long.
    pub(super) fn begin_commit(&mut self) {
        let now = Instant::now();
        let is_due = self.commit_at.take_if(|at| *at <= now).is_some();
        let is_synced = self.sync_at.take_if(|at| *at <= now + SYNC_EVERY / 2).is_some();
        // A few that changed after full pieces were sealed wait for more.
        if is_due && self.sealed.is_empty() {
            self.seal();
        }
        let sealed = std::mem::take(&mut self.sealed);
        let mut committed = Committed { cursors: self.stored.clone(), pieces: sealed.len(), is_synced };
        let (run, rows, projections, name) =
            (self.run, self.rows.clone(), self.unit.projections.clone(), self.used.name);
        let write = blocking(move || {
            for Sealed { changes, cursors, progress } in sealed {
                let changes = encode(changes)?;
                rows.during(run, || projections.commit(name, changes, &progress))?;
                committed.cursors = cursors;
            }
            if is_synced {
                rows.during(run, || projections.sync())?;
            }
            Ok(committed)
        });
        self.commit.push(write.boxed());
    }

    pub(super) async fn committed(&mut self, committed: Result<Committed, StoreError>) -> Result<(), StoreError> {
        let Committed { cursors, pieces, is_synced } = committed?;
        self.stored = cursors;
        self.used.changes_are_stored(pieces).await;
        if is_synced {
            self.is_kept();
        } else {
            self.sync_at.get_or_insert_with(|| Instant::now() + SYNC_EVERY);
        }
        Ok(())
    }

    /// What is in storage survives a power cut.
    pub(super) fn is_kept(&self) {
        for (index, cursor) in self.stored.iter().enumerate() {
            self.consumer.set_kept(index, *cursor);
        }
    }

    /// The last commit before a stop, so that a start has little to apply again.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        self.see_commit_through().await.map_err(|error| Failure::new(error.to_string()))?;
        if self.applied != self.stored || self.sync_at.is_some() {
            self.sync_at = Some(Instant::now());
            self.seal();
            self.begin_commit();
        }
        self.see_commit_through().await.map_err(|error| Failure::new(error.to_string()))
    }

    /// Waits for the commit under way.
    pub(super) async fn see_commit_through(&mut self) -> Result<(), StoreError> {
        while let Some(committed) = self.commit.next().await {
            self.committed(committed).await?;
        }
        Ok(())
    }
}
