//! Asks between entities, and what can go wrong with them.

use std::any::Any;

use super::{World, kind::Came};
use crate::actors::entity::{
    Address, AnyContinuation, AskError, AskedAnswer, Entity, Key, Question, ReplyValue, Step, Unavailable,
};

/// What happens to one ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is answered.
    #[default]
    None,
    /// The target's service is stopped.
    Stopped,
    /// The target did it, its answer is lost.
    AnswerLost,
    /// The asker gives up waiting; the target does it some time later, see [`World::arrive_late`].
    Late,
    /// The asker's process ends before the target is asked.
    CrashBefore,
    /// It ends after the target has answered.
    CrashAfter,
}

impl Fault {
    /// Each of them, for tests that try all.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Stopped, Self::AnswerLost, Self::Late, Self::CrashBefore, Self::CrashAfter];
}

/// An open ask: what is asked, and what becomes of the answer.
pub(super) struct Flight {
    call: Call,
    /// Makes the follow-up, a `Box<dyn AnyCommand<E>>` for the asking kind `E`.
    next: Box<dyn FnOnce(AskedAnswer) -> Box<dyn Any + Send>>,
}

/// What is asked, by whom and of whom.
pub(super) struct Call {
    /// The asking kind.
    from: &'static str,
    /// The asking stream.
    asker: Key,
    step: Step,
    /// The kind that is asked.
    to: &'static str,
    target: Address,
    within: std::time::Duration,
    question: Question,
}

impl Flight {
    pub(super) fn of<E: Entity>(asker: Key, question: AnyContinuation<E>) -> Self {
        assert!(E::ASKS.contains(&question.kind()), "{} is missing in the ASKS of {}", question.kind(), E::KIND);
        let taken = question.take_up();
        let (step, next) = (taken.step, taken.next);
        let target = taken.address.unwrap_or_else(|| Address::Key(step.creates(E::KIND, &asker)));
        let (to, within, question) = (taken.kind, taken.within, taken.question);
        let call = Call { from: E::KIND, asker, step, to, target, within, question };
        Self { call, next: Box::new(move |answer| Box::new(next(answer))) }
    }

    fn step(&self) -> (&'static str, &Key, String) {
        (self.call.from, &self.call.asker, self.call.step.to_string())
    }
}

impl World {
    /// Lets one open ask go on, which meets `fault`; `pick` chooses among all. False when none is open.
    pub fn advance(&mut self, pick: usize, fault: Fault) -> bool {
        let Some(at) = pick.checked_rem(self.flights.len()) else { return false };
        let flight = self.flights.remove(at);
        if let Came::Asks(next) = self.fly(flight, fault) {
            self.flights.push(*next);
        }
        true
    }

    /// Lets the ask arrive that was given up first, if there is one.
    pub fn arrive_late(&mut self) -> bool {
        if self.late.is_empty() {
            return false;
        }
        let call = self.late.remove(0);
        drop(self.deliver(&call));
        true
    }

    /// The process ends and begins again: every entity is what its events say, and what they show begun is
    /// asked again. Checks that this is what was open.
    pub fn crash(&mut self) {
        let mut open: Vec<_> = self.flights.iter().map(|flight| format!("{:?}", flight.step())).collect();
        let resumed: Vec<Flight> = self.kinds.values().flat_map(|hosted| hosted.kind.recover()).collect();
        let mut again: Vec<_> = resumed.iter().map(|flight| format!("{:?}", flight.step())).collect();
        open.sort();
        again.sort();
        assert_eq!(again, open, "what is resumed is what was open");
        self.flights = resumed;
        self.late.clear();
    }

    /// One ask there and back, up to what the asker decides about the answer.
    pub(super) fn fly(&mut self, flight: Flight, fault: Fault) -> Came {
        let Flight { call, next } = flight;
        let within = call.within;
        let answer = match fault {
            Fault::None => self.deliver(&call),
            Fault::Stopped => {
                let service = self.hosted(call.to).service.to_owned();
                Err(AskError::Unavailable(Unavailable::ServiceStopped { service }))
            }
            Fault::AnswerLost => {
                drop(self.deliver(&call));
                Err(AskError::TimedOut(within))
            }
            Fault::Late => {
                let (from, asker, step) = (call.from, call.asker.clone(), call.step);
                self.late.push(call);
                return self.decide(from, &Address::Key(asker), next(Err(AskError::TimedOut(within))), Some(step));
            }
            Fault::CrashBefore | Fault::CrashAfter => {
                if fault == Fault::CrashAfter {
                    drop(self.deliver(&call));
                }
                let open = (call.from, &call.asker, call.step.to_string());
                let mut resumed = self.hosted(call.from).kind.recover().into_iter();
                let again = resumed.find(|flight| flight.step() == open).expect("an open ask is resumed");
                return self.fly(again, Fault::None);
            }
        };
        self.decide(call.from, &Address::Key(call.asker), next(answer), Some(call.step))
    }

    /// The target's answer; a repeated step gets its first one.
    fn deliver(&mut self, call: &Call) -> AskedAnswer {
        let asked = (call.from, call.asker.clone(), call.step.to_string());
        if let Some(kept) = self.answered.get(&asked) {
            return Ok(ReplyValue::Recorded(kept.clone()));
        }
        let mut came = self.decide(call.to, &call.target, call.question.command(), None);
        while let Came::Asks(flight) = came {
            came = self.fly(*flight, Fault::None);
        }
        match came {
            Came::Reply(reply, kept) => {
                self.answered.insert(asked, kept);
                Ok(ReplyValue::Fresh(reply))
            }
            Came::Rejected(rejection, _) => Err(AskError::Rejected(rejection)),
            Came::NotFound => Err(AskError::NotFound { kind: call.to.to_owned(), address: call.target.to_string() }),
            Came::NotDone(why) => Err(AskError::Unavailable(why)),
            Came::Asks(_) => unreachable!("asks are followed"),
        }
    }
}
