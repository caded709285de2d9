//! The events as they come, for whoever stays to listen.
//!
//! A follower pulls: a piece of each partition behind its cursor, as long as there is any, then it waits for the feed. Nothing is kept for one
//! that is slow; it is behind, and reads the journal like everybody who is.

use std::{collections::VecDeque, time::Duration};

use futures::{
    future::select_all,
    stream::{self, BoxStream, StreamExt},
};
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::{Cursors, EventQuery, EventsError, Found, Read, parse, print, read};
use crate::actors::runtime::system::System;

/// So many may follow at the same time; each costs some looks a second while much happens.
pub(crate) const MOST_FOLLOWERS: usize = 64;

/// Events of each partition that are read at once and wait to be handed out: a MiB or two of all of them.
const AT_ONCE: usize = 100;

/// Between two looks that found all there was, so that a busy shop is read some times a second and not for each event.
const PAUSE: Duration = Duration::from_millis(50);

/// An event, and where it was.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowedEvent {
    /// What [`EventQuery::after`] takes to begin behind this event and whatever came before it. Opaque.
    pub cursor: String,
    /// As on a page.
    pub envelope: Value,
}

/// Where a follower is.
struct Follower {
    system: System,
    query: EventQuery,
    /// Behind the last event that was handed out.
    behind: Cursors,
    /// Read and not handed out.
    waiting: VecDeque<Found>,
    /// Behind all that was read.
    read: Cursors,
    /// Whether the last look found all there was: not much is to be expected of the next.
    is_through: bool,
    _place: OwnedSemaphorePermit,
}

impl System {
    /// The journal's public events as they become durable: those behind [`EventQuery::after`], an empty one being the
    /// beginning, else those from now on. Each partition is in order; none is left out or comes twice. The stream ends
    /// with the system, or with the first error: begin again behind the last event that came. At most 64 may follow at the
    /// same time. [`EventQuery::limit`] is of no account.
    ///
    /// # Errors
    /// [`EventsError`], at once for what can be seen at once.
    ///
    /// # Cancel safety
    /// Dropping the stream, or a wait for its next event, loses nothing but that place in line.
    pub async fn follow(
        &self,
        query: EventQuery,
    ) -> Result<BoxStream<'static, Result<FollowedEvent, EventsError>>, EventsError> {
        let query = self.telling_kinds(query)?;
        let place = self.inner.followers.clone().try_acquire_owned().map_err(|_| EventsError::TooManyFollowers)?;
        let begin = match query.after.as_deref() {
            Some(after) => parse(after)?,
            None => self.heads(),
        };
        let mut follower = Follower {
            system: self.clone(),
            query,
            behind: begin.clone(),
            waiting: VecDeque::new(),
            read: begin,
            is_through: false,
            _place: place,
        };
        follower.fill().await?;
        let events = stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            match follower.next().await {
                Ok(event) => Some((Ok(event?), Some(follower))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(events.boxed())
    }

    /// What everybody is shown.
    fn heads(&self) -> Cursors {
        let units = self.inner.units.iter();
        let lanes = units.flat_map(|unit| {
            let head = |partition| ((unit.name.to_string(), partition), unit.feed.head(partition));
            (0..unit.journal.partitions()).map(head)
        });
        lanes.collect()
    }
}

impl Follower {
    /// The next event; waits until there is one. `None` when the system has ended.
    async fn next(&mut self) -> Result<Option<FollowedEvent>, EventsError> {
        let system = self.system.clone();
        loop {
            if let Some(Found { lane, offset, envelope, .. }) = self.waiting.pop_front() {
                self.behind.insert(lane, offset);
                if self.waiting.is_empty() {
                    self.behind.clone_from(&self.read); // also behind what is none of this one's business
                }
                return Ok(Some(FollowedEvent { cursor: print(&self.behind), envelope }));
            }
            let turn = async {
                if self.is_through {
                    tokio::time::sleep(PAUSE).await;
                }
                // Before the look: what comes after it is not missed.
                let comes = select_all(system.inner.units.iter().map(|unit| Box::pin(unit.feed.published())));
                if !self.fill().await? {
                    comes.await;
                }
                Ok(())
            };
            tokio::select! {
                () = system.inner.ended.cancelled() => return Ok(None),
                turned = turn => turned?,
            }
        }
    }

    /// Reads what comes next; whether there was anything new, wanted or not.
    async fn fill(&mut self) -> Result<bool, EventsError> {
        let (units, kinds) = (&self.system.inner.units, &self.system.inner.kinds);
        let Read { events, next, has_more } = read(units, kinds, &self.query, Some(self.read.clone()), AT_ONCE).await?;
        let is_new = next != self.read;
        self.is_through = !has_more;
        self.read = next;
        self.waiting = events.into();
        if self.waiting.is_empty() {
            self.behind.clone_from(&self.read);
        }
        Ok(is_new)
    }
}
