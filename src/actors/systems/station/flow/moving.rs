//! Moving the stock, and the rows that are written at once: sales, their cancellations, corrections.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};

use super::{FlowEntry, Phase, StockFlow, StockFlowEvent, StockFlowItem, StockFlowRejection};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Key, Number, Outcome, Step,
        Unavailable, persist,
    },
    systems::station::{
        STATION,
        stock::{MoveStock, Stock, StockRejection},
        values::Milli,
    },
};

/// The step in which the stock moves. Part of command ids: on disk, never rename.
pub const MOVE_STOCK: &str = "move-stock";

/// How long the stock of the same service has to answer: it asks nobody, so only the disk can take time.
pub(super) const WITHIN: Duration = Duration::from_secs(5);

/// When what is under way is worth another look.
pub(super) const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Writes a row: asked by POS for a sale, by a policy for a canceled one, by a clerk for a correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordFlow {
    /// The row.
    pub entry: FlowEntry,
}

impl Command<StockFlow> for RecordFlow {
    const NAME: &'static str = "record-flow";
    type Reply = StockFlowItem;
    fn decide(self, flow: &StockFlow, ctx: &CommandContext) -> Decision<StockFlow, StockFlowItem> {
        match flow.phase {
            Phase::New => Ok(persist([flow.begun(ctx.number, self.entry)]).then(StockFlow::move_stock)),
            Phase::Moving => Ok(persist([]).not_done(under_way())),
            // Whoever does not know how its first try ended may ask again.
            Phase::Recorded if flow.entry.as_ref() == Some(&self.entry) => {
                Ok(Effects::reply(self.entry.item(ctx.number)))
            }
            Phase::Expected | Phase::Recorded | Phase::Reversing => Err(StockFlowRejection::AlreadyRecorded),
            Phase::Gone => Err(StockFlowRejection::Voided),
        }
    }
}

/// The stock's answer to a movement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishMovement {
    /// Whether it has moved, or why not.
    pub outcome: Result<(), AskError<StockRejection>>,
}

impl Command<StockFlow> for FinishMovement {
    const NAME: &'static str = "finish-movement";
    type Reply = StockFlowItem;
    fn decide(self, flow: &StockFlow, ctx: &CommandContext) -> Decision<StockFlow, StockFlowItem> {
        let Some(entry) = flow.pending.clone().filter(|_| flow.is_waiting(Phase::Moving, ctx)) else {
            return match flow.item(ctx.number).filter(|_| flow.phase == Phase::Recorded) {
                Some(item) => Ok(Effects::reply(item)),
                None => Ok(persist([]).not_done(Unavailable::given_up_before(STATION, RETRY_AFTER))),
            };
        };
        let error = match self.outcome {
            Ok(()) => {
                let item = entry.item(ctx.number);
                return Ok(persist([StockFlowEvent::Received(entry)]).reply(item));
            }
            Err(error) => error,
        };
        // It may have moved: the same step again, until the stock says what became of it.
        if error.outcome() == Outcome::Unknown {
            return Ok(persist([]).then(StockFlow::move_stock));
        }
        let given_up = persist([StockFlowEvent::MovementGivenUp { reason: error.to_string() }]);
        Ok(if let AskError::Rejected(rejection) = error {
            given_up.rejected(rejection.into())
        } else {
            given_up.not_done(not_moved(&error))
        })
    }
}

impl StockFlow {
    pub(super) fn begun(&self, number: Number, entry: FlowEntry) -> StockFlowEvent {
        StockFlowEvent::MovementBegun { number, entry, round: self.next_round() }
    }

    pub(super) fn next_round(&self) -> u32 {
        self.round.saturating_add(1)
    }

    /// Whether a follow-up is the one that the row waits for in `phase`. The runtime drops answers to steps that
    /// are over; a rule that moves fuel does not rely on it.
    pub(super) fn is_waiting(&self, phase: Phase, ctx: &CommandContext) -> bool {
        self.phase == phase && ctx.answers.is_none_or(|Step(_, round)| round == self.round)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn move_stock(&self) -> Continuation<Self, StockFlowItem> {
        let entry = self.pending.as_ref().expect("a movement begins with its row");
        let (stock, command) = self.movement(entry, entry.qty);
        Ask::<Stock, _>::once(Step(MOVE_STOCK, self.round), stock, command, WITHIN)
            .then(|outcome| FinishMovement { outcome })
    }

    /// The stock that a row moves, and how.
    pub(super) fn movement(&self, entry: &FlowEntry, by: Milli) -> (Key, MoveStock) {
        let (product_id, product_name) = (entry.product_id.clone(), entry.product_name.clone());
        let stock = Key::new(&product_id).expect("a product is named by a key");
        (stock, MoveStock { flow: self.number.get(), product_id, product_name, by })
    }
}

/// "Not done, come back later": the row is being written by another request.
pub(super) fn under_way() -> Unavailable {
    let reason = "another request is under way".to_owned();
    Unavailable::Partner { partner: STATION.to_owned(), reason, retry_after: RETRY_AFTER }
}

pub(super) fn not_moved(error: &AskError<impl Display>) -> Unavailable {
    error.of_partner(STATION, RETRY_AFTER)
}
