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
    next: FollowUp,
    /// The ask that waits for what its own target asks here.
    waiting: Option<Box<Waiting>>,
}

/// Makes the follow-up of an answer, a `Box<dyn AnyCommand<E>>` for the asking kind `E`.
type FollowUp = Box<dyn FnOnce(AskedAnswer) -> Box<dyn Any + Send>>;

/// An ask whose target asks somebody else first.
pub(super) struct Waiting {
    call: Call,
    /// `None` when the asker has given up: the answer is only kept.
    next: Option<FollowUp>,
    /// The ask that waits for this one in turn.
    behind: Option<Box<Self>>,
}

/// How far an ask has come.
pub(super) enum Landed {
    /// To the answer of the command that began it all.
    Home(Came),
    /// To another ask.
    Open(Box<Flight>),
}

/// What a target does with a call.
enum Delivered {
    Answered(AskedAnswer),
    Asks(Box<Flight>),
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
        Self { call, next: Box::new(move |answer| Box::new(next(answer))), waiting: None }
    }

    /// The steps that are open with it: its own, and those that wait for it.
    fn steps(&self) -> impl Iterator<Item = Asked> {
        let waiting = self.waiting().filter(|waiting| waiting.next.is_some());
        std::iter::once(self.call.asked()).chain(waiting.map(|waiting| waiting.call.asked()))
    }

    fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        std::iter::successors(self.waiting.as_deref(), |waiting| waiting.behind.as_deref())
    }
}

/// Who asked, in which step.
pub(super) type Asked = (&'static str, Key, String);

impl Call {
    fn asked(&self) -> Asked {
        (self.from, self.asker.clone(), self.step.to_string())
    }
}

impl World {
    /// Lets one open ask go on, which meets `fault`; `pick` chooses among all. False when none is open.
    pub fn advance(&mut self, pick: usize, fault: Fault) -> bool {
        let Some(at) = pick.checked_rem(self.flights.len()) else { return false };
        let flight = self.flights.remove(at);
        if let Landed::Open(next) = self.fly(flight, fault) {
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
        self.deliver_for_nobody(call);
        true
    }

    /// The process ends and begins again: every entity is what its events say, and what they show begun is
    /// asked again. Checks that this is what was open.
    pub fn crash(&mut self) {
        let resumed: Vec<Flight> = self.kinds.values().flat_map(|hosted| hosted.kind.recover()).collect();
        let mut again: Vec<_> = resumed.iter().flat_map(Flight::steps).collect();
        let mut open: Vec<_> = self.flights.iter().flat_map(Flight::steps).collect();
        again.sort();
        open.sort();
        assert_eq!(again, open, "what is resumed is what was open");
        self.doubted.extend(again);
        self.flights = resumed;
        self.late.clear();
    }

    /// One ask there and back, up to what the asker decides about the answer.
    pub(super) fn fly(&mut self, flight: Flight, fault: Fault) -> Landed {
        let Flight { call, next, waiting } = flight;
        let within = call.within;
        let answer = match fault {
            Fault::None => match self.deliver(&call) {
                Delivered::Answered(answer) => answer,
                Delivered::Asks(mut asks) => {
                    asks.waiting = Some(Box::new(Waiting { call, next: Some(next), behind: waiting }));
                    return Landed::Open(asks);
                }
            },
            Fault::Stopped => {
                let service = self.hosted(call.to).service.to_owned();
                self.answer(&call, Came::NotDone(Unavailable::ServiceStopped { service }))
            }
            Fault::AnswerLost | Fault::Late => {
                let (from, asker, step) = (call.from, call.asker.clone(), call.step);
                self.doubted.insert(call.asked());
                if fault == Fault::Late {
                    self.late.push(call);
                } else {
                    self.deliver_for_nobody(call);
                }
                let came = self.decide(from, &Address::Key(asker), next(Err(AskError::TimedOut(within))), Some(step));
                return self.land(came, waiting);
            }
            Fault::CrashBefore | Fault::CrashAfter => {
                let open = call.asked();
                if fault == Fault::CrashAfter {
                    let from = call.from;
                    self.deliver_for_nobody(call);
                    return self.again(from, &open, waiting);
                }
                return self.again(call.from, &open, waiting);
            }
        };
        let came = self.decide(call.from, &Address::Key(call.asker), next(answer), Some(call.step));
        self.land(came, waiting)
    }

    /// The asker's process has ended and begun again: the step that was open is asked again.
    fn again(&mut self, from: &'static str, open: &Asked, waiting: Option<Box<Waiting>>) -> Landed {
        let mut resumed = self.hosted(from).kind.recover().into_iter();
        let mut again = resumed.find(|flight| flight.call.asked() == *open).expect("an open ask is resumed");
        again.waiting = waiting;
        self.doubted.insert(open.clone());
        self.fly(again, Fault::None)
    }

    /// What a command came to, for the ask that waits for it, and so on.
    pub(super) fn land(&mut self, mut came: Came, mut waiting: Option<Box<Waiting>>) -> Landed {
        loop {
            if let Came::Asks(mut flight) = came {
                flight.waiting = waiting;
                return Landed::Open(flight);
            }
            let Some(asker) = waiting else { return Landed::Home(came) };
            let answer = self.answer(&asker.call, came);
            let Some(next) = asker.next else {
                return Landed::Home(Came::NotDone(Unavailable::ShuttingDown)); // nobody waits
            };
            let Call { from, asker: key, step, .. } = asker.call;
            came = self.decide(from, &Address::Key(key), next(answer), Some(step));
            waiting = asker.behind;
        }
    }

    fn deliver_for_nobody(&mut self, call: Call) {
        if let Delivered::Asks(mut asks) = self.deliver(&call) {
            asks.waiting = Some(Box::new(Waiting { call, next: None, behind: None }));
            self.flights.push(*asks);
        }
    }

    /// What the target does; a repeated step gets its first answer.
    fn deliver(&mut self, call: &Call) -> Delivered {
        let asked = call.asked();
        if let Some(kept) = self.answered.get(&asked) {
            return Delivered::Answered(Ok(ReplyValue::Recorded(kept.clone())));
        }
        if self.flights.iter().flat_map(Flight::waiting).any(|waiting| waiting.call.asked() == asked) {
            return Delivered::Answered(Err(AskError::InProgress { retry_after: call.within }));
        }
        let came = self.decide(call.to, &call.target, call.question.command(), None);
        if let Came::Asks(flight) = came {
            return Delivered::Asks(flight);
        }
        Delivered::Answered(self.answer(call, came))
    }

    /// What the asker hears, and what is kept of it.
    fn answer(&mut self, call: &Call, came: Came) -> AskedAnswer {
        match came {
            Came::Reply(reply, kept) => {
                self.answered.insert(call.asked(), kept);
                Ok(ReplyValue::Fresh(reply))
            }
            Came::Rejected(rejection, _) => Err(AskError::Rejected(rejection)),
            Came::NotFound => Err(AskError::NotFound { kind: call.to.to_owned(), address: call.target.to_string() }),
            // It is only about this try: the runtime goes on asking where an earlier one may have been done.
            Came::NotDone(Unavailable::ServiceStopped { .. }) if self.doubted.contains(&call.asked()) => {
                Err(AskError::TimedOut(call.within))
            }
            Came::NotDone(why) => Err(AskError::Unavailable(why)),
            Came::Asks(_) => unreachable!("asks are followed"),
        }
    }
}
