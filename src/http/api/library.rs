//! The library's four collections, as `library.md` section 3 has them.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Answered, NumberedId, System,
    http::{By, Call, Change, Commands, EntitySource, Field, Fields, Finder, Problem, Resource, ViewSource},
    library::{
        self, CancelOrder, ChangeDelivery, ChangeOrder, ChangeRent, CreateRent, Delivery, Mypage, Order, PlaceOrder,
        Rent, Rental, key_of_order, named_order,
    },
};

const SYSTEM: &str = library::NAME;

/// The collections of the library.
pub fn library(system: &System) -> Vec<Resource> {
    let rent = system.config().link(SYSTEM, "order", "rent").timeout.unwrap_or(library::RENT_WITHIN);
    vec![orders(system, rent), rents(system), deliveries(system), mypages(system)]
}

fn orders(system: &System, link: Duration) -> Resource {
    let commands = Commands::<Order>::of(system);
    let place = move |fields: &Fields| {
        Ok(PlaceOrder { item: fields.string("item"), status: fields.string("status"), within: link })
    };
    let change = |fields: &Fields| {
        let item = fields.sent("item", |fields, name| fields.string(name).unwrap_or_default());
        Ok(ChangeOrder { item, status: fields.string("status") })
    };
    let source = EntitySource::of(system, |order: &Order, _| order.item());
    Resource::new(SYSTEM, "orders", "order", ID, ORDER.to_vec(), source)
        .service("order")
        .commanded_by(&["customer"])
        .create(commands.asking(link).create(place))
        .change(commands.change(change))
        .remove(commands.remove(CancelOrder))
}

fn rents(system: &System) -> Resource {
    let commands = Commands::<Rent>::of(system);
    let create = |fields: &Fields| {
        // Whoever asks here is not in a round of an order; the order service asks the entity itself.
        Ok(CreateRent { order_id: order_id(fields), round: 0, status: fields.string("status") })
    };
    let change = |fields: &Fields| Ok(ChangeRent { order_id: new_order(fields), status: fields.string("status") });
    let source = EntitySource::of(system, Rent::item);
    Resource::new(SYSTEM, "rents", "rent", ID, OF_ORDER.to_vec(), source.clone())
        // created by the order service only, and taken back by it: no actor's
        .service("rent")
        .create(commands.method(new_or_existing, by_order, create))
        .change(commands.change(change))
        .finder(find_by_order(source.by_id(of_order)))
}

fn deliveries(system: &System) -> Resource {
    let commands = Commands::<Delivery>::of(system);
    let change = |fields: &Fields| Ok(ChangeDelivery { order_id: new_order(fields), status: fields.string("status") });
    let source = EntitySource::of(system, Delivery::item);
    Resource::new(SYSTEM, "deliveries", "delivery", ID, OF_ORDER.to_vec(), source.clone())
        .service("delivery")
        .commanded_by(&["courier"])
        .change(commands.change(change))
        .finder(find_by_order(source.by_id(of_order)))
}

fn mypages(system: &System) -> Resource {
    let source = ViewSource::of(system, |_, row: &Mypage| row.item());
    Resource::new(SYSTEM, "mypages", "mypage", ID, MYPAGE.to_vec(), source)
        .service("mypage")
        .unpaged()
        .finder(find_by_order(By::Key))
}

/// `/search/findByOrderId?orderId=`: a list, of one at most.
fn find_by_order(by: By) -> Finder {
    Finder::many("findByOrderId", ORDER_ID, by)
}

/// The rent or delivery of the order with this number.
fn of_order(order: &Value) -> Option<NumberedId> {
    order.as_u64().map(key_of_order)
}

/// The rent of the order in the body: there is one for each order.
#[expect(clippy::unnecessary_wraps, reason = "the type of an address")]
fn by_order(call: &Call) -> Result<NumberedId, Problem> {
    Ok(key_of_order(order_id(&call.fields)))
}

/// Who asks for the rent of an order again gets the same one.
fn new_or_existing(answered: &Answered<Rental>) -> Change {
    if answered.reply.new { Change::Created } else { Change::Changed }
}

const ID: Field = Field::long("id");
const ORDER_ID: Field = Field::long("orderId");
const ITEM: Field = Field::text("item");
const STATUS: Field = Field::text("status");

// What each item shows, in this order, after its key and before its links.
const ORDER: [Field; 2] = [ITEM, STATUS];
/// A rent and a delivery.
const OF_ORDER: [Field; 2] = [ORDER_ID, STATUS];
const MYPAGE: [Field; 3] = [ORDER_ID, ITEM, STATUS];

/// The order that a creation names; 0, which the entities refuse, when it names none.
fn order_id(fields: &Fields) -> u64 {
    named_order(fields.integer("orderId"))
}

/// The same for a change: `None` when the client did not send one, and a null is no wish to clear it.
fn new_order(fields: &Fields) -> Option<u64> {
    fields.integer("orderId").map(|order| named_order(Some(order)))
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::http::shown;
    use crate::library::{DeliveryItem, DeliveryStatus, MypageItem, OrderItem, OrderStatus, RentItem, RentStatus};

    fn as_shown(declared: &[Field], representation: &impl Serialize) -> String {
        crate::http::api::as_shown(ID, declared, representation)
    }

    #[test]
    fn library_f7_every_item_shows_what_its_entity_tells() {
        let (id, order_id, item) = (1, 1, "COSMOS".to_owned());
        let order = OrderItem { id, item: item.clone(), status: OrderStatus::Cancelled };
        assert_eq!(as_shown(&ORDER, &order), r#"id=1 item="COSMOS" status="Order Cancel""#);
        let rent = RentItem { id, order_id, status: RentStatus::Rented };
        assert_eq!(as_shown(&OF_ORDER, &rent), r#"id=1 orderId=1 status="Rent""#);
        let delivery = DeliveryItem { id, order_id, status: DeliveryStatus::Requested };
        assert_eq!(as_shown(&OF_ORDER, &delivery), r#"id=1 orderId=1 status="Ship""#);
        let page = MypageItem { id, order_id, item, status: "Ship Canceled".to_owned() };
        assert_eq!(as_shown(&MYPAGE, &page), r#"id=1 orderId=1 item="COSMOS" status="Ship Canceled""#);
        // The answer to a creation says besides whether it is one.
        let rental = Rental { rent, new: true };
        let fields = shown(&rental);
        assert!(OF_ORDER.iter().all(|field| fields.get(field.name).is_some()), "{fields:?}");
        let again: Rental = serde_json::from_value(serde_json::json!(rental)).unwrap();
        assert_eq!(again.rent.status, RentStatus::Rented);
    }

    #[test]
    fn library_d5_a_rent_is_found_by_its_order_alone() {
        let id = |given: Value| {
            let body = serde_json::json!({"orderId": given});
            order_id(&Fields::of(&OF_ORDER, body.as_object().unwrap()).unwrap())
        };
        assert_eq!([id("7".into()), id(7.into()), id("-7".into()), id("".into()), id(Value::Null)], [7, 7, 0, 0, 0]);
        assert_eq!(of_order(&7.into()), Some(key_of_order(7)));
        assert_eq!(of_order(&(-7).into()), None);
        let none = Fields::of(&OF_ORDER, serde_json::json!({"orderId": null}).as_object().unwrap()).unwrap();
        assert_eq!(new_order(&none), None);
    }
}
