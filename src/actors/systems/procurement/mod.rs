//! Procurement: an agency demands goods, the procurement service assigns a company, the company delivers and
//! files for inspection, the agency records the result, and the company is told.
//!
//! What it keeps true: at most one live request and one goods delivery per procurement number (D-2, D-11); an
//! inspection is passed if and only if its delivery order knows it, once nothing is on its way; a passed one is
//! final; every recorded result is one SMS; a canceled request takes its delivery order, its goods delivery and
//! its inspection result with it (F10).
//!
//! | service | entities | policies (what they read) | views |
//! |---|---|---|---|
//! | procurementmanagement | [`DeliveryManagement`], [`OrderRegister`] | [`FollowRequests`] ([`DeliveryRequest`]), [`KeepRegister`] ([`DeliveryManagement`]), [`RunErrands`] ([`OrderRegister`]) | [`OrdersOfProcNo`] |
//! | procurementrequest | [`DeliveryRequest`], [`RequestNumber`] | [`FileInspections`] ([`GoodsDelivery`]), [`MarkAssignments`] ([`DeliveryManagement`]) | [`Requests`], [`Results`] |
//! | goodsdelivery | [`GoodsDelivery`], [`GoodsNumber`] | [`DeliverGoods`] ([`DeliveryManagement`]) | [`GoodsDeliveries`] |
//! | mypage | | | [`DeliveryStatusInquiry`] ([`DeliveryRequest`]) |
//! | notification | [`SmsHistory`] | [`SendSms`] ([`DeliveryRequest`]) | |
//!
//! SMS leave the house through the channel `sms` ([`SmsOut`]). The only synchronous link is procurementrequest to
//! procurementmanagement, when a result becomes `true`.
//!
//! # One writer per procurement number
//!
//! Policies correlate by procurement number, and most rules are about "the" request, result or goods delivery
//! of one. So those are not streams of their own that a register would have to keep in step, with a saga for
//! every command: all that procurementrequest knows of a number is one entity, and so is all that goodsdelivery
//! knows. Uniqueness is a look at the state; request and result go in one transaction (D-9); policies address
//! them by the natural key. The public numbers that clients use are drawn as entities of their own
//! ([`PublicNumber`]), from the service's one counter: a request is 1, its result 2, the next request 3.
//!
//! Delivery orders are streams of their own, because a procurement number may have any number of them (D-2).
//! The one that is born from a request has a key made of the request's number, so that announcements and
//! policies need no index to find it. When it is gone, it passes on what comes for it to the newest of the
//! others, which the [`OrderRegister`] knows.
//!
//! ```text
//!  PostRequest --> DeliveryRequest ----FollowRequests---> DeliveryManagement <--ChangeOrder (company)
//!                    |  ^   ^   ======announce (ask)======>   |     |
//!                    |  |   +----------MarkAssignments--------+     |
//!                    |  +--FileInspections-- GoodsDelivery <--------+ DeliverGoods
//!                    v                          ^
//!    SmsHistory, DeliveryStatusInquiry          +--ChangeGoods (files for inspection)
//! ```

mod goods;
mod management;
mod notices;
mod number;
mod policies;
mod request;
mod sms;
mod values;
mod views;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use goods::{
    AssignCompany, ChangeGoods, EndDelivery, FinishOpening, GoodsDelivery, GoodsDeliveryItem, GoodsEvent,
    GoodsRejection, OpenGoods, OrderRef, RemoveGoods,
};
pub use management::{
    AnnounceResult, ChangeOrder, DeliveryManagement, DeliveryManagementItem, Errand, FindOrder, HearFailure,
    ManagementEvent, ManagementRejection, NoteOrder, OrderRegister, PostOrder, REFUSED_AGENCY, ReceiveOrder,
    RegisterEvent, RegisterRejection, ReviseOrder, RunErrand, StrikeOrder, VoidAnnouncement, WithdrawOrder,
};
pub use notices::SmsOut;
pub use number::{
    Counter, DrawNumber, GoodsCounter, GoodsNumber, NumberEvent, NumberRejection, Numbered, PublicNumber,
    RequestCounter, RequestNumber,
};
pub use policies::{DeliverGoods, FileInspections, FollowRequests, KeepRegister, MarkAssignments, RunErrands, SendSms};
pub use request::{
    CancelRequest, ChangeRequest, DeliveryRequest, DeliveryRequestEvent, DeliveryRequestItem, DeliveryRequestRejection,
    FileInspection, FinishAnnouncement, FinishNumbering, FinishPosting, FinishSearch, InspectionResultItem,
    MarkAssigned, OfResult, PostRequest, RecordResult, RequestAndResult, Wanted, order_of,
};
pub use sms::{RemoveSms, RewriteSms, Sms, SmsEvent, SmsHistory, SmsHistoryItem, SmsRejection, WriteSms};
pub use values::{Company, Demand, DemandChange, Field, Filing, InvalidValue, MAX_CHARACTERS, Set, proc_no};
pub use views::{DeliveryStatusInquiry, GoodsDeliveries, OrderPlace, OrdersOfProcNo, Requests, Results};

use crate::actors::entity::{ServiceDeclaration, Settings};

/// The system's name: in paths, in names of services, in configuration.
pub const NAME: &str = "procurement";

/// How long a result waits for the delivery management unless the configuration says otherwise (D-13).
pub const ANNOUNCED_WITHIN: Duration = Duration::from_secs(1);

/// The switches of procurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcurementSettings {
    /// Whether a request may be canceled although its inspection was passed (D-5).
    pub allow_cancel_after_inspection: bool,
}

impl Settings for ProcurementSettings {
    const SYSTEM: &'static str = NAME;
}

/// Declares procurement's services, in the order in which they start.
pub fn services<S: ServiceDeclaration>() -> Vec<S> {
    vec![
        S::service("procurementmanagement")
            .listed::<DeliveryManagement>()
            .entity::<OrderRegister>()
            .asked::<DeliveryManagement, AnnounceResult>()
            .asked::<DeliveryManagement, ReceiveOrder>()
            .asked::<DeliveryManagement, ReviseOrder>()
            .asked::<DeliveryManagement, HearFailure>()
            .asked::<DeliveryManagement, VoidAnnouncement>()
            .asked::<DeliveryManagement, WithdrawOrder>()
            .asked::<OrderRegister, FindOrder>()
            .policy(FollowRequests)
            .policy(KeepRegister)
            .policy(RunErrands)
            .view::<OrdersOfProcNo>(),
        S::service("procurementrequest")
            .entity::<DeliveryRequest>()
            .entity::<RequestNumber>()
            .policy(FileInspections)
            .policy(MarkAssignments)
            .view::<Requests>()
            .view::<Results>(),
        S::service("goodsdelivery")
            .entity::<GoodsDelivery>()
            .entity::<GoodsNumber>()
            .policy(DeliverGoods)
            .view::<GoodsDeliveries>(),
        S::service("mypage").view::<DeliveryStatusInquiry>(),
        S::service("notification").listed::<SmsHistory>().policy(SendSms).notifies(SmsOut),
    ]
}

#[cfg(test)]
mod tests;
