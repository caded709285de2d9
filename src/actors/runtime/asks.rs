//! Asks outside the turn: a task of its own carries the question and brings the answer back as a follow-up.
//!
//! An answer "not done" of a partner is only about that try. Where an earlier try of the same step may have
//! been done (before a crash, or beyond a deadline), it says nothing: the entity would take back what its
//! partner has done. So from then on a step is asked, with the same command id, until the partner says what
//! became of it, or the time of the ask is up and the outcome stays unknown.
//!
//! A patient step has no such time: its asker is told that it was accepted, and the partner is asked until it says
//! yes or no. So nothing of it is ever taken back because the partner was away.
//!
//! Where the partner writes into the same journal, the first try of a step goes [`Ahead`] of what began it. An answer that is
//! not early, and every later try, waits until that is durable.

use std::{any::Any, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    ahead::{Ahead, IsBegun},
    cell::{Asked, Cell, Earlier, FollowUp, Phase},
    faults::{Subject, injected},
    host::Host,
    link::Link,
    mailbox::Meta,
    outcome::panic_text,
    remote::Encoded,
    turn::step_command,
};
use crate::{
    actors::entity::{Address, AskError, AskedAnswer, Entity, Injected, Key, Outcome, Question, Step, Unavailable},
    persistence::{Causation, Origin},
};

/// The first pause before a step is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pause before a step that its own follow-up begins again.
const AGAIN: Duration = Duration::from_millis(100);

/// One ask, as often as it takes.
struct Asking {
    kind: &'static str,
    address: Address,
    question: Question,
    meta: Meta,
    within: Duration,
    earlier: Earlier,
    step: Step,
    ahead: Option<(Arc<Ahead>, IsBegun)>,
}

/// What came of one try.
struct Try {
    answer: AskedAnswer,
    /// Whether the answer is the callee's.
    is_reached: bool,
    /// Whether the callee is to blame that it is not.
    is_away: bool,
}

impl Try {
    fn not_made(why: Unavailable) -> Self {
        Self { answer: Err(AskError::Unavailable(why)), is_reached: false, is_away: false }
    }
}

/// Whether the command did not get as far as the memory of what was done before.
fn is_only_of_this_try<R>(error: &AskError<R>) -> bool {
    match error {
        AskError::Overloaded { .. } | AskError::Expired(_) => true,
        AskError::Unavailable(why) => match why {
            Unavailable::ServiceStopped { .. }
            | Unavailable::ShuttingDown
            | Unavailable::Quarantined { .. }
            | Unavailable::NotRecovered { .. }
            // Refused at the door, or by a state that is older than what the journal was given.
            | Unavailable::Storage { .. }
            | Unavailable::Injected { what: Injected::Delayed, .. } => true,
            Unavailable::Panicked
            | Unavailable::Partner { .. }
            | Unavailable::Injected { what: Injected::Refused(_) | Injected::Panicked, .. } => false,
        },
        AskError::Rejected(_)
        | AskError::NotFound { .. }
        | AskError::Reused
        | AskError::RefusedByOperator { .. }
        | AskError::Moved { .. }
        | AskError::InProgress { .. }
        | AskError::Accepted
        | AskError::TimedOut(_)
        | AskError::Unsettled { .. }
        | AskError::Unreadable { .. } => false,
    }
}

/// Whether the partner may still say yes or no to the same ask. A decision that panics will do so at every repeat, and
/// in the end costs the partner more than this step.
fn may_still_be_answered<R>(error: &AskError<R>) -> bool {
    match error {
        AskError::Overloaded { .. }
        | AskError::Expired(_)
        | AskError::InProgress { .. }
        | AskError::Accepted
        | AskError::TimedOut(_)
        | AskError::Unsettled { .. } => true,
        AskError::Unavailable(why) => !why.is_panic(),
        AskError::Rejected(_)
        | AskError::NotFound { .. }
        | AskError::Reused
        | AskError::RefusedByOperator { .. }
        | AskError::Moved { .. }
        | AskError::Unreadable { .. } => false,
    }
}

impl<E: Entity> Host<E> {
    /// Begins the ask of an open step, once: whoever comes second joins it. One that goes ahead is under way later, when
    /// what began it is durable.
    pub(crate) fn begin(self: &Arc<Self>, cell: &Arc<Cell<E>>, step: Step, ahead: Option<(Arc<Ahead>, IsBegun)>) {
        let stream = Self::stream_name(&cell.key);
        let taken = {
            let mut inner = cell.lock();
            if ahead.is_none() {
                inner.set_under_way(step);
            }
            let ask = inner.asks.iter_mut().find(|ask| ask.step == step);
            ask.and_then(|ask| {
                let continuation = ask.continuation.take()?.take_up();
                ask.ahead = ahead.as_ref().map(|(ahead, _)| ahead.clone());
                let created = || Address::Key(continuation.step.creates(E::KIND, &cell.key));
                let address = continuation.address.clone().unwrap_or_else(created);
                let asked = Asked { kind: continuation.kind, address, command: step_command(&stream, step, "ask") };
                ask.asked = Some(asked.clone());
                Some((continuation, asked, ask.opened.clone(), ask.earlier))
            })
        };
        let Some((taken, asked, opened, earlier)) = taken else { return };
        let Asked { kind, address, command } = asked;
        debug_assert!(E::ASKS.contains(&kind), "{kind} is missing in the ASKS of {}", E::KIND);
        let (correlation, patient) = (opened.correlation, opened.patient);
        let (origin, causation) = (Origin::Repeatable { fingerprint: 0 }, Causation::Command(opened.origin));
        let is_inside = self.kinds.find(kind).is_some_and(|target| Arc::ptr_eq(target.service(), &self.service));
        let meta = Meta { command, origin, correlation, causation, patient, is_inside, ahead: None };
        let (question, within, next) = (taken.question, taken.within, taken.next);
        let asking = Asking { kind, address, question, meta, within, earlier, step, ahead };
        let (host, cell, stopping) = (self.clone(), cell.clone(), self.service.stop_token());
        self.service.spawn(async move {
            // What is only being repeated does not hold a stop up: the step is resumed at the next start.
            let answer = tokio::select! {
                answer = host.until_known(&cell, asking) => answer,
                () = stopping.cancelled(), if patient || earlier != Earlier::Nothing => return,
            };
            let Some((answer, stands_on)) = answer else { return };
            let in_doubt = answer.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown);
            // The constructor of the follow-up is the author's code.
            let made = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || next(answer)));
            // A panic fails the entity in its own turn, not here beside one that may be running.
            let command =
                made.map_err(|panic| format!("the follow-up of {step} {}", panic_text(panic.as_ref())).into());
            host.follow_up(&cell, FollowUp { step, command, in_doubt, stands_on });
        });
    }

    /// Asks until the outcome is known or the time is up. When it comes back without one, the time is up: an
    /// entity that then goes on asking does not keep a core busy. With the answer, what it stands on when it is
    /// early. `None` when what began the ask was not written.
    async fn until_known(&self, cell: &Cell<E>, asking: Asking) -> Option<(AskedAnswer, Option<Arc<Ahead>>)> {
        let Asking { kind, address, question, mut meta, within, earlier, step, ahead } = asking;
        if earlier != Earlier::Nothing {
            tokio::time::sleep(AGAIN).await;
        }
        let mut in_doubt = earlier == Earlier::InDoubt;
        let mut pause = FIRST_PAUSE;
        let (link, mut tries) = (self.kinds.links().for_command(E::KIND, kind, question.name()), 0);
        let elsewhere = link.and_then(|link| link.elsewhere());
        let is_beside = || self.kinds.find(kind).is_some_and(|target| Arc::ptr_eq(target.unit(), &self.unit));
        let mut begun = match ahead {
            Some((_, is_begun)) if elsewhere.is_some() || !is_beside() => {
                is_begun.await.ok()?;
                None
            }
            first => first,
        };
        meta.ahead = begun.as_ref().map(|(ahead, _)| ahead.clone());
        let mut deadline = Instant::now() + within;
        loop {
            let entered = link.map(Link::enter).transpose();
            let is_made = entered.is_ok();
            let mut is_reached = is_made;
            let answer = match entered {
                Err(why) => Err(AskError::Unavailable(why)),
                Ok(entered) => {
                    let struck = match link {
                        Some(link) => self.fault_of(link, &cell.key, &meta.correlation, deadline).await,
                        None => None,
                    };
                    let told = match (struck, &elsewhere) {
                        (Some(why), _) => Try::not_made(why),
                        (None, None) => self.ask_here(kind, address.clone(), question.command(), &meta, deadline).await,
                        (None, Some(elsewhere)) => {
                            let (name, body) = (question.name(), question.encode());
                            let told =
                                elsewhere.ask(address.clone(), Encoded { kind, name, body }, &meta, deadline).await;
                            Try {
                                is_away: !told.is_reached,
                                is_reached: told.is_reached,
                                answer: question.decode(told.answer),
                            }
                        }
                    };
                    is_reached = told.is_reached;
                    if let Some(entered) = entered {
                        if told.is_away { entered.missed() } else { entered.end(&told.answer) }
                    }
                    told.answer
                }
            };
            tries += 1;
            if let Some((ahead, is_begun)) = begun.take() {
                if answer.is_ok() && ahead.is_early() {
                    return Some((answer, Some(ahead)));
                }
                // That wait is no part of the partner's time.
                let answered = Instant::now();
                is_begun.await.ok()?;
                deadline += answered.elapsed();
                meta.ahead = None;
            }
            let is_not_done = answer.as_ref().is_err_and(|error| error.outcome() == Outcome::NotDone);
            if is_made
                && is_not_done
                && !in_doubt
                && !meta.patient
                && let Some((link, wait)) = link.and_then(|link| Some((link, link.pause_after(tries)?)))
                && Instant::now() + wait < deadline
            {
                link.count_retry();
                tokio::time::sleep(wait).await;
                continue;
            }
            match &answer {
                Err(error) if meta.patient && may_still_be_answered(error) => Self::accepted(cell, step),
                Err(error) if error.outcome() == Outcome::Unknown => in_doubt = true,
                Err(error) if in_doubt && (!is_reached || is_only_of_this_try(error)) => {}
                Ok(_) | Err(_) => return Some((answer, None)),
            }
            let again = Instant::now() + pause;
            if meta.patient {
                tokio::time::sleep_until(again).await;
                deadline = again + within;
            } else {
                tokio::time::sleep_until(again.min(deadline)).await;
                if again >= deadline {
                    return Some((Err(AskError::TimedOut(within)), None));
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks an entity of this process.
    async fn ask_here(
        &self,
        kind: &'static str,
        to: Address,
        command: Box<dyn Any + Send>,
        meta: &Meta,
        deadline: Instant,
    ) -> Try {
        let answer = match self.kinds.find(kind) {
            Some(target) => target.ask_any(to, command, meta.clone(), deadline).await,
            None => Err(AskError::Unavailable(Unavailable::ServiceStopped { service: kind.to_owned() })),
        };
        Try { answer, is_reached: true, is_away: false }
    }

    /// What an injected fault of the link does to a call that was let through, before it is made.
    async fn fault_of(&self, link: &Link, caller: &Key, correlation: &str, deadline: Instant) -> Option<Unavailable> {
        let faults = &self.unit.faults;
        if !faults.any() {
            return None;
        }
        let subject = Subject::Call { link: link.name(), kind: E::KIND, key: caller.as_str() };
        let delayed = faults.delay(&subject, correlation, deadline, |_| {}).await;
        if let Some(fault) = delayed.filter(|_| Instant::now() >= deadline) {
            return Some(injected(fault, Injected::Delayed));
        }
        faults.strike(&subject, correlation)
    }

    /// Tells the asker of a patient step that it will be finished. Whoever asks for the outcome learns the rest.
    fn accepted(cell: &Cell<E>, step: Step) {
        let port = cell.lock().asks.iter_mut().find(|ask| ask.step == step).and_then(|ask| ask.port.take());
        if let Some(port) = port {
            port.send(Err(AskError::Accepted));
        }
    }

    /// Brings an answer home. It has a place of its own, also when the mailbox is full or the entity is
    /// away; a quarantined entity keeps it for later.
    fn follow_up(self: &Arc<Self>, cell: &Arc<Cell<E>>, follow_up: FollowUp<E>) {
        let mut inner = cell.lock();
        if inner.phase == Phase::Gone {
            return; // the service was stopped; the step is resumed at its next start
        }
        inner.follow_ups.push_back(follow_up);
        if inner.phase == Phase::Idle {
            inner.phase = Phase::Running;
            drop(inner);
            self.spawn_run(cell.clone());
        }
    }
}
