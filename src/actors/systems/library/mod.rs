//! The library: a customer requests a book, the rental is confirmed at once, the delivery team ships it, and
//! a cancellation runs the same way.
//!
//! What it keeps true: an order that stands has exactly one rent, and a rent exactly one delivery (D-5); at
//! rest, what follows a cancelled order is canceled; a request that was given up leaves no rent; the my-page
//! shows the furthest status of each order that stands or stood (D-10).
//!
//! | service | entities | policies (what they read) | views |
//! |---|---|---|---|
//! | rent | [`Rent`] | [`CancelRents`] ([`Order`]) | |
//! | order | [`Order`] | [`MarkShippedOrders`] ([`Delivery`]) | |
//! | delivery | [`Delivery`] | [`DeliverRents`] ([`Rent`]) | |
//! | mypage | | | [`Mypage`] |
//!
//! Every entity is [`Listed`](crate::Listed) besides. The only synchronous link is order to rent.
//!
//! ```text
//!  PlaceOrder --> Order ==create (asks)==> Rent --DeliverRents--> Delivery <-- the courier
//!                 ^  |                      ^                        |
//!                 |  +-----CancelRents------+                        |
//!                 +------------------MarkShippedOrders---------------+
//!  all three ---> Mypage
//! ```
//!
//! There is no catalogue and no stock: two customers may rent the same title at once (D-7).

mod delivery;
mod mypage;
mod order;
mod policies;
mod rent;
mod values;

pub use delivery::{
    CancelDelivery, ChangeDelivery, Delivery, DeliveryEvent, DeliveryItem, DeliveryRejection, DeliveryStatus,
    RequestDelivery,
};
pub use mypage::{Mypage, MypageItem, MypageStatus};
pub use order::{
    CancelOrder, ChangeOrder, FinishPlacing, MarkShipped, Order, OrderEvent, OrderItem, OrderRejection, OrderStatus,
    PlaceOrder,
};
pub use policies::{CancelRents, DeliverRents, MarkShippedOrders};
pub use rent::{
    CancelRent, ChangeRent, CreateRent, Rent, RentEvent, RentItem, RentRejection, RentStatus, Rental, VoidRent,
};
pub use values::{Field, InvalidValue, key_of_order, named_order};

use std::time::Duration;

use crate::actors::entity::ServiceDeclaration;

/// The system's name: in paths, in names of services, in configuration.
pub const NAME: &str = "library";

/// How long an order waits for its rent service unless the configuration says otherwise (D-15).
pub const RENT_WITHIN: Duration = Duration::from_secs(1);

/// Declares the library's services, in the order in which they start.
pub fn services<S: ServiceDeclaration>() -> Vec<S> {
    vec![
        S::service("rent")
            .listed::<Rent>()
            .asked::<Rent, CreateRent>()
            .asked::<Rent, CancelRent>()
            .asked::<Rent, VoidRent>()
            .policy(CancelRents),
        S::service("order").listed::<Order>().policy(MarkShippedOrders),
        S::service("delivery").listed::<Delivery>().policy(DeliverRents),
        S::service("mypage").view::<Mypage>(),
    ]
}

#[cfg(test)]
mod tests;
