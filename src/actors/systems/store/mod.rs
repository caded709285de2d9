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
//! Messages leave the house through the channel `alarm` ([`AlarmOut`]).
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
mod notices;
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
pub use notices::AlarmOut;
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

use std::time::Duration;

use crate::actors::entity::ServiceDeclaration;

/// The system's name: in paths, in names of services, in configuration.
pub const NAME: &str = "store";

/// How long an order waits for its delivery service unless the configuration says otherwise (section 6).
pub const DELIVERY_WITHIN: Duration = Duration::from_secs(1);

/// Declares the store's services, in the order in which they start.
pub fn services<S: ServiceDeclaration>() -> Vec<S> {
    vec![
        S::service("delivery")
            .listed::<Delivery>()
            .asked::<Delivery, CreateDelivery>()
            .asked::<Delivery, CancelDelivery>()
            .asked::<Delivery, VoidDelivery>()
            .policy(VoidUnwantedDeliveries)
            .view::<DeliveriesOfOrder>(),
        S::service("order").listed::<Order>().policy(MarkDelivering).view::<OrderStatus>(),
        S::service("product")
            .listed::<Product>()
            .policy(MoveStockOnDeliveries)
            .policy(MoveStockOnPayments)
            .view::<ProductPage>(),
        S::service("payment").listed::<Payment>().policy(RefundOnShortage),
        S::service("alarm")
            .listed::<Message>()
            .policy(AlarmOnOrders)
            .policy(AlarmOnDeliveries)
            .policy(AlarmOnStock)
            .policy(AlarmOnPayments)
            .policy(AlarmOnDeadLetters)
            .notifies(AlarmOut),
    ]
}

#[cfg(test)]
mod tests;
