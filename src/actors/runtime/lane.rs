//! Who comes first when there is not room for all, and what waits for one entity.

use std::collections::VecDeque;

use super::mailbox::{Body, Envelope, Meta};
use crate::{actors::entity::Entity, persistence::Causation};

/// What a message is to its service.
///
/// | lane | what | its share of a service's budget | of an entity's mailbox | its place in a pool |
/// |---|---|---|---|---|
/// | `New` | what a client, or a step of another entity, wants done | three quarters | all of it | in turn, while it is in time |
/// | `First` | what finishes what was begun: policies, steps that were promised; operators | all | a quarter more | before all that is new |
/// | `Read` | what changes nothing | all | needs none | needs none |
///
/// So a service that is asked for too much still ends what it has begun, and still shows what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    New,
    First,
    Read,
}

impl Lane {
    pub(crate) fn of<E: Entity>(body: &Body<E>, meta: &Meta) -> Self {
        match body {
            Body::Command(_) if meta.patient || matches!(meta.causation, Causation::Event { .. }) => Self::First,
            Body::Command(_) => Self::New,
            Body::Kill => Self::First,
            Body::Read | Body::Outcome(_) | Body::Probe => Self::Read,
        }
    }

    /// The share of `most` that it may use.
    pub(crate) fn share(self, most: usize) -> usize {
        match self {
            Self::New => most - most / 4,
            Self::First | Self::Read => most,
        }
    }
}

/// What waits for one entity, in order.
pub(crate) struct Queue<E: Entity> {
    waiting: VecDeque<Envelope<E>>,
    /// Of them, those that are no reads.
    commands: usize,
}

impl<E: Entity> Queue<E> {
    /// An empty queue, which has no memory.
    pub(crate) const fn new() -> Self {
        Self { waiting: VecDeque::new(), commands: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether another message may wait where `mailbox` commands may. Reads are bounded by the service's budget: they
    /// are answered together when their turn comes, and cost nobody a place.
    pub(crate) fn has_room(&self, lane: Lane, mailbox: usize) -> bool {
        match lane {
            Lane::New => self.commands < mailbox,
            Lane::First => self.commands < mailbox + (mailbox / 4).max(1),
            Lane::Read => true,
        }
    }

    pub(crate) fn push_back(&mut self, envelope: Envelope<E>) {
        self.commands += usize::from(!is_read(&envelope));
        self.waiting.push_back(envelope);
    }

    pub(crate) fn push_front(&mut self, envelope: Envelope<E>) {
        self.commands += usize::from(!is_read(&envelope));
        self.waiting.push_front(envelope);
    }

    pub(crate) fn pop_front(&mut self) -> Option<Envelope<E>> {
        let envelope = self.waiting.pop_front()?;
        self.commands -= usize::from(!is_read(&envelope));
        Some(envelope)
    }

    /// Everything, in order; nothing waits afterwards.
    pub(crate) fn take(&mut self) -> VecDeque<Envelope<E>> {
        std::mem::replace(self, Self::new()).waiting
    }
}

fn is_read<E: Entity>(envelope: &Envelope<E>) -> bool {
    matches!(envelope.body, Body::Read | Body::Outcome(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_work_leaves_a_quarter_and_of_next_to_nothing_nothing() {
        assert_eq!([0, 1, 2, 3, 4, 5, 100].map(|most| Lane::New.share(most)), [0, 1, 2, 3, 3, 4, 75]);
        assert_eq!(Lane::First.share(100), 100);
        assert_eq!(Lane::Read.share(100), 100);
    }
}
