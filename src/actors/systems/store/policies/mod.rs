//! What follows from what. One policy per kind of source and service, so that the events of one entity
//! reach each service in their order.

mod alarm;
mod orders;
mod stock;

pub use alarm::{AlarmOnDeadLetters, AlarmOnDeliveries, AlarmOnOrders, AlarmOnPayments, AlarmOnStock};
pub use orders::{MarkDelivering, VoidUnwantedDeliveries};
pub use stock::{MoveStockOnDeliveries, MoveStockOnPayments, RefundOnShortage};
