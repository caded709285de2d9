//! A station that is embedded as a library: started, used, stopped, and started again with a subscriber.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, anyhow};
use steadfast::{
    Key, NumberedId, System,
    persistence::{self, StorageConfig},
    station::{
        self, CancelSale, ConfirmReceipt, FlowEntry, MakeSale, Milli, Order, PlaceOrder, Product, ProductItem,
        ProductMenu, Sale, Stock, StockFlow,
    },
};

use super::settlement::{self, Settlement};

/// How long anything here may take.
const WITHIN: Duration = Duration::from_secs(20);

/// A station that runs, alone or with the subscriber.
pub(crate) struct Station {
    system: System,
    subscribed: bool,
}

impl Station {
    /// Starts it on the data in `data`. The subscriber is one more line; the station is as it was.
    ///
    /// # Errors
    /// What the storage or the start says.
    pub(crate) async fn start(data: &Path, subscribed: bool) -> anyhow::Result<Self> {
        let storage = persistence::open(&StorageConfig::new(data)).context("the data cannot be opened")?;
        let mut builder = System::builder(storage).system(station::NAME, station::services());
        if subscribed {
            builder = builder.system(settlement::NAME, settlement::services());
        }
        let system = builder.start().await.context("the station does not start")?;
        let station = Self { system, subscribed };
        station.settle().await?; // the first time, the menu fills
        Ok(station)
    }

    /// Orders fuel, waits for it, and confirms its receipt.
    ///
    /// # Errors
    /// What the order or the receipt was refused for.
    pub(crate) async fn fill(&self, litres: i64) -> anyhow::Result<()> {
        let gas = ProductItem::gas();
        let product = self.system.entities::<Product>().get(&gas.key()).await?;
        let place = PlaceOrder {
            product_id: gas.product_id,
            product: product.and_then(|current| current.state.item(current.number)),
            qty: whole(litres)?,
            dest_addr: "the pump".to_owned(),
            today: "2021-06-01".to_owned(),
        };
        let order = self.system.entities::<Order>().ask(&new("order", litres)?, place).await?;
        self.settle().await?;
        let receipt = FlowEntry::key_of_receipt(order.order_id);
        self.system.entities::<StockFlow>().ask(&receipt, ConfirmReceipt { qty: None }).await?;
        Ok(())
    }

    /// Sells so many litres of GAS; the number of the sale.
    ///
    /// # Errors
    /// What the sale was refused for.
    pub(crate) async fn sell(&self, till: i64, litres: i64) -> anyhow::Result<u64> {
        let gas = ProductItem::gas();
        let menu = self.system.entities::<ProductMenu>().get(&gas.key()).await?;
        let wanted = MakeSale {
            product_id: gas.product_id,
            product: menu.and_then(|current| current.state.item(current.number)),
            qty: whole(litres)?,
            within: station::STATION_WITHIN,
        };
        Ok(self.system.entities::<Sale>().ask(&new("sale", till)?, wanted).await?.sale_id)
    }

    /// Takes a sale back.
    ///
    /// # Errors
    /// That there is none.
    pub(crate) async fn cancel(&self, sale: u64) -> anyhow::Result<()> {
        Ok(self.system.entities::<Sale>().ask(&NumberedId::number(sale), CancelSale).await?)
    }

    /// What there is of GAS, in litres.
    ///
    /// # Errors
    /// That the station does not answer.
    pub(crate) async fn stock(&self) -> anyhow::Result<f64> {
        self.settle().await?;
        let stock = self.system.entities::<Stock>().get(&ProductItem::gas().key()).await?;
        Ok(stock.map_or(0.0, |current| current.state.total().as_f64()))
    }

    /// The settlements by day; none when nobody subscribed.
    ///
    /// # Errors
    /// That the rows cannot be read.
    pub(crate) async fn settlements(&self) -> anyhow::Result<BTreeMap<String, Settlement>> {
        if !self.subscribed {
            return Ok(BTreeMap::new());
        }
        let rows = self.system.views::<Settlement>();
        anyhow::ensure!(rows.catch_up(WITHIN).await?, "the settlements lag");
        Ok(rows.scan(&[], None, 1000).await?.into_iter().collect())
    }

    /// Stops it, with everything on the disk.
    pub(crate) async fn stop(self) {
        self.system.shutdown(WITHIN).await;
    }

    /// Waits until every policy and every view has caught up.
    async fn settle(&self) -> anyhow::Result<()> {
        self.system.quiesce(WITHIN).await.map_err(|lagging| anyhow!("still busy: {lagging:?}"))
    }
}

fn whole(units: i64) -> anyhow::Result<Milli> {
    Milli::of(units * 1000).context("too much to count")
}

/// The stream of something new: the same name is the same thing, however often it is asked for.
fn new(what: &str, which: i64) -> anyhow::Result<NumberedId> {
    Ok(NumberedId::Key(Key::new(format!("{what}-{which}"))?))
}
