//! What the owner reads (F8).

use serde::{Deserialize, Serialize};

use super::{
    delivery::{Delivery, DeliveryEvent, DeliveryItem, DeliveryStatus},
    product::{Product, ProductEvent, StockStatus},
};
use crate::actors::entity::{Follows, Recorded, Sources, View};

/// What became of an order, found by the order's number (D-14). Stays when the order is deleted.
///
/// An order may have several deliveries (D-16), whose events come in any order: the one with the greatest
/// number counts, and of that one the furthest status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderStatus {
    order_id: u64,
    product_id: u64,
    quantity: i32,
    latest: (u64, DeliveryStatus),
}

/// A row of `OrderStatus` as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatusItem {
    /// The order's number, once more.
    pub id: u64,
    /// The order's number.
    pub order_id: u64,
    /// What was ordered.
    pub product_id: u64,
    /// What its delivery does.
    pub status: DeliveryStatus,
    /// How many.
    pub quantity: i32,
}

impl OrderStatus {
    /// The row as clients see it.
    pub fn item(&self) -> OrderStatusItem {
        let Self { order_id, product_id, quantity, latest: (_, status) } = *self;
        OrderStatusItem { id: order_id, order_id, product_id, status, quantity }
    }
}

impl View for OrderStatus {
    const NAME: &'static str = "store.order-status";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Delivery>()
    }
}

impl Follows<Delivery> for OrderStatus {
    fn key(event: &Recorded<Delivery>) -> Option<u64> {
        match event.event {
            DeliveryEvent::DeliveryStarted { order_id, .. } | DeliveryEvent::DeliveryCanceled { order_id, .. } => {
                Some(order_id)
            }
            DeliveryEvent::CreationVoided => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Delivery>) {
        let number = event.number.get();
        let now = match event.event {
            DeliveryEvent::DeliveryStarted { order_id, product_id, quantity } => {
                Self { order_id, product_id, quantity, latest: (number, DeliveryStatus::Started) }
            }
            DeliveryEvent::DeliveryCanceled { order_id, product_id, quantity } => {
                Self { order_id, product_id, quantity, latest: (number, DeliveryStatus::Canceled) }
            }
            DeliveryEvent::CreationVoided => return,
        };
        if row.as_ref().is_none_or(|row| row.latest < now.latest) {
            *row = Some(now);
        }
    }
}

/// The stock, found by the product's number. Stays when the product is removed (D-9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductPage {
    /// The product's number.
    pub id: u64,
    /// Its stock.
    pub quantity: i32,
    /// Its price.
    pub price: i32,
    /// What happened last to it.
    pub status: PageStatus,
}

/// What happened last to a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PageStatus {
    /// Nothing since it was registered.
    Register,
    /// Goods came in.
    Add,
    /// Goods went out.
    Subtract,
    /// It is sold no more.
    Delete,
}

impl From<StockStatus> for PageStatus {
    fn from(status: StockStatus) -> Self {
        match status {
            StockStatus::Register => Self::Register,
            StockStatus::Add => Self::Add,
            StockStatus::Subtract => Self::Subtract,
        }
    }
}

impl View for ProductPage {
    const NAME: &'static str = "store.product-page";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Product>()
    }
}

impl Follows<Product> for ProductPage {
    fn key(event: &Recorded<Product>) -> Option<u64> {
        match event.event {
            ProductEvent::ProductRegistered { .. }
            | ProductEvent::StockModified { .. }
            | ProductEvent::ProductRemoved => Some(event.number.get()),
            ProductEvent::StockShortage { .. } | ProductEvent::ShortageClosed { .. } => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Product>) {
        let id = event.number.get();
        match event.event {
            ProductEvent::ProductRegistered { quantity, price } => {
                *row = Some(Self { id, quantity, price, status: PageStatus::Register });
            }
            ProductEvent::StockModified { quantity, price, status, cause: _ } => {
                *row = Some(Self { id, quantity, price, status: status.into() });
            }
            ProductEvent::ProductRemoved => {
                if let Some(row) = row {
                    row.status = PageStatus::Delete;
                }
            }
            ProductEvent::StockShortage { .. } | ProductEvent::ShortageClosed { .. } => {}
        }
    }
}

/// The standing deliveries of each order, found by (order, delivery): the first of an order is the answer
/// to `GET /deliveries?orderId=`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveriesOfOrder(DeliveryItem);

impl DeliveriesOfOrder {
    /// The delivery as clients see it.
    pub fn item(&self) -> &DeliveryItem {
        &self.0
    }
}

impl View for DeliveriesOfOrder {
    const NAME: &'static str = "store.deliveries-of-order";
    const VERSION: u32 = 1;
    type Key = (u64, u64);
    fn sources() -> Sources<Self> {
        Sources::of::<Delivery>()
    }
}

impl Follows<Delivery> for DeliveriesOfOrder {
    fn key(event: &Recorded<Delivery>) -> Option<(u64, u64)> {
        <OrderStatus as Follows<Delivery>>::key(event).map(|order| (order, event.number.get()))
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Delivery>) {
        let id = event.number.get();
        match event.event {
            DeliveryEvent::DeliveryStarted { order_id, product_id, quantity } => {
                let status = DeliveryStatus::Started;
                *row = Some(Self(DeliveryItem { id, order_id, product_id, quantity, status }));
            }
            DeliveryEvent::DeliveryCanceled { .. } => *row = None,
            DeliveryEvent::CreationVoided => {}
        }
    }
}
