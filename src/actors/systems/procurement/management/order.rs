//! Delivery orders come, change and go.

use serde::{Deserialize, Serialize};

use super::{DeliveryManagement, DeliveryManagementItem, Errand, ManagementEvent, ManagementRejection, Phase};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, Key, persist},
    systems::procurement::values::{Company, Demand, DemandChange, proc_no},
};

/// A request was posted: there is something to deliver (F2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReceiveOrder {
    /// The request.
    pub request: u64,
    /// Its procurement number.
    pub proc_no: Key,
    /// What is demanded.
    pub demand: Demand,
}

impl Command<DeliveryManagement> for ReceiveOrder {
    const NAME: &'static str = "receive-order";
    type Reply = ();
    fn decide(self, order: &DeliveryManagement, _: &CommandContext) -> Decision<DeliveryManagement, ()> {
        if order.phase != Phase::New {
            return Ok(Effects::reply(()));
        }
        let Self { request, proc_no, demand } = self;
        let (request, company) = (Some(request), Company::default());
        Ok(persist([ManagementEvent::DeliveryOrderReceived { proc_no, request, demand, company }]).reply(()))
    }
}

/// The procurement service makes an order by itself. Several may have one procurement number (D-2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostOrder {
    /// Its procurement number.
    pub proc_no: Option<String>,
    /// What is to be delivered.
    pub demand: Demand,
    /// Who delivers.
    pub company: Company,
}

impl Command<DeliveryManagement> for PostOrder {
    const NAME: &'static str = "post-order";
    type Reply = DeliveryManagementItem;
    fn decide(self, order: &DeliveryManagement, ctx: &CommandContext) -> Decision<DeliveryManagement, Self::Reply> {
        if order.phase != Phase::New {
            return Err(ManagementRejection::AlreadyPosted);
        }
        let Self { proc_no: given, demand, company } = self;
        let proc_no = proc_no(given.as_deref())?;
        demand.check()?;
        company.check()?;
        let (id, inspection_succ_flag) = (ctx.number.get(), None);
        let item = DeliveryManagementItem { id, proc_no, demand, company, inspection_succ_flag };
        let DeliveryManagementItem { proc_no, demand, company, .. } = item.clone();
        let received = ManagementEvent::DeliveryOrderReceived { proc_no, request: None, demand, company };
        Ok(persist([received]).reply(item))
    }
}

/// The agency demands something else (D-1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviseOrder {
    /// What is demanded now.
    pub demand: Demand,
}

impl Command<DeliveryManagement> for ReviseOrder {
    const NAME: &'static str = "revise-order";
    type Reply = ();
    fn decide(self, order: &DeliveryManagement, _: &CommandContext) -> Decision<DeliveryManagement, ()> {
        let demand = self.demand;
        match order.phase {
            Phase::Standing if order.demand == demand => Ok(Effects::reply(())),
            Phase::Standing => Ok(persist([ManagementEvent::DeliveryOrderRevised { demand }]).reply(())),
            Phase::New | Phase::Gone => Ok(order.pass_on(Errand::Revise(demand))),
        }
    }
}

/// The procurement service assigns a company, or changes the order. What is equal to what is stored is no
/// change and emits nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeOrder {
    /// The procurement number that the client sent; it cannot change.
    pub proc_no: Option<String>,
    /// What is to be delivered.
    pub demand: DemandChange,
    /// Who delivers; `None` keeps it.
    pub company: Company,
}

impl Command<DeliveryManagement> for ChangeOrder {
    const NAME: &'static str = "change-order";
    type Reply = DeliveryManagementItem;
    fn decide(self, order: &DeliveryManagement, ctx: &CommandContext) -> Decision<DeliveryManagement, Self::Reply> {
        let stored = order.item(ctx.number).ok_or(ManagementRejection::Gone)?;
        if self.proc_no.as_deref().is_some_and(|given| given != stored.proc_no.as_str()) {
            return Err(ManagementRejection::OtherProcNo);
        }
        self.company.check()?;
        let (demand, company) = (self.demand.over(&stored.demand)?, self.company.over(&stored.company));
        if demand == stored.demand && company == stored.company {
            return Ok(Effects::reply(stored));
        }
        if order.passed() == Some(true) {
            return Err(ManagementRejection::Passed);
        }
        let item = DeliveryManagementItem { demand: demand.clone(), company: company.clone(), ..stored };
        let (proc_no, request) = (item.proc_no.clone(), order.request);
        let patched = ManagementEvent::DeliveryRequestPatched { proc_no, request, demand, company };
        Ok(persist([patched]).reply(item))
    }
}

/// The order goes: its request was canceled, or the procurement service deletes it (D-15).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithdrawOrder {
    /// For a request that was canceled: then whichever order acts for it goes.
    pub for_request: bool,
}

impl Command<DeliveryManagement> for WithdrawOrder {
    const NAME: &'static str = "withdraw-order";
    type Reply = ();
    fn decide(self, order: &DeliveryManagement, _: &CommandContext) -> Decision<DeliveryManagement, ()> {
        match (order.phase, order.proc_no.clone()) {
            (Phase::Standing, Some(proc_no)) => {
                let request = order.request;
                Ok(persist([ManagementEvent::ProcurementNoticeCanceled { proc_no, request }]).reply(()))
            }
            (Phase::New | Phase::Standing | Phase::Gone, _) if self.for_request => Ok(order.pass_on(Errand::Withdraw)),
            (Phase::New | Phase::Standing | Phase::Gone, _) => Err(ManagementRejection::Gone),
        }
    }
}

impl DeliveryManagement {
    /// An order that is born from a request and gone leaves what comes for it to the newest other (D-2). One
    /// without a request was only that: nobody is left.
    pub(super) fn pass_on(&self, errand: Errand) -> Effects<Self, ()> {
        match (self.request, self.proc_no.clone()) {
            (Some(_), Some(proc_no)) => persist([ManagementEvent::ErrandPassedOn { proc_no, errand }]).reply(()),
            (Some(_) | None, _) => Effects::reply(()),
        }
    }
}
