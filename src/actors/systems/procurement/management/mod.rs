//! Delivery orders, to which companies are assigned (service procurementmanagement).
//!
//! | state | entered by | legal |
//! |---|---|---|
//! | new | | receive, post |
//! | received | [`ReceiveOrder`], or [`PostOrder`] by the procurement service itself | all but receive and post |
//! | assigned | [`ChangeOrder`] names a company | the same |
//! | inspected | [`AnnounceResult`]: the flag is set | changes are refused while it is `true` |
//! | gone | [`WithdrawOrder`] | nothing; what is for the order is passed on to the newest other |
//!
//! Results are kept with the round that recorded them, so that it does not matter in which order
//! announcements, failures and voids arrive: the greatest round that was not voided counts, and voiding it
//! gives back what was before.

use serde::{Deserialize, Serialize};

use super::values::{Company, Demand};
use crate::actors::entity::{Command, Entity, Key, Listed, Number, NumberedId, Presence};

mod event;
mod order;
mod register;
mod rejection;
mod results;

pub use event::{Errand, ManagementEvent};
pub use order::{ChangeOrder, PostOrder, ReceiveOrder, ReviseOrder, WithdrawOrder};
pub use register::{FindOrder, NoteOrder, OrderRegister, RegisterEvent, RegisterRejection, RunErrand, StrikeOrder};
pub use rejection::ManagementRejection;
pub use results::{AnnounceResult, HearFailure, VoidAnnouncement};

/// The agency whose results the delivery management refuses (D-10): the procurement service itself.
pub const REFUSED_AGENCY: &str = "조달청";

/// A delivery order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeliveryManagement {
    phase: Phase,
    proc_no: Option<Key>,
    /// The request that it is born from; none when the procurement service posted it.
    request: Option<u64>,
    demand: Demand,
    company: Company,
    /// What was announced, by round, the latest last.
    results: Vec<(u32, bool)>,
    /// Rounds that were given up, in order: they count neither now nor when they arrive later.
    voided: Vec<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Standing,
    Gone,
}

/// A delivery order as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryManagementItem {
    /// Its number.
    pub id: u64,
    /// Its procurement number.
    pub proc_no: Key,
    /// What is to be delivered.
    #[serde(flatten)]
    pub demand: Demand,
    /// Who delivers.
    #[serde(flatten)]
    pub company: Company,
    /// How the inspection went.
    pub inspection_succ_flag: Option<bool>,
}

impl Entity for DeliveryManagement {
    const KIND: &'static str = "procurement.deliverymanagement";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = ManagementEvent;
    type Rejection = ManagementRejection;
    const COMMANDS: &'static [&'static str] = &[
        ReceiveOrder::NAME,
        PostOrder::NAME,
        ReviseOrder::NAME,
        ChangeOrder::NAME,
        WithdrawOrder::NAME,
        AnnounceResult::NAME,
        HearFailure::NAME,
        VoidAnnouncement::NAME,
    ];

    fn evolve(&mut self, event: &ManagementEvent) {
        use ManagementEvent as Event;
        match event {
            Event::DeliveryOrderReceived { proc_no, request, demand, company } => {
                let (proc_no, request) = (Some(proc_no.clone()), *request);
                let (demand, company) = (demand.clone(), company.clone());
                *self = Self { phase: Phase::Standing, proc_no, request, demand, company, ..Self::default() };
            }
            Event::DeliveryOrderRevised { demand } => self.demand = demand.clone(),
            Event::DeliveryRequestPatched { demand, company, .. } => {
                (self.demand, self.company) = (demand.clone(), company.clone());
            }
            Event::ResultAnnounced { round, passed, company } => {
                self.company = company.clone();
                self.heard(*round, *passed);
            }
            Event::AnnouncementVoided { round } => self.void(*round),
            Event::ProcurementNoticeCanceled { .. } => self.phase = Phase::Gone,
            Event::ErrandPassedOn { .. } => {}
        }
    }
}

impl Listed for DeliveryManagement {
    const LIST: &'static str = "procurement.deliverymanagements";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Standing => Presence::Listed,
            Phase::Gone => Presence::Removed,
        }
    }
}

impl DeliveryManagement {
    /// The order as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<DeliveryManagementItem> {
        let proc_no = self.proc_no.clone().filter(|_| self.phase == Phase::Standing)?;
        Some(DeliveryManagementItem {
            id: number.get(),
            proc_no,
            demand: self.demand.clone(),
            company: self.company.clone(),
            inspection_succ_flag: self.passed(),
        })
    }

    /// # Errors
    /// There is no order, not yet or any more.
    fn standing(&self) -> Result<(), ManagementRejection> {
        match self.phase {
            Phase::New => Err(ManagementRejection::Unknown),
            Phase::Standing => Ok(()),
            Phase::Gone => Err(ManagementRejection::Gone),
        }
    }

    /// The request that it is born from; none when the procurement service posted it.
    pub fn request(&self) -> Option<u64> {
        self.request
    }
}
