//! The store: a shop owner orders goods, headquarters delivers, customers buy, and everything can be
//! undone.
//!
//! What it keeps true: no order without a delivery, placed or canceled (D-15); the stock is what was
//! registered or set, plus deliveries, minus canceled deliveries, minus purchases, plus returned ones;
//! purchases never make it negative (D-8); every business event is one message to the owner.
//!
//! | service | entities | policies (what they read) | views |
//! |---|---|---|---|
//! | order | [`Order`] | [`MarkDelivering`] ([`Delivery`]) | [`OrderStatus`] |
//! | delivery | [`Delivery`] | [`VoidUnwantedDeliveries`] ([`Order`]) | [`DeliveriesOfOrder`] |
//! | product | [`Product`] | [`MoveStockOnDeliveries`] ([`Delivery`]), [`MoveStockOnPayments`] ([`Payment`]) | [`ProductPage`] |
//! | payment | [`Payment`] | [`RefundOnShortage`] ([`Product`]) | |
//! | alarm | [`Message`] | [`AlarmOnOrders`], [`AlarmOnDeliveries`], [`AlarmOnStock`] ([`Product`]), [`AlarmOnPayments`], [`AlarmOnDeadLetters`] ([`PolicyProgress`](crate::PolicyProgress)) | |
//!
//! Every entity is [`Listed`](crate::Listed) besides. The only synchronous link is order to delivery.
//!
//! ```text
//!  PlaceOrder --> Order ==create/cancel (asks)==> Delivery --> OrderStatus
//!                   ^  |                            |
//!                   |  +--DeliveryVoidRequested-->  |
//!                   +--------MarkDelivering---------+--MoveStockOnDeliveries--+
//!                                                                             v
//!  Pay -----------> Payment --MoveStockOnPayments--------------------------> Product --> ProductPage
//!                      ^---------------------RefundOnShortage-----------------+
//!  all of them ---> Message
//! ```

mod delivery;
mod message;
mod order;
mod payment;
mod policies;
mod product;
mod values;
mod views;

pub use delivery::{
    CancelDelivery, ChangeDelivery, CreateDelivery, Delivery, DeliveryEvent, DeliveryItem, DeliveryRejection,
    DeliveryStatus, VoidDelivery,
};
pub use message::{Message, MessageEvent, MessageItem, MessageRejection, RemoveMessage, RewriteMessage, WriteMessage};
pub use order::{
    CREATE_DELIVERY, CancelOrder, ChangeOrder, FinishCancellation, FinishPlacing, MarkDelivery, Order, OrderEvent,
    OrderItem, OrderProgress, OrderRejection, PlaceOrder,
};
pub use payment::{
    CancelPayment, CancelReason, ChangePayment, Pay, Payment, PaymentEvent, PaymentItem, PaymentRejection,
    RefundShortage,
};
pub use policies::{
    AlarmOnDeadLetters, AlarmOnDeliveries, AlarmOnOrders, AlarmOnPayments, AlarmOnStock, MarkDelivering,
    MoveStockOnDeliveries, MoveStockOnPayments, RefundOnShortage, VoidUnwantedDeliveries,
};
pub use product::{
    ChangeProduct, GiveBackGoods, Product, ProductEvent, ProductItem, ProductRejection, ReceiveGoods, RegisterProduct,
    RemoveProduct, ReturnGoods, SellGoods, StockCause, StockStatus,
};
pub use values::{Field, InvalidValue, named};
pub use views::{DeliveriesOfOrder, OrderStatus, OrderStatusItem, PageStatus, ProductPage};

#[cfg(test)]
mod tests;
