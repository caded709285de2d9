//! `/deliverymanagements`, and the announcement by procurement number.

use super::{
    COMPANY_NM, COMPANY_NO, FIND_BY_PROC_NO, ID, INSPECTION_SUCC_FLAG, ORDER, PROC_NO, SYSTEM, WITHIN, company, demand,
    demand_change,
};
use crate::{
    Answered, AskError, Entities, Key, NumberedId, Refusal, System, Views,
    http::{
        Call, Change, EntitySource, Fields, Finder, Lookup, Perform, Problem, Procedure, Resource, Said, ask,
        by_number, by_stream, command, perform, said, shown,
    },
    procurement::{
        AnnounceResult, ChangeOrder, Company, DeliveryManagement, ManagementRejection, OrderPlace, OrdersOfProcNo,
        PostOrder, WithdrawOrder, proc_no,
    },
};

pub(super) fn orders(system: &System) -> Resource {
    let entities = system.entities::<DeliveryManagement>();
    let item = |order: &DeliveryManagement, number| order.item(number).as_ref().map(shown);
    let source = EntitySource::new(entities.clone(), system.list::<DeliveryManagement>(), item);
    let post = |fields: &Fields| {
        let (proc_no, demand, company) = (fields.string("procNo"), demand(fields), company(fields));
        Ok(PostOrder { proc_no, demand, company })
    };
    let change = |fields: &Fields| {
        let (proc_no, demand, company) = (fields.string("procNo"), demand_change(fields), company(fields));
        Ok(ChangeOrder { proc_no, demand, company })
    };
    let withdraw = |_: &Fields| Ok(WithdrawOrder { for_request: false });
    let places = system.views::<OrdersOfProcNo>();
    let acting = Lookup::rows(places.clone(), |value| Some(OrderPlace::prefix(&Key::new(value.as_str()?).ok()?)))
        .keys(|_, row: &OrdersOfProcNo| row.order.to_string());
    let parameters = vec![PROC_NO, COMPANY_NO, COMPANY_NM, INSPECTION_SUCC_FLAG.required()];
    let announce =
        Procedure::get("announceInspectionResult", parameters, announce(entities.clone(), places)).internal();
    Resource::new(SYSTEM, "deliverymanagements", "deliverymanagement", ID, ORDER.to_vec(), source)
        .service("procurementmanagement")
        .commanded_by(&["pps"])
        .create(command(entities.clone(), WITHIN, Change::Created, by_stream, post))
        .replace(command(entities.clone(), WITHIN, Change::Changed, by_number, change))
        .merge(command(entities.clone(), WITHIN, Change::Changed, by_number, change))
        .remove(command(entities, WITHIN, Change::Removed, by_number, withdraw))
        .finder(Finder::one(FIND_BY_PROC_NO, PROC_NO, acting))
        .procedure(announce)
}

/// The old internal call (section 6): tells the order that acts for a procurement number, and answers whether
/// it took that. The view only says whom to ask; the order decides.
fn announce(orders: Entities<DeliveryManagement>, places: Views<OrdersOfProcNo>) -> Perform {
    perform(move |call: Call| {
        let (orders, places) = (orders.clone(), places.clone());
        async move {
            let proc_no = proc_no(call.fields.text("procNo")).map_err(|refusal| Problem::refused(&refusal))?;
            let (company, passed) = (given(company(&call.fields)), call.fields.boolean("inspectionSuccFlag"));
            let command = AnnounceResult { announcement: None, company, passed: passed == Some(true) };
            places.catch_up(Resource::CATCH_UP).await?;
            let acting = places.scan(&OrderPlace::prefix(&proc_no), None, 1).await?;
            let unknown = || Said::no(ManagementRejection::Unknown.code());
            let Some((place, _)) = acting.first() else { return Ok(unknown()) };
            let order = NumberedId::number(place.order);
            of_announcement(ask(&orders, &call, &order, command, WITHIN).await)
        }
    })
    .recalled_by(|recalled| of_announcement(recalled.answered::<DeliveryManagement, AnnounceResult>()))
}

fn of_announcement<R>(answered: Result<Answered<R>, AskError<ManagementRejection>>) -> Result<Said, Problem> {
    match answered {
        Err(AskError::NotFound { .. }) => Ok(Said::no(ManagementRejection::Unknown.code())),
        answered => said(answered, |_| Said::yes()),
    }
}

/// A query says `companyNo=` of a company that has none: that is not given (D-7).
fn given(company: Company) -> Company {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    Company { company_no: text(company.company_no), company_nm: text(company.company_nm) }
}
