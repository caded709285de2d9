//! What is read of several entities together (F9, F10). `StockSummary` is the [`Stock`](super::Stock) itself.

use serde::{Deserialize, Serialize};

use super::{
    flow::{StockFlow, StockFlowEvent},
    order::{Order, OrderEvent, OrderSlip},
    sale::{Sale, SaleEvent, Ticket},
    shipment::{Shipment, ShipmentEvent},
    values::shown,
};
use crate::actors::entity::{Follows, Key, Recorded, Sources, View};

/// How far an order is; a later one is greater, and an order never goes back (D-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OrderProgress {
    /// It is placed.
    Ordered,
    /// It is on its way.
    Shipped,
    /// The station expects it.
    Received,
    /// The station has it.
    #[serde(rename = "confirmed")]
    Confirmed,
    /// Nobody expects it any more (D-15).
    #[serde(rename = "canceled")]
    Canceled,
}

/// What became of an order, found by the order's number.
///
/// Three kinds tell of it in whatever order their events come; the row is kept back until the order itself was heard
/// of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderStatus {
    slip: Option<OrderSlip>,
    progress: OrderProgress,
}

/// A row of `OrderStatus` as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatusItem {
    /// The order's number.
    pub order_id: u64,
    /// What was ordered.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// How many litres.
    pub qty: f64,
    /// Where to.
    pub dest_addr: String,
    /// On which day.
    pub order_date: String,
    /// How far it is.
    pub status: OrderProgress,
}

impl OrderStatus {
    /// The row as clients see it; `None` before the order was heard of.
    pub fn item(&self, order_id: u64) -> Option<OrderStatusItem> {
        let OrderSlip { product_id, product_name, qty, dest_addr, order_date } = self.slip.clone()?;
        let (qty, status) = (qty.as_f64(), self.progress);
        Some(OrderStatusItem { order_id, product_id, product_name, qty, dest_addr, order_date, status })
    }

    fn advance(row: &mut Option<Self>, to: OrderProgress) -> &mut Self {
        let row = row.get_or_insert(Self { slip: None, progress: to });
        row.progress = row.progress.max(to);
        row
    }
}

impl View for OrderStatus {
    const NAME: &'static str = "station.order-status";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Order>().and::<Shipment>().and::<StockFlow>()
    }
    fn is_listed(&self) -> bool {
        self.slip.is_some()
    }
}

impl Follows<Order> for OrderStatus {
    fn key(event: &Recorded<Order>) -> Option<u64> {
        match event.event {
            OrderEvent::Ordered { .. } | OrderEvent::OrderCanceled(_) => Some(event.number.get()),
            OrderEvent::CancellationStarted { .. } | OrderEvent::CancellationGivenUp { .. } => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Order>) {
        let (slip, progress) = match &event.event {
            OrderEvent::Ordered { slip, .. } => (slip, OrderProgress::Ordered),
            OrderEvent::OrderCanceled(slip) => (slip, OrderProgress::Canceled),
            OrderEvent::CancellationStarted { .. } | OrderEvent::CancellationGivenUp { .. } => return,
        };
        Self::advance(row, progress).slip = Some(slip.clone());
    }
}

impl Follows<Shipment> for OrderStatus {
    fn key(event: &Recorded<Shipment>) -> Option<u64> {
        match &event.event {
            ShipmentEvent::Shipped { load, .. } => Some(load.order_id),
            ShipmentEvent::ShipmentCalledOff => None,
        }
    }
    fn apply(row: &mut Option<Self>, _: &Recorded<Shipment>) {
        Self::advance(row, OrderProgress::Shipped);
    }
}

impl Follows<StockFlow> for OrderStatus {
    fn key(event: &Recorded<StockFlow>) -> Option<u64> {
        let StockFlowEvent::Received(entry) = &event.event else { return None };
        entry.order_id
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<StockFlow>) {
        let StockFlowEvent::Received(entry) = &event.event else { return };
        let progress = if entry.qty.is_positive() { OrderProgress::Confirmed } else { OrderProgress::Received };
        Self::advance(row, progress);
    }
}

/// What was sold of a product, found by the product. Sums may be more than one sale can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SalesSummary {
    /// The sale with the greatest number, and what it calls the product: so it does not matter in which order sales
    /// are heard of.
    named: (u64, String),
    /// In thousandths.
    qty: i128,
    /// In thousandths.
    amount: i128,
}

/// A row of `SalesSummary` as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SalesSummaryItem {
    /// The product.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// How many litres were sold and not taken back.
    pub qty: f64,
    /// For how much.
    pub amount: f64,
}

impl SalesSummary {
    /// The row as clients see it.
    pub fn item(&self, product_id: &Key) -> SalesSummaryItem {
        let (product_id, product_name) = (product_id.to_string(), self.named.1.clone());
        SalesSummaryItem { product_id, product_name, qty: shown(self.qty), amount: shown(self.amount) }
    }
}

impl View for SalesSummary {
    const NAME: &'static str = "station.sales-summary";
    const VERSION: u32 = 1;
    type Key = Key;
    fn sources() -> Sources<Self> {
        Sources::of::<Sale>()
    }
}

/// What a sale adds to the sums: once, or once less.
fn counted(event: &SaleEvent) -> Option<(&Ticket, i128)> {
    match event {
        SaleEvent::Sold(ticket) => Some((ticket, 1)),
        SaleEvent::CanceledSold(ticket) => Some((ticket, -1)),
        SaleEvent::SaleBegun { .. } | SaleEvent::SaleGivenUp { .. } | SaleEvent::SaleVoidRequested { .. } => None,
    }
}

impl Follows<Sale> for SalesSummary {
    fn key(event: &Recorded<Sale>) -> Option<Key> {
        counted(&event.event).and_then(|(ticket, _)| Key::new(&ticket.product_id).ok())
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Sale>) {
        let Some((ticket, times)) = counted(&event.event) else { return };
        let name = (event.number.get(), ticket.product_name.clone());
        let row = row.get_or_insert_with(|| Self { named: name.clone(), qty: 0, amount: 0 });
        row.qty += times * i128::from(ticket.qty.thousandths());
        row.amount += times * i128::from(ticket.amount.thousandths());
        if row.named.0 <= name.0 {
            row.named = name;
        }
    }
}
