use std::fmt;

use super::{World, policies::Follower};
use crate::actors::entity::{Command, Entity, Listed, Outbound, Policy, ServiceDeclaration, View};

/// A service as a [`World`] plays it. Views need no declaration: [`World::rows`] folds any.
pub struct Cast {
    service: &'static str,
    parts: Vec<Part>,
    seeds: Vec<Seed>,
}

type Part = Box<dyn FnOnce(&'static str, &mut World)>;
/// What is asked once all services are there.
type Seed = Box<dyn FnOnce(&mut World)>;

impl Cast {
    pub(super) fn enter(self, world: &mut World) -> Vec<Seed> {
        for part in self.parts {
            part(self.service, world);
        }
        self.seeds
    }

    fn with(mut self, part: impl FnOnce(&'static str, &mut World) + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }
}

impl ServiceDeclaration for Cast {
    fn service(name: &'static str) -> Self {
        Self { service: name, parts: Vec::new(), seeds: Vec::new() }
    }
    fn entity<E: Entity>(self) -> Self {
        self.with(|service, world| world.host::<E>(service))
    }
    fn listed<E: Listed>(self) -> Self {
        self.entity::<E>()
    }
    fn seed<E: Entity, C: Command<E>>(mut self, to: E::Id, command: C) -> Self {
        self.seeds.push(Box::new(move |world| {
            let answer = world.ask::<E, C>(&to, command, &[]);
            assert!(answer.is_ok(), "the seed {} of {} was refused: {:?}", C::NAME, E::KIND, answer.err());
        }));
        self
    }
    /// In a cast everybody is in the same process.
    fn asked<E: Entity, C: Command<E>>(self) -> Self {
        self
    }
    fn policy<P: Policy>(self, policy: P) -> Self {
        self.with(|service, world| world.policies.push(Follower::of(service, policy)))
    }
    fn view<V: View>(self) -> Self {
        self
    }
    /// Nothing leaves a cast's house.
    fn notifies<O: Outbound>(self, _: O) -> Self {
        self
    }
}

impl fmt::Debug for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cast").field("service", &self.service).finish_non_exhaustive()
    }
}
