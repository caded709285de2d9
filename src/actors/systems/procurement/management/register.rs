//! Which delivery orders the procurement service has posted under a procurement number.
//!
//! An order that is born from a request is found by the request ([`order_of`](super::super::order_of)); when
//! it is gone, the newest of these acts (D-2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Errand;
use crate::actors::{
    entity::{Command, CommandContext, Decision, DomainEvent, Effects, Entity, Key, Number, persist},
    systems::{Refusal, RefusalClass},
};

/// The posted orders of one procurement number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderRegister {
    /// Smallest first.
    orders: Vec<u64>,
}

/// What happens to a register. All of it is internal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RegisterEvent {
    /// An order was posted.
    OrderNoted {
        /// Its number.
        order: u64,
    },
    /// An order is gone.
    OrderStruck {
        /// Its number.
        order: u64,
    },
    /// The newest order has something to do.
    ErrandGiven {
        /// Its number.
        order: u64,
        /// What.
        errand: Errand,
    },
}

impl DomainEvent for RegisterEvent {
    const PUBLIC: &'static [&'static str] = &[];
    fn name(&self) -> &'static str {
        match self {
            Self::OrderNoted { .. } => "OrderNoted",
            Self::OrderStruck { .. } => "OrderStruck",
            Self::ErrandGiven { .. } => "ErrandGiven",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// A register refuses nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum RegisterRejection {}

impl Refusal for RegisterRejection {
    fn code(&self) -> &'static str {
        match *self {}
    }
    fn class(&self) -> RefusalClass {
        match *self {}
    }
}

impl Entity for OrderRegister {
    const KIND: &'static str = "procurement.orderregister";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = RegisterEvent;
    type Rejection = RegisterRejection;
    const COMMANDS: &'static [&'static str] = &[NoteOrder::NAME, StrikeOrder::NAME, FindOrder::NAME, RunErrand::NAME];

    fn evolve(&mut self, event: &RegisterEvent) {
        match event {
            RegisterEvent::OrderNoted { order } => {
                if let Err(at) = self.orders.binary_search(order) {
                    self.orders.insert(at, *order);
                }
                if self.orders.len() > Self::MAX_ORDERS {
                    self.orders.remove(0);
                }
            }
            RegisterEvent::OrderStruck { order } => self.orders.retain(|known| known != order),
            RegisterEvent::ErrandGiven { .. } => {}
        }
    }
}

impl OrderRegister {
    /// At most this many orders are remembered, the newest ones; load tests post thousands under one
    /// procurement number (N7).
    pub const MAX_ORDERS: usize = 32;

    fn newest(&self) -> Option<u64> {
        self.orders.last().copied()
    }
}

/// An order was posted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteOrder {
    /// Its number.
    pub order: u64,
}

impl Command<OrderRegister> for NoteOrder {
    const NAME: &'static str = "note-order";
    type Reply = ();
    fn decide(self, register: &OrderRegister, _: &CommandContext) -> Decision<OrderRegister, ()> {
        let order = self.order;
        let full = register.orders.len() >= OrderRegister::MAX_ORDERS;
        let too_old = full && register.orders.first().is_some_and(|oldest| order < *oldest);
        if too_old || register.orders.contains(&order) {
            return Ok(Effects::reply(()));
        }
        Ok(persist([RegisterEvent::OrderNoted { order }]).reply(()))
    }
}

/// An order is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrikeOrder {
    /// Its number.
    pub order: u64,
}

impl Command<OrderRegister> for StrikeOrder {
    const NAME: &'static str = "strike-order";
    type Reply = ();
    fn decide(self, register: &OrderRegister, _: &CommandContext) -> Decision<OrderRegister, ()> {
        let order = self.order;
        if !register.orders.contains(&order) {
            return Ok(Effects::reply(()));
        }
        Ok(persist([RegisterEvent::OrderStruck { order }]).reply(()))
    }
}

/// Which order acts, when the request's own is gone: the newest one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindOrder;

impl Command<OrderRegister> for FindOrder {
    const NAME: &'static str = "find-order";
    type Reply = Option<u64>;
    fn decide(self, register: &OrderRegister, _: &CommandContext) -> Decision<OrderRegister, Option<u64>> {
        Ok(Effects::reply(register.newest()))
    }
}

/// Gives the newest order something to do that was for one that is gone; nothing, when there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunErrand {
    /// What.
    pub errand: Errand,
}

impl Command<OrderRegister> for RunErrand {
    const NAME: &'static str = "run-errand";
    type Reply = ();
    fn decide(self, register: &OrderRegister, _: &CommandContext) -> Decision<OrderRegister, ()> {
        let Some(order) = register.newest() else { return Ok(Effects::reply(())) };
        Ok(persist([RegisterEvent::ErrandGiven { order, errand: self.errand }]).reply(()))
    }
}
