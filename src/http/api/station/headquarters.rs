//! Services Order and Logistics.

use super::{
    BEYOND_LINK, DEST_ADDR, LOGISTICS, ORDER, ORDER_ID, PRICE, PRODUCT, PRODUCT_ID, PRODUCT_NAME, QTY, SYSTEM, WITHIN,
    invalid, link, look_up, product_key, qty,
};
use crate::{
    Answered, AskError, Entities, Number, System, Timestamp,
    http::{
        Action, By, Call, Change, Done, EntitySource, Field, Fields, Finder, Item, Perform, Problem, Procedure,
        Resource, Said, ViewSource, action, ask, by_key, by_number, by_stream, command, key_in, numeric, perform,
        procedure, said, shown,
    },
    station::{
        AddProduct, CancelOrder, ChangeProduct, Field as Value, Order, OrderItem, OrderRejection, OrderStatus,
        PlaceOrder, Product, ProductItem, ProductSet, SetProduct, Shipment, StationSettings, SyncProduct, required,
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
    let source = EntitySource::new(system.entities::<Order>(), system.list::<Order>(), |order, number| {
        order.item(number).as_ref().map(shown)
    });
    let link = link(system, ORDER);
    let cancel = move |_: &Fields| Ok(CancelOrder { within: link });
    let (placing, settings) = (Placing::of(system), system.clone());
    let station = perform(move |_| {
        let label = settings.settings::<StationSettings>().label();
        async move { Ok(Said::text(label)) }
    });
    Resource::new(SYSTEM, "orders", "order", ORDER_ID, ORDER_FIELDS.to_vec(), source)
        .service(ORDER)
        .create(placing.clone().create())
        .remove(command(system.entities::<Order>(), link + BEYOND_LINK, Change::Removed, by_number, cancel))
        .procedure(Procedure::post("placeOrder", ORDER_FIELDS.to_vec(), placing.procedure()))
        .procedure(Procedure::post("station", Vec::new(), station))
}

/// Placing an order needs the day here and what headquarters knows of the product.
#[derive(Clone)]
struct Placing {
    system: System,
    products: Entities<Product>,
    orders: Entities<Order>,
}

impl Placing {
    fn of(system: &System) -> Self {
        Self { system: system.clone(), products: system.entities(), orders: system.entities() }
    }

    async fn place(&self, call: &Call) -> Result<Result<Answered<OrderItem>, AskError<OrderRejection>>, Problem> {
        let key = product_key(&call.fields)?;
        let (qty, today) = (qty(&call.fields)?, local_date(self.system.clock().now()));
        let dest_addr = required(Value::DestAddr, call.fields.text("destAddr")).map_err(invalid)?;
        let product = look_up(&self.products, &key, |product| product.item(Number::NONE)).await?;
        let place = PlaceOrder { product_id: key.to_string(), product, qty, dest_addr, today };
        Ok(ask(&self.orders, call, &by_stream(call)?, place, WITHIN).await)
    }

    fn create(self) -> Action {
        action(move |call| {
            let this = self.clone();
            async move {
                let Answered { reply, replayed, sequence, .. } = this.place(&call).await?.map_err(Problem::of_ask)?;
                let item = Item { key: reply.order_id.into(), sequence: Some(sequence), fields: shown(&reply) };
                Ok(Done { change: Change::Created, item, replayed })
            }
        })
    }

    fn procedure(self) -> Perform {
        perform(move |call| {
            let this = self.clone();
            async move { said(this.place(&call).await?, |answered| Said::yes().made(answered.reply.order_id)) }
        })
    }
}

/// `yyyy-MM-dd` in the machine's zone.
fn local_date(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d").to_string()
}

pub(super) fn products(system: &System) -> Resource {
    let entities = system.entities::<Product>();
    let source = EntitySource::new(entities.clone(), system.list::<Product>(), |product, number| {
        product.item(number).as_ref().map(shown)
    });
    let fields = PRODUCT.map(Field::required).to_vec();
    let change = |fields: &Fields| {
        let product_name = fields.sent("productName", |fields, name| required(Value::ProductName, fields.text(name)));
        let product_name = product_name.transpose().map_err(invalid)?;
        Ok(ChangeProduct { product_name, price: fields.integer("price") })
    };
    let sync = procedure(
        entities.clone(),
        WITHIN,
        |call| key_in(call, "productId"),
        |fields| Ok(SyncProduct { price: fields.integer("price") }),
        |_| Said::yes(),
    );
    Resource::new(SYSTEM, "product", "product", PRODUCT_ID, fields, source)
        .service(ORDER)
        .alias("products")
        .natural_key()
        .create(set_by(&entities, |product| AddProduct { product }, |product| (product, Change::Created)))
        .replace(set_by(
            &entities,
            |product| SetProduct { product },
            |ProductSet { product, is_new }| (product, if is_new { Change::Created } else { Change::Changed }),
        ))
        .merge(command(entities, WITHIN, Change::Changed, by_key, change))
        .finder(Finder::one("findByProductId", Field::text("product_id"), By::Key).also_spelled(&["productId"]))
        .procedure(Procedure::post("sync", vec![PRODUCT_ID.required(), PRICE], sync))
}

/// A command that is given a whole product, its key included.
fn set_by<C: crate::Command<Product>>(
    entities: &Entities<Product>,
    make: fn(ProductItem) -> C,
    tell: fn(C::Reply) -> (ProductItem, Change),
) -> Action {
    let entities = entities.clone();
    action(move |call| {
        let entities = entities.clone();
        async move {
            let key = by_key(&call)?;
            let product_name = required(Value::ProductName, call.fields.text("productName")).map_err(invalid)?;
            let price = call.fields.integer("price").ok_or_else(|| Problem::missing("price"))?;
            let product = ProductItem { product_id: key.to_string(), product_name, price };
            let answered = ask(&entities, &call, &key, make(product), WITHIN).await.map_err(Problem::of_ask)?;
            let (product, change) = tell(answered.reply);
            let item = Item { key: key.as_str().into(), sequence: Some(answered.sequence), fields: shown(&product) };
            Ok(Done { change, item, replayed: answered.replayed })
        }
    })
}

pub(super) fn order_statuses(system: &System) -> Resource {
    let row = |order: &u64, row: &OrderStatus| Item {
        key: (*order).into(),
        sequence: None,
        fields: row.item(*order).as_ref().map(shown).unwrap_or_default(),
    };
    let source = ViewSource::new(system.views::<OrderStatus>(), numeric, row);
    let mut fields = ORDER_FIELDS.to_vec();
    fields.push(Field::text("status"));
    Resource::new(SYSTEM, "orderStatuses", "orderStatus", ORDER_ID, fields, source).service(ORDER).unpaged()
}

pub(super) fn shipments(system: &System) -> Resource {
    let source = EntitySource::new(system.entities::<Shipment>(), system.list::<Shipment>(), |shipment, number| {
        shipment.item(number).as_ref().map(shown)
    });
    let fields = vec![ORDER_ID, Field::text("carNumber"), DEST_ADDR, PRODUCT_ID, PRODUCT_NAME, QTY];
    Resource::new(SYSTEM, "shipments", "shipment", Field::long("shipId"), fields, source).service(LOGISTICS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_show_their_key_and_what_is_declared() {
        let fields = shown(&ProductItem::gas());
        let declared = PRODUCT.iter().chain([&PRODUCT_ID]).map(|field| field.name);
        assert!(declared.clone().all(|name| fields.contains_key(name)), "{fields:?}");
        assert_eq!(fields.len(), declared.count());
    }

    #[test]
    fn an_order_has_the_day_of_this_place() {
        let date = local_date(Timestamp::from_millis(1_622_548_800_000)); // noon in Greenwich: no zone is a day off but +12
        assert!(date.starts_with("2021-06-0"), "{date}");
        assert_eq!(date.len(), "2021-06-01".len());
    }
}
