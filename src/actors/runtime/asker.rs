//! The asker's side: a command, or a series of them, and the wait for what becomes of it.

use std::sync::Arc;

use futures::future::maybe_done;
use tokio::{sync::oneshot::error::TryRecvError, time::Instant};

use super::{
    entities::{lost, wait},
    faults::injected,
    host::{Host, Sent, Terms},
    mailbox::{Body, Meta, TurnResult, Watch},
    series::Series,
    service::OWN,
};
use crate::{
    actors::entity::{AnyCommand, AskError, Entity, Injected, Key, Outcome},
    persistence::Causation,
    spans,
};

/// A command of a series, and whom it is for.
pub(crate) type InSeries<E> = (Key, Box<dyn AnyCommand<E>>, Meta);

impl<E: Entity> Host<E> {
    /// Asks by key and waits for the answer, at most until `deadline` if it has not been begun by then.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        key: &Key,
        body: Body<E>,
        meta: Meta,
        deadline: Instant,
        expecting: Option<u64>,
    ) -> TurnResult<E> {
        let meter = matches!(body, Body::Command(_)).then(|| (self.meter.command(), meta.span(E::KIND)));
        // The one look whether anything is injected.
        let answer = if meter.is_some() && self.unit.faults.any() {
            Box::pin(self.ask_watched(key, body, meta, deadline, expecting)).await
        } else {
            let terms = Terms { expecting, ..Terms::default() };
            match self.send(key, body, meta, deadline, terms).await {
                Ok(sent) => Self::answer(sent, deadline).await,
                Err(refused) => Err(refused),
            }
        };
        if let Some((meter, span)) = meter {
            let outcome = meter.ended(answer.as_ref().map(|reply| reply.replayed));
            spans::ended(&span, outcome);
        }
        answer
    }

    /// Asks for several commands, each done only when all before it were: see [`series`](super::series). What became of
    /// them, in order, up to the first that is no success, at least of one. Nothing was done for those that are left, unless
    /// the last that is told is an unknown outcome; so whoever asks for them again does so as for a repeat.
    ///
    /// # Cancel safety
    /// Dropping it leaves a beginning of the series done, or nothing of it.
    pub(crate) async fn ask_in_series(
        self: &Arc<Self>,
        commands: Vec<InSeries<E>>,
        deadline: Instant,
    ) -> Vec<TurnResult<E>> {
        let watch = if self.unit.faults.any() { Watch::Arrived } else { Watch::No };
        let mut on_their_way = Vec::with_capacity(commands.len());
        let mut series = Series::of(commands.len());
        let mut commands = commands.into_iter().peekable();
        while let Some((nth, (key, command, meta))) = series.next().zip(commands.next()) {
            let meter = (self.meter.command(), meta.span(E::KIND));
            let terms = Terms { nth: Some(nth.clone()), watch, ..Terms::default() };
            let sent = self.send(&key, Body::Command(command), meta, deadline, terms).await;
            let mut goes_on = sent.is_ok();
            let mut answer = Box::pin(maybe_done(async move {
                match sent {
                    Ok(sent) => Self::answer(sent, deadline).await,
                    Err(refused) => Err(refused),
                }
            }));
            // A mailbox keeps the order of what comes; two of them do not.
            if goes_on && commands.peek().is_some_and(|(next, ..)| *next != key) {
                tokio::select! {
                    biased;
                    () = nth.is_decided() => {}
                    () = &mut answer => {}
                }
                goes_on = nth.is_done();
            }
            on_their_way.push((nth, meter, answer));
            if !goes_on {
                break;
            }
        }
        let mut answers = Vec::with_capacity(on_their_way.len());
        let mut on_their_way = on_their_way.into_iter();
        for (nth, (meter, span), mut answer) in on_their_way.by_ref() {
            answer.as_mut().await;
            let answer = answer.as_mut().take_output().unwrap_or_else(|| Err(lost()));
            // What is sent first the next time counts then.
            if answer.is_err() && !answers.is_empty() && !nth.was_begun() {
                meter.never_begun();
                break;
            }
            let outcome = meter.ended(answer.as_ref().map(|reply| reply.replayed));
            spans::ended(&span, outcome);
            let is_over = answer.is_err();
            answers.push(answer);
            if is_over {
                break;
            }
        }
        on_their_way.for_each(|(_, (meter, _), _)| meter.never_begun());
        answers
    }

    async fn answer((mut answer, claim): Sent<E>, deadline: Instant) -> TurnResult<E> {
        let at_once = match answer.try_recv() {
            Err(TryRecvError::Empty) => None,
            Ok(answered) => Some(answered),
            Err(TryRecvError::Closed) => Some(Err(lost())),
        };
        if let Some(answered) = at_once {
            // It never waited; an asker in a loop gives way to others all the same.
            tokio::task::consume_budget().await;
            return answered;
        }
        let asked = Instant::now();
        wait::<E>(answer, &claim, asked, deadline).await
    }

    /// As [`ask`](Self::ask), while something is injected.
    async fn ask_watched(
        self: &Arc<Self>,
        key: &Key,
        body: Body<E>,
        meta: Meta,
        deadline: Instant,
        expecting: Option<u64>,
    ) -> TurnResult<E> {
        // What failed elsewhere is counted as clients see it.
        let is_request = matches!(meta.causation, Causation::Request) && self.service.system != OWN;
        let request = is_request.then(|| meta.correlation.clone());
        let terms = Terms { expecting, nth: None, watch: Watch::Arrived };
        let sent = self.send(key, body, meta, deadline, terms).await;
        let answer = match sent {
            Ok(sent) => {
                let claim = sent.1.clone();
                match (Self::answer(sent, deadline).await, claim.delayed_by()) {
                    (Err(AskError::Expired(_)), Some(fault)) => {
                        Err(AskError::Unavailable(injected(fault, Injected::Delayed)))
                    }
                    (answer, _) => answer,
                }
            }
            Err(refused) => Err(refused),
        };
        if let Some(correlation) = request {
            let has_failed = answer.as_ref().is_err_and(|error| error.outcome() != Outcome::Refused);
            self.unit.faults.told(&self.subject(key), &correlation, has_failed);
        }
        answer
    }
}
