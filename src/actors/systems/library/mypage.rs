//! What the customer reads (F7).

use serde::{Deserialize, Serialize};

use super::{
    delivery::{Delivery, DeliveryEvent, DeliveryStatus},
    order::{ORDER_CANCELED, Order, OrderEvent, OrderStatus},
    rent::{Rent, RentEvent, RentStatus},
};
use crate::actors::entity::{Follows, Recorded, Sources, View};

/// How far an order is, found by its number.
///
/// Three services tell of it and nothing orders what they tell, so the furthest status counts (D-10); what
/// is told twice changes nothing (D-14). A row is shown once its order is known to stand: what belongs to
/// an order that was given up never is. Rows are not deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mypage {
    order_id: u64,
    /// `None` until the order is known to stand.
    item: Option<String>,
    status: MypageStatus,
}

/// How far an order is; a later one is greater. On disk: the order of variants may change, never the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MypageStatus {
    /// It stands.
    Ordered,
    /// Its rental is confirmed.
    Rent,
    /// Its delivery is requested.
    Ship,
    /// The courier has shipped it.
    Shipped,
    /// The customer cancelled it.
    OrderCanceled,
    /// Its rental is canceled.
    RentCanceled,
    /// Its delivery is called off.
    ShipCanceled,
}

impl MypageStatus {
    /// The status as clients see it: in the words of the event that it comes from.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => OrderStatus::Ordered.as_str(),
            Self::Rent => RentStatus::Rented.as_str(),
            Self::Ship => DeliveryStatus::Requested.as_str(),
            Self::Shipped => DeliveryStatus::Shipped.as_str(),
            Self::OrderCanceled => ORDER_CANCELED,
            Self::RentCanceled => RentStatus::Canceled.as_str(),
            Self::ShipCanceled => DeliveryStatus::Canceled.as_str(),
        }
    }
}

/// A row as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MypageItem {
    /// The order's number, once more.
    pub id: u64,
    /// The order's number.
    pub order_id: u64,
    /// The book's title.
    pub item: String,
    /// How far it is.
    pub status: String,
}

impl Mypage {
    /// The row as clients see it; `None` when they do not.
    pub fn item(&self) -> Option<MypageItem> {
        let (order_id, status) = (self.order_id, self.status.as_str().to_owned());
        self.item.clone().map(|item| MypageItem { id: order_id, order_id, item, status })
    }

    fn reach(row: &mut Option<Self>, order_id: u64, status: MypageStatus) -> &mut Self {
        let row = row.get_or_insert(Self { order_id, item: None, status });
        row.status = row.status.max(status);
        row
    }
}

impl View for Mypage {
    const NAME: &'static str = "library.mypage";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Order>().and::<Rent>().and::<Delivery>()
    }
    fn is_listed(&self) -> bool {
        self.item.is_some()
    }
}

impl Follows<Order> for Mypage {
    fn key(event: &Recorded<Order>) -> Option<u64> {
        match event.event {
            OrderEvent::Ordered { .. } | OrderEvent::OrderCancelled { .. } => Some(event.number.get()),
            OrderEvent::PlacingStarted { .. }
            | OrderEvent::PlacingGivenUp { .. }
            | OrderEvent::RentVoidRequested { .. }
            | OrderEvent::OrderShipped => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Order>) {
        let order = event.number.get();
        match &event.event {
            OrderEvent::Ordered { item } => {
                Self::reach(row, order, MypageStatus::Ordered).item = Some(item.clone());
            }
            OrderEvent::OrderCancelled { .. } => {
                Self::reach(row, order, MypageStatus::OrderCanceled);
            }
            OrderEvent::PlacingStarted { .. }
            | OrderEvent::PlacingGivenUp { .. }
            | OrderEvent::RentVoidRequested { .. }
            | OrderEvent::OrderShipped => {}
        }
    }
}

impl Follows<Rent> for Mypage {
    fn key(event: &Recorded<Rent>) -> Option<u64> {
        match event.event {
            RentEvent::Rented { order_id, .. } | RentEvent::RentCanceled { order_id } => Some(order_id),
            RentEvent::RentTakenOver { .. } | RentEvent::RentVoided { .. } => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Rent>) {
        match event.event {
            RentEvent::Rented { order_id, .. } => Self::reach(row, order_id, MypageStatus::Rent),
            RentEvent::RentCanceled { order_id } => Self::reach(row, order_id, MypageStatus::RentCanceled),
            RentEvent::RentTakenOver { .. } | RentEvent::RentVoided { .. } => return,
        };
    }
}

impl Follows<Delivery> for Mypage {
    fn key(event: &Recorded<Delivery>) -> Option<u64> {
        match event.event {
            DeliveryEvent::Shipped { order_id, .. } | DeliveryEvent::DeliveryCanceled { order_id } => Some(order_id),
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Delivery>) {
        let (order_id, status) = match event.event {
            DeliveryEvent::Shipped { order_id, status } => (order_id, status),
            DeliveryEvent::DeliveryCanceled { order_id } => (order_id, DeliveryStatus::Canceled),
        };
        let status = match status {
            DeliveryStatus::Requested => MypageStatus::Ship,
            DeliveryStatus::Shipped => MypageStatus::Shipped,
            DeliveryStatus::Canceled => MypageStatus::ShipCanceled,
        };
        Self::reach(row, order_id, status);
    }
}
