//! Rules, laws and stories of procurement.

use std::time::Duration;

use super::*;
use crate::actors::{
    entity::{
        AskError, DispatchOrder, DomainEvent, Entity, Key, Number, NumberedId, Outcome, Policy, Recorded, Step,
        Unavailable, ViewKey,
    },
    testkit::{Fault, World, given, history, laws, reacts, recorded},
};

mod conservation;
mod goods;
mod orders;
mod policies;
mod requests;
mod results;
mod sms;
mod story;
mod views;
mod world;

/// How long the delivery management has to answer in these tests.
const LINK: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(5);
const STEP_RETRY: Duration = Duration::from_millis(100);

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn p01() -> Key {
    key("p01")
}

#[expect(clippy::unnecessary_wraps, reason = "what commands take")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn titled(title: &str) -> Demand {
    Demand { proc_title: some(title), ..Demand::default() }
}

fn redbull() -> Company {
    Company { company_no: some("c01"), company_nm: some("redbull") }
}

fn filed() -> Filing {
    Filing { company_phone_no: some("010-1234-1234"), ..Filing::of(&redbull()) }
}

fn stopped() -> Unavailable {
    Unavailable::ServiceStopped { service: "procurement/procurementmanagement".to_owned() }
}

fn posted(id: u64, demand: Demand) -> DeliveryRequestEvent {
    DeliveryRequestEvent::ProcurementRequestPosted { id, proc_no: p01(), demand }
}

fn posting(round: u32, demand: Demand) -> DeliveryRequestEvent {
    DeliveryRequestEvent::PostingStarted { round, ticket: key("ticket"), proc_no: p01(), demand }
}

fn filed_as(id: u64, filing: Filing, passed: Option<bool>) -> DeliveryRequestEvent {
    DeliveryRequestEvent::InspectionFiled { id, request: 1, filing, passed }
}

fn recorded_as(id: u64, filing: Filing, passed: bool, round: u32) -> DeliveryRequestEvent {
    DeliveryRequestEvent::InspectionResultPatched { id, request: 1, proc_no: p01(), filing, passed, round }
}

fn announcing(round: u32, wanted: Wanted) -> DeliveryRequestEvent {
    DeliveryRequestEvent::AnnouncementStarted { round, order: order_of(1), wanted, within: LINK }
}

fn canceled(id: u64, result: Option<u64>) -> DeliveryRequestEvent {
    DeliveryRequestEvent::ProcurementRequestCanceled { id, proc_no: p01(), result }
}

fn wanted(filing: Filing, passed: Option<bool>) -> Wanted {
    Wanted { demand: None, filing, passed }
}

/// What agencies send to record a result of request 1.
fn record(passed: bool) -> RecordResult {
    RecordResult {
        of: OfResult::Result(2),
        proc_no: some("p01"),
        filing: Filing::default(),
        passed: Some(passed),
        within: LINK,
    }
}

/// A PATCH of request 1 that changes nothing.
fn unchanged() -> ChangeRequest {
    let (demand, filing) = (DemandChange::default(), Filing::default());
    ChangeRequest { id: 1, proc_no: None, demand, filing, passed: None, within: LINK }
}

fn received(request: Option<u64>, demand: Demand) -> ManagementEvent {
    ManagementEvent::DeliveryOrderReceived { proc_no: p01(), request, demand, company: Company::default() }
}

fn patched(company: Company) -> ManagementEvent {
    ManagementEvent::DeliveryRequestPatched { proc_no: p01(), request: Some(1), demand: titled("title01"), company }
}
