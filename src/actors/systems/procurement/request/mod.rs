//! What is demanded under one procurement number, and how its inspection went (service procurementrequest).
//!
//! One stream per procurement number: at most one live request, with at most one inspection result, so that
//! both are decided, shown and removed together (D-2, D-6, D-9). A number that was canceled may be demanded
//! again: that is the next request of the same stream, with public numbers of its own.
//!
//! At most one step is open at a time; meanwhile clients find it busy and wait:
//!
//! ```text
//!            PostingStarted                 ProcurementRequestPosted
//!   free ---------------------> posting --------------------------------------> live (number n)
//!    ^  <---PostingGivenUp---------+                                            |  ^
//!    +------------------- ProcurementRequestCanceled ---------------------------+  |
//!
//!   live: true wanted --AnnouncementStarted--> announcing --ok--> InspectionResultPatched (true, final)
//!                                                | |  ^  |           ^ by way of NumberWanted when the
//!          refused, not done: AnnouncementGivenUp  |  |  |           | result has no public number yet
//!          unknown: and ResultVoidRequested <------+  |  +--order gone--> OrderSought --the newest--+
//!                                                     +---------------------------------------------+
//!   live: false wanted ------------------------------------------> InspectionResultPatched (false)
//!   live: filed by the company --(NumberWanted)------------------> InspectionFiled (false becomes null)
//! ```
//!
//! Announcing goes back when the outcome stays unknown: the round is voided, and the delivery order forgets
//! it whether it has heard of it or hears of it later.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    management::{DeliveryManagement, OrderRegister},
    number::RequestNumber,
    values::{Demand, Filing},
};
use crate::actors::entity::{AnyContinuation, Command, CommandContext, Entity, Key, NumberedId, Step, Unavailable};

mod amending;
mod announcing;
mod canceling;
mod event;
mod filing;
mod posting;
mod rejection;

pub use amending::{ChangeRequest, OfResult, RecordResult};
pub use announcing::{FinishAnnouncement, FinishNumbering, FinishSearch};
pub use canceling::CancelRequest;
pub use event::DeliveryRequestEvent;
pub use filing::{FileInspection, MarkAssigned};
pub use posting::{FinishPosting, PostRequest};
pub use rejection::DeliveryRequestRejection;

/// When a client may repeat what the delivery management kept from being done.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When a policy comes back that met an open step. A step is a few appends, or a link's timeout.
const STEP_RETRY: Duration = Duration::from_millis(100);
/// How long a step waits for a number of the service's own counter: far above an append.
const OWN_WITHIN: Duration = Duration::from_secs(5);

/// Everything that is known of one procurement number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeliveryRequest {
    /// Rounds of all steps so far, and of results: what comes later has a greater one.
    round: u32,
    step: Option<OpenStep>,
    live: Option<Live>,
    /// Number of the last request that was posted.
    last: u64,
}

/// The request that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Live {
    id: u64,
    proc_no: Key,
    demand: Demand,
    /// Whether a company is assigned: what is demanded is fixed from then on.
    assigned: bool,
    result: Option<Inspected>,
}

/// An inspection result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Inspected {
    id: u64,
    filing: Filing,
    /// `None`: requested, and not recorded yet.
    passed: Option<bool>,
}

/// The step in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum OpenStep {
    Posting { ticket: Key, proc_no: Key, demand: Demand },
    Announcing { order: NumberedId, wanted: Wanted, within: Duration },
    Searching { wanted: Wanted, within: Duration },
    Numbering { wanted: Wanted },
}

/// What becomes of request and result when the step in progress ends well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// What is demanded, when that changes too.
    pub demand: Option<Demand>,
    /// The result's filing.
    pub filing: Filing,
    /// The result, when it is recorded.
    pub passed: Option<bool>,
}

/// A request as clients see it, with the fields of its inspection result (the shape of the source's last
/// version).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryRequestItem {
    /// The request's number.
    pub id: u64,
    /// Its procurement number.
    pub proc_no: Key,
    /// What is demanded.
    #[serde(flatten)]
    pub demand: Demand,
    /// What the company filed.
    #[serde(flatten)]
    pub filing: Filing,
    /// How the inspection went.
    pub inspection_succ_flag: Option<bool>,
}

/// An inspection result as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InspectionResultItem {
    /// The result's number.
    pub id: u64,
    /// Its procurement number.
    pub proc_no: Key,
    /// What the company filed.
    #[serde(flatten)]
    pub filing: Filing,
    /// How the inspection went; null until it is recorded.
    pub inspection_succ_flag: Option<bool>,
}

/// The live request with its inspection result: what most commands answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestAndResult {
    /// The request, when there is one.
    pub request: Option<DeliveryRequestItem>,
    /// Its result, when there is one.
    pub result: Option<InspectionResultItem>,
}

impl Entity for DeliveryRequest {
    const KIND: &'static str = "procurement.deliveryrequest";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = DeliveryRequestEvent;
    type Rejection = DeliveryRequestRejection;
    const COMMANDS: &'static [&'static str] = &[
        PostRequest::NAME,
        FinishPosting::NAME,
        ChangeRequest::NAME,
        RecordResult::NAME,
        FinishAnnouncement::NAME,
        FinishSearch::NAME,
        FinishNumbering::NAME,
        FileInspection::NAME,
        MarkAssigned::NAME,
        CancelRequest::NAME,
    ];
    const ASKS: &'static [&'static str] = &[RequestNumber::KIND, DeliveryManagement::KIND, OrderRegister::KIND];

    fn evolve(&mut self, event: &DeliveryRequestEvent) {
        use DeliveryRequestEvent as Event;
        match event {
            Event::PostingStarted { round, ticket, proc_no, demand } => {
                self.round = *round;
                let (ticket, proc_no, demand) = (ticket.clone(), proc_no.clone(), demand.clone());
                self.step = Some(OpenStep::Posting { ticket, proc_no, demand });
            }
            Event::PostingGivenUp { .. } | Event::AnnouncementGivenUp { .. } => self.step = None,
            Event::ProcurementRequestPosted { id, proc_no, demand } => {
                (self.step, self.last) = (None, *id);
                let (proc_no, demand) = (proc_no.clone(), demand.clone());
                self.live = Some(Live { id: *id, proc_no, demand, assigned: false, result: None });
            }
            Event::ProcurementRequestChanged { demand, .. } => {
                if let Some(live) = &mut self.live {
                    live.demand = demand.clone();
                }
            }
            Event::RequestAssigned { .. } => {
                if let Some(live) = &mut self.live {
                    live.assigned = true;
                }
            }
            Event::AnnouncementStarted { round, order, wanted, within } => {
                self.round = *round;
                let (order, wanted) = (order.clone(), wanted.clone());
                self.step = Some(OpenStep::Announcing { order, wanted, within: *within });
            }
            Event::OrderSought { round, wanted, within } => {
                self.round = *round;
                self.step = Some(OpenStep::Searching { wanted: wanted.clone(), within: *within });
            }
            Event::NumberWanted { round, wanted } => {
                self.round = *round;
                self.step = Some(OpenStep::Numbering { wanted: wanted.clone() });
            }
            Event::ResultVoidRequested { .. } => {}
            Event::InspectionFiled { id, filing, passed, .. } => self.inspected(*id, filing, *passed),
            Event::InspectionResultPatched { id, filing, passed, round, .. } => {
                self.round = *round;
                self.inspected(*id, filing, Some(*passed));
            }
            Event::ProcurementRequestCanceled { .. } => self.live = None,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match (&self.step, &self.live) {
            (Some(OpenStep::Posting { .. }), _) => vec![self.draw_request_number().erase()],
            (Some(OpenStep::Announcing { .. }), Some(_)) => vec![self.announce().erase()],
            (Some(OpenStep::Searching { .. }), Some(_)) => vec![self.search().erase()],
            (Some(OpenStep::Numbering { .. }), Some(_)) => vec![self.draw_result_number().erase()],
            (Some(OpenStep::Announcing { .. } | OpenStep::Searching { .. } | OpenStep::Numbering { .. }) | None, _) => {
                Vec::new()
            }
        }
    }
}

impl DeliveryRequest {
    fn inspected(&mut self, id: u64, filing: &Filing, passed: Option<bool>) {
        self.step = None;
        if let Some(live) = &mut self.live {
            live.result = Some(Inspected { id, filing: filing.clone(), passed });
        }
    }

    /// The live request and its result as clients see them.
    pub fn item(&self) -> RequestAndResult {
        self.live.as_ref().map(Live::item).unwrap_or_default()
    }

    fn next_round(&self) -> u32 {
        self.round.saturating_add(1)
    }

    /// The live request, when it is the one with this number and no step is open.
    fn at_rest(&self, id: u64) -> Result<&Live, DeliveryRequestRejection> {
        let live = self.live.as_ref().filter(|live| live.id == id).ok_or(DeliveryRequestRejection::Gone)?;
        if self.step.is_some() { Err(DeliveryRequestRejection::Busy) } else { Ok(live) }
    }
}

impl Live {
    fn item(&self) -> RequestAndResult {
        let Self { id, proc_no, demand, assigned: _, result } = self.clone();
        let result = result.map(|Inspected { id, filing, passed }| InspectionResultItem {
            id,
            proc_no: proc_no.clone(),
            filing,
            inspection_succ_flag: passed,
        });
        let filing = result.as_ref().map(|result| result.filing.clone()).unwrap_or_default();
        let inspection_succ_flag = result.as_ref().and_then(|result| result.inspection_succ_flag);
        let request = Some(DeliveryRequestItem { id, proc_no, demand, filing, inspection_succ_flag });
        RequestAndResult { request, result }
    }

    fn passed(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result.passed == Some(true))
    }
}

/// Whether a follow-up answers a step that is over. The runtime drops such answers; a rule that records
/// results does not rely on it.
fn is_late(ctx: &CommandContext, open: Step) -> bool {
    ctx.answers.is_some_and(|answered| answered != open)
}

/// The answer to a follow-up of a step that is over.
fn given_up_before() -> Unavailable {
    Unavailable::given_up_before("procurement/procurementrequest", RETRY_AFTER)
}

/// "Not done, come back later", and who is to blame.
fn no_partner(partner: &str, reason: String, retry_after: Duration) -> Unavailable {
    Unavailable::Partner { partner: partner.to_owned(), reason, retry_after }
}

/// The stream of the delivery order that is born from the request with this number: whoever knows the
/// request can address it. On disk: never change.
pub fn order_of(request: u64) -> NumberedId {
    NumberedId::Key(Key::derived("procurement.order-of-request", &[&request.to_le_bytes()]))
}
