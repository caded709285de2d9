//! Voiding: a sale that POS has given up without knowing what became of its row (D-8).

use serde::{Deserialize, Serialize};

use super::{
    Phase, StockFlow, StockFlowEvent, StockFlowRejection,
    moving::{WITHIN, not_moved, under_way},
};
use crate::actors::{
    entity::{Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Outcome, Step, persist},
    systems::station::stock::{Stock, StockRejection},
};

/// The step in which the stock gets back what a voided sale took. Part of command ids: on disk, never rename.
pub const REVERSE_SALE: &str = "reverse-sale";

/// Makes sure that the row of a sale which POS has given up does not stand, whether it came before, comes later,
/// or never comes. Of a row that is just being written it is not done yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoidSale;

impl Command<StockFlow> for VoidSale {
    const NAME: &'static str = "void-sale";
    type Reply = ();
    fn decide(self, flow: &StockFlow, ctx: &CommandContext) -> Decision<StockFlow, ()> {
        match flow.phase {
            Phase::New => Ok(persist([StockFlowEvent::SaleVoided]).reply(())),
            Phase::Moving | Phase::Reversing => Ok(persist([]).not_done(under_way())),
            Phase::Recorded => {
                let (number, round) = (ctx.number, flow.next_round());
                Ok(persist([StockFlowEvent::ReversalBegun { number, round }]).then(StockFlow::reverse))
            }
            Phase::Gone => Ok(Effects::reply(())),
            Phase::Expected => Err(StockFlowRejection::AlreadyRecorded), // the key of a sale is no order's
        }
    }
}

/// The stock's answer to [`VoidSale`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishReversal {
    /// Whether it has what was taken, or why not.
    pub outcome: Result<(), AskError<StockRejection>>,
}

impl Command<StockFlow> for FinishReversal {
    const NAME: &'static str = "finish-reversal";
    type Reply = ();
    fn decide(self, flow: &StockFlow, ctx: &CommandContext) -> Decision<StockFlow, ()> {
        let Some(entry) = flow.entry.clone().filter(|_| flow.is_waiting(Phase::Reversing, ctx)) else {
            return Ok(Effects::reply(()));
        };
        let error = match self.outcome {
            Ok(()) => return Ok(persist([StockFlowEvent::SaleReversed(entry)]).reply(())),
            Err(error) => error,
        };
        if error.outcome() == Outcome::Unknown {
            return Ok(persist([]).then(StockFlow::reverse));
        }
        let given_up = persist([StockFlowEvent::ReversalGivenUp { reason: error.to_string() }]);
        Ok(if let AskError::Rejected(rejection) = error {
            given_up.rejected(rejection.into())
        } else {
            given_up.not_done(not_moved(&error))
        })
    }
}

impl StockFlow {
    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn reverse(&self) -> Continuation<Self, ()> {
        let entry = self.entry.as_ref().expect("only a row that stands is reversed");
        let (stock, command) = self.movement(entry, entry.qty.negated());
        Ask::<Stock, _>::once(Step(REVERSE_SALE, self.round), stock, command, WITHIN)
            .then(|outcome| FinishReversal { outcome })
    }
}
