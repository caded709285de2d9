//! Deliveries of goods, which companies file for inspection (service goodsdelivery).
//!
//! One stream per procurement number, so that there is at most one goods delivery, however many delivery
//! orders are patched at once (D-11). A delivery is for the request that its delivery order is born from; when
//! the number is demanded again, the next one gets a public number of its own.
//!
//! ```text
//!            GoodsNumberWanted                GoodsDeliveryOpened
//!   none ----------------------> numbering ------------------------> open --CompanyTakenOver, InspectionRequestPatched
//!    ^                                                                |
//!    +---------------------- GoodsDeliveryRemoved ---------------------+
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{number::GoodsNumber, values::Filing};
use crate::actors::entity::{AnyContinuation, Command, Entity, Key};

mod changing;
mod event;
mod opening;
mod rejection;

pub use changing::{ChangeGoods, EndDelivery, RemoveGoods};
pub use event::GoodsEvent;
pub use opening::{AssignCompany, FinishOpening, OpenGoods};
pub use rejection::GoodsRejection;

/// When a policy comes back that met an open step: a step is two appends.
const STEP_RETRY: Duration = Duration::from_millis(100);
/// How long a step waits for a number of the service's own counter: far above an append.
const OWN_WITHIN: Duration = Duration::from_secs(5);

/// The goods delivery of one procurement number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GoodsDelivery {
    /// Rounds of all steps so far.
    round: u32,
    opening: Option<Opening>,
    open: Option<Open>,
}

/// What is opened as soon as it has a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Opening {
    proc_no: Key,
    order: Option<OrderRef>,
    filing: Filing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    id: u64,
    proc_no: Key,
    order: Option<OrderRef>,
    filing: Filing,
}

/// A delivery order, as goodsdelivery knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRef {
    /// Its number.
    pub order: u64,
    /// The request that it is born from; none when the procurement service posted it.
    pub request: Option<u64>,
}

/// A goods delivery as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoodsDeliveryItem {
    /// Its number.
    pub id: u64,
    /// Its procurement number.
    pub proc_no: Key,
    /// Who delivers, and what is filed for inspection.
    #[serde(flatten)]
    pub filing: Filing,
}

impl Entity for GoodsDelivery {
    const KIND: &'static str = "procurement.goodsdelivery";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = GoodsEvent;
    type Rejection = GoodsRejection;
    const COMMANDS: &'static [&'static str] = &[
        AssignCompany::NAME,
        OpenGoods::NAME,
        FinishOpening::NAME,
        ChangeGoods::NAME,
        EndDelivery::NAME,
        RemoveGoods::NAME,
    ];
    const ASKS: &'static [&'static str] = &[GoodsNumber::KIND];

    fn evolve(&mut self, event: &GoodsEvent) {
        match event {
            GoodsEvent::GoodsNumberWanted { round, proc_no, order, filing } => {
                self.round = *round;
                let (proc_no, order, filing) = (proc_no.clone(), *order, filing.clone());
                self.opening = Some(Opening { proc_no, order, filing });
            }
            GoodsEvent::GoodsDeliveryOpened { id, proc_no, order, filing } => {
                let (proc_no, order, filing) = (proc_no.clone(), *order, filing.clone());
                (self.opening, self.open) = (None, Some(Open { id: *id, proc_no, order, filing }));
            }
            GoodsEvent::CompanyTakenOver { order, filing, .. } => {
                if let Some(open) = &mut self.open {
                    (open.order, open.filing) = (Some(*order), filing.clone());
                }
            }
            GoodsEvent::InspectionRequestPatched { filing, .. } => {
                if let Some(open) = &mut self.open {
                    open.filing = filing.clone();
                }
            }
            GoodsEvent::GoodsDeliveryRemoved { .. } => self.open = None,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        self.opening.iter().map(|_| self.draw_number().erase()).collect()
    }
}

impl GoodsDelivery {
    /// The delivery as clients see it; `None` when there is none (any more).
    pub fn item(&self) -> Option<GoodsDeliveryItem> {
        let Open { id, proc_no, filing, order: _ } = self.open.clone()?;
        Some(GoodsDeliveryItem { id, proc_no, filing })
    }
}
