//! Public numbers of what is kept under its procurement number.
//!
//! A request, its inspection result and a goods delivery are decided by one writer per procurement number
//! (see the module above), but clients know them by a number of their service's counter. Such a number is an
//! entity of one event: who draws it twice in one attempt gets it once, refusals take none, and nobody ever
//! draws it again for something else.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::{
    entity::{Command, CommandContext, Decision, DomainEvent, Effects, Entity, Key, Number, NumberedId, persist},
    systems::{Refusal, RefusalClass},
};

/// Whose counter a number is of.
pub trait Counter: Clone + Default + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// [`Entity::KIND`] of its numbers. On disk: never rename.
    const KIND: &'static str;
}

/// The counter of the service procurementrequest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestCounter;

impl Counter for RequestCounter {
    const KIND: &'static str = "procurement.requestnumber";
}

/// The counter of the service goodsdelivery.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoodsCounter;

impl Counter for GoodsCounter {
    const KIND: &'static str = "procurement.goodsnumber";
}

/// A number of a request or of an inspection result.
pub type RequestNumber = PublicNumber<RequestCounter>;
/// A number of a goods delivery.
pub type GoodsNumber = PublicNumber<GoodsCounter>;

/// A public number, and what has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PublicNumber<C: Counter> {
    drawn: Option<(Key, Numbered)>,
    #[serde(skip)]
    counter: PhantomData<fn() -> C>,
}

/// What has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Numbered {
    /// A request.
    Request,
    /// An inspection result.
    Result,
    /// A goods delivery.
    Goods,
}

impl<C: Counter> PublicNumber<C> {
    /// The procurement number behind it, and what has it there; `None` when it was not drawn.
    pub fn drawn(&self) -> Option<(&Key, Numbered)> {
        self.drawn.as_ref().map(|(proc_no, what)| (proc_no, *what))
    }
}

/// What happens to a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NumberEvent {
    /// Internal: something has it from now on.
    NumberDrawn {
        /// The procurement number behind it.
        proc_no: Key,
        /// What has it.
        what: Numbered,
    },
}

impl DomainEvent for NumberEvent {
    const PUBLIC: &'static [&'static str] = &[];
    fn name(&self) -> &'static str {
        match self {
            Self::NumberDrawn { .. } => "NumberDrawn",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why there is no number.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum NumberRejection {
    /// The same attempt drew it for something else: an `Idempotency-Key` that was used before.
    #[error("this number was drawn for something else")]
    DrawnForAnother,
}

impl Refusal for NumberRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::DrawnForAnother => "NUMBER_TAKEN",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Conflict
    }
}

impl<C: Counter> Entity for PublicNumber<C> {
    const KIND: &'static str = C::KIND;
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = NumberEvent;
    type Rejection = NumberRejection;
    const COMMANDS: &'static [&'static str] = &[<DrawNumber as Command<Self>>::NAME];

    fn evolve(&mut self, event: &NumberEvent) {
        match event {
            NumberEvent::NumberDrawn { proc_no, what } => self.drawn = Some((proc_no.clone(), *what)),
        }
    }
}

/// Draws the next number of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawNumber {
    /// The procurement number behind it.
    pub proc_no: Key,
    /// What gets it.
    pub what: Numbered,
}

impl<C: Counter> Command<PublicNumber<C>> for DrawNumber {
    const NAME: &'static str = "draw-number";
    type Reply = u64;
    fn decide(self, number: &PublicNumber<C>, ctx: &CommandContext) -> Decision<PublicNumber<C>, u64> {
        let Self { proc_no, what } = self;
        match number.drawn() {
            None => Ok(persist([NumberEvent::NumberDrawn { proc_no, what }]).reply(ctx.number.get())),
            Some(drawn) if drawn == (&proc_no, what) => Ok(Effects::reply(ctx.number.get())),
            Some(_) => Err(NumberRejection::DrawnForAnother),
        }
    }
}
