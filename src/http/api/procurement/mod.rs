//! Procurement's six collections, as `procurement.md` section 3 has them.

mod management;
mod numbered;
mod request;

use std::time::Duration;

use serde::Serialize;

use crate::{
    System,
    http::{
        Change, EntitySource, Field, Fields, Finder, Found, Item, Problem, Resource, ViewSource, by_number, by_stream,
        command, numeric, shown,
    },
    procurement::{
        self, ChangeGoods, Company, DeliveryStatusInquiry, Demand, DemandChange, Filing, GoodsDeliveries,
        GoodsDelivery, GoodsDeliveryItem, GoodsNumber, OpenGoods, RemoveGoods, RemoveSms, RewriteSms, Set, Sms,
        SmsHistory, WriteSms,
    },
};
use numbered::{ByNumber, NumberedSource};

const SYSTEM: &str = procurement::NAME;
/// Deadline of a command that asks no partner: far above a group commit, below any client's patience.
const WITHIN: Duration = Duration::from_secs(5);
/// What a request may take beyond the synchronous link that it uses.
const BEYOND_LINK: Duration = Duration::from_millis(400);

/// The collections of procurement.
pub fn procurement(system: &System) -> Vec<Resource> {
    let link = system.config().link(SYSTEM, "procurementrequest", "procurementmanagement");
    let announced = link.timeout.unwrap_or(procurement::ANNOUNCED_WITHIN);
    vec![
        management::orders(system),
        request::requests(system, announced),
        request::results(system, announced),
        goods(system),
        inquiries(system),
        sms(system),
    ]
}

fn goods(system: &System) -> Resource {
    let by = ByNumber { numbers: system.entities::<GoodsNumber>(), entities: system.entities::<GoodsDelivery>() };
    let rows = ViewSource::new(system.views::<GoodsDeliveries>(), numeric, |_, row: &GoodsDeliveries| {
        item(row.item().id, row.item())
    });
    let source = NumberedSource::new(by.clone(), rows, |goods: &GoodsDelivery, number, _| {
        goods.item().filter(|goods| goods.id == number).map(of_goods)
    });
    let change =
        |fields: &Fields, id: u64, _| Ok(ChangeGoods { id, proc_no: fields.string("procNo"), filing: filing(fields) });
    let remove = |_: &Fields, id: u64, _| Ok(RemoveGoods { id });
    let merge = by.clone().command(WITHIN, Change::Changed, change, |goods| goods.map(of_goods));
    let open = request::create(
        by.clone(),
        WITHIN,
        |fields, proc_no, _| OpenGoods { proc_no, filing: filing(fields) },
        |goods: Option<GoodsDeliveryItem>| goods.map(of_goods),
    );
    Resource::new(SYSTEM, "goodsdeliveries", "goodsdelivery", ID, GOODS.to_vec(), source)
        .service("goodsdelivery")
        .commanded_by(&["company"])
        .create(open)
        .replace(merge.clone())
        .merge(merge)
        .remove(by.clone().command(WITHIN, Change::Removed, remove, |()| None))
        .finder(by_proc_no(by, |goods: &GoodsDelivery| goods.item().map(of_goods)))
}

#[expect(clippy::needless_pass_by_value, reason = "what `Option::map` takes")]
fn of_goods(goods: GoodsDeliveryItem) -> Item {
    item(goods.id, &goods)
}

fn inquiries(system: &System) -> Resource {
    let row = |key: &u64, row: &DeliveryStatusInquiry| item(*key, row);
    let source = ViewSource::new(system.views::<DeliveryStatusInquiry>(), numeric, row);
    Resource::new(SYSTEM, "deliveryStatusInquiries", "deliveryStatusInquiry", ID, INQUIRY.to_vec(), source)
        .service("mypage")
        .unpaged()
        .finder(Finder::one(FIND_BY_PROC_NO, PROC_NO, crate::http::By::Field(PROC_NO.name)))
}

fn sms(system: &System) -> Resource {
    let entities = system.entities::<SmsHistory>();
    let item = |sms: &SmsHistory, number| sms.item(number).as_ref().map(shown);
    let source = EntitySource::new(entities.clone(), system.list::<SmsHistory>(), item);
    let write = |fields: &Fields| {
        let (phone_no, contents) = (fields.string("phoneNo"), fields.string("contents"));
        Ok(WriteSms { sms: Sms { phone_no, contents } })
    };
    let rewrite = |fields: &Fields| {
        let set = |name| set(fields, name, Fields::string);
        Ok(RewriteSms { phone_no: set("phoneNo"), contents: set("contents") })
    };
    Resource::new(SYSTEM, "smsHistories", "smsHistory", ID, SMS.to_vec(), source)
        .service("notification")
        .commanded_by(&["pps"])
        .create(command(entities.clone(), WITHIN, Change::Created, by_stream, write))
        .replace(command(entities.clone(), WITHIN, Change::Changed, by_number, rewrite))
        .merge(command(entities.clone(), WITHIN, Change::Changed, by_number, rewrite))
        .remove(command(entities, WITHIN, Change::Removed, by_number, |_: &Fields| Ok(RemoveSms)))
}

const FIND_BY_PROC_NO: &str = "findByProcNo";

/// `findByProcNo` of what one entity per procurement number keeps: that entity is asked.
fn by_proc_no<C, E>(by: ByNumber<C, E>, item: fn(&E) -> Option<Item>) -> Finder
where
    C: procurement::Counter,
    E: crate::Entity<Id = crate::Key, Rejection: crate::Refusal>,
{
    let find: crate::http::Find = std::sync::Arc::new(move |value, _| {
        let (by, key) = (by.clone(), value.as_str().and_then(|text| crate::Key::new(text).ok()));
        Box::pin(async move {
            let Some(key) = key else { return Ok(Found { items: Vec::new(), caught_up: true }) };
            let current = by.entities.get(&key).await.map_err(Problem::of_ask)?;
            let items = current.and_then(|current| {
                let item = item(&current.state)?;
                Some(Item { sequence: Some(current.sequence), ..item })
            });
            Ok(Found { items: items.into_iter().collect(), caught_up: true })
        })
    });
    Finder::one(FIND_BY_PROC_NO, PROC_NO, crate::http::By::Items(find))
}

/// A representation under its number. The sequence is for whoever knows it.
fn item(key: u64, representation: &impl Serialize) -> Item {
    Item { key: key.into(), sequence: None, fields: shown(representation) }
}

const ID: Field = Field::long("id");
const PROC_NO: Field = Field::text("procNo");
const PROC_TITLE: Field = Field::text("procTitle");
const PROC_CONTENTS: Field = Field::text("procContents");
const PROC_PRICE: Field = Field::int("procPrice").nullable();
const PROC_AGENCY: Field = Field::text("procAgency");
const PROC_QTY: Field = Field::double("procQty");
const COMPANY_NO: Field = Field::text("companyNo");
const COMPANY_NM: Field = Field::text("companyNm");
const COMPANY_PHONE_NO: Field = Field::text("companyPhoneNo");
const INSPECTION_CONTENTS: Field = Field::text("inspectionContents");
const INSPECTION_SUCC_FLAG: Field = Field::boolean("inspectionSuccFlag");

// What each item shows, in this order, after its key and before its links.
const REQUEST: [Field; 11] = [
    PROC_NO,
    PROC_TITLE,
    PROC_CONTENTS,
    PROC_PRICE,
    PROC_AGENCY,
    PROC_QTY,
    COMPANY_NO,
    COMPANY_NM,
    COMPANY_PHONE_NO,
    INSPECTION_CONTENTS,
    INSPECTION_SUCC_FLAG,
];
const ORDER: [Field; 9] = [
    PROC_NO,
    PROC_TITLE,
    PROC_CONTENTS,
    PROC_PRICE,
    PROC_AGENCY,
    PROC_QTY,
    COMPANY_NO,
    COMPANY_NM,
    INSPECTION_SUCC_FLAG.read_only(),
];
const GOODS: [Field; 5] = [PROC_NO, COMPANY_NO, COMPANY_NM, COMPANY_PHONE_NO, INSPECTION_CONTENTS];
const RESULT: [Field; 6] =
    [PROC_NO, COMPANY_NO, COMPANY_NM, COMPANY_PHONE_NO, INSPECTION_CONTENTS, INSPECTION_SUCC_FLAG];
const INQUIRY: [Field; 4] = [PROC_NO, PROC_TITLE, COMPANY_NM, INSPECTION_SUCC_FLAG];
const SMS: [Field; 2] = [Field::text("phoneNo"), Field::text("contents")];

fn set<T>(fields: &Fields, name: &str, read: impl FnOnce(&Fields, &str) -> Option<T>) -> Set<T> {
    fields.sent(name, read).map_or(Set::Keep, Set::To)
}

fn demand(fields: &Fields) -> Demand {
    Demand {
        proc_title: fields.string("procTitle"),
        proc_contents: fields.string("procContents"),
        proc_price: fields.small("procPrice"),
        proc_agency: fields.string("procAgency"),
        proc_qty: fields.double("procQty"),
    }
}

fn demand_change(fields: &Fields) -> DemandChange {
    DemandChange {
        proc_title: set(fields, "procTitle", Fields::string),
        proc_contents: set(fields, "procContents", Fields::string),
        proc_price: set(fields, "procPrice", Fields::small),
        proc_agency: set(fields, "procAgency", Fields::string),
        proc_qty: set(fields, "procQty", Fields::double),
    }
}

fn company(fields: &Fields) -> Company {
    Company { company_no: fields.string("companyNo"), company_nm: fields.string("companyNm") }
}

fn filing(fields: &Fields) -> Filing {
    Filing {
        company_phone_no: fields.string("companyPhoneNo"),
        inspection_contents: fields.string("inspectionContents"),
        ..Filing::of(&company(fields))
    }
}

#[cfg(test)]
mod tests;
