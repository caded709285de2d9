//! The same counter on raw ractor and kameo: one actor per entity, in memory, nothing else.

use std::time::Duration;

use anyhow::{Context, Result};
use kameo::{actor::Spawn, error::Infallible};
use ractor::rpc::CallResult;

/// The deadline of every ask of every subject; none is met.
const WITHIN: Duration = Duration::from_secs(3);

/// A ractor actor.
pub(crate) struct RactorCounter;

pub(crate) enum CounterMessage {
    Look(i64, ractor::RpcReplyPort<i64>),
    Add(i64, ractor::RpcReplyPort<i64>),
}

impl ractor::Actor for RactorCounter {
    type Msg = CounterMessage;
    type State = i64;
    type Arguments = ();
    async fn pre_start(&self, _: ractor::ActorRef<CounterMessage>, (): ()) -> Result<i64, ractor::ActorProcessingErr> {
        Ok(0)
    }
    async fn handle(
        &self,
        _: ractor::ActorRef<CounterMessage>,
        message: CounterMessage,
        total: &mut i64,
    ) -> Result<(), ractor::ActorProcessingErr> {
        let (answer, port) = match message {
            CounterMessage::Look(plus, port) => (*total + plus, port),
            CounterMessage::Add(amount, port) => {
                *total += amount;
                (*total, port)
            }
        };
        // An asker that has gone away needs no answer.
        drop(port.send(answer));
        Ok(())
    }
}

pub(crate) type Ractors = Vec<ractor::ActorRef<CounterMessage>>;

/// So many ractor actors, each of which has counted once.
pub(crate) async fn ractors(count: usize) -> Result<Ractors> {
    let mut actors = Vec::with_capacity(count);
    for _ in 0..count {
        let (actor, _) = ractor::Actor::spawn(None, RactorCounter, ()).await?;
        call(&actor, |port| CounterMessage::Add(1, port)).await?;
        actors.push(actor);
    }
    Ok(actors)
}

pub(crate) async fn look_at_ractor(actor: &ractor::ActorRef<CounterMessage>) -> Result<i64> {
    call(actor, |port| CounterMessage::Look(1, port)).await
}

async fn call(
    actor: &ractor::ActorRef<CounterMessage>,
    message: impl FnOnce(ractor::RpcReplyPort<i64>) -> CounterMessage,
) -> Result<i64> {
    match actor.call(message, Some(WITHIN)).await.ok().context("the actor is gone")? {
        CallResult::Success(answer) => Ok(answer),
        CallResult::Timeout | CallResult::SenderError => anyhow::bail!("not answered"),
    }
}

/// A kameo actor.
pub(crate) struct KameoCounter(i64);

impl kameo::Actor for KameoCounter {
    type Args = Self;
    type Error = Infallible;
    async fn on_start(counter: Self, _: kameo::actor::ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(counter)
    }
}

pub(crate) struct Look(i64);
pub(crate) struct Add(i64);

impl kameo::message::Message<Look> for KameoCounter {
    type Reply = i64;
    async fn handle(&mut self, look: Look, _: &mut kameo::message::Context<Self, i64>) -> i64 {
        self.0 + look.0
    }
}

impl kameo::message::Message<Add> for KameoCounter {
    type Reply = i64;
    async fn handle(&mut self, add: Add, _: &mut kameo::message::Context<Self, i64>) -> i64 {
        self.0 += add.0;
        self.0
    }
}

pub(crate) type Kameos = Vec<kameo::actor::ActorRef<KameoCounter>>;

/// So many kameo actors, each of which has counted once.
pub(crate) async fn kameos(count: usize) -> Result<Kameos> {
    let mut actors = Vec::with_capacity(count);
    for _ in 0..count {
        let actor = KameoCounter::spawn(KameoCounter(0));
        actor.ask(Add(1)).reply_timeout(WITHIN).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        actors.push(actor);
    }
    Ok(actors)
}

pub(crate) async fn look_at_kameo(actor: &kameo::actor::ActorRef<KameoCounter>) -> Result<i64> {
    actor.ask(Look(1)).reply_timeout(WITHIN).await.map_err(|error| anyhow::anyhow!("{error}"))
}
