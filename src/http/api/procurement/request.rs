//! `/deliveryrequests` and `/inspectionResults`: two collections of what one entity per procurement number keeps.

use std::{sync::Arc, time::Duration};

use http::StatusCode;

use super::{
    BEYOND_LINK, ByNumber, ID, NumberedSource, PROC_NO, REQUEST, RESULT, SYSTEM, WITHIN, by_proc_no, demand,
    demand_change, filing, item,
    numbered::{Shown, of_ask},
};
use crate::{
    Answered, AskError, Command, Entity, Key, Refusal, System,
    http::{Action, Call, Change, Done, Fields, Item, Problem, Resource, ViewSource, action, numeric},
    procurement::{
        CancelRequest, ChangeRequest, Counter, DeliveryRequest, Numbered, OfResult, PostRequest, RecordResult,
        RequestAndResult, RequestCounter, RequestNumber, Requests, Results, proc_no,
    },
};

fn by_number(system: &System) -> ByNumber<RequestCounter, DeliveryRequest> {
    ByNumber { numbers: system.entities::<RequestNumber>(), entities: system.entities::<DeliveryRequest>() }
}

pub(super) fn requests(system: &System, announced: Duration) -> Resource {
    let by = by_number(system);
    let rows =
        ViewSource::new(system.views::<Requests>(), numeric, |_, row: &Requests| item(row.item().id, row.item()));
    let own: Shown<DeliveryRequest> = |request, number, _| of_request(request.item()).filter(|item| item.key == number);
    let source = NumberedSource::new(by.clone(), rows, own);
    let change = move |fields: &Fields, id: u64, _| {
        let (proc_no, passed) = (fields.string("procNo"), fields.boolean("inspectionSuccFlag"));
        let (demand, filing) = (demand_change(fields), filing(fields));
        Ok(ChangeRequest { id, proc_no, demand, filing, passed, within: announced })
    };
    let cancel = |_: &Fields, id: u64, _| Ok(CancelRequest { id });
    let merge = by.clone().command(announced + BEYOND_LINK, Change::Changed, change, of_request);
    let post = |fields: &Fields, proc_no: Key, ticket: Key| PostRequest { proc_no, demand: demand(fields), ticket };
    Resource::new(SYSTEM, "deliveryrequests", "deliveryrequest", ID, REQUEST.to_vec(), source)
        .service("procurementrequest")
        .commanded_by(&["agency"])
        .create(create(by.clone(), WITHIN, post, of_request))
        .replace(merge.clone())
        .merge(merge)
        .remove(by.clone().command(WITHIN, Change::Removed, cancel, |()| None))
        .finder(by_proc_no(by, |request: &DeliveryRequest| of_request(request.item())))
}

pub(super) fn results(system: &System, announced: Duration) -> Resource {
    let by = by_number(system);
    let rows = ViewSource::new(system.views::<Results>(), numeric, |_, row: &Results| item(row.item().id, row.item()));
    // D-6: by its own number, or by that of its request.
    let own: Shown<DeliveryRequest> = |request, number, what| {
        let is_meant = match what {
            Numbered::Result => of_result(request.item())?.key == number,
            Numbered::Request => of_request(request.item())?.key == number,
            Numbered::Goods => false,
        };
        of_result(request.item()).filter(|_| is_meant)
    };
    let source = NumberedSource::new(by.clone(), rows, own);
    let record = move |fields: &Fields, number: u64, what| {
        let of = match what {
            Numbered::Request => OfResult::Request(number),
            Numbered::Result | Numbered::Goods => OfResult::Result(number),
        };
        let (proc_no, passed) = (fields.string("procNo"), fields.boolean("inspectionSuccFlag"));
        Ok(RecordResult { of, proc_no, filing: filing(fields), passed, within: announced })
    };
    let merge = by.clone().command(announced + BEYOND_LINK, Change::Changed, record, of_result);
    Resource::new(SYSTEM, "inspectionResults", "inspectionResult", ID, RESULT.to_vec(), source)
        .service("procurementrequest")
        .commanded_by(&["agency"])
        .replace(merge.clone())
        .merge(merge)
        .finder(by_proc_no(by, |request: &DeliveryRequest| of_result(request.item())))
}

fn of_request(shown: RequestAndResult) -> Option<Item> {
    shown.request.map(|request| item(request.id, &request))
}

fn of_result(shown: RequestAndResult) -> Option<Item> {
    shown.result.map(|result| item(result.id, &result))
}

/// A creation under the procurement number in the body. `make` is also given a key that is the same for a
/// repeated request: a number that is drawn under it for something else belongs to another request with the
/// same `Idempotency-Key`.
pub(super) fn create<C, E, M>(
    by: ByNumber<C, E>,
    within: Duration,
    make: fn(&Fields, Key, Key) -> M,
    item: fn(M::Reply) -> Option<Item>,
) -> Action
where
    C: Counter,
    E: Entity<Id = Key, Rejection: Refusal>,
    M: Command<E>,
{
    let by = Arc::new(by);
    action(move |call: Call| {
        let by = by.clone();
        async move {
            let key = proc_no(call.fields.text(PROC_NO.name)).map_err(|refusal| Problem::refused(&refusal))?;
            let command = make(&call.fields, key.clone(), call.origin.stream.clone());
            show_new(item, by.ask(&call, &key, command, within).await)
        }
    })
    .recalled_by(move |recalled| show_new(item, recalled.answered::<E, M>()))
}

fn show_new<R, X: Refusal>(
    item: fn(R) -> Option<Item>,
    answered: Result<Answered<R>, AskError<X>>,
) -> Result<Done, Problem> {
    let answered = answered.map_err(|error| {
        if let AskError::Rejected(refusal) = &error
            && refusal.code() == REUSED
        {
            return Problem::new(StatusCode::UNPROCESSABLE_ENTITY, REUSED, refusal.to_string());
        }
        of_ask(error)
    })?;
    let (sequence, replayed) = (Some(answered.sequence), answered.replayed);
    let shown = item(answered.reply).ok_or_else(|| Problem::not_found("it is gone already"))?;
    Ok(Done { change: Change::Created, item: Item { sequence, ..shown }, replayed })
}

/// The code of an `Idempotency-Key` that was used for another request.
const REUSED: &str = "IDEMPOTENCY_KEY_REUSED";
