use super::{Command, Entity, Listed, Outbound, Policy, View};

/// How a system says what its services consist of, without knowing who runs them: the runtime makes
/// running services of it, and a model or a document can be made of it as well.
pub trait ServiceDeclaration: Sized {
    /// A service without content; `name` is unique within its system.
    fn service(name: &'static str) -> Self;

    /// It hosts the entities of one kind.
    #[must_use]
    fn entity<E: Entity>(self) -> Self;

    /// It hosts the entities of one kind and keeps the list of them.
    #[must_use]
    fn listed<E: Listed>(self) -> Self;

    /// It asks one of its entities for `command` whenever it starts, and is not there before that is
    /// answered: what the system cannot be without. Decided again each time, so one that was done before
    /// must be a no-op.
    #[must_use]
    fn seed<E: Entity, C: Command<E>>(self, to: E::Id, command: C) -> Self;

    /// An entity in another process may ask `E` for `C`, over a link that leads here. What nobody else asks need not be
    /// said.
    #[must_use]
    fn asked<E: Entity, C: Command<E>>(self) -> Self;

    /// It runs a policy whose targets are entities of this service.
    #[must_use]
    fn policy<P: Policy>(self, policy: P) -> Self;

    /// It keeps a view.
    #[must_use]
    fn view<V: View>(self) -> Self;

    /// Notices of one of its kinds leave the house.
    #[must_use]
    fn notifies<O: Outbound>(self, outbound: O) -> Self;
}
