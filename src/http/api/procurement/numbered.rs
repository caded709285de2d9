//! Items that one entity per procurement number keeps, under the public numbers that clients know.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, sleep};

use crate::{
    Answered, AskError, Command, Entities, Entity, Key, Number, NumberedId, Refusal, View,
    http::{
        Action, Call, Change, Done, Fields, Item, Keep, Members, Problem, RowPage, Seen, Source, ViewSource, action,
        ask, numeric,
    },
    procurement::{Counter, Numbered, PublicNumber},
};

/// How long a command waits for the one before it, so that the whole stays below the 3 s of D-13.
pub(super) const WAITS: Duration = Duration::from_millis(1500);
/// Between two tries: a step of the one before it is some appends.
const PAUSE: Duration = Duration::from_millis(10);
/// The code of a refusal that says that a step is in progress.
const BUSY: &str = "IN_PROGRESS";

/// What clients see of an entity, key and fields, under a number that was drawn for something there.
pub(super) type Shown<E> = fn(&E, u64, Numbered) -> Option<Item>;

/// Public numbers, and the entities behind them.
pub(super) struct ByNumber<C: Counter, E: Entity<Id = Key>> {
    pub(super) numbers: Entities<PublicNumber<C>>,
    pub(super) entities: Entities<E>,
}

impl<C: Counter, E: Entity<Id = Key>> Clone for ByNumber<C, E> {
    fn clone(&self) -> Self {
        Self { numbers: self.numbers.clone(), entities: self.entities.clone() }
    }
}

impl<C: Counter, E: Entity<Id = Key, Rejection: Refusal>> ByNumber<C, E> {
    /// The number of the segment, the procurement number behind it, and what it was drawn for.
    async fn find(&self, segment: &str) -> Result<Option<(u64, Key, Numbered)>, Problem> {
        let Some(number) = numeric(segment) else { return Ok(None) };
        let drawn = self.numbers.get(&NumberedId::Number(Number::new(number))).await.map_err(Problem::of_ask)?;
        Ok(drawn.and_then(|drawn| {
            let (proc_no, what) = drawn.state.drawn()?;
            Some((number, proc_no.clone(), what))
        }))
    }

    /// Asks for what `make` makes of the request, in turn with other commands to the same procurement number.
    pub(super) async fn ask<M: Command<E>>(
        &self,
        call: &Call,
        proc_no: &Key,
        command: M,
        within: Duration,
    ) -> Result<Answered<M::Reply>, AskError<E::Rejection>> {
        let patience = Instant::now() + WAITS;
        loop {
            match ask(&self.entities, call, proc_no, command.clone(), within).await {
                Err(AskError::Rejected(refusal)) if refusal.code() == BUSY && Instant::now() < patience => {
                    sleep(PAUSE).await;
                }
                answered => return answered,
            }
        }
    }

    /// A command to the item in the path. `item` is what the reply shows of it.
    pub(super) fn command<M: Command<E>>(
        self,
        within: Duration,
        change: Change,
        make: impl Fn(&Fields, u64, Numbered) -> Result<M, Problem> + Send + Sync + 'static,
        item: fn(M::Reply) -> Option<Item>,
    ) -> Action {
        let make = Arc::new(make);
        action(move |call: Call| {
            let (this, make) = (self.clone(), make.clone());
            async move {
                let segment = call.key.as_deref().unwrap_or_default();
                let nothing = || Problem::not_found(format!("there is no item {segment}"));
                let (number, proc_no, what) = this.find(segment).await?.ok_or_else(nothing)?;
                let command = make(&call.fields, number, what)?;
                show(change, item, this.ask(&call, &proc_no, command, within).await, Some(number))
            }
        })
        .recalled_by(move |recalled| show(change, item, recalled.answered::<E, M>(), None))
    }
}

/// The answer to a command; `number` is that of the item, where the reply need not tell it.
fn show<R, X: Refusal>(
    change: Change,
    item: fn(R) -> Option<Item>,
    answered: Result<Answered<R>, AskError<X>>,
    number: Option<u64>,
) -> Result<Done, Problem> {
    let answered = answered.map_err(of_ask)?;
    let (sequence, replayed) = (Some(answered.sequence), answered.replayed);
    let shown = match change {
        Change::Removed => Item { key: number.into(), sequence, fields: Members::default() },
        Change::Created | Change::Changed => {
            item(answered.reply).ok_or_else(|| Problem::not_found("the item is gone already"))?
        }
    };
    Ok(Done { change, item: Item { sequence, ..shown }, replayed })
}

/// A refusal that only says "not now" is no conflict that the client has to resolve.
pub(super) fn of_ask<R: Refusal>(error: AskError<R>) -> Problem {
    if let AskError::Rejected(refusal) = &error
        && refusal.code() == BUSY
    {
        return Problem::unavailable(BUSY, refusal.to_string(), Duration::from_secs(1));
    }
    Problem::of_ask(error)
}

/// Such items: each is asked of its entity, lists are read from a view.
pub(super) struct NumberedSource<C: Counter, E: Entity<Id = Key>, V: View> {
    by: ByNumber<C, E>,
    rows: Arc<ViewSource<V>>,
    item: Shown<E>,
}

impl<C: Counter, E: Entity<Id = Key>, V: View> NumberedSource<C, E, V> {
    pub(super) fn new(by: ByNumber<C, E>, rows: Arc<ViewSource<V>>, item: Shown<E>) -> Arc<Self> {
        Arc::new(Self { by, rows, item })
    }
}

impl<C: Counter, E: Entity<Id = Key, Rejection: Refusal>, V: View> Source for NumberedSource<C, E, V> {
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Seen, Problem>> {
        let (by, item, key) = (self.by.clone(), self.item, key.to_owned());
        async move {
            let Some((number, proc_no, what)) = by.find(&key).await? else { return Ok((None, true)) };
            let current = by.entities.get(&proc_no).await.map_err(Problem::of_ask)?;
            let item = current.and_then(|current| {
                let item = item(&current.state, number, what)?;
                Some(Item { sequence: Some(current.sequence), ..item })
            });
            Ok((item, true))
        }
        .boxed()
    }

    fn catch_up(&self, within: Duration) -> BoxFuture<'static, Result<bool, Problem>> {
        self.rows.catch_up(within)
    }

    fn count(&self) -> BoxFuture<'static, Result<u64, Problem>> {
        self.rows.count()
    }

    fn scan(&self, after: Option<Vec<u8>>, limit: usize, keep: Keep) -> BoxFuture<'static, Result<RowPage, Problem>> {
        self.rows.scan(after, limit, keep)
    }
}
