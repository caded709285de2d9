use std::{collections::VecDeque, fmt};

use crate::actors::entity::{
    Command, Dispatch, DispatchTarget, Entity, EntityId, Number, Policy, Position, Recorded, Timestamp,
};

/// An event as the journal gives it back: the `sequence`-th of the entity `id` with the number `number`.
pub fn recorded<E: Entity>(id: E::Id, number: u64, sequence: u64, event: E::Event) -> Recorded<E> {
    Recorded {
        id,
        number: Number::new(number),
        sequence,
        position: Position { unit: "test".into(), partition: 0, offset: sequence },
        at: Timestamp::from_millis(1_600_000_000_000 + sequence),
        correlation: "test".into(),
        event,
    }
}

/// What `policy` dispatches when it sees `event`.
pub fn reacts<P: Policy>(policy: &P, event: &Recorded<P::Source>) -> Reaction<P::Target> {
    Reaction(policy.react(event).into())
}

/// The dispatches of one reaction, looked at in their order.
#[must_use = "a reaction that nobody looks at tests nothing"]
#[derive(Debug)]
pub struct Reaction<T: Entity>(VecDeque<Dispatch<T>>);

impl<T: Entity> Reaction<T> {
    /// Expects that the next dispatch asks `to` for `command`.
    pub fn then_sends<C: Command<T> + PartialEq + fmt::Debug>(self, to: &T::Id, command: C) -> Self {
        self.next(&DispatchTarget::Existing(to.address()), &command)
    }

    /// Expects that the next dispatch asks a new entity for `command`.
    pub fn then_creates<C: Command<T> + PartialEq + fmt::Debug>(self, command: C) -> Self {
        self.next(&DispatchTarget::Created, &command)
    }

    /// Expects no further dispatch.
    pub fn then_nothing(self) {
        assert!(self.0.is_empty(), "no further dispatch was expected, but there is {:?}", self.0);
    }

    fn next<C: Command<T> + PartialEq + fmt::Debug>(mut self, target: &DispatchTarget, command: &C) -> Self {
        let dispatch = self.0.pop_front().unwrap_or_else(|| panic!("expected {} to {target:?}, got nothing", C::NAME));
        assert_eq!(dispatch.target(), target, "whom the dispatch is for");
        match dispatch.command::<C>() {
            Some(sent) => assert_eq!(sent, command, "what is sent"),
            None => panic!("expected {}, got {dispatch:?}", C::NAME),
        }
        self
    }
}
