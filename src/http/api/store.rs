//! The store's seven collections, as `store.md` section 3 has them.

use std::time::Duration;

use crate::{
    System, ViewKey,
    http::{
        Commands, EntitySource, Field, Fields, Finder, Item, Lookup, Resource, ViewSource, shown, unchanged, when_sent,
    },
    store::{
        self, CancelDelivery, CancelOrder, CancelPayment, ChangeDelivery, ChangeOrder, ChangePayment, ChangeProduct,
        CreateDelivery, DeliveriesOfOrder, Delivery, Message, Order, OrderStatus, Pay, Payment, PlaceOrder, Product,
        ProductPage, RegisterProduct, RemoveMessage, RemoveProduct, RewriteMessage, WriteMessage, named,
    },
};

const SYSTEM: &str = store::NAME;

/// The collections of the store.
pub fn store(system: &System) -> Vec<Resource> {
    let delivery = system.config().link(SYSTEM, "order", "delivery").timeout.unwrap_or(store::DELIVERY_WITHIN);
    vec![
        orders(system, delivery),
        deliveries(system),
        products(system),
        payments(system),
        messages(system),
        order_statuses(system),
        product_pages(system),
    ]
}

fn orders(system: &System, link: Duration) -> Resource {
    let source = EntitySource::of(system, |order: &Order, _| order.item());
    let commands = Commands::<Order>::of(system);
    let place = move |fields: &Fields| {
        let (product_id, quantity) = (id(fields, "productId"), fields.int("quantity"));
        Ok(PlaceOrder { product_id, quantity, status: status(fields), within: link })
    };
    let change = |fields: &Fields| {
        let (product_id, quantity) = (new_id(fields, "productId"), new_int(fields, "quantity"));
        Ok(ChangeOrder { product_id, quantity, status: status(fields) })
    };
    Resource::new(SYSTEM, "orders", "order", ID, ORDER.to_vec(), source)
        .service("order")
        .commanded_by(&["owner"])
        .create(commands.asking(link).create(place))
        .change(commands.change(change))
        .remove(commands.asking(link).remove(CancelOrder { within: link }))
}

fn deliveries(system: &System) -> Resource {
    let commands = Commands::<Delivery>::of(system);
    let create = |fields: &Fields| {
        let (order_id, product_id) = (id(fields, "orderId"), id(fields, "productId"));
        Ok(CreateDelivery { order_id, product_id, quantity: fields.int("quantity"), status: status(fields) })
    };
    let change = |fields: &Fields| {
        let (order_id, product_id) = (new_id(fields, "orderId"), new_id(fields, "productId"));
        Ok(ChangeDelivery { order_id, product_id, quantity: new_int(fields, "quantity"), status: status(fields) })
    };
    let source = EntitySource::of(system, Delivery::item);
    Resource::new(SYSTEM, "deliveries", "delivery", ID, DELIVERY.to_vec(), source)
        .service("delivery")
        .commanded_by(&["hq"])
        .create(commands.create(create))
        .change(commands.change(change))
        .remove(commands.remove(CancelDelivery))
        .single_by(earliest_of_order(system))
}

/// `GET /deliveries?orderId=`: the earliest standing delivery of that order.
fn earliest_of_order(system: &System) -> Finder {
    let of_order = Lookup::rows(system.views::<DeliveriesOfOrder>(), |order| Some(order.as_u64()?.to_bytes()));
    let item =
        |_: &_, row: &DeliveriesOfOrder| Item { key: row.item().id.into(), sequence: None, fields: shown(row.item()) };
    Finder::one("orderId", ORDER_ID, of_order.items(item))
}

fn products(system: &System) -> Resource {
    let commands = Commands::<Product>::of(system);
    let register =
        |fields: &Fields| Ok(RegisterProduct { quantity: fields.int("quantity"), price: fields.int("price") });
    let change =
        |fields: &Fields| Ok(ChangeProduct { quantity: new_int(fields, "quantity"), price: new_int(fields, "price") });
    let source = EntitySource::of(system, Product::item);
    Resource::new(SYSTEM, "products", "product", ID, PRODUCT.to_vec(), source)
        .service("product")
        .commanded_by(&["owner"])
        .create(commands.create(register))
        .change(commands.change(change))
        .remove(commands.remove(RemoveProduct))
}

fn payments(system: &System) -> Resource {
    let commands = Commands::<Payment>::of(system);
    let pay = |fields: &Fields| {
        Ok(Pay { product_id: id(fields, "productId"), quantity: fields.int("quantity"), price: fields.int("price") })
    };
    let change = |fields: &Fields| {
        let (quantity, price) = (new_int(fields, "quantity"), new_int(fields, "price"));
        Ok(ChangePayment { product_id: new_id(fields, "productId"), quantity, price })
    };
    let source = EntitySource::of(system, Payment::item);
    Resource::new(SYSTEM, "payments", "payment", ID, PAYMENT.to_vec(), source)
        .service("payment")
        .commanded_by(&["customer"])
        .create(commands.create(pay))
        .change(commands.change(change))
        .remove(commands.remove(CancelPayment))
}

fn messages(system: &System) -> Resource {
    let commands = Commands::<Message>::of(system);
    let write = |fields: &Fields| Ok(WriteMessage { content: fields.string("content") });
    let rewrite = commands.change(|fields| Ok(RewriteMessage { content: fields.string("content") }));
    let source = EntitySource::of(system, Message::item);
    Resource::new(SYSTEM, "messages", "message", ID, MESSAGE.to_vec(), source.clone())
        .service("alarm")
        .commanded_by(&["owner"])
        .create(commands.create(write))
        .replace(rewrite.clone())
        .merge(when_sent("content", rewrite, unchanged(source)))
        .remove(commands.remove(RemoveMessage))
}

fn order_statuses(system: &System) -> Resource {
    let source = ViewSource::of(system, |_, row: &OrderStatus| row.item());
    Resource::new(SYSTEM, "orderStatuses", "orderStatus", ID, ORDER_STATUS.to_vec(), source).service("order").unpaged()
}

fn product_pages(system: &System) -> Resource {
    let source = ViewSource::of(system, |_, row: &ProductPage| row.clone());
    Resource::new(SYSTEM, "productPages", "productPage", ID, PRODUCT.to_vec(), source).service("product").unpaged()
}

const ID: Field = Field::long("id");
const ORDER_ID: Field = Field::long("orderId");
const PRODUCT_ID: Field = Field::long("productId");
const QUANTITY: Field = Field::int("quantity");
const PRICE: Field = Field::int("price");
const STATUS: Field = Field::text("status");

// What each item shows, in this order, after its key and before its links.
const ORDER: [Field; 3] = [PRODUCT_ID, QUANTITY, STATUS];
const DELIVERY: [Field; 4] = [ORDER_ID, PRODUCT_ID, QUANTITY, STATUS];
/// A product and its page.
const PRODUCT: [Field; 3] = [QUANTITY, PRICE, STATUS];
const PAYMENT: [Field; 3] = [PRODUCT_ID, QUANTITY, PRICE];
const MESSAGE: [Field; 1] = [Field::text("content")];
const ORDER_STATUS: [Field; 4] = [ORDER_ID, PRODUCT_ID, STATUS, QUANTITY];

/// The entity that a creation names; 0, which the entities refuse, when it names none.
fn id(fields: &Fields, name: &str) -> u64 {
    named(fields.integer(name))
}

/// The same for a change: `None` when the client did not send the field.
fn new_id(fields: &Fields, name: &str) -> Option<u64> {
    fields.sent(name, id)
}

fn new_int(fields: &Fields, name: &str) -> Option<i32> {
    fields.sent(name, Fields::int)
}

/// The status is the system's: a client may repeat it, and a null is no wish to clear it.
fn status(fields: &Fields) -> Option<String> {
    fields.string("status")
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::store::{
        DeliveryItem, DeliveryStatus, MessageItem, OrderItem, OrderProgress, OrderStatusItem, PageStatus, PaymentItem,
        ProductItem, StockStatus,
    };

    fn as_shown(declared: &[Field], representation: &impl Serialize) -> String {
        crate::http::api::as_shown(ID, declared, representation)
    }

    #[test]
    fn every_item_shows_what_its_entity_tells() {
        let (id, order_id, product_id, quantity, price) = (1, 1, 1, 3, 1000);
        let order = OrderItem { id, product_id, quantity, status: OrderProgress::Ordered };
        assert_eq!(as_shown(&ORDER, &order), r#"id=1 productId=1 quantity=3 status="order""#);
        let delivery = DeliveryItem { id, order_id, product_id, quantity, status: DeliveryStatus::Started };
        assert_eq!(as_shown(&DELIVERY, &delivery), r#"id=1 orderId=1 productId=1 quantity=3 status="delivery""#);
        let product = ProductItem { id, quantity, price, status: StockStatus::Register };
        assert_eq!(as_shown(&PRODUCT, &product), r#"id=1 quantity=3 price=1000 status="register""#);
        let payment = PaymentItem { id, product_id, quantity, price };
        assert_eq!(as_shown(&PAYMENT, &payment), "id=1 productId=1 quantity=3 price=1000");
        let message = MessageItem { id, content: Some("상품 ID : 1".into()) };
        assert_eq!(as_shown(&MESSAGE, &message), r#"id=1 content="상품 ID : 1""#);
        let status = DeliveryStatus::Canceled;
        let row = OrderStatusItem { id, order_id, product_id, status, quantity };
        let expected = r#"id=1 orderId=1 productId=1 status="cancel delivery" quantity=3"#;
        assert_eq!(as_shown(&ORDER_STATUS, &row), expected);
        let page = ProductPage { id, quantity, price, status: PageStatus::Add };
        assert_eq!(as_shown(&PRODUCT, &page), r#"id=1 quantity=3 price=1000 status="add""#);
    }

    #[test]
    fn a_change_names_only_what_was_sent() {
        let body = serde_json::json!({"productId": null, "status": null});
        let fields = Fields::of(&ORDER, body.as_object().unwrap()).unwrap();
        assert_eq!(
            (new_id(&fields, "productId"), new_int(&fields, "quantity"), status(&fields)),
            (Some(0), None, None)
        );
        let whole = fields.or_nothing(&ORDER);
        assert_eq!(new_int(&whole, "quantity"), Some(0));
    }

    #[test]
    fn what_no_entity_can_have_is_left_to_the_entity_to_refuse() {
        for (given, expected) in [("7", 7), ("-7", 0), ("", 0)] {
            let body = serde_json::json!({"productId": given});
            assert_eq!(id(&Fields::of(&ORDER, body.as_object().unwrap()).unwrap(), "productId"), expected);
        }
    }
}
