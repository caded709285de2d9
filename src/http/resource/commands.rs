//! The commands of one kind of entity, as methods and procedures.

use std::{fmt, future::Future, time::Duration};

use super::{Action, Address, Call, Change, ClientId, Done, Perform, Said, Tells, action, ask, perform, said, typed};
use crate::{
    Answered, Command, Entities, Entity, Refusal, System,
    http::{Fields, Problem},
};

/// Deadline of a command that asks no partner: far above a group commit, below any client's patience.
const WITHIN: Duration = Duration::from_secs(5);
/// What a request may take beyond the synchronous link that it uses.
const BEYOND_LINK: Duration = Duration::from_millis(400);

/// Makes actions and procedures of the commands of one kind.
///
/// `make` reads the fields; what it refuses, and every refusal of the entity, is a problem by its class. The
/// reply is the item (nothing, for a removal), so that a repeat shows the first answer again; what it has
/// beyond the declared fields is not shown.
pub struct Commands<E: Entity> {
    entities: Entities<E>,
    within: Duration,
}

impl<E: Entity<Id: ClientId, Rejection: Refusal>> Commands<E> {
    /// For commands that ask no partner.
    pub fn of(system: &System) -> Self {
        Self { entities: system.entities(), within: WITHIN }
    }

    /// The same for commands that ask a partner, who has this long.
    #[must_use]
    pub fn asking(&self, link: Duration) -> Self {
        Self { entities: self.entities.clone(), within: link + BEYOND_LINK }
    }

    /// To a new entity: of the request, or with the natural key in the body. Always 201.
    pub fn create<C: Command<E>>(&self, make: impl Make<C>) -> Action {
        self.method(Change::Created, E::Id::of_creation, make)
    }

    /// To the entity in the path. Always 200.
    pub fn change<C: Command<E>>(&self, make: impl Make<C>) -> Action {
        self.method(Change::Changed, E::Id::of_item, make)
    }

    /// To the entity in the path, which then is gone, or cancelled and still readable. Always 204.
    pub fn remove<C: Command<E> + Sync>(&self, command: C) -> Action {
        self.method(Change::Removed, E::Id::of_item, move |_: &Fields| Ok(command.clone()))
    }

    /// To the entity at an address, answered as the reply tells.
    pub fn method<C: Command<E>>(
        &self,
        change: impl Tells<C::Reply>,
        address: Address<E::Id>,
        make: impl Make<C>,
    ) -> Action {
        typed::command(self.entities.clone(), self.within, change, address, make)
    }

    /// To what `prepare` makes of the request, when that needs more than its fields: the key, the clock, a
    /// look at another entity.
    pub fn prepared<C, F>(
        &self,
        change: impl Tells<C::Reply>,
        prepare: impl Fn(Call) -> F + Send + Sync + 'static,
    ) -> Action
    where
        C: Command<E>,
        F: Future<Output = Result<(E::Id, C), Problem>> + Send + 'static,
    {
        let (entities, within, changes) = (self.entities.clone(), self.within, change.changes());
        let change = std::sync::Arc::new(change);
        let recall = typed::recalled::<E, C>(change.clone());
        action(move |call: Call| {
            let (entities, change, prepared) = (entities.clone(), change.clone(), prepare(call.clone()));
            async move {
                let (id, command) = prepared.await?;
                let answered = ask(&entities, &call, &id, command, within).await.map_err(Problem::of_ask)?;
                Ok(Done::of(change.change(&answered), &id, &answered))
            }
        })
        .recalled_by(recall)
        .leading_to(changes)
    }

    /// A procedure: `true` or what else `say` makes of the reply; `false` with its code for every refusal that is
    /// not [`Invalid`](crate::RefusalClass::Invalid), and for an id that nothing has.
    pub fn procedure<C: Command<E>>(
        &self,
        address: Address<E::Id>,
        make: impl Make<C>,
        say: fn(&Answered<C::Reply>) -> Said,
    ) -> Perform {
        typed::procedure(self.entities.clone(), self.within, address, make, say)
    }

    /// The same for what needs more than the parameters, as [`Commands::prepared`].
    pub fn prepared_procedure<C, F>(
        &self,
        prepare: impl Fn(Call) -> F + Send + Sync + 'static,
        say: fn(&Answered<C::Reply>) -> Said,
    ) -> Perform
    where
        C: Command<E>,
        F: Future<Output = Result<(E::Id, C), Problem>> + Send + 'static,
    {
        let (entities, within) = (self.entities.clone(), self.within);
        perform(move |call: Call| {
            let (entities, prepared) = (entities.clone(), prepare(call.clone()));
            async move {
                let (id, command) = prepared.await?;
                said(ask(&entities, &call, &id, command, within).await, say)
            }
        })
        .recalled_by(move |recalled| said(recalled.answered::<E, C>(), say))
    }
}

/// What makes a command of the fields of a request.
pub trait Make<C>: Fn(&Fields) -> Result<C, Problem> + Send + Sync + 'static {}

impl<C, F: Fn(&Fields) -> Result<C, Problem> + Send + Sync + 'static> Make<C> for F {}

impl<E: Entity> fmt::Debug for Commands<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("kind", &E::KIND).field("within", &self.within).finish_non_exhaustive()
    }
}
