//! What happens by itself, by what moves: goods, prices, sales.

mod orders;
mod prices;
mod sales;

pub use orders::{ExpectShipments, ShipOrders};
pub use prices::{UpdateMasters, UpdateMenus};
pub use sales::{ReturnCanceledSales, VoidUnknownSales};
