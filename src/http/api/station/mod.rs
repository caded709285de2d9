//! The gas station's collections and procedures, as `station.md` section 3 has them, service by service.

use std::time::Duration;

use crate::{
    Entities, Key, Listed, Refusal, System,
    http::{Field, Fields, Problem, Resource},
    station::{self, Milli, ProductItem, quantity},
};

mod headquarters;
mod ledger;
mod pos;

const SYSTEM: &str = station::NAME;
const ORDER: &str = "Order";
const LOGISTICS: &str = "Logistics";
const STATION: &str = "Station";
const POS: &str = "POS";

/// The collections of the gas station.
pub fn station(system: &System) -> Vec<Resource> {
    vec![
        headquarters::orders(system),
        headquarters::products(system),
        headquarters::order_statuses(system),
        headquarters::shipments(system),
        ledger::stocks(system),
        ledger::stock_flows(system),
        ledger::stock_summaries(system),
        ledger::product_masters(system),
        ledger::accounts(system),
        ledger::sales_summaries(system),
        pos::sales(system),
        pos::cancel_sales(system),
        pos::product_menus(system),
    ]
}

/// How long `from` waits for the station.
fn link(system: &System, from: &str) -> Duration {
    system.config().link(SYSTEM, from, STATION).timeout.unwrap_or(station::STATION_WITHIN)
}

const PRODUCT_ID: Field = Field::text("productId");
const PRODUCT_NAME: Field = Field::text("productName");
const PRICE: Field = Field::long("price");
const QTY: Field = Field::double("qty");
const AMOUNT: Field = Field::double("amount");
const DEST_ADDR: Field = Field::text("destAddr");
const ORDER_ID: Field = Field::long("orderId");
const SALE_ID: Field = Field::long("saleId");

/// What a product and its replicas show besides their key.
const PRODUCT: [Field; 2] = [PRODUCT_NAME, PRICE];

/// The key of the product that a request names.
fn product_key(fields: &Fields) -> Result<Key, Problem> {
    Ok(station::product_key(fields.text("productId"))?)
}

/// The quantity of a request that has to have one.
fn qty(fields: &Fields) -> Result<Milli, Problem> {
    Ok(quantity(station::Field::Qty, fields.double("qty"))?)
}

/// What a list of products says of one; `None` when it does not have it.
async fn look_up<E>(
    products: &Entities<E>,
    key: &Key,
    item: fn(&E) -> Option<ProductItem>,
) -> Result<Option<ProductItem>, Problem>
where
    E: Listed<Id = Key, Rejection: Refusal>,
{
    let current = products.get(key).await.map_err(Problem::of_ask)?;
    Ok(current.and_then(|current| item(&current.state)))
}
