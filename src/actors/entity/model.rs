use serde::Serialize;

use super::{Command, DomainEvent, Entity, Listed, Outbound, Policy, ServiceDeclaration, View};

/// What a service consists of, as data: made of the same declaration that the runtime makes a running
/// service of, so that it cannot say anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceModel {
    /// The service.
    pub name: &'static str,
    /// Its kinds of entities.
    pub entities: Vec<EntityModel>,
    /// Its policies.
    pub policies: Vec<PolicyModel>,
    /// Its views; the lists of its entities are not among them.
    pub views: Vec<ViewModel>,
    /// What leaves the house.
    pub notices: Vec<OutboundModel>,
}

/// A kind of entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntityModel {
    /// [`Entity::KIND`].
    pub kind: &'static str,
    /// [`Entity::COMMANDS`].
    pub commands: &'static [&'static str],
    /// [`DomainEvent::PUBLIC`].
    pub events: &'static [&'static str],
    /// The commands that entities in other processes may ask of it.
    pub asked: Vec<&'static str>,
    /// [`Entity::ASKS`]: the synchronous links.
    pub asks: &'static [&'static str],
    /// Whether it can be listed.
    pub is_listed: bool,
    /// The commands that the service asks of it whenever it starts.
    pub seeds: Vec<&'static str>,
}

/// "Whenever this happened, ask for that."
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PolicyModel {
    /// [`Policy::NAME`].
    pub name: &'static str,
    /// The kind whose events it reads.
    pub source: &'static str,
    /// The kind that it asks.
    pub target: &'static str,
}

/// A read model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ViewModel {
    /// [`View::NAME`].
    pub name: &'static str,
    /// The kinds that it follows.
    pub follows: Vec<&'static str>,
}

/// "Whenever this is written, somebody outside is told."
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutboundModel {
    /// [`Outbound::NAME`].
    pub name: &'static str,
    /// The kind whose events it reads: the history.
    pub source: &'static str,
    /// [`Outbound::CHANNEL`].
    pub channel: &'static str,
}

impl ServiceModel {
    fn with(mut self, kind: &'static str, change: impl FnOnce(&mut EntityModel)) -> Self {
        if let Some(entity) = self.entities.iter_mut().find(|entity| entity.kind == kind) {
            change(entity);
        }
        self
    }
}

impl ServiceDeclaration for ServiceModel {
    fn service(name: &'static str) -> Self {
        Self { name, entities: Vec::new(), policies: Vec::new(), views: Vec::new(), notices: Vec::new() }
    }

    fn entity<E: Entity>(mut self) -> Self {
        self.entities.push(EntityModel {
            kind: E::KIND,
            commands: E::COMMANDS,
            events: E::Event::PUBLIC,
            asks: E::ASKS,
            asked: Vec::new(),
            is_listed: false,
            seeds: Vec::new(),
        });
        self
    }

    fn listed<E: Listed>(self) -> Self {
        self.entity::<E>().with(E::KIND, |entity| entity.is_listed = true)
    }

    fn seed<E: Entity, C: Command<E>>(self, _: E::Id, _: C) -> Self {
        self.with(E::KIND, |entity| entity.seeds.push(C::NAME))
    }

    fn asked<E: Entity, C: Command<E>>(self) -> Self {
        self.with(E::KIND, |entity| entity.asked.push(C::NAME))
    }

    fn policy<P: Policy>(mut self, _: P) -> Self {
        self.policies.push(PolicyModel { name: P::NAME, source: P::Source::KIND, target: P::Target::KIND });
        self
    }

    fn view<V: View>(mut self) -> Self {
        self.views.push(ViewModel { name: V::NAME, follows: V::sources().kinds().collect() });
        self
    }

    fn notifies<O: Outbound>(mut self, _: O) -> Self {
        self.notices.push(OutboundModel { name: O::NAME, source: O::Source::KIND, channel: O::CHANNEL });
        self
    }
}
