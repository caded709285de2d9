//! What a sale that is taken back, or never came about, means for the stock.

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::station::{
        flow::{FlowEntry, RecordFlow, StockFlow, VoidSale},
        sale::{Sale, SaleEvent, Ticket},
    },
};

/// A canceled sale raises the stock again, by a row of its own (service Station; F8, D-2).
#[derive(Debug)]
pub struct ReturnCanceledSales;

impl Policy for ReturnCanceledSales {
    const NAME: &'static str = "station.return-canceled-sales";
    type Source = Sale;
    type Target = StockFlow;
    fn react(&self, event: &Recorded<Sale>) -> Vec<Dispatch<StockFlow>> {
        let SaleEvent::CanceledSold(ticket) = &event.event else { return Vec::new() };
        let (sale, Ticket { product_id, product_name, qty, .. }) = (event.number.get(), ticket.clone());
        let entry = FlowEntry::canceled_sale(sale, product_id, product_name, qty);
        vec![send(&FlowEntry::key_of_cancellation(sale), RecordFlow { entry })]
    }
}

/// The row of a sale that POS has given up must not stand (service Station; D-8).
#[derive(Debug)]
pub struct VoidUnknownSales;

impl Policy for VoidUnknownSales {
    const NAME: &'static str = "station.void-unknown-sales";
    type Source = Sale;
    type Target = StockFlow;
    fn react(&self, event: &Recorded<Sale>) -> Vec<Dispatch<StockFlow>> {
        let SaleEvent::SaleVoidRequested { round, .. } = event.event else { return Vec::new() };
        vec![send(&FlowEntry::key_of_sale(event.number.get(), round), VoidSale)]
    }
}
