use std::fmt;

use super::{Address, AnyCommand, Command, Entity, EntityId, Recorded};

/// "Whenever this happened, ask for that." Stateless: one that must remember is an [`Entity`].
///
/// A policy belongs to the service of its target, so that a stopped service misses nothing: its policies
/// wait at their cursors.
pub trait Policy: Send + Sync + 'static {
    /// Name of its cursor, `<system>.<what it does>`. On disk: a new name reacts to all history again.
    const NAME: &'static str;
    /// Whose events it reads.
    type Source: Entity;
    /// Whom it asks.
    type Target: Entity;
    /// Which of its dispatches wait for each other.
    const ORDER: DispatchOrder = DispatchOrder::PerTarget;

    /// Pure. Every dispatch carries an id made of (policy, position, index): it is delivered at least
    /// once and applied once.
    fn react(&self, event: &Recorded<Self::Source>) -> Vec<Dispatch<Self::Target>>;
}

/// Which dispatches of one policy wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispatchOrder {
    /// Those for the same target entity.
    PerTarget,
    /// Those that go back to the same source entity: for targets that are created and numbered one by
    /// one, such as messages. Dispatches for existing targets keep the order of their target all the same.
    PerSource,
}

/// A command for another entity, as data: fire and forget, but durable.
#[must_use = "a dispatch does nothing until it is returned from `react`"]
pub struct Dispatch<T: Entity> {
    pub(crate) target: DispatchTarget,
    pub(crate) command: Box<dyn AnyCommand<T>>,
    pub(crate) may_be_unknown: bool,
}

/// Whom a dispatch is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatchTarget {
    /// The entity with this address.
    Existing(Address),
    /// A new entity, whose key is derived from (policy, position, index).
    Created,
}

/// Asks `to` for `command`.
pub fn send<T: Entity, C: Command<T>>(to: &T::Id, command: C) -> Dispatch<T> {
    Dispatch { target: DispatchTarget::Existing(to.address()), command: Box::new(command), may_be_unknown: false }
}

/// Asks a new entity for `command`; its key is derived from (policy, position, index), so that it is
/// created once however often the event is seen.
pub fn create<T: Entity, C: Command<T>>(command: C) -> Dispatch<T> {
    Dispatch { target: DispatchTarget::Created, command: Box::new(command), may_be_unknown: false }
}

impl<T: Entity> Dispatch<T> {
    /// When nothing has the number that this is for, there is nothing to do, rather than a dead letter.
    pub fn if_known(mut self) -> Self {
        self.may_be_unknown = true;
        self
    }

    /// Whom it is for.
    pub fn target(&self) -> &DispatchTarget {
        &self.target
    }

    /// The command, when it is a `C`.
    pub fn command<C: Command<T>>(&self) -> Option<&C> {
        self.command.as_any().downcast_ref()
    }
}

impl<T: Entity> fmt::Debug for Dispatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("kind", &T::KIND)
            .field("target", &self.target)
            .field("command", &self.command.name())
            .finish_non_exhaustive()
    }
}
