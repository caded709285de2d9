//! Policies with a cursor per source entity, and what they could not deliver.

use std::any::Any;

use serde_json::Value;

use super::{World, kind::Came};
use crate::actors::entity::{
    Address, DeadLetter, DeadLetterId, DispatchTarget, Entity, EntityId, Key, Number, Policy, PolicyProgress,
    PolicyProgressEvent, ProgressId, Recorded, Unavailable,
};

/// A policy whose type is forgotten.
pub(super) struct Follower {
    service: &'static str,
    name: &'static str,
    source: &'static str,
    target: &'static str,
    /// What it sends when it sees this `Recorded<Source>`, an event of the stream with this key.
    react: React,
}

type React = Box<dyn Fn(&Key, &dyn Any) -> Vec<Sent>>;

/// A dispatch on its way.
struct Sent {
    to: Address,
    name: &'static str,
    body: Value,
    command: Box<dyn Any + Send>,
    may_be_unknown: bool,
}

impl Follower {
    pub(super) fn of<P: Policy>(service: &'static str, policy: P) -> Self {
        let react = move |source: &Key, event: &dyn Any| {
            let event: &Recorded<P::Source> = event.downcast_ref().expect("an event of the source's kind");
            let dispatches = policy.react(event).into_iter().enumerate();
            let sent = dispatches.map(|(index, dispatch)| Sent {
                to: match dispatch.target {
                    DispatchTarget::Existing(address) => address,
                    DispatchTarget::Created => {
                        let (sequence, index) = (event.sequence.to_le_bytes(), (index as u64).to_le_bytes());
                        Address::Key(Key::derived(P::NAME, &[source.as_str().as_bytes(), &sequence, &index]))
                    }
                },
                name: dispatch.command.name(),
                body: dispatch.command.encode().expect("every command can be shown as JSON"),
                command: Box::new(dispatch.command),
                may_be_unknown: dispatch.may_be_unknown,
            });
            sent.collect()
        };
        let (source, target) = (P::Source::KIND, P::Target::KIND);
        Self { service, name: P::NAME, source, target, react: Box::new(react) }
    }
}

impl World {
    /// Lets one policy of a running service see the next event of one entity; `pick` chooses among all
    /// that could. False when none of them has anything to do.
    pub fn react(&mut self, pick: usize) -> bool {
        let mut ready = Vec::new();
        for (policy, follower) in self.policies.iter().enumerate() {
            if self.stopped.contains(follower.service) {
                continue;
            }
            for (source, (key, length)) in self.hosted(follower.source).kind.lengths().enumerate() {
                let done = self.cursors.get(&(follower.name, key.clone())).copied().unwrap_or(0);
                if done < length {
                    ready.push((policy, source, key.clone(), done));
                }
            }
        }
        let Some(at) = pick.checked_rem(ready.len()) else { return false };
        let (policy, source, key, event) = ready.swap_remove(at);
        let follower = self.policies.get(policy).expect("it was offered above");
        let sent = (follower.react)(&key, self.hosted(follower.source).kind.event(source, event));
        let (name, target) = (follower.name, follower.target);
        self.cursors.insert((name, key.clone()), event + 1);
        for (index, sent) in sent.into_iter().enumerate() {
            if let Err(why) = self.dispatch(name, target, index, sent) {
                assert!(
                    index == 0,
                    "the world repeats whole events, but {name} was told {why} after something was done"
                );
                self.cursors.insert((name, key), event); // it waits, and is tried again
                break;
            }
        }
        true
    }

    /// Delivers one dispatch; what is refused becomes a dead letter, what is not done is the error.
    fn dispatch(
        &mut self,
        policy: &'static str,
        target: &'static str,
        index: usize,
        sent: Sent,
    ) -> Result<(), Unavailable> {
        let came = self.decide(target, &sent.to, sent.command, None);
        let came = self.follow(came, &[]);
        let (not_found, rejection) = match came {
            Came::Reply(..) => return Ok(()),
            Came::NotFound if sent.may_be_unknown => return Ok(()),
            Came::NotFound => (true, None),
            Came::Rejected(_, json) => (false, Some(json)),
            Came::NotDone(why) => return Err(why),
            Came::Asks(_) => unreachable!("asks are followed"),
        };
        let id = ProgressId { policy: policy.to_owned(), unit: "world".to_owned(), partition: 0 };
        let Address::Key(progress) = id.address() else { unreachable!("progress is found by its key") };
        let letter = DeadLetter {
            id: DeadLetterId { offset: self.log.len() as u64, index: u16::try_from(index).unwrap_or(u16::MAX) },
            kind: target.to_owned(),
            address: sent.to.to_string(),
            number: match sent.to {
                Address::Number(number) => number,
                Address::Key(_) => Number::NONE,
            },
            command: sent.name.to_owned(),
            body: sent.body,
            reason: String::new(),
            not_found,
            rejection,
            attempts: 1,
            correlation: String::new(),
        };
        let hosted = self.kinds.get_mut(PolicyProgress::KIND).expect("every world has it");
        let letters: &mut super::Kind<PolicyProgress> =
            hosted.kind.as_any_mut().downcast_mut().expect("a kind is hosted as its own type");
        let (stream, event) = letters.write(&progress, Number::NONE, PolicyProgressEvent::PutAside(Box::new(letter)));
        self.log.push((PolicyProgress::KIND, stream, event));
        Ok(())
    }
}
