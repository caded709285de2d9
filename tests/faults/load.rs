//! Clerks: each sends one command after another and remembers what it was told.

use std::{io, time::Duration};

use serde_json::json;

use crate::{
    common::{Client, Response},
    shop::{Shop, pause},
    wire::{self, Lost, Wire},
};

/// How many clerks work at a time.
pub(crate) const CLERKS: u32 = 7;

/// A product that nobody registers (D-10).
pub(crate) const UNKNOWN_PRODUCT: u64 = 900_000;

/// Tries of one command that met nothing but "not now"; more is no answer at all.
const TRIES: u32 = 2400;

/// What a command is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Register { quantity: i64, price: i64 },
    Place { product: u64, quantity: i64 },
    CancelOrder { order: u64 },
    CancelDelivery { delivery: u64 },
    Pay { product: u64, quantity: i64 },
    CancelPayment { payment: u64 },
    Price { product: u64, price: i64 },
}

/// A command with its key.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) key: String,
    pub(crate) act: Act,
}

/// A command with its answer.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) command: Command,
    pub(crate) answer: Response,
}

impl Command {
    pub(crate) fn send(&self, wire: &mut Wire) -> Result<Response, Lost> {
        let (method, path, body) = match self.act {
            Act::Register { quantity, price } => {
                ("POST", "/products".to_owned(), Some(json!({"quantity": quantity, "price": price})))
            }
            Act::Place { product, quantity } => {
                ("POST", "/orders".to_owned(), Some(json!({"productId": product, "quantity": quantity})))
            }
            Act::Pay { product, quantity } => {
                ("POST", "/payments".to_owned(), Some(json!({"productId": product, "quantity": quantity, "price": 7})))
            }
            Act::Price { product, price } => ("PATCH", format!("/products/{product}"), Some(json!({"price": price}))),
            Act::CancelOrder { order } => ("DELETE", format!("/orders/{order}"), None),
            Act::CancelDelivery { delivery } => ("DELETE", format!("/deliveries/{delivery}"), None),
            Act::CancelPayment { payment } => ("DELETE", format!("/payments/{payment}"), None),
        };
        wire.send(&wire::command(method, &path, &self.key, body.as_ref()))
    }
}

impl Done {
    /// The number of what was created.
    pub(crate) fn id(&self) -> u64 {
        self.answer.json()["id"].as_u64().unwrap()
    }
}

/// Whether this says how the command ended, and not that it is not known yet or may be tried again.
fn is_definite(answer: &Response) -> bool {
    match answer.status {
        503 | 504 => false,
        409 => !answer.json()["code"].as_str().unwrap().ends_with("IN_PROGRESS"),
        _ => true,
    }
}

/// Sends a command until it has a definite answer or the server is gone.
pub(crate) fn insist(command: &Command, wire: &mut Wire, undecided: &mut u32) -> Result<Response, Lost> {
    for _ in 0..TRIES {
        let answer = command.send(wire)?;
        if is_definite(&answer) {
            return Ok(answer);
        }
        *undecided += 1;
        pause(Duration::from_millis(25));
    }
    panic!("no answer to {command:?} after {TRIES} tries");
}

/// One client.
pub(crate) struct Clerk {
    number: u32,
    rng: fastrand::Rng,
    sent: u32,
    orders: Vec<u64>,
    payments: Vec<u64>,
    /// The command whose outcome the clerk does not know.
    pub(crate) open: Option<Command>,
    pub(crate) done: Vec<Done>,
    /// Responses that were none: 503, 504, in progress.
    pub(crate) undecided: u32,
}

/// What a clerk needs of the shop in one round.
#[derive(Clone, Copy)]
pub(crate) struct Round<'a> {
    pub(crate) client: &'a Client,
    pub(crate) products: &'a [u64],
}

impl Clerk {
    pub(crate) fn new(number: u32, rng: fastrand::Rng) -> Self {
        Self {
            number,
            rng,
            sent: 0,
            orders: Vec::new(),
            payments: Vec::new(),
            open: None,
            done: Vec::new(),
            undecided: 0,
        }
    }

    /// Works until the server is gone. Whether a command of this clerk was under way then.
    pub(crate) fn work(&mut self, round: Round<'_>) -> bool {
        let mut wire = Wire::new(round.client);
        loop {
            let Some(command) = self.next(round) else { return false };
            self.open = Some(command);
            match self.settle(&mut wire) {
                Ok(()) => {}
                Err(Lost::Unsent) => return false,
                Err(Lost::Unanswered) => return true,
            }
        }
    }

    /// Finds out how the open command ended.
    pub(crate) fn settle(&mut self, wire: &mut Wire) -> Result<(), Lost> {
        let Some(command) = self.open.clone() else { return Ok(()) };
        let answer = insist(&command, wire, &mut self.undecided)?;
        self.open = None;
        self.learn(Done { command, answer });
        Ok(())
    }

    /// Registers a product in a shop that nobody kills.
    pub(crate) fn register(&mut self, shop: &Shop) {
        self.sent += 1;
        let act = self.registration();
        self.open = Some(self.command(act));
        self.settle(&mut shop.wire()).unwrap();
    }

    fn command(&self, act: Act) -> Command {
        Command { key: format!("clerk-{}-{}", self.number, self.sent), act }
    }

    fn registration(&mut self) -> Act {
        Act::Register { quantity: self.rng.i64(0..30), price: self.price() }
    }

    /// No two commands name the same price, so that each can be found in the events.
    fn price(&self) -> i64 {
        i64::from(self.sent * CLERKS + self.number)
    }

    /// `None` when the server is gone.
    fn next(&mut self, round: Round<'_>) -> Option<Command> {
        self.sent += 1;
        let product = match self.rng.u32(0..30) {
            0 => UNKNOWN_PRODUCT + u64::from(self.number),
            _ => round.products[self.rng.usize(0..round.products.len())],
        };
        let quantity = self.rng.i64(1..9);
        let act = match self.rng.u32(0..100) {
            0 => self.registration(),
            1..=38 => Act::Place { product, quantity },
            39..=58 => match self.take_order() {
                Some(order) => Act::CancelOrder { order },
                None => Act::Place { product, quantity },
            },
            59..=64 if !self.orders.is_empty() => {
                // Headquarters cancels a delivery; its order stays, to be canceled later.
                let order = self.orders[self.rng.usize(0..self.orders.len())];
                match delivery_of(order, round.client).ok()? {
                    Some(delivery) => Act::CancelDelivery { delivery },
                    None => Act::Place { product, quantity },
                }
            }
            65..=72 if product < UNKNOWN_PRODUCT => Act::Price { product, price: self.price() },
            73..=82 => match self.payments.pop() {
                Some(payment) => Act::CancelPayment { payment },
                None => Act::Pay { product, quantity },
            },
            _ => Act::Pay { product, quantity },
        };
        Some(self.command(act))
    }

    fn take_order(&mut self) -> Option<u64> {
        let count = self.orders.len();
        (count > 0).then(|| self.orders.swap_remove(self.rng.usize(0..count)))
    }

    fn learn(&mut self, done: Done) {
        let allowed: &[u16] = match done.command.act {
            Act::Register { .. } | Act::Place { .. } | Act::Pay { .. } => &[201],
            Act::Price { .. } => &[200],
            Act::CancelOrder { .. } => &[204],
            // 404: refunded already, the goods being short (D-8); canceled, and the list did not show it yet.
            Act::CancelPayment { .. } | Act::CancelDelivery { .. } => &[204, 404],
        };
        assert!(allowed.contains(&done.answer.status), "{done:?}");
        match done.command.act {
            Act::Place { .. } => self.orders.push(done.id()),
            Act::Pay { .. } => self.payments.push(done.id()),
            Act::Register { .. }
            | Act::CancelOrder { .. }
            | Act::CancelDelivery { .. }
            | Act::CancelPayment { .. }
            | Act::Price { .. } => {}
        }
        self.done.push(done);
    }
}

/// The delivery that stands for an order, if one is known; an error when the server is gone.
fn delivery_of(order: u64, client: &Client) -> io::Result<Option<u64>> {
    let answer = client.try_send(&wire::get(&format!("/deliveries?orderId={order}")))?;
    Ok((answer.status == 200).then(|| answer.json()["id"].as_u64().unwrap()))
}

/// Asks again what was answered before: the same answer, as a replay. What wrote nothing is decided again.
pub(crate) fn replay(done: &Done, shop: &Shop) {
    let again = done.command.send(&mut shop.wire()).unwrap();
    let told = |answer: &Response| (answer.status, answer.text(), answer.header("location").map(str::to_owned));
    let same = match done.answer.status {
        404 => again.status == 404,
        _ => told(&again) == told(&done.answer) && is_replayed(&again),
    };
    assert!(same, "no replay of {:?}:\n{again}\nbefore:\n{}", done.command, done.answer);
}

pub(crate) fn is_replayed(answer: &Response) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// The numbers of all products.
pub(crate) fn products(shop: &Shop) -> Vec<u64> {
    shop.all("products").0.iter().map(|item| item["id"].as_u64().unwrap()).collect()
}
