//! The whole store in memory, driven by hand: streams, policies with a cursor per source entity, and the
//! one link that may fail. What a runtime does in whatever order it likes, a test does here in the order
//! that it chooses.

use std::{any::Any, collections::HashMap};

use super::*;

/// The entities of one kind.
pub(super) struct Kind<E: Entity> {
    pub(super) streams: Vec<Stream<E>>,
}

/// One entity with its history. Its number is its place, counted from 1.
pub(super) struct Stream<E: Entity> {
    pub(super) key: Key,
    pub(super) state: E,
    pub(super) events: Vec<Recorded<E>>,
}

/// What came of a command.
pub(super) enum Came<E: Entity> {
    Reply(Box<dyn Any + Send>, Vec<u8>),
    Asks(AnyContinuation<E>),
    NotDone,
    Rejected(E::Rejection),
    NotFound,
}

impl<E: Entity<Id = NumberedId>> Kind<E> {
    fn new() -> Self {
        Self { streams: Vec::new() }
    }

    /// Decides and applies; a stream is kept when something was written.
    fn ask(&mut self, to: &Address, command: Box<dyn AnyCommand<E>>, answers: Option<Step>) -> Came<E> {
        let found = match to {
            Address::Key(key) => self.streams.iter().position(|stream| stream.key == *key),
            Address::Number(number) => {
                let index = usize::try_from(number.get()).unwrap().checked_sub(1);
                match index.filter(|index| *index < self.streams.len()) {
                    Some(index) => Some(index),
                    None => return Came::NotFound,
                }
            }
        };
        let index = found.unwrap_or(self.streams.len());
        let number = u64::try_from(index).unwrap() + 1;
        let ctx = CommandContext {
            settings: None,
            now: Timestamp::default(),
            command_id: CommandId::from_bits(0),
            number: Number::new(number),
            answers,
        };
        let mut state = self.streams.get(index).map(|stream| stream.state.clone()).unwrap_or_default();
        let effects = match command.decide_any(&state, &ctx) {
            Ok(effects) => effects,
            Err(rejection) => return Came::Rejected(rejection),
        };
        for event in effects.events {
            state.evolve(&event);
            if index == self.streams.len() {
                let Address::Key(key) = to.clone() else { unreachable!("a number was looked up above") };
                self.streams.push(Stream { key, state: E::default(), events: Vec::new() });
            }
            let stream = &mut self.streams[index];
            let sequence = u64::try_from(stream.events.len()).unwrap() + 1;
            stream.events.push(recorded(NumberedId::Key(stream.key.clone()), number, sequence, event));
            stream.state = state.clone();
        }
        match effects.answer {
            AnyAnswer::Reply(from) => {
                let reply = from(&state);
                let kept = reply.encode().unwrap();
                Came::Reply(reply.into_any(), kept)
            }
            AnyAnswer::Then(next) => Came::Asks(next(&state)),
            AnyAnswer::NotDone(_) => Came::NotDone,
        }
    }

    /// What all the events of one kind come to, for counting.
    pub(super) fn events(&self) -> impl Iterator<Item = &E::Event> {
        self.streams.iter().flat_map(|stream| &stream.events).map(|recorded| &recorded.event)
    }

    pub(super) fn item<I>(&self, number: u64, item: impl Fn(&E, Number) -> Option<I>) -> Option<I> {
        let stream = self.streams.get(usize::try_from(number).unwrap().checked_sub(1)?)?;
        item(&stream.state, Number::new(number))
    }
}

/// What goes wrong on the link from orders to deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The delivery service is stopped.
    Stopped,
    /// The delivery did it, its answer is lost.
    AnswerLost,
    /// The order gives up waiting; the delivery does it some time later.
    Late,
    /// The order's process ends before the delivery is asked.
    CrashBefore,
    /// It ends after the delivery has answered.
    CrashAfter,
}

/// How a request ended for its client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    NotDone,
    Refused,
}

/// An ask that was given up: asker, step, target and command.
type LateAsk = (Key, Step, Address, Box<dyn AnyCommand<Delivery>>);

/// A progress stream of all policies together: its key is its id.
#[derive(Default)]
struct Letters(Vec<Recorded<PolicyProgress>>);

pub(super) struct World {
    pub(super) orders: Kind<Order>,
    pub(super) deliveries: Kind<Delivery>,
    pub(super) products: Kind<Product>,
    pub(super) payments: Kind<Payment>,
    pub(super) messages: Kind<Message>,
    letters: Letters,
    /// How many events of a source entity a policy has dealt with.
    cursors: HashMap<(&'static str, Key), usize>,
    /// First answers of asks, by asker and step: a repeat gets the same again.
    answered: HashMap<(Key, Step), Vec<u8>>,
    /// Asks that were given up and arrive later.
    late: Vec<LateAsk>,
    keys: u32,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            orders: Kind::new(),
            deliveries: Kind::new(),
            products: Kind::new(),
            payments: Kind::new(),
            messages: Kind::new(),
            letters: Letters::default(),
            cursors: HashMap::new(),
            answered: HashMap::new(),
            late: Vec::new(),
            keys: 0,
        }
    }

    fn fresh(&mut self) -> Address {
        self.keys += 1;
        Address::Key(Key::new(format!("client-{}", self.keys)).unwrap())
    }

    pub(super) fn register(&mut self, quantity: i32) {
        let to = self.fresh();
        let _ = self.products.ask(&to, Box::new(RegisterProduct { quantity, price: 1000 }), None);
    }

    pub(super) fn change_product(&mut self, product: u64, command: ChangeProduct) -> Told {
        told_of(&self.products.ask(&numbered(product), Box::new(command), None))
    }

    pub(super) fn remove_product(&mut self, product: u64) -> Told {
        told_of(&self.products.ask(&numbered(product), Box::new(RemoveProduct), None))
    }

    pub(super) fn start_delivery(&mut self, order_id: u64, product_id: u64, quantity: i32) {
        let to = self.fresh();
        let create = CreateDelivery { order_id, product_id, quantity, status: None };
        let _ = self.deliveries.ask(&to, Box::new(create), None);
    }

    pub(super) fn cancel_delivery(&mut self, delivery: u64) -> Told {
        told_of(&self.deliveries.ask(&numbered(delivery), Box::new(CancelDelivery), None))
    }

    pub(super) fn pay(&mut self, product_id: u64, quantity: i32, price: i32) -> Told {
        let to = self.fresh();
        told_of(&self.payments.ask(&to, Box::new(Pay { product_id, quantity, price }), None))
    }

    pub(super) fn cancel_payment(&mut self, payment: u64) -> Told {
        told_of(&self.payments.ask(&numbered(payment), Box::new(CancelPayment), None))
    }

    pub(super) fn place(&mut self, product_id: u64, quantity: i32, faults: &[Fault]) -> Told {
        let to = self.fresh();
        self.order(&to, Box::new(PlaceOrder { product_id, quantity, status: None, within: LINK }), faults)
    }

    pub(super) fn cancel_order(&mut self, order: u64, faults: &[Fault]) -> Told {
        self.order(&numbered(order), Box::new(CancelOrder { within: LINK }), faults)
    }

    /// Asks an order and follows its asks to the end; the n-th of them meets the n-th fault.
    fn order(&mut self, to: &Address, command: Box<dyn AnyCommand<Order>>, faults: &[Fault]) -> Told {
        let mut came = self.orders.ask(to, command, None);
        let mut faults = faults.iter().copied();
        while let Came::Asks(asked) = came {
            let (step, follow_up) = self.link(to, asked, faults.next().unwrap_or(Fault::None));
            came = self.orders.ask(to, follow_up, Some(step));
        }
        told_of(&came)
    }

    fn link(
        &mut self,
        to: &Address,
        question: AnyContinuation<Order>,
        fault: Fault,
    ) -> (Step, Box<dyn AnyCommand<Order>>) {
        let asker = match to {
            Address::Key(key) => key.clone(),
            Address::Number(number) => self.orders.streams[usize::try_from(number.get()).unwrap() - 1].key.clone(),
        };
        let taken = question.take_up();
        let (step, next) = (taken.step, taken.next);
        let target = taken.address.unwrap_or_else(|| Address::Key(step.creates(Order::KIND, &asker)));
        let command = *taken.question.command().downcast::<Box<dyn AnyCommand<Delivery>>>().unwrap();
        let answer = match fault {
            Fault::None => self.deliver(&asker, step, &target, command),
            Fault::Stopped => {
                Err(AskError::Unavailable(Unavailable::ServiceStopped { service: "store/delivery".to_owned() }))
            }
            Fault::AnswerLost => {
                drop(self.deliver(&asker, step, &target, command));
                Err(AskError::TimedOut(LINK))
            }
            Fault::Late => {
                self.late.push((asker, step, target, command));
                Err(AskError::TimedOut(LINK))
            }
            Fault::CrashBefore => return self.recover(to, &asker),
            Fault::CrashAfter => {
                drop(self.deliver(&asker, step, &target, command));
                return self.recover(to, &asker);
            }
        };
        (step, next(answer))
    }

    /// The order's process ends and begins again: its state is what its events say, and it asks again
    /// what they show begun.
    fn recover(&mut self, to: &Address, asker: &Key) -> (Step, Box<dyn AnyCommand<Order>>) {
        let stream = self.orders.streams.iter_mut().find(|stream| stream.key == *asker).unwrap();
        let mut state = Order::default();
        for event in &stream.events {
            state.evolve(&event.event);
        }
        assert_eq!(state, stream.state, "replay equals live");
        let resumed = state.resume().pop().expect("an open ask is resumed");
        self.link(to, resumed, Fault::None)
    }

    fn deliver(
        &mut self,
        asker: &Key,
        step: Step,
        target: &Address,
        command: Box<dyn AnyCommand<Delivery>>,
    ) -> AskedAnswer {
        if let Some(kept) = self.answered.get(&(asker.clone(), step)) {
            return Ok(ReplyValue::Recorded(kept.clone()));
        }
        match self.deliveries.ask(target, command, None) {
            Came::Reply(reply, kept) => {
                self.answered.insert((asker.clone(), step), kept);
                Ok(ReplyValue::Fresh(reply))
            }
            Came::Rejected(rejection) => Err(AskError::Rejected(Box::new(rejection))),
            Came::NotFound => Err(AskError::NotFound { kind: Delivery::KIND.to_owned(), address: target.to_string() }),
            Came::Asks(_) | Came::NotDone => unreachable!("a delivery asks nobody"),
        }
    }

    /// Lets the ask arrive that was given up first, if there is one.
    pub(super) fn arrive_late(&mut self) -> bool {
        if self.late.is_empty() {
            return false;
        }
        let (asker, step, target, command) = self.late.remove(0);
        drop(self.deliver(&asker, step, &target, command));
        true
    }

    /// Lets one policy of `of` see the next event of one entity; `pick` chooses among all that could.
    /// False when none of them has anything to do.
    pub(super) fn react(&mut self, of: &[Service], pick: usize) -> bool {
        let Self { orders, deliveries, products, payments, messages, letters, cursors, .. } = self;
        let mut ready: Vec<(u8, usize)> = Vec::new();
        let mut offer = |service: Service, policy: u8, pending: Vec<usize>| {
            if of.contains(&service) {
                ready.extend(pending.into_iter().map(|source| (policy, source)));
            }
        };
        offer(Service::Order, 0, pending::<MarkDelivering>(deliveries, cursors));
        offer(Service::Delivery, 1, pending::<VoidUnwantedDeliveries>(orders, cursors));
        offer(Service::Product, 2, pending::<MoveStockOnDeliveries>(deliveries, cursors));
        offer(Service::Product, 3, pending::<MoveStockOnPayments>(payments, cursors));
        offer(Service::Payment, 4, pending::<RefundOnShortage>(products, cursors));
        offer(Service::Alarm, 5, pending::<AlarmOnOrders>(orders, cursors));
        offer(Service::Alarm, 6, pending::<AlarmOnDeliveries>(deliveries, cursors));
        offer(Service::Alarm, 7, pending::<AlarmOnStock>(products, cursors));
        offer(Service::Alarm, 8, pending::<AlarmOnPayments>(payments, cursors));
        let alarms = letters.0.len() > cursors.get(&letter_cursor()).copied().unwrap_or(0);
        offer(Service::Alarm, 9, if alarms { vec![0] } else { Vec::new() });
        if ready.is_empty() {
            return false;
        }
        let (policy, at) = ready[pick % ready.len()];
        match policy {
            0 => turn(&MarkDelivering, deliveries, at, orders, cursors, letters),
            1 => turn(&VoidUnwantedDeliveries, orders, at, deliveries, cursors, letters),
            2 => turn(&MoveStockOnDeliveries, deliveries, at, products, cursors, letters),
            3 => turn(&MoveStockOnPayments, payments, at, products, cursors, letters),
            4 => turn(&RefundOnShortage, products, at, payments, cursors, letters),
            5 => turn(&AlarmOnOrders, orders, at, messages, cursors, letters),
            6 => turn(&AlarmOnDeliveries, deliveries, at, messages, cursors, letters),
            7 => turn(&AlarmOnStock, products, at, messages, cursors, letters),
            8 => turn(&AlarmOnPayments, payments, at, messages, cursors, letters),
            _ => {
                let cursor = cursors.entry(letter_cursor()).or_default();
                let event = letters.0[*cursor].clone();
                *cursor += 1;
                dispatch(&AlarmOnDeadLetters, &event, &letter_cursor().1, messages, letters);
            }
        }
        true
    }

    /// Lets everything happen that still has to.
    pub(super) fn settle(&mut self) {
        self.settle_without(&[]);
    }

    /// Lets everything happen but what these services do.
    pub(super) fn settle_without(&mut self, stopped: &[Service]) {
        let running: Vec<_> = Service::ALL.into_iter().filter(|service| !stopped.contains(service)).collect();
        let mut turns = 0;
        while self.arrive_late() || self.react(&running, 0) {
            turns += 1;
            assert!(turns < 100_000, "the policies must come to rest");
        }
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let text = |stream: &Stream<Message>| stream.state.item(Number::new(1)).and_then(|item| item.content);
        self.messages.streams.iter().filter_map(text).collect()
    }

    pub(super) fn dead_letters(&self) -> usize {
        self.letters.0.len()
    }
}

/// Whose policies run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Order,
    Delivery,
    Product,
    Payment,
    Alarm,
}

impl Service {
    pub(super) const ALL: [Self; 5] = [Self::Order, Self::Delivery, Self::Product, Self::Payment, Self::Alarm];
}

fn numbered(number: u64) -> Address {
    Address::Number(Number::new(number))
}

fn told_of<E: Entity>(came: &Came<E>) -> Told {
    match came {
        Came::Reply(..) => Told::Done,
        Came::NotDone => Told::NotDone,
        Came::Rejected(_) | Came::NotFound => Told::Refused,
        Came::Asks(_) => unreachable!("asks are followed"),
    }
}

fn letter_cursor() -> (&'static str, Key) {
    (AlarmOnDeadLetters::NAME, Key::new("letters").unwrap())
}

fn pending<P: Policy>(sources: &Kind<P::Source>, cursors: &HashMap<(&'static str, Key), usize>) -> Vec<usize> {
    let done = |key: &Key| cursors.get(&(P::NAME, key.clone())).copied().unwrap_or(0);
    let behind = |(_, stream): &(usize, &Stream<P::Source>)| done(&stream.key) < stream.events.len();
    sources.streams.iter().enumerate().filter(behind).map(|(index, _)| index).collect()
}

fn turn<P: Policy<Target: Entity<Id = NumberedId>>>(
    policy: &P,
    sources: &Kind<P::Source>,
    at: usize,
    targets: &mut Kind<P::Target>,
    cursors: &mut HashMap<(&'static str, Key), usize>,
    letters: &mut Letters,
) {
    let source = &sources.streams[at];
    let cursor = cursors.entry((P::NAME, source.key.clone())).or_default();
    let event = source.events[*cursor].clone();
    *cursor += 1;
    dispatch(policy, &event, &source.key, targets, letters);
}

/// Delivers what a policy asks for; what is refused becomes a dead letter.
fn dispatch<P: Policy<Target: Entity<Id = NumberedId>>>(
    policy: &P,
    event: &Recorded<P::Source>,
    source: &Key,
    targets: &mut Kind<P::Target>,
    letters: &mut Letters,
) {
    for (index, dispatch) in policy.react(event).into_iter().enumerate() {
        let index = u16::try_from(index).unwrap();
        let address = match dispatch.target.clone() {
            DispatchTarget::Existing(address) => address,
            DispatchTarget::Created => {
                let (sequence, index) = (event.sequence.to_le_bytes(), index.to_le_bytes());
                Address::Key(Key::derived(P::NAME, &[source.as_str().as_bytes(), &sequence, &index]))
            }
        };
        let (command, body) = (dispatch.command.name().to_owned(), dispatch.command.encode().unwrap());
        let (not_found, rejection) = match targets.ask(&address, dispatch.command, None) {
            Came::Reply(..) => continue,
            Came::NotFound => (true, None),
            Came::Rejected(rejection) => (false, Some(json(&rejection))),
            Came::Asks(_) | Came::NotDone => unreachable!("no policy of the store asks for that"),
        };
        let offset = u64::try_from(letters.0.len()).unwrap() + 1;
        let letter = DeadLetter {
            id: DeadLetterId { offset, index },
            kind: P::Target::KIND.to_owned(),
            address: address.to_string(),
            number: match address {
                Address::Number(number) => number,
                Address::Key(_) => Number::NONE,
            },
            command,
            body,
            reason: String::new(),
            not_found,
            rejection,
            attempts: 1,
            correlation: String::new(),
        };
        let id = ProgressId { policy: P::NAME.to_owned(), unit: "store".to_owned(), partition: 0 };
        letters.0.push(recorded(id, 0, offset, PolicyProgressEvent::PutAside(Box::new(letter))));
    }
}
