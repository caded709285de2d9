//! The gas station: a station orders fuel from headquarters, logistics ships it, the station confirms what came, the
//! cashier sells it, and prices flow from headquarters to the pump.
//!
//! What it keeps true: the stock of a product is the sum of the rows of its ledger; each receipt, sale, cancellation
//! and correction is one row and moves the stock once; a sale and its row come about together or not at all (D-8);
//! the stock is not sold below zero (D-12); one shipment per order; what is confirmed is not canceled, and what is
//! canceled is never confirmed (D-15). Litres and won are counted in thousandths ([`Milli`], D-11).
//!
//! | service | entities | policies (what they read) | views |
//! |---|---|---|---|
//! | Order | [`Product`], [`Order`] | | [`OrderStatus`] |
//! | Logistics | [`Shipment`] | [`ShipOrders`] ([`Order`]) | |
//! | Station | [`StockFlow`], [`Stock`], [`ProductMaster`], [`Account`] | [`UpdateMasters`] ([`Product`]), [`ExpectShipments`] ([`Shipment`]), [`ReturnCanceledSales`], [`VoidUnknownSales`] ([`Sale`]) | [`SalesSummary`] |
//! | POS | [`Sale`], [`ProductMenu`] | [`UpdateMenus`] ([`ProductMaster`]) | |
//!
//! Every entity is [`Listed`](crate::Listed) besides; the list of stocks is what clients know as `StockSummary`. The
//! synchronous links are POS to Station (a sale asks for its row) and Order to Station (a cancellation calls the
//! receipt off).
//!
//! ```text
//!  Product --UpdateMasters--> ProductMaster --UpdateMenus--> ProductMenu
//!
//!  Order --ShipOrders--> Shipment --ExpectShipments--> StockFlow ==moves (asks)==> Stock
//!    |                                                  ^  ^  ^
//!    +====cancels (asks)================================+  |  |
//!  Sale ===========sells (asks)============================+  |
//!    +----ReturnCanceledSales, VoidUnknownSales---------------+
//! ```

mod account;
mod flow;
mod order;
mod policies;
mod product;
mod replicas;
mod sale;
mod settings;
mod shipment;
mod stock;
mod values;
mod views;

pub use account::{
    Account, AccountContents, AccountEvent, AccountItem, AccountRejection, CloseAccount, OpenAccount, RewriteAccount,
};
pub use flow::{
    CallOffReceipt, ConfirmReceipt, ExpectReceipt, FinishMovement, FinishReversal, FlowEntry, MOVE_STOCK, REVERSE_SALE,
    RecordFlow, StockFlow, StockFlowEvent, StockFlowItem, StockFlowRejection, VoidSale,
};
pub use order::{
    CALL_OFF_RECEIPT, CancelOrder, FinishCancellation, Order, OrderEvent, OrderItem, OrderRejection, OrderSlip,
    PlaceOrder,
};
pub use policies::{ExpectShipments, ReturnCanceledSales, ShipOrders, UpdateMasters, UpdateMenus, VoidUnknownSales};
pub use product::{
    AddProduct, ChangeProduct, Product, ProductEvent, ProductItem, ProductRejection, ProductSet, SeedProduct,
    SetProduct, SyncProduct,
};
pub use replicas::{
    AdoptMaster, AdoptProduct, ProductMaster, ProductMasterEvent, ProductMenu, ProductMenuEvent, ReplicaRejection,
};
pub use sale::{
    CancelSale, ChangeSale, FinishSale, MAX_PRICE, MakeSale, Sale, SaleEvent, SaleItem, SaleRejection, TAKE_STOCK,
    Ticket,
};
pub use settings::StationSettings;
pub use shipment::{
    CallOffShipment, ShipOrder, Shipment, ShipmentEvent, ShipmentItem, ShipmentLoad, ShipmentRejection,
};
pub use stock::{MoveStock, Stock, StockEvent, StockRejection, StockSummaryItem};
pub use values::{Field, InvalidValue, MAX_CHARACTERS, Milli, number, optional, product_key, quantity, required};
pub use views::{OrderProgress, OrderStatus, OrderStatusItem, SalesSummary, SalesSummaryItem};

use std::time::Duration;

use crate::actors::entity::ServiceDeclaration;

/// The system's name: in paths, in names of services, in configuration.
pub const NAME: &str = "station";

/// The service that keeps the stock, as partners of it call it.
const STATION: &str = "station/Station";

/// How long POS and Order wait for the station unless the configuration says otherwise (D-8).
pub const STATION_WITHIN: Duration = Duration::from_secs(1);

/// Declares the station's services, in the order in which they start.
pub fn services<S: ServiceDeclaration>() -> Vec<S> {
    let seed = |service: S, product: ProductItem| service.seed(product.key(), SeedProduct { product });
    let order = S::service("Order").listed::<Product>().listed::<Order>().view::<OrderStatus>();
    vec![
        seed(seed(order, ProductItem::gas()), ProductItem::diesel()),
        S::service("Logistics").listed::<Shipment>().policy(ShipOrders),
        S::service("Station")
            .listed::<StockFlow>()
            .listed::<Stock>()
            .listed::<ProductMaster>()
            .listed::<Account>()
            .asked::<StockFlow, RecordFlow>()
            .asked::<StockFlow, CallOffReceipt>()
            .asked::<StockFlow, VoidSale>()
            .policy(UpdateMasters)
            .policy(ExpectShipments)
            .policy(ReturnCanceledSales)
            .policy(VoidUnknownSales)
            .view::<SalesSummary>(),
        S::service("POS").listed::<Sale>().listed::<ProductMenu>().policy(UpdateMenus),
    ]
}

#[cfg(test)]
mod tests;
