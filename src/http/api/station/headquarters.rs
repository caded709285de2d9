//! Services Order and Logistics.

use futures::{FutureExt, future::BoxFuture};

use super::{
    DEST_ADDR, LOGISTICS, ORDER, ORDER_ID, PRICE, PRODUCT, PRODUCT_ID, PRODUCT_NAME, QTY, SYSTEM, link, look_up,
    product_key, qty,
};
use crate::{
    Answered, Key, Number, NumberedId, System, Timestamp,
    http::{
        By, Call, Change, Commands, EntitySource, Field, Fields, Finder, Problem, Procedure, Resource, Said,
        ViewSource, by_key, by_stream, key_in, perform,
    },
    station::{
        AddProduct, CancelOrder, ChangeProduct, Field as Value, Order, OrderStatus, PlaceOrder, Product, ProductItem,
        ProductSet, SetProduct, Shipment, StationSettings, SyncProduct, required,
    },
};

const ORDER_FIELDS: [Field; 5] = [
    PRODUCT_ID.required(),
    PRODUCT_NAME.read_only(),
    QTY.required(),
    DEST_ADDR.required(),
    Field::text("orderDate").read_only(),
];

pub(super) fn orders(system: &System) -> Resource {
    let (commands, link) = (Commands::<Order>::of(system), link(system, ORDER));
    let settings = system.clone();
    let station = perform(move |_| {
        let label = settings.settings::<StationSettings>().label();
        async move { Ok(Said::text(label)) }
    });
    let place = commands.prepared_procedure(placing(system), |answered| Said::yes().made(answered.reply.order_id));
    let source = EntitySource::of(system, Order::item);
    Resource::new(SYSTEM, "orders", "order", ORDER_ID, ORDER_FIELDS.to_vec(), source)
        .service(ORDER)
        .commanded_by(&["clerk"])
        .create(commands.prepared(Change::Created, placing(system)))
        .remove(commands.asking(link).remove(CancelOrder { within: link }))
        .procedure(Procedure::post("placeOrder", ORDER_FIELDS.to_vec(), place))
        .procedure(Procedure::post("station", Vec::new(), station).telling_text())
}

/// Placing an order needs the day here and what headquarters knows of the product.
fn placing(
    system: &System,
) -> impl Fn(Call) -> BoxFuture<'static, Result<(NumberedId, PlaceOrder), Problem>> + Send + Sync + 'static {
    let (clock, products) = (system.clock(), system.entities::<Product>());
    move |call| {
        let (products, today) = (products.clone(), local_date(clock.now()));
        async move {
            let key = product_key(&call.fields)?;
            let (qty, dest_addr) = (qty(&call.fields)?, required(Value::DestAddr, call.fields.text("destAddr"))?);
            let product = look_up(&products, &key, |product| product.item(Number::NONE)).await?;
            Ok((by_stream(&call)?, PlaceOrder { product_id: key.to_string(), product, qty, dest_addr, today }))
        }
        .boxed()
    }
}

/// `yyyy-MM-dd` in the machine's zone.
fn local_date(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

pub(super) fn products(system: &System) -> Resource {
    let commands = Commands::<Product>::of(system);
    let change = |fields: &Fields| {
        let product_name = fields.sent("productName", |fields, name| required(Value::ProductName, fields.text(name)));
        Ok(ChangeProduct { product_name: product_name.transpose()?, price: fields.integer("price") })
    };
    let sync = |fields: &Fields| Ok(SyncProduct { price: fields.integer("price") });
    let sync = commands.procedure(|call| key_in(call, "productId"), sync, |_| Said::yes());
    let add = commands.prepared(Change::Created, |call| async move {
        let (key, product) = whole(&call)?;
        Ok((key, AddProduct { product }))
    });
    let new_or_set =
        |answered: &Answered<ProductSet>| if answered.reply.is_new { Change::Created } else { Change::Changed };
    let set = commands.prepared(new_or_set, |call| async move {
        let (key, product) = whole(&call)?;
        Ok((key, SetProduct { product }))
    });
    let (fields, source) = (PRODUCT.map(Field::required).to_vec(), EntitySource::of(system, Product::item));
    Resource::new(SYSTEM, "product", "product", PRODUCT_ID, fields, source)
        .service(ORDER)
        .commanded_by(&["hq"])
        .alias("products")
        .natural_key()
        .create(add)
        .replace(set)
        .merge(commands.change(change))
        .finder(Finder::one("findByProductId", Field::text("product_id"), By::Key).also_spelled(&["productId"]))
        .procedure(Procedure::post("sync", vec![PRODUCT_ID.required(), PRICE], sync))
}

/// A product that is given whole, its key included.
fn whole(call: &Call) -> Result<(Key, ProductItem), Problem> {
    let key = by_key(call)?;
    let product_name = required(Value::ProductName, call.fields.text("productName"))?;
    let price = call.fields.integer("price").ok_or_else(|| Problem::missing("price"))?;
    let product = ProductItem { product_id: key.to_string(), product_name, price };
    Ok((key, product))
}

pub(super) fn order_statuses(system: &System) -> Resource {
    let source = ViewSource::of(system, |order, row: &OrderStatus| row.item(*order));
    let mut fields = ORDER_FIELDS.to_vec();
    fields.push(Field::text("status"));
    Resource::new(SYSTEM, "orderStatuses", "orderStatus", ORDER_ID, fields, source).service(ORDER).unpaged()
}

pub(super) fn shipments(system: &System) -> Resource {
    let fields = vec![ORDER_ID, Field::text("carNumber"), DEST_ADDR, PRODUCT_ID, PRODUCT_NAME, QTY];
    let source = EntitySource::of(system, Shipment::item);
    Resource::new(SYSTEM, "shipments", "shipment", Field::long("shipId"), fields, source).service(LOGISTICS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::shown;

    #[test]
    fn products_show_their_key_and_what_is_declared() {
        let fields = shown(&ProductItem::gas());
        let declared = PRODUCT.iter().chain([&PRODUCT_ID]).map(|field| field.name);
        assert!(declared.clone().all(|name| fields.get(name).is_some()), "{fields:?}");
        assert_eq!(fields.iter().count(), declared.count());
    }

    #[test]
    fn an_order_has_the_day_of_this_place() {
        let date = local_date(Timestamp::from_millis(1_622_548_800_000)); // noon in Greenwich: no zone is a day off but +12
        assert!(date.starts_with("2021-06-0"), "{date}");
        assert_eq!(date.len(), "2021-06-01".len());
    }
}
